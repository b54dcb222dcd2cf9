#include "iisnsd/isnsp.h"

#include <arpa/inet.h>
#include <string.h>

#define WORD 4
/* Where a header has its length. */
#define LENGTH_AT 4

enum isnsp_result
isnsp_get_header(const uint8_t bytes[ISNSP_HEADER_BYTES], struct isnsp_header *ret)
{
	struct cursor c = cursor_over(bytes, ISNSP_HEADER_BYTES);
	uint16_t version = cursor_be16(&c);

	ret->function = cursor_be16(&c);
	ret->bytes = cursor_be16(&c);
	ret->flags = cursor_be16(&c);
	ret->xid = cursor_be16(&c);
	ret->seq = cursor_be16(&c);
	if (version != ISNSP_VERSION)
		return ISNSP_IS_VERSION;
	/* Section 5.1.3: "The PDU Length MUST be 4-byte aligned." */
	if (ret->bytes % WORD != 0)
		return ISNSP_IS_LENGTH;
	/* Section 5.5: "iSNS unicast messages SHOULD NOT include the authentication block". */
	return (ret->flags & ISNSP_AUTH) != 0 ? ISNSP_IS_AUTH : ISNSP_IS_OK;
}

void
isnsp_begin(struct put *w, uint16_t function, uint16_t flags, uint16_t xid)
{
	put_be16(w, ISNSP_VERSION);
	put_be16(w, function);
	put_be16(w, 0);
	put_be16(w, (uint16_t)(flags | ISNSP_FROM_CLIENT | ISNSP_FIRST | ISNSP_LAST));
	put_be16(w, xid);
	put_be16(w, 0); /* section 5.1.6: the first PDU's sequence ID is 0 */
}

bool
isnsp_end(struct put *w, size_t start)
{
	size_t n = put_len(w) - start;

	if (w->overflow || n < ISNSP_HEADER_BYTES || n - ISNSP_HEADER_BYTES > UINT16_MAX)
		return false;
	be_put16(w->start + start + LENGTH_AT, (uint16_t)(n - ISNSP_HEADER_BYTES));
	return true;
}

static bool
is_possible(uint32_t tag, size_t n)
{
	static const struct {
		uint32_t tag;
		size_t min, max;
	} rows[] = {
#define ISNSP_ATTR(id, tag, min, max) { tag, min, max },
#include "iisnsd/attr.def"
#undef ISNSP_ATTR
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].tag == tag)
			return n == 0 || (n >= rows[i].min && n <= rows[i].max);
	return true;
}

enum isnsp_result
isnsp_get_attr(struct cursor *body, struct isnsp_attr *ret)
{
	uint32_t tag = cursor_be32(body), n = cursor_be32(body);
	const uint8_t *value = cursor_bytes(body, n);

	*ret = (struct isnsp_attr){ .tag = UINT32_MAX };
	if (value == NULL)
		return ISNSP_IS_SHORT;
	/* Section 5.3.1: "All attribute values are aligned to 4-byte boundaries." */
	if (n % WORD != 0 || !is_possible(tag, n))
		return ISNSP_IS_LENGTH;
	*ret = (struct isnsp_attr){ tag, cursor_over(value, n), n };
	return ISNSP_IS_OK;
}

enum isnsp_result
isnsp_attr_number(const struct isnsp_attr *a, uint32_t *ret)
{
	struct cursor c = a->value;

	if (a->n != WORD)
		return ISNSP_IS_VALUE;
	*ret = cursor_be32(&c);
	return ISNSP_IS_OK;
}

enum isnsp_result
isnsp_attr_text(const struct isnsp_attr *a, char *ret, size_t bytes)
{
	const char *text = (const char *)a->value.p;
	size_t n = a->n > 0 ? strnlen(text, a->n) : 0;

	if (n == a->n || n >= bytes)
		return ISNSP_IS_VALUE;
	for (size_t i = n; i < a->n; i++)
		if (text[i] != '\0')
			return ISNSP_IS_VALUE;
	memcpy(ret, text, n + 1);
	return ISNSP_IS_OK;
}

enum isnsp_result
isnsp_attr_address(const struct isnsp_attr *a, char ret[ISNSP_ADDRESS_BYTES])
{
	static const uint8_t zeros[12], mapped[12] = { [10] = 0xff, 0xff };
	const uint8_t *p = a->value.p;
	bool is_v4;

	if (a->n != 16)
		return ISNSP_IS_VALUE;
	/* Section 6.3.1 has IPv4 addresses mapped; the first servers had compatible ones. */
	is_v4 = memcmp(p, mapped, 12) == 0 || (memcmp(p, zeros, 12) == 0 && be_get32(p + 12) > 1);
	if (inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? p + 12 : p, ret, ISNSP_ADDRESS_BYTES) ==
	    NULL)
		return ISNSP_IS_VALUE;
	return ISNSP_IS_OK;
}

static void
put_value(struct put *w, enum isnsp_tag tag, const void *value, size_t n)
{
	static const uint8_t zeros[WORD];
	size_t pad = (WORD - n % WORD) % WORD;

	put_be32(w, (uint32_t)tag);
	put_be32(w, (uint32_t)(n + pad));
	put_bytes(w, value, n);
	put_bytes(w, zeros, pad);
}

void
isnsp_put_none(struct put *w, enum isnsp_tag tag)
{
	put_value(w, tag, "", 0);
}

void
isnsp_put_number(struct put *w, enum isnsp_tag tag, uint32_t n)
{
	uint8_t bytes[WORD];

	be_put32(bytes, n);
	put_value(w, tag, bytes, sizeof bytes);
}

void
isnsp_put_text(struct put *w, enum isnsp_tag tag, const char *text)
{
	put_value(w, tag, text, strlen(text) + 1);
}

void
isnsp_put_address(struct put *w, enum isnsp_tag tag, const uint8_t address[16])
{
	put_value(w, tag, address, 16);
}

const char *
isnsp_status_text(uint32_t status)
{
	switch (status) {
#define ISNSP_STATUS(id, number, text) \
	case number:                   \
		return text;
#include "iisnsd/status.def"
#undef ISNSP_STATUS
	}
	return "it answers with a status that RFC 4171 does not have";
}

const char *
isnsp_result_text(enum isnsp_result r)
{
	switch (r) {
#define ISNSP_RESULT(id, text) \
	case ISNSP_IS_##id:    \
		return text;
#include "iisnsd/isnsp_result.def"
#undef ISNSP_RESULT
	}
	return "it makes no sense";
}
