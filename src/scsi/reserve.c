#include "scsi/reserve.h"

#include <string.h>

#include "base/be.h"
#include "base/hex.h"

#define HEADER_BYTES     8
#define DESCRIPTOR_BYTES 24
#define PROTOCOL_ISCSI   5

/* ---- names ---- */

const char *
reserve_in_name(uint8_t action)
{
	switch (action) {
#define RESERVE_IN(id, action, name) \
	case action:                 \
		return name;
#include "scsi/reserve.def"
	default:
		return "unknown service action";
	}
}

const char *
reserve_out_name(uint8_t action)
{
	switch (action) {
#define RESERVE_OUT(id, action, name) \
	case action:                  \
		return name;
#include "scsi/reserve.def"
	default:
		return "unknown service action";
	}
}

const char *
reserve_type_name(uint8_t type)
{
	switch (type) {
#define RESERVE_TYPE(id, code, name, text) \
	case code:                         \
		return name;
#include "scsi/reserve.def"
	default:
		return "unknown type";
	}
}

/* ---- commands ---- */

bool
reserve_list_parse(const void *bytes, size_t n, struct reserve_list *ret)
{
	const uint8_t *p = bytes;

	if (n < RESERVE_LIST_BYTES)
		return false;
	*ret = (struct reserve_list){
		.key = be_get64(p),
		.service_key = be_get64(p + 8),
		.spec_i_pt = (p[20] & 0x08) != 0,
		.all_tg_pt = (p[20] & 0x04) != 0,
		.aptpl = (p[20] & 0x01) != 0,
	};
	return true;
}

void
reserve_list_make(const struct reserve_list *l, uint8_t ret_bytes[RESERVE_LIST_BYTES])
{
	memset(ret_bytes, 0, RESERVE_LIST_BYTES);
	be_put64(ret_bytes, l->key);
	be_put64(ret_bytes + 8, l->service_key);
	ret_bytes[20] = (uint8_t)((l->spec_i_pt ? 0x08 : 0) | (l->all_tg_pt ? 0x04 : 0) |
				  (l->aptpl ? 0x01 : 0));
}

void
reserve_in(uint8_t cdb[CDB_BYTES], enum reserve_in action, uint16_t alloc_bytes)
{
	memset(cdb, 0, CDB_BYTES);
	cdb[0] = CDB_PERSISTENT_RESERVE_IN;
	cdb[1] = (uint8_t)action;
	be_put16(cdb + 7, alloc_bytes);
}

void
reserve_out(uint8_t cdb[CDB_BYTES], enum reserve_out action, uint8_t type)
{
	memset(cdb, 0, CDB_BYTES);
	cdb[0] = CDB_PERSISTENT_RESERVE_OUT;
	cdb[1] = (uint8_t)action;
	cdb[2] = type & 0x0f;
	be_put32(cdb + 5, RESERVE_LIST_BYTES);
}

/* ---- answers ---- */

/* Header: generation, and how many bytes follow; *ret_len: as many of them as there are. */
static bool
header(const uint8_t *p, size_t n, uint32_t *ret_generation, size_t *ret_len, uint32_t *ret_says)
{
	if (n < HEADER_BYTES)
		return false;
	*ret_generation = be_get32(p);
	*ret_says = be_get32(p + 4);
	*ret_len = *ret_says < n - HEADER_BYTES ? *ret_says : n - HEADER_BYTES;
	return true;
}

bool
reserve_keys_parse(const void *bytes, size_t n, struct reserve_keys *ret)
{
	uint32_t generation, says;
	size_t len;

	if (!header(bytes, n, &generation, &len, &says))
		return false;
	*ret = (struct reserve_keys){
		.generation = generation,
		.n = says / 8,
		.n_here = (uint32_t)(len / 8),
		.at = (const uint8_t *)bytes + HEADER_BYTES,
	};
	return true;
}

uint64_t
reserve_key(const struct reserve_keys *k, uint32_t i)
{
	return be_get64(k->at + (size_t)8 * i);
}

