/*
 * VPD pages, and the identity that is made of them.
 *
 * Text is printable and of bounded length; what is the same compares as the same, either way round.
 *
 * Covers: src/scsi/vpd.c src/scsi/identity.c
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "scsi/identity.h"
#include "scsi/vpd.h"

static void
check_printable(const char *s)
{
	FUZZ_CHECK(s[0] != '\0');
	for (; *s != '\0'; s++)
		FUZZ_CHECK(*s >= 0x20 && *s < 0x7f);
}

static void
check_designators(const uint8_t *p, size_t n)
{
	char text[VPD_DESIGNATOR_BYTES];
	enum vpd_result result;
	unsigned at = 0;

	while ((result = vpd_designator(p, n, at, text)) == VPD_OK) {
		FUZZ_CHECK(strlen(text) < sizeof text);
		check_printable(text);
		FUZZ_CHECK(at++ <= n / 4); /* each has a header of four bytes */
	}
	FUZZ_CHECK(at == 0 || result == VPD_NOTHING);
}

static void
make_identity(struct identity *id, const uint8_t *p, size_t n)
{
	enum vpd_result result;

	memset(id, 0, sizeof *id);
	result = identity_take_page(id, p, n);
	FUZZ_CHECK((result == VPD_OK) == (identity_first(id) != NULL));
	for (const char *d = identity_first(id); d != NULL; d = identity_next(id, d)) {
		FUZZ_CHECK(
		    d >= id->designators && d + strlen(d) < id->designators + IDENTITY_BYTES);
		FUZZ_CHECK(!identity_add(id, d)); /* it is there */
	}
	FUZZ_CHECK(!identity_is_strong(id) || identity_has_name(id));
	FUZZ_CHECK(identity_name(id)[0] != '\0');
}

static void
check_identities(const uint8_t *p, size_t n, size_t cut)
{
	static struct identity a, b, kept;
	struct identity_sketch sa, sb;
	enum identity_match match;

	make_identity(&a, p, cut);
	make_identity(&b, p + cut, n - cut);
	FUZZ_CHECK(vpd_serial(p, cut, a.serial) == VPD_OK || a.serial[0] == '\0');
	match = identity_compare(&a, &b);
	FUZZ_CHECK((match == IDENTITY_SAME) == (identity_compare(&b, &a) == IDENTITY_SAME));
	FUZZ_CHECK(!identity_has_name(&a) || identity_compare(&a, &a) == IDENTITY_SAME);
	identity_sketch(&a, &sa);
	identity_sketch(&b, &sb);
	FUZZ_CHECK(match != IDENTITY_SAME || identity_sketch_meets(&sa, &sb));
	if (match == IDENTITY_SAME) {
		kept = b;
		identity_keep(&kept, &a);
		FUZZ_CHECK(identity_compare(&kept, &a) == IDENTITY_SAME);
		FUZZ_CHECK(identity_compare(&kept, &b) == IDENTITY_SAME);
	}
}

static void
check_pages(const uint8_t *p, size_t n)
{
	char serial[VPD_SERIAL_BYTES];
	struct vpd_pages pages;
	struct vpd_limits limits;
	struct vpd_characteristics chars;
	struct vpd_provisioning prov;

	FUZZ_CHECK((vpd_page_bytes(p, n) == 0) == (n < 4));
	if (vpd_pages(p, n, &pages) == VPD_OK)
		for (unsigned page = 0; page < 256; page++)
			FUZZ_CHECK(
			    !vpd_has(&pages, (uint8_t)page) || memchr(p + 4, (int)page, n - 4));
	if (vpd_serial(p, n, serial) == VPD_OK)
		check_printable(serial);
	(void)vpd_limits(p, n, &limits); /* any number is one */
	(void)vpd_characteristics(p, n, &chars);
	(void)vpd_provisioning(p, n, &prov);
	check_designators(p, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	size_t cut = cursor_be16(&in), n;
	uint8_t *bytes = fuzz_rest(&in, &n);

	check_pages(bytes, n);
	check_identities(bytes, n, n > 0 ? cut % (n + 1) : 0);
	free(bytes);
	return 0;
}
