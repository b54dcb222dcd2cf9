/*
 * Addresses, iSCSI names and host names: whoever writes them.
 *
 * print(parse(x)) is stable; a normal form is its own; the order of names is one.
 *
 * Covers: src/core/addr.c src/core/iname.c src/core/iname_form.c src/core/iname_order.c
 * Covers: src/iswd/literal.c src/names/hostname.c
 */
#include <stdlib.h>
#include <string.h>

#include "core/addr.h"
#include "core/iname.h"
#include "fuzz.h"
#include "iswd/literal.h"
#include "names/hostname.h"

/* The same portal. */
static bool
is_equal(const struct addr *a, const struct addr *b)
{
	return a->kind == b->kind && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static void
check_stable(const struct addr *a)
{
	char text[LIMIT_ADDRESS_BYTES + 1], twice[LIMIT_ADDRESS_BYTES + 1];
	struct addr b;

	for (int with_tpgt = 0; with_tpgt < 2; with_tpgt++) {
		addr_format(a, with_tpgt != 0, text);
		FUZZ_CHECK(addr_parse(text, &b) == ADDR_OK);
		FUZZ_CHECK(is_equal(a, &b));
		FUZZ_CHECK(b.tpgt == (with_tpgt ? a->tpgt : ADDR_TPGT_DEFAULT));
		addr_format(&b, with_tpgt != 0, twice);
		FUZZ_CHECK(strcmp(text, twice) == 0);
	}
	FUZZ_CHECK(addr_parse_host(a->host, &b) == ADDR_OK && strcmp(b.host, a->host) == 0);
	FUZZ_CHECK(addr_is_literal(a) == (a->kind != ADDR_NAME));
}

static void
check_literal(const char *text)
{
	char printed[LITERAL_BYTES], again[LITERAL_BYTES], why[512];
	struct literal l, m;
	struct addr a;

	if (literal_parse(&l, text, 3260, "the address", why, sizeof why) != 0)
		return;
	literal_print(&l, printed);
	/* The kernel takes zones that the core does not. */
	if (strchr(printed, '%') != NULL)
		return;
	FUZZ_CHECK(addr_parse(printed, &a) == ADDR_OK && a.port == 3260);
	FUZZ_CHECK(literal_parse(&m, a.host, 3260, "the address", why, sizeof why) == 0);
	literal_print(&m, again);
	FUZZ_CHECK(strcmp(printed, again) == 0);
}

static void
check_address(const char *text)
{
	struct addr a;

	memset(&a, 0, sizeof a);
	FUZZ_CHECK(addr_text(addr_parse(text, &a))[0] != '\0');
	if (addr_parse(text, &a) == ADDR_OK)
		check_stable(&a);
	if (addr_parse_host(text, &a) == ADDR_OK)
		check_stable(&a);
	if (hostname_fault(text) == NULL)
		FUZZ_CHECK(strlen(text) <= 254);
	check_literal(text);
}

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

static void
check_names(const char *a, const char *b)
{
	char normal[LIMIT_ISCSI_NAME_BYTES + 1], twice[LIMIT_ISCSI_NAME_BYTES + 1];
	size_t n = strlen(a), m = strlen(b);

	FUZZ_CHECK(iname_text(iname_check(a, n))[0] != '\0');
	if (iname_normalise(a, normal) == INAME_OK) {
		FUZZ_CHECK(iname_check(normal, strlen(normal)) == INAME_OK);
		FUZZ_CHECK(iname_normalise(normal, twice) == INAME_OK);
		FUZZ_CHECK(strcmp(normal, twice) == 0);
		FUZZ_CHECK(iname_same(a, normal));
	}
	if (iname_check(a, n) == INAME_OK)
		FUZZ_CHECK(n <= LIMIT_ISCSI_NAME_BYTES);
	FUZZ_CHECK(iname_compare(a, n, a, n) == 0);
	FUZZ_CHECK(sign(iname_compare(a, n, b, m)) == -sign(iname_compare(b, m, a, n)));
	FUZZ_CHECK(iname_same(a, b) == (iname_compare(a, n, b, m) == 0));
	if (iname_same(a, b))
		FUZZ_CHECK(iname_hash(a) == iname_hash(b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	char *a = fuzz_string(&in, '\n'), *b = fuzz_string(&in, '\n'), *c = fuzz_string(&in, '\n');
	size_t n = strlen(a), m = strlen(b), k = strlen(c);

	check_address(a);
	check_names(a, b);
	check_names(b, c);
	if (iname_compare(a, n, b, m) <= 0 && iname_compare(b, m, c, k) <= 0)
		FUZZ_CHECK(iname_compare(a, n, c, k) <= 0);
	free(a);
	free(b);
	free(c);
	return 0;
}
