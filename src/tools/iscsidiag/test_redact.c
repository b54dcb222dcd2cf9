#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/iscsidiag/redact.h"

#define SECRET_VALUE "hunter2hunter2"

static void
values_of_secrets_are_taken_out_of_text(void **state)
{
	static const char *const rows[][2] = {
		{ "chap_secret=" SECRET_VALUE, "chap_secret=(removed)" },
		{ "CHAP_SECRET = " SECRET_VALUE " and more", "CHAP_SECRET = (removed)" },
		{ "the key nas_secret: " SECRET_VALUE ", then",
		    "the key nas_secret: (removed), then" },
		{ "x \"secret\":\"" SECRET_VALUE " with blanks\",\"b\":1",
		    "x \"secret\":\"(removed)\",\"b\":1" },
		{ "iradd --nas-secret " SECRET_VALUE " -r 3", "iradd --nas-secret (removed) -r 3" },
		{ "iradd --nas-secret=" SECRET_VALUE " -r 3", "iradd --nas-secret=(removed) -r 3" },
		{ "a line\n  secret " SECRET_VALUE " and the rest\nb",
		    "a line\n  secret (removed)\nb" },
		{ "rd.iscsi.password=" SECRET_VALUE, "rd.iscsi.password=(removed)" },
		{ "got CHAP_R=0x" SECRET_VALUE " of it", "got CHAP_R=(removed) of it" },
		{ "radius://me:" SECRET_VALUE "@host/", "radius://me:(removed)@host/" },
		{ "the secret '" SECRET_VALUE "' is short", "the secret '(removed)' is short" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = redact_text(rows[i][0]);

		assert_string_equal(got, rows[i][1]);
		free(got);
	}
}

static void
prose_about_secrets_stays(void **state)
{
	static const char *const rows[] = {
		"",
		"the CHAP secret is not set, or too short",
		"no secret at all",
		"http://host:3260/path",
		"chap",
		"iqn.2026-11.org.secrets:disk",
		"the secret",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = redact_text(rows[i]);

		/* A name that has the word in it is followed by ":disk": rather too much than too
		 * little. */
		if (strncmp(rows[i], "iqn", 3) == 0)
			assert_string_equal(got, "iqn.2026-11.org.secrets:(removed)");
		else
			assert_string_equal(got, rows[i]);
		free(got);
	}
}

static void
members_of_objects_are_taken_out_by_name(void **state)
{
	json_t *in = json_pack("{s:s, s:b, s:[{s:s, s:i, s:{s:s}}], s:n, s:s}", "chap_secret",
	    SECRET_VALUE, "chap_secret_set", 1, "list", "CHAP_R", SECRET_VALUE, "nas_secret", 12345,
	    "password", "deep", SECRET_VALUE, "challenge", "text", "CHAP_C=" SECRET_VALUE);
	json_t *out = redact_json(in),
	       *expected = json_pack("{s:s, s:b, s:[{s:s, s:s, s:s}], s:n, s:s}", "chap_secret",
		   REDACT_MARK, "chap_secret_set", 1, "list", "CHAP_R", REDACT_MARK, "nas_secret",
		   REDACT_MARK, "password", REDACT_MARK, "challenge", "text",
		   "CHAP_C=" REDACT_MARK);

	(void)state;
	assert_non_null(in);
	assert_non_null(expected);
	assert_true(json_equal(out, expected));
	json_decref(in);
	json_decref(out);
	json_decref(expected);
}

static void
statistics_about_secrets_stay(void **state)
{
	json_t *in = json_pack("{s:i, s:s}", "failures due to no CHAP secret", 3, "the CHAP secret",
		   SECRET_VALUE),
	       *out = redact_json(in);

	(void)state;
	assert_int_equal(
	    json_integer_value(json_object_get(out, "failures due to no CHAP secret")), 3);
	assert_string_equal(
	    json_string_value(json_object_get(out, "the CHAP secret")), REDACT_MARK);
	json_decref(in);
	json_decref(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_secrets_are_taken_out_of_text),
		cmocka_unit_test(prose_about_secrets_stays),
		cmocka_unit_test(members_of_objects_are_taken_out_by_name),
		cmocka_unit_test(statistics_about_secrets_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
