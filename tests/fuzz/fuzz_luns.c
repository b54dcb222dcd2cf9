/*
 * REPORT LUNS data, and addresses of LUNs.
 *
 * Covers: src/scsi/luns.c
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "scsi/luns.h"

#define OUT_MAX 64

/* luns has room for luns_most(n), and no more. */
static void
check_report(const uint8_t *p, size_t n, bool only_primary, struct luns_entry *luns)
{
	struct luns_out out[OUT_MAX];
	struct luns_report r;
	struct luns_path path;
	enum luns_mode mode;
	uint32_t lun;

	if (!luns_parse(p, n, only_primary, luns, out, OUT_MAX, &r)) {
		FUZZ_CHECK(n < 8);
		return;
	}
	FUZZ_CHECK(r.claimed <= LIMIT_LUNS && r.claimed <= luns_most(n));
	FUZZ_CHECK((size_t)r.claimed + r.unclaimed + r.doubles + r.well_known <= (n - 8) / 8);
	for (uint32_t i = 0; i < r.claimed; i++) {
		FUZZ_CHECK(i == 0 || luns[i].number > luns[i - 1].number);
		FUZZ_CHECK(luns_decode(luns[i].wire, &mode, &lun) == LUNS_SINGLE);
		FUZZ_CHECK(lun == luns[i].number && (!only_primary || mode == r.primary));
		FUZZ_CHECK(luns_path(lun, &path));
		FUZZ_CHECK(path.bus * 128u + path.target * 8u + path.lun == lun);
	}
	for (uint32_t i = 0; i < r.unclaimed && i < OUT_MAX; i++)
		FUZZ_CHECK(luns_why_text(out[i].why)[0] != '\0');
}

static void
check_address(const uint8_t wire[LUNS_WIRE_BYTES])
{
	uint8_t again[LUNS_WIRE_BYTES];
	enum luns_mode mode, mode_again;
	uint32_t lun, lun_again;

	if (luns_decode(wire, &mode, &lun) != LUNS_SINGLE)
		return;
	FUZZ_CHECK(luns_encode(mode, lun, again));
	FUZZ_CHECK(luns_decode(again, &mode_again, &lun_again) == LUNS_SINGLE);
	FUZZ_CHECK(mode == mode_again && lun == lun_again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	bool only_primary = (cursor_u8(&in) & 1) != 0;
	size_t n;
	uint8_t *bytes = fuzz_rest(&in, &n);
	struct luns_entry *luns = malloc((luns_most(n) + 1) * sizeof *luns);

	if (luns == NULL)
		abort();
	check_report(bytes, n, only_primary, luns + 1);
	free(luns);
	for (size_t at = 8; at + 8 <= n; at += 8)
		check_address(bytes + at);
	free(bytes);
	return 0;
}
