#include "tools/iscsiutil/prwire.h"

#include <assert.h>
#include <string.h>

#include "base/be.h"

#define RESERVE_IN  0x5e
#define RESERVE_OUT 0x5f

size_t
prwire_want(const struct prwire *p)
{
	size_t whole = !p->is_greeted ? PRWIRE_FEATURES_BYTES
		       : !p->has_cdb  ? PRWIRE_CDB_BYTES
				      : p->len;

	return whole - p->got;
}

bool
prwire_at_command(const struct prwire *p)
{
	return p->is_greeted && !p->has_cdb && p->got == 0;
}

static enum prwire_end
take_cdb(struct prwire *p)
{
	p->is_out = p->cdb[0] == RESERVE_OUT;
	if (p->cdb[0] != RESERVE_IN && !p->is_out)
		return PRWIRE_BROKEN;
	/* SPC-4, sections 6.15 and 6.16: the lengths have other places. */
	p->len = p->is_out ? be_get32(p->cdb + 5) : be_get16(p->cdb + 7);
	if (p->len > PRWIRE_DATA_MAX)
		return PRWIRE_BROKEN;
	p->has_cdb = true;
	p->got = 0;
	return p->is_out && p->len > 0 ? PRWIRE_MORE : PRWIRE_COMMAND;
}

enum prwire_end
prwire_take(struct prwire *p, const void *bytes, size_t n)
{
	uint8_t *to = !p->is_greeted ? p->features : !p->has_cdb ? p->cdb : p->data;

	assert(n <= prwire_want(p));
	memcpy(to + p->got, bytes, n);
	p->got += n;
	if (prwire_want(p) > 0)
		return PRWIRE_MORE;
	if (p->is_greeted)
		return p->has_cdb ? PRWIRE_COMMAND : take_cdb(p);
	p->is_greeted = true;
	p->got = 0;
	/* We have no feature, so he may want none. */
	return be_get32(p->features) == 0 ? PRWIRE_MORE : PRWIRE_BROKEN;
}

void
prwire_next(struct prwire *p)
{
	p->has_cdb = false;
	p->got = 0;
}

void
prwire_answer(uint8_t ret_bytes[PRWIRE_ANSWER_BYTES], uint8_t status, uint32_t data_len,
    const uint8_t *sense, size_t sense_len)
{
	memset(ret_bytes, 0, PRWIRE_ANSWER_BYTES);
	be_put32(ret_bytes, status);
	be_put32(ret_bytes + 4, data_len);
	if (sense_len > 0)
		memcpy(ret_bytes + 8, sense,
		    sense_len < PRWIRE_SENSE_BYTES ? sense_len : PRWIRE_SENSE_BYTES);
}

void
prwire_sense(uint8_t ret_bytes[PRWIRE_OWN_SENSE_BYTES], uint8_t key, uint8_t asc, uint8_t ascq)
{
	memset(ret_bytes, 0, PRWIRE_OWN_SENSE_BYTES);
	ret_bytes[0] = 0x70;
	ret_bytes[2] = key;
	ret_bytes[7] = PRWIRE_OWN_SENSE_BYTES - 8;
	ret_bytes[12] = asc;
	ret_bytes[13] = ascq;
}