uint32_t
reserve_keys_count(const struct reserve_keys *k, uint64_t key)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->n_here; i++)
		n += reserve_key(k, i) == key;
	return n;
}

bool
reserve_reservation_parse(const void *bytes, size_t n, uint32_t *ret_generation, bool *ret_is_held,
    struct reserve_holder *ret)
{
	const uint8_t *p = (const uint8_t *)bytes + HEADER_BYTES;
	uint32_t generation, says;
	size_t len;

	if (!header(bytes, n, &generation, &len, &says) || (says > 0 && len < 16))
		return false;
	*ret_generation = generation;
	*ret_is_held = says > 0;
	if (says > 0)
		*ret = (struct reserve_holder){
			.key = be_get64(p), .is_holder = true, .type = p[13] & 0x0f
		};
	return true;
}

/* ",i,0x" and the ISID in hexadecimal digits, SPC-4, section 7.6.4.6. */
static void
take_isid(const uint8_t *p, size_t n, struct reserve_holder *ret)
{
	static const char mark[] = { ',', 'i', ',', '0', 'x' };
	uint8_t isid[6];

	if (n < sizeof mark + 12 || memcmp(p, mark, sizeof mark) != 0)
		return;
	p += sizeof mark;
	for (size_t i = 0; i < sizeof isid; i++) {
		int high = hex_digit((char)p[2 * i]), low = hex_digit((char)p[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		isid[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret->isid, isid, sizeof isid);
	ret->has_isid = true;
}

/* TransportID of iSCSI: a name, or a name and an ISID; NUL-terminated and padded. */
static void
take_transport(const uint8_t *p, size_t n, struct reserve_holder *ret)
{
	size_t len, i = 0;

	if (n < 4 || (p[0] & 0x0f) != PROTOCOL_ISCSI)
		return;
	len = be_get16(p + 2);
	if (len > n - 4)
		len = n - 4;
	p += 4;
	for (; i < len && p[i] > ' ' && p[i] < 0x7f && p[i] != ',' && i < sizeof ret->name - 1; i++)
		ret->name[i] = (char)p[i];
	ret->name[i] = '\0';
	take_isid(p + i, len - i, ret);
}

bool
reserve_status_next(const void *bytes, size_t n, size_t *at, struct reserve_holder *ret)
{
	uint32_t generation, says, more;
	const uint8_t *p;
	size_t len;

	if (!header(bytes, n, &generation, &len, &says) || *at > len ||
	    len - *at < DESCRIPTOR_BYTES)
		return false;
	p = (const uint8_t *)bytes + HEADER_BYTES + *at;
	more = be_get32(p + 20);
	if (more > len - *at - DESCRIPTOR_BYTES)
		return false;
	*ret = (struct reserve_holder){
		.key = be_get64(p),
		.is_holder = (p[12] & 0x01) != 0,
		.is_all_ports = (p[12] & 0x02) != 0,
		.type = p[13] & 0x0f,
		.port = be_get16(p + 18),
	};
	take_transport(p + DESCRIPTOR_BYTES, more, ret);
	*at += DESCRIPTOR_BYTES + more;
	return true;
}

bool
reserve_status_generation(const void *bytes, size_t n, uint32_t *ret_generation)
{
	uint32_t says;
	size_t len;

	return header(bytes, n, ret_generation, &len, &says);
}

/* ---- the rule ---- */

/*
 * PRGENERATION is 0 after power on, and every REGISTER, CLEAR and PREEMPT counts it up (SPC-4,
 * section 5.13.10): only where it is lower than it was has the target lost its power.  A list of
 * keys that was cut says nothing of what is behind its end.
 */
enum reserve_again
reserve_again(const struct reserve_keys *now, uint64_t key, uint32_t last_generation)
{
	if (reserve_keys_count(now, key) > 0)
		return RESERVE_IS_THERE;
	if (now->n == now->n_here && now->generation < last_generation)
		return RESERVE_WAS_LOST;
	return RESERVE_WAS_TAKEN;
}
