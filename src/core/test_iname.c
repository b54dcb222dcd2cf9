#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/iname.h"

static const struct {
	const char *name;
	enum iname_result result;
} rows[] = {
	{ "iqn.2001-04.com.example:storage:diskarrays-sn-a8675309", INAME_OK },
	{ "iqn.2001-04.com.example", INAME_OK },
	{ "iqn.1986-03.com.hp:hpfcs214.2000853943", INAME_OK },
	{ "iqn.1993-08.org.debian:01:abc--..", INAME_OK },
	{ "iqn.2001-04.local:x", INAME_OK },
	{ "iqn.2001-04.com.example:\xc3\xa4\xe4\xba\xac", INAME_OK },
	{ "eui.02004567A425678D", INAME_OK },
	{ "eui.02004567a425678d", INAME_OK },
	{ "naa.52004567BA64678D", INAME_OK },
	{ "naa.62004567BA64678D0123456789ABCDEF", INAME_OK },
	{ "", INAME_EMPTY },
	{ "iqn", INAME_BAD_TYPE },
	{ "storage", INAME_BAD_TYPE },
	{ "wwn.02004567a425678d", INAME_BAD_TYPE },
	{ "iqn2001-04.com.example", INAME_BAD_TYPE },
	{ "iqn.", INAME_BAD_DATE },
	{ "iqn.200-1.com.hp.stor:x", INAME_BAD_DATE },
	{ "iqn.2001-00.com.example", INAME_BAD_DATE },
	{ "iqn.2001-13.com.example", INAME_BAD_DATE },
	{ "iqn.2001-4.com.example", INAME_BAD_DATE },
	{ "iqn.2001.04.com.example", INAME_BAD_DATE },
	{ "iqn.2001-04", INAME_BAD_DATE },
	{ "iqn.2001-04:com", INAME_BAD_DATE },
	{ "iqn.2001-04.", INAME_BAD_DOMAIN },
	{ "iqn.2001-04.:x", INAME_BAD_DOMAIN },
	{ "iqn.2001-04.com..example", INAME_BAD_DOMAIN },
	{ "iqn.2001-04.com.:x", INAME_BAD_DOMAIN },
	{ "iqn.2001-04..com", INAME_BAD_DOMAIN },
	{ "iqn.2001-04.-com:x", INAME_BAD_DOMAIN },
	{ "iqn.2001-04.com-:x", INAME_BAD_DOMAIN },
	{ "iqn.2001-04.com.example:", INAME_EMPTY_SUFFIX },
	{ "iqn.2001-04.com.Example:x", INAME_UPPER_CASE },
	{ "iqn.2001-04.com.example:iSCSI", INAME_UPPER_CASE },
	{ "IQN.2001-04.com.example", INAME_UPPER_CASE },
	{ "EUI.02004567A425678D", INAME_UPPER_CASE },
	{ "eui.02004567A425678", INAME_BAD_EUI },
	{ "eui.02004567A425678D0", INAME_BAD_EUI },
	{ "eui.02004567A425678G", INAME_BAD_EUI },
	{ "naa.52004567BA64678", INAME_BAD_NAA },
	{ "naa.52004567BA64678D01", INAME_BAD_NAA },
	{ "naa.62004567BA64678D0123456789ABCDEG", INAME_BAD_NAA },
	{ "iqn.2001-04.com.example: x", INAME_PROHIBITED },
	{ "iqn.2001-04.com.example:\xc2\xa0", INAME_PROHIBITED },
	{ "iqn.2001-04.com.example:\xe3\x80\x82", INAME_PROHIBITED },
	{ "iqn.2001-04.com.example:\xe2\x80\x8b", INAME_PROHIBITED },
	{ "iqn.2001-04.com.example:\xee\x80\x80", INAME_PROHIBITED },
	{ "iqn.2001-04.com.example:\xef\xbf\xbf", INAME_PROHIBITED },
	{ "iqn.2001-04.com.example:\xf3\xa0\x80\x81", INAME_PROHIBITED },
	{ "iqn.2001-04.com.example:\xf0\x9f\xbf\xbe", INAME_PROHIBITED },
	{ "iqn.2001-04.com.example:\xc3", INAME_BAD_UTF8 },
	{ "iqn.2001-04.com.example:\xed\xa0\x80", INAME_BAD_UTF8 },
	{ "iqn.2001-04.com.example:\xc0\xaf", INAME_BAD_UTF8 },
};

