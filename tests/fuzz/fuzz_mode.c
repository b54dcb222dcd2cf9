/*
 * What is short: mode pages, INQUIRY and READ CAPACITY data.
 *
 * Covers: src/scsi/mode.c src/scsi/inquiry.c src/scsi/capacity.c
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "scsi/capacity.h"
#include "scsi/inquiry.h"
#include "scsi/mode.h"

static void
check_mode(bool ok, const struct mode *m)
{
	if (ok)
		FUZZ_CHECK(
		    m->has_caching || (!m->is_write_cache_enabled && !m->is_read_cache_disabled));
}

static void
check_capacity(enum capacity_result result, const struct capacity *c)
{
	FUZZ_CHECK(capacity_result_text(result)[0] != '\0');
	if (result != CAPACITY_OK)
		return;
	FUZZ_CHECK(c->block_bytes >= CAPACITY_BLOCK_BYTES_MIN);
	FUZZ_CHECK(c->block_bytes <= CAPACITY_BLOCK_BYTES_MAX);
	FUZZ_CHECK((c->block_bytes & (c->block_bytes - 1)) == 0);
	FUZZ_CHECK(c->bytes / c->block_bytes == c->blocks && c->bytes <= INT64_MAX);
	FUZZ_CHECK(c->physical_bytes >= c->block_bytes && c->protection_type <= 8);
}

static void
check_inquiry(const uint8_t *p, size_t n)
{
	char text[INQUIRY_DESCRIPTION_BYTES];
	struct inquiry inq;

	if (!inquiry_parse(p, n, &inq)) {
		FUZZ_CHECK(n < 5);
		return;
	}
	inquiry_describe(&inq, text);
	FUZZ_CHECK(strlen(text) < sizeof text);
	for (const char *s = text; *s != '\0'; s++)
		FUZZ_CHECK(*s >= 0x20 && *s < 0x7f);
	FUZZ_CHECK(inquiry_class(inq.type)[0] != '\0' && inquiry_type_name(inq.type)[0] != '\0');
	FUZZ_CHECK(inquiry_driver(inq.type) != NULL);
	(void)inquiry_is_present(&inq); /* either is fine */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	struct mode m = { 0 };
	struct capacity c;
	size_t n;
	uint8_t *bytes = fuzz_rest(&in, &n);

	memset(&c, 0, sizeof c);
	check_mode(mode_parse_6(bytes, n, &m), &m);
	check_mode(mode_parse_10(bytes, n, &m), &m);
	check_inquiry(bytes, n);
	check_capacity(capacity_parse_10(bytes, n, &c), &c);
	check_capacity(capacity_parse_16(bytes, n, &c), &c);
	free(bytes);
	return 0;
}
