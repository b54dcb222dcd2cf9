#include "iisnsd/assemble.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define CAP_MIN 1024

void
assemble_init(struct assemble *a, size_t bytes_max)
{
	*a = (struct assemble){ .bytes_max = bytes_max };
}

void
assemble_fini(struct assemble *a)
{
	free(a->body);
	assemble_init(a, a->bytes_max);
}

/* Whether this PDU is the message's next one. */
static enum isnsp_result
judge(const struct assemble *a)
{
	const struct isnsp_header *h = &a->h;
	bool is_first = (h->flags & ISNSP_FIRST) != 0;

	/* "bit 21 SHALL be set in the first PDU of the message" */
	if (is_first != (a->pdus == 0) || h->seq != (uint16_t)a->pdus)
		return ISNSP_IS_SEQUENCE;
	/* "All PDUs comprising the same iSNSP message SHALL have the same FUNCTION_ID and
	 * TRANSACTION_ID values." */
	if (a->pdus > 0 && (h->function != a->function || h->xid != a->xid))
		return ISNSP_IS_SEQUENCE;
	if (a->pdus == LIMIT_ISNS_PDUS)
		return ISNSP_IS_ENDLESS;
	return h->bytes > a->bytes_max - a->n ? ISNSP_IS_TOO_LONG : ISNSP_IS_OK;
}

static enum isnsp_result
take_header(struct assemble *a)
{
	enum isnsp_result r = isnsp_get_header(a->head, &a->h);

	if (r == ISNSP_IS_OK)
		r = judge(a);
	if (r != ISNSP_IS_OK)
		return r;
	a->function = a->h.function;
	a->xid = a->h.xid;
	a->left = a->h.bytes;
	a->pdus++;
	return ISNSP_IS_OK;
}

static enum isnsp_result
append(struct assemble *a, const uint8_t *bytes, size_t n)
{
	size_t cap = a->cap == 0 ? CAP_MIN : a->cap;
	uint8_t *p;

	while (cap - a->n < n)
		cap *= 2;
	if (cap > a->cap) {
		p = realloc(a->body, cap);
		if (p == NULL)
			return ISNSP_IS_MEMORY;
		a->body = p;
		a->cap = cap;
	}
	memcpy(a->body + a->n, bytes, n);
	a->n += n;
	a->left -= n;
	return ISNSP_IS_OK;
}

static size_t
take_some(struct assemble *a, const uint8_t *bytes, size_t n, enum isnsp_result *ret_result)
{
	size_t want = a->head_n < ISNSP_HEADER_BYTES ? ISNSP_HEADER_BYTES - a->head_n : a->left;

	if (n > want)
		n = want;
	if (a->head_n == ISNSP_HEADER_BYTES) {
		*ret_result = n > 0 ? append(a, bytes, n) : ISNSP_IS_OK;
		return n;
	}
	memcpy(a->head + a->head_n, bytes, n);
	a->head_n += n;
	*ret_result = a->head_n == ISNSP_HEADER_BYTES ? take_header(a) : ISNSP_IS_OK;
	return n;
}

size_t
assemble_take(struct assemble *a, const uint8_t *bytes, size_t n, bool *ret_whole,
    enum isnsp_result *ret_result)
{
	size_t taken = 0;

	*ret_whole = false;
	*ret_result = ISNSP_IS_OK;
	if (a->is_whole) {
		a->is_whole = false;
		a->n = 0;
		a->pdus = 0;
	}
	while (taken < n && !*ret_whole && *ret_result == ISNSP_IS_OK) {
		taken += take_some(a, bytes + taken, n - taken, ret_result);
		if (a->head_n < ISNSP_HEADER_BYTES || a->left > 0 || *ret_result != ISNSP_IS_OK)
			continue;
		a->head_n = 0;
		*ret_whole = a->is_whole = (a->h.flags & ISNSP_LAST) != 0;
	}
	return taken;
}
