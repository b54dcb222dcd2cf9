#include "ini/isid.h"

#include <assert.h>
#include <stdio.h>

#include "base/be.h"

#define ISID_RANDOM              0x80 /* T = 10b */
#define ISID_QUALIFIER_DISCOVERY 0x8000

static_assert(LIMIT_SESSIONS < ISID_QUALIFIER_DISCOVERY, "an instance fits its half");

static void
isid_make(uint8_t ret_isid[6], uint32_t random24, uint16_t qualifier)
{
	ret_isid[0] = ISID_RANDOM;
	be_put24(ret_isid + 1, random24 & 0xffffff);
	be_put16(ret_isid + 4, qualifier);
}

void
isid_normal(uint8_t ret_isid[6], uint32_t random24, uint32_t instance)
{
	assert(instance < LIMIT_SESSIONS);
	isid_make(ret_isid, random24, (uint16_t)instance);
}

void
isid_discovery(uint8_t ret_isid[6], uint32_t random24, uint32_t n)
{
	isid_make(ret_isid, random24, (uint16_t)(ISID_QUALIFIER_DISCOVERY | (n & 0x7fff)));
}

void
isid_print(char ret_text[13], const uint8_t isid[6])
{
	(void)snprintf(ret_text, 13, "%02x%02x%02x%02x%02x%02x", isid[0], isid[1], isid[2], isid[3],
	    isid[4], isid[5]); /* always fits */
}