static void
names_are_judged_as_they_are(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t n = strlen(rows[i].name);
		char *exact = malloc(n + 1);
		enum iname_result r;

		memcpy(exact, rows[i].name, n + 1);
		r = iname_check(exact, n);
		if (r != rows[i].result)
			print_error("%s: %s\n", exact, iname_text(r));
		assert_int_equal(r, rows[i].result);
		assert_true(strlen(iname_text(r)) > 5);
		free(exact);
	}
}

static void
every_ascii_character_outside_the_list_is_prohibited(void **state)
{
	char name[] = "iqn.2001-04.com.example:?";

	for (int c = 0; c < 128; c++) {
		bool upper = c >= 'A' && c <= 'Z';
		bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			    c == '.' || c == ':';

		name[sizeof name - 2] = (char)c;
		assert_int_equal(iname_check(name, sizeof name - 1), upper  ? INAME_UPPER_CASE
								     : fine ? INAME_OK
									    : INAME_PROHIBITED);
	}
}

static void
a_name_has_at_most_223_bytes(void **state)
{
	char name[300] = "iqn.2001-04.com.example:", out[LIMIT_ISCSI_NAME_BYTES + 1];

	memset(name + 24, 'x', sizeof name - 25);
	assert_int_equal(iname_check(name, 223), INAME_OK);
	assert_int_equal(iname_check(name, 224), INAME_TOO_LONG);
	assert_int_equal(iname_normalise(name, out), INAME_TOO_LONG);
	name[223] = '\0';
	assert_int_equal(iname_normalise(name, out), INAME_OK);
	assert_string_equal(name, out);
}

static void
what_a_user_types_is_folded_to_lower_case(void **state)
{
	char out[LIMIT_ISCSI_NAME_BYTES + 1] = "untouched";

	assert_int_equal(iname_normalise("IQN.2003-11.COM.HP.Stor:iSCSI", out), INAME_OK);
	assert_string_equal(out, "iqn.2003-11.com.hp.stor:iscsi");
	assert_int_equal(iname_normalise("EUI.02004567A425678D", out), INAME_OK);
	assert_string_equal(out, "eui.02004567A425678D");
	assert_int_equal(iname_normalise("iqn.bad", out), INAME_BAD_DATE);
	assert_string_equal(out, "eui.02004567A425678D");
}

static void
names_are_the_same_whatever_their_case(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} pairs[] = {
		{ "iqn.2000-01.com.synology:DiskStation", "iqn.2000-01.com.synology:diskstation",
		    true },
		{ "IQN.2001-04.com.Example", "iqn.2001-04.com.example", true },
		{ "eui.02004567A425678D", "EUI.02004567a425678d", true },
		{ "iqn.2001-04.com.example:a", "iqn.2001-04.com.example:b", false },
		{ "iqn.2001-04.com.example:a", "iqn.2001-04.com.example:a0", false },
		{ "iqn.2001-04.com.example:[", "iqn.2001-04.com.example:{", false },
		{ "\xc3\x84\xce\xa9\xd0\x96", "\xc3\xa4\xcf\x89\xd0\xb6", true },
		{ "stra\xc3\x9f"
		  "e",
		    "STRASSE", true },
		{ "\xcf\x82", "\xcf\x83", true }, /* both are sigma */
		{ "\xc3\x84", "A", false },
		{ "a\xff", "A\xff", true },
		{ "a\xff", "a\xfe", false },
		{ "", "", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		assert_int_equal(iname_same(pairs[i].a, pairs[i].b), pairs[i].is_same);
		assert_int_equal(iname_same(pairs[i].b, pairs[i].a), pairs[i].is_same);
		assert_int_equal(
		    iname_hash(pairs[i].a) == iname_hash(pairs[i].b), pairs[i].is_same);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_judged_as_they_are),
		cmocka_unit_test(every_ascii_character_outside_the_list_is_prohibited),
		cmocka_unit_test(a_name_has_at_most_223_bytes),
		cmocka_unit_test(what_a_user_types_is_folded_to_lower_case),
		cmocka_unit_test(names_are_the_same_whatever_their_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
