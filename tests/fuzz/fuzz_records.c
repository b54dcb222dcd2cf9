/*
 * What comes to iscsiutil --capture from the driver, should that be conquered: datagrams of
 * records.
 *
 * The file has whole blocks whatever came, and no more packets than a record can be; the same bytes
 * in other datagrams make the same file.
 *
 * Covers: src/tools/iscsiutil/records.c src/tools/iscsiutil/captured.c src/tools/iscsiutil/packet.c
 * Covers: src/tools/iscsiutil/pcapng.c
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tools/iscsiutil/captured.h"

/* The first byte is the length of the datagrams, the rest one worker's stream. */
static struct captured *
take(const uint8_t *data, size_t size, size_t piece, bool *ret_is_good)
{
	struct records *records = calloc(1, sizeof *records);
	struct captured *c = calloc(1, sizeof *c);
	uint8_t *datagram = malloc(piece + 4);

	FUZZ_CHECK(records != NULL && c != NULL && datagram != NULL);
	*records = (struct records){ .each = captured_record, .user = c };
	*ret_is_good = true;
	captured_begin_file(c);
	memset(datagram, 0, 4);
	for (size_t at = 0; at < size && *ret_is_good; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		memcpy(datagram + 4, data + at, n);
		*ret_is_good = records_take(records, datagram, n + 4);
	}
	captured_end_file(c);
	free(datagram);
	records_fini(records);
	free(records);
	return c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct captured *a, *b;
	bool is_good, is_same;

	if (size < 2)
		return 0;
	fuzz_quiet();
	a = take(data + 1, size - 1, data[0] + 1u, &is_good);
	b = take(data + 1, size - 1, size, &is_same);
	FUZZ_CHECK(pcapng_whole(&a->out, a->out.len) == a->out.len);
	FUZZ_CHECK(a->pdus + a->connections <= size / sizeof(struct tapring_record));
	FUZZ_CHECK(is_good == is_same);
	FUZZ_CHECK(!is_good || (a->out.len == b->out.len &&
				   memcmp(a->out.bytes, b->out.bytes, a->out.len) == 0));
	captured_fini(a);
	captured_fini(b);
	free(a);
	free(b);
	return 0;
}
