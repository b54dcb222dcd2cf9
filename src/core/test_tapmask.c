#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/tapmask.h"
#include "core/text.h"

/* What goes in, and what is left of it; '|' stands for NUL. */
static const struct {
	const char *in, *out;
} cases[] = {
	{ "CHAP_R=0x1f2e|", "CHAP_R=0x0000|" },
	{ "CHAP_N=name|CHAP_C=0X99|CHAP_I=7|", "CHAP_N=name|CHAP_C=0X00|CHAP_I=7|" },
	{ "CHAP_R=0bq83v|CHAP_A=5|", "CHAP_R=0bAAAA|CHAP_A=5|" },
	{ "CHAP_C=0bq80=|", "CHAP_C=0bAAA=|" },
	{ "chap_r=0x12|Chap_c=34|", "chap_r=0x00|Chap_c=00|" },
	{ "CHAP_R=|X=CHAP_R=0x12|", "CHAP_R=|X=CHAP_R=0x12|" },
	{ "CHAP_RR=0x12|CHAP_=0x12|HAP_R=1|", "CHAP_RR=0x12|CHAP_=0x12|HAP_R=1|" },
	{ "SRP_A=0x12|SRP_M=0x12|SRP_s=0x1|KRB_AP_REQ=0x77|SRP_U=me|",
	    "SRP_A=0x00|SRP_M=0x00|SRP_s=0x0|KRB_AP_REQ=0x00|SRP_U=me|" },
	{ "no equal sign|CHAP_R=0x1|", "no equal sign|CHAP_R=0x0|" },
	{ "CHAP_R=\xff\x01=", "CHAP_R=00=" },
};

static size_t
bytes_of(const char *text, uint8_t *ret)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		ret[i] = text[i] == '|' ? 0 : (uint8_t)text[i];
	return n;
}

static void
values_of_secret_keys_are_overwritten_wherever_the_text_is_cut(void **state)
{
	uint8_t in[200], out[200], got[200];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t n = bytes_of(cases[i].in, in);

		assert_int_equal(bytes_of(cases[i].out, out), n);
		for (size_t a = 0; a <= n; a++)
			for (size_t b = a; b <= n; b++) {
				struct tapmask m = { 0 };

				memcpy(got, in, n);
				tapmask_apply(&m, got, a);
				tapmask_apply(&m, got + a, b - a);
				tapmask_apply(&m, got + b, n - b);
				assert_memory_equal(got, out, n);
			}
	}
}

/* What was a binary value is one of the same length, all zero. */
static void
a_hidden_value_is_parsed_as_before(void **state)
{
	static const char *const values[] = { "0x0102fe", "0xabc", "0bAQL+", "0bAQI=", "0bAQ==" };

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		uint8_t text[64], before[16], after[16];
		size_t n, m,
		    len = (size_t)snprintf((char *)text, sizeof text, "CHAP_C=%s", values[i]);
		struct tapmask mask = { 0 };

		assert_true(text_binary((char *)text + 7, before, sizeof before, &n));
		tapmask_apply(&mask, text, len + 1);
		assert_true(text_binary((char *)text + 7, after, sizeof after, &m));
		assert_int_equal(n, m);
		for (size_t j = 0; j < m; j++)
			assert_int_equal(after[j], 0);
	}
}

static void
a_name_of_any_length_harms_nothing(void **state)
{
	uint8_t text[4096];
	struct tapmask m = { 0 };

	(void)state;
	memset(text, 'C', sizeof text);
	text[sizeof text - 2] = '=';
	text[sizeof text - 1] = '7';
	tapmask_apply(&m, text, sizeof text);
	assert_int_equal(text[sizeof text - 1], '7');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_secret_keys_are_overwritten_wherever_the_text_is_cut),
		cmocka_unit_test(a_hidden_value_is_parsed_as_before),
		cmocka_unit_test(a_name_of_any_length_harms_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
