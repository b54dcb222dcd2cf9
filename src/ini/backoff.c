#include "ini/backoff.h"

#include <assert.h>

/* From this try on it waits the longest. */
#define SELDOM 6

static_assert(BACKOFF_FIRST_MS << (SELDOM - 1) >= BACKOFF_MAX_MS, "seldom is the longest wait");

void
backoff_reset(struct backoff *b)
{
	b->tries = 0;
}

void
backoff_seldom(struct backoff *b)
{
	if (b->tries < SELDOM)
		b->tries = SELDOM;
}

uint64_t
backoff_next_us(struct backoff *b, bool is_waited_for, uint32_t random)
{
	uint64_t ms = BACKOFF_MAX_MS;
	uint32_t shift;

	if (b->tries == 0) {
		b->tries = 1;
		return 0;
	}
	shift = b->tries - 1;
	if (shift < 16 && (uint64_t)BACKOFF_FIRST_MS << shift < BACKOFF_MAX_MS)
		ms = (uint64_t)BACKOFF_FIRST_MS << shift;
	if (is_waited_for && ms > BACKOFF_WAITED_MAX_MS)
		ms = BACKOFF_WAITED_MAX_MS;
	if (b->tries < UINT32_MAX)
		b->tries++;
	/* Between three and five quarters of the step. */
	return ms * 750 + ms * 500 * (random & 0xffff) / 0xffff;
}
