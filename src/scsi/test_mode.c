#include "scsi/mode.h"
#include "scsi/test_bytes.h"

/* A page of errors recovery, a subpage of control, then caching with WCE. */
#define PAGES                                                                                  \
	0x81, 2, 0, 0, 0x4a, 0x01, 0, 3, 1, 2, 3, 0x08, 0x12, 0x04, 0, 0xff, 0xff, 0, 0, 0xff, \
	    0xff, 0xff, 0xff, 0x80, 0x14, 0, 0, 0, 0, 0, 0

static const uint8_t six[] = { 34, 0, 0x90, 0, PAGES };
static const uint8_t six_descriptor[] = { 42, 0, 0x10, 8, 0, 0, 0x10, 0, 0, 0, 2, 0, PAGES };
static const uint8_t ten[] = { 0, 45, 0, 0x80, 0, 0, 0, 8, 0, 0, 0x10, 0, 0, 0, 2, 0, PAGES };

static void
the_short_header_is_read(void **state)
{
	struct mode m;

	(void)state;
	assert_true(mode_parse_6(six, sizeof six, &m));
	assert_true(m.is_write_protected && m.has_fua && m.has_caching);
	assert_true(m.is_write_cache_enabled && !m.is_read_cache_disabled);
	assert_true(mode_parse_6(six_descriptor, sizeof six_descriptor, &m));
	assert_true(!m.is_write_protected && m.has_fua && m.has_caching);
}

static void
the_long_header_is_read(void **state)
{
	struct mode m;

	(void)state;
	assert_true(mode_parse_10(ten, sizeof ten, &m));
	assert_true(m.is_write_protected && !m.has_fua && m.has_caching);
	assert_true(m.is_write_cache_enabled);
}

static void
cache_bits_are_those_of_the_caching_page(void **state)
{
	uint8_t b[] = { 6, 0, 0, 0, 0x08, 0x01, 0x01 };
	struct mode m;

	(void)state;
	assert_true(mode_parse_6(b, sizeof b, &m));
	assert_true(m.has_caching && !m.is_write_cache_enabled && m.is_read_cache_disabled);
	/* A subpage of the same code is another page. */
	b[4] = 0x48;
	assert_true(mode_parse_6(b, sizeof b, &m));
	assert_false(m.has_caching);
}

static void
what_the_length_leaves_out_is_not_read(void **state)
{
	uint8_t b[sizeof six];
	struct mode m;

	(void)state;
	memcpy(b, six, sizeof b);
	b[0] = 3 + 11;
	assert_true(mode_parse_6(b, sizeof b, &m));
	assert_true(m.is_write_protected && !m.has_caching);
	b[0] = 3;
	assert_true(mode_parse_6(b, sizeof b, &m));
	assert_true(m.is_write_protected && !m.has_caching);
}

static void
a_header_that_counts_less_than_itself_is_none(void **state)
{
	uint8_t zeros[32] = { 0 };
	struct mode m;

	(void)state;
	assert_false(mode_parse_6(zeros, sizeof zeros, &m));
	assert_false(mode_parse_10(zeros, sizeof zeros, &m));
	zeros[0] = 2;
	assert_false(mode_parse_6(zeros, sizeof zeros, &m));
	zeros[0] = 0;
	zeros[1] = 5;
	assert_false(mode_parse_10(zeros, sizeof zeros, &m));
}

static void
parse_both(const uint8_t *p, size_t n)
{
	struct mode m;

	assert_int_equal(mode_parse_6(p, n, &m), n >= 4 && p[0] >= 3);
	assert_int_equal(mode_parse_10(p, n, &m), n >= 8 && (p[0] > 0 || p[1] >= 6));
}

static void
hostile_mode_data_do_no_harm(void **state)
{
	(void)state;
	test_hostile(six, sizeof six, parse_both);
	test_hostile(six_descriptor, sizeof six_descriptor, parse_both);
	test_hostile(ten, sizeof ten, parse_both);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_short_header_is_read),
		cmocka_unit_test(the_long_header_is_read),
		cmocka_unit_test(cache_bits_are_those_of_the_caching_page),
		cmocka_unit_test(what_the_length_leaves_out_is_not_read),
		cmocka_unit_test(a_header_that_counts_less_than_itself_is_none),
		cmocka_unit_test(hostile_mode_data_do_no_harm),
	};

	return cmocka_run_group_tests_name("mode", tests, NULL, NULL);
}
