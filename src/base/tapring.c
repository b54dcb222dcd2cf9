#include "base/tapring.h"

#include <assert.h>
#include <string.h>

static void
copy_in(struct tapring *r, const void *bytes, size_t n)
{
	size_t at = (size_t)r->put & (r->size - 1), first = r->size - at;

	if (n == 0)
		return;
	if (first > n)
		first = n;
	memcpy(r->bytes + at, bytes, first);
	memcpy(r->bytes, (const uint8_t *)bytes + first, n - first);
	r->put += n;
}

bool
tapring_put(struct tapring *r, struct tapring_record *record, const struct tapring_part *parts,
    size_t n_parts)
{
	static const uint8_t fill[8];
	size_t n = 0, whole;

	for (size_t i = 0; i < n_parts; i++)
		n += parts[i].n;
	whole = (sizeof *record + n + 7) & ~(size_t)7;
	if (whole > r->size - (size_t)(r->put - r->taken)) {
		if (record->kind == TAPRING_PDU)
			r->dropped++;
		return false;
	}
	record->bytes = (uint32_t)whole;
	record->kept = (uint32_t)n;
	record->dropped = r->dropped;
	copy_in(r, record, sizeof *record);
	for (size_t i = 0; i < n_parts; i++)
		copy_in(r, parts[i].bytes, parts[i].n);
	copy_in(r, fill, whole - sizeof *record - n);
	agenda_defer(r->agenda, r->work);
	return true;
}

size_t
tapring_peek(const struct tapring *r, const uint8_t **ret_bytes)
{
	size_t at = (size_t)r->taken & (r->size - 1), n = (size_t)(r->put - r->taken);

	*ret_bytes = r->bytes + at;
	return n < r->size - at ? n : r->size - at;
}

void
tapring_took(struct tapring *r, size_t n)
{
	assert(n <= r->put - r->taken);
	r->taken += n;
}
