/* What RFC 3722 makes of names: the examples are those of RFC 3454, of Unicode's UAX 15 and of what
 * people type. */
#include <sys/resource.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/iname_form.h"

#define N "iqn.2001-04.com.example:"

static const struct {
	const char *typed, *normal; /* NULL: it is none */
	enum iname_result typed_result, told_result;
} rows[] = {
	/* Composed, decomposed, and marks in another order. */
	{ N "caf\xc3\xa9", N "caf\xc3\xa9", INAME_OK, INAME_OK },
	{ N "cafe\xcc\x81", N "caf\xc3\xa9", INAME_OK, INAME_NOT_NORMAL },
	{ N "CAFE\xcc\x81", N "caf\xc3\xa9", INAME_OK, INAME_NOT_NORMAL },
	{ N "a\xcc\x81\xcc\xa3", N "\xe1\xba\xa1\xcc\x81", INAME_OK, INAME_NOT_NORMAL },
	{ N "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", N "\xed\x95\x9c", INAME_OK, INAME_NOT_NORMAL },
	/* Other widths, ligatures, signs. */
	{ "\xef\xbd\x89\xef\xbc\xb1\xef\xbd\x8e\xef\xbc\x8e"
	  "2001\xef\xbc\x8d"
	  "04.com\xe2\x80\xa4"
	  "example\xef\xbc\x9a\xef\xbc\xa1\xef\xbd\x82",
	    N "ab", INAME_OK, INAME_NOT_NORMAL },
	{ N "\xef\xac\x81\xef\xac\x84", N "fiffl", INAME_OK, INAME_NOT_NORMAL },
	{ N "10\xe3\x8e\x8f\xc2\xb2", N "10kg2", INAME_OK, INAME_NOT_NORMAL },
	{ N "\xe2\x84\xa6\xe2\x84\xaa\xe2\x84\xab", N "\xcf\x89k\xc3\xa5", INAME_OK,
	    INAME_NOT_NORMAL },
	/* Letters that fold to others than their own. */
	{ N "Stra\xc3\x9f"
	    "e",
	    N "strasse", INAME_OK, INAME_NOT_NORMAL },
	{ N "\xce\xa3\xcf\x82\xcf\x83", N "\xcf\x83\xcf\x83\xcf\x83", INAME_OK, INAME_NOT_NORMAL },
	{ N "\xc4\xb0I\xc4\xb1", N "i\xcc\x87i\xc4\xb1", INAME_OK, INAME_NOT_NORMAL },
	{ N "\xc3\x84\xd0\x96", N "\xc3\xa4\xd0\xb6", INAME_OK, INAME_NOT_NORMAL },
	/* What is not seen; what has another form that is allowed: only where it is typed. */
	{ N "a\xc2\xad\xe2\x80\x8d"
	    "b\xef\xb8\x8f",
	    N "ab", INAME_OK, INAME_PROHIBITED },
	{ N "a\xcd\x80", N "\xc3\xa0", INAME_OK, INAME_PROHIBITED },
	/* Section 6. */
	{ N "a\xe3\x80\x82"
	    "b",
	    NULL, INAME_PROHIBITED, INAME_PROHIBITED }, /* 6.1 */
	{ N "a\xef\xbd\xa1"
	    "b",
	    NULL, INAME_PROHIBITED, INAME_PROHIBITED }, /* half as wide */
	{ N "a_\xc3\xa9", NULL, INAME_PROHIBITED, INAME_PROHIBITED },
	{ N "a\xef\xbc\x8f", NULL, INAME_PROHIBITED, INAME_PROHIBITED }, /* becomes / */
	{ N "\xe2\x84\x80", NULL, INAME_PROHIBITED, INAME_PROHIBITED },  /* a/c */
	{ N "\xc2\xa0", NULL, INAME_PROHIBITED, INAME_PROHIBITED },      /* C.1.2 */
	{ N "\xe3\x80\x80", NULL, INAME_PROHIBITED, INAME_PROHIBITED },
	{ N "\xc2\x85", NULL, INAME_PROHIBITED, INAME_PROHIBITED },         /* C.2.2 */
	{ N "\xee\x80\x80", NULL, INAME_PROHIBITED, INAME_PROHIBITED },     /* C.3 */
	{ N "\xef\xb7\x90", NULL, INAME_PROHIBITED, INAME_PROHIBITED },     /* C.4 */
	{ N "\xef\xbf\xbd", NULL, INAME_PROHIBITED, INAME_PROHIBITED },     /* C.6 */
	{ N "\xe2\xbf\xb0", NULL, INAME_PROHIBITED, INAME_PROHIBITED },     /* C.7 */
	{ N "\xe2\x80\xae", NULL, INAME_PROHIBITED, INAME_PROHIBITED },     /* C.8 */
	{ N "\xf3\xa0\x81\x81", NULL, INAME_PROHIBITED, INAME_PROHIBITED }, /* C.9 */
	{ N "\xed\xa0\x80", NULL, INAME_BAD_UTF8, INAME_BAD_UTF8 },         /* C.5 */
	{ N "\xc3\xa9\xff", NULL, INAME_BAD_UTF8, INAME_BAD_UTF8 },
	/* Section 7: "iqn" is written from left to right. */
	{ N "\xd7\x90\xd7\x91", NULL, INAME_BIDI, INAME_BIDI },
	{ "\xd7\x90\xd7\x91", NULL, INAME_BAD_TYPE, INAME_BAD_TYPE },
	{ "\xd7\x90"
	  "1",
	    NULL, INAME_BIDI, INAME_BIDI },
	/* What Unicode 3.2 has not: capital sharp s, a face, a Cherokee capital of Unicode 8. */
	{ N "\xe1\xba\x9e", N "\xe1\xba\x9e", INAME_OK, INAME_OK },
	{ N "\xf0\x9f\x98\x80", N "\xf0\x9f\x98\x80", INAME_OK, INAME_OK },
	{ N "\xe1\x8f\xb5", N "\xe1\x8f\xb5", INAME_OK, INAME_OK },
	/* The rules of RFC 7143 are for what comes of it. */
	{ "iqn.2001-04.com.\xc2\xad:a", NULL, INAME_BAD_DOMAIN, INAME_PROHIBITED },
	{ N "\xc2\xad", NULL, INAME_EMPTY_SUFFIX, INAME_PROHIBITED },
	{ "\xc2\xad", NULL, INAME_EMPTY, INAME_PROHIBITED },
	{ "eui.02004567\xef\xbc\xa1"
	  "425678D",
	    "eui.02004567a425678d", INAME_OK, INAME_NOT_NORMAL },
	/* Unicode's public review issue 29: its form has a form of its own. */
	{ N "\xe1\x84\x8f\xf0\x9d\x86\x85\xe1\x85\xad\xcc\x97", NULL, INAME_NOT_NORMAL,
	    INAME_NOT_NORMAL },
};

static void
names_are_prepared_as_rfc_3722_says(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[LIMIT_ISCSI_NAME_BYTES + 1] = "untouched";
		enum iname_result told = iname_check(rows[i].typed, strlen(rows[i].typed));
		enum iname_result typed = iname_normalise(rows[i].typed, out);

		if (typed != rows[i].typed_result || told != rows[i].told_result)
			fail_msg("%s: typed: %s; told: %s", rows[i].typed, iname_text(typed),
			    iname_text(told));
		assert_string_equal(out, rows[i].normal != NULL ? rows[i].normal : "untouched");
		if (rows[i].normal == NULL)
			continue;
		assert_true(iname_same(rows[i].typed, out));
		assert_int_equal(iname_hash(rows[i].typed), iname_hash(out));
	}
}

static size_t
put_utf8(char *p, uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		p[i] = (char)(0x80 | (c & 0x3f));
	p[0] = (char)(first[n] | c);
	return n;
}

/*
 * An index in this order is kept for ever, with whatever version of the library.  The sum was made
 * without it, of RFC 3454 and Unicode 3.2 as Python has them (stringprep, unicodedata.ucd_3_2_0).
 */
static void
the_tables_are_those_of_unicode_3_2(void **state)
{
	uint64_t sum = 0xcbf29ce484222325u;
	static struct iname_form f;
	char text[4];

	for (uint32_t c = 1; c < 0x30000; c++) {
		size_t n = put_utf8(text, c), before;
		enum iname_result told;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		assert_true(iname_form_read(&f, text, n));
		assert_int_equal(f.c[0], c);
		told = iname_form_judge(&f);
		iname_form_map(&f);
		assert_true(f.n <= 6 * n);
		sum = (sum ^ (told == INAME_PROHIBITED)) * 0x100000001b3u;
		for (size_t i = 0; i < f.n; i++)
			sum = (sum ^ f.c[i]) * 0x100000001b3u;
		before = f.n;
		iname_form_map(&f);
		assert_int_equal(f.n, before);
	}
	assert_int_equal(sum, 0xa16483422009bd7cu);
}

static void
a_name_may_grow_to_223_bytes(void **state)
{
	char name[LIMIT_ISCSI_NAME_BYTES + 8] = N, out[LIMIT_ISCSI_NAME_BYTES + 1];
	static struct iname_form f;

	/* One of three bytes becomes four of three: 24 + 16 * 12 is 216. */
	for (size_t n = 24; n + 3 <= LIMIT_ISCSI_NAME_BYTES; n += 3) {
		enum iname_result want = n < 24 + 16 * 3 ? INAME_OK : INAME_TOO_LONG;

		memcpy(name + n, "\xe3\x8c\x80", 4);
		assert_int_equal(iname_normalise(name, out), want);
		assert_int_equal(
		    iname_check(name, n + 3), want == INAME_OK ? INAME_NOT_NORMAL : want);
		assert_true(iname_same(name, name));
	}
	/* The one that grows most of all. */
	for (size_t n = 0; n + 3 <= LIMIT_ISCSI_NAME_BYTES; n += 3)
		memcpy(name + n, "\xef\xb7\xba", 4);
	assert_true(iname_form_read(&f, name, strlen(name)));
	iname_form_map(&f);
	assert_int_equal(f.n, LIMIT_ISCSI_NAME_BYTES / 3 * 18);
}

static void
what_has_no_form_is_the_same_only_but_for_ascii_letters(void **state)
{
	char a[LIMIT_ISCSI_NAME_BYTES + 8], b[LIMIT_ISCSI_NAME_BYTES + 8];

	assert_true(iname_same("A\xc3\xa9\xff", "a\xc3\xa9\xff"));
	assert_false(iname_same("\xc3\x89\xff", "\xc3\xa9\xff"));
	assert_false(iname_same("e\xcc\x81\xff", "\xc3\xa9\xff"));
	assert_true(iname_compare("\xff", 1, "\xf0\xaf\xa8\x9d", 4) > 0);
	assert_true(iname_compare("a\0\xc3\xa9", 4, "A\0\xc3\xa9", 4) == 0);
	assert_true(iname_compare("a\0\xc3\xa9", 4, "a\0e\xcc\x81", 5) != 0);
	/* Too long for a name, by one byte. */
	memset(a, 'x', sizeof a);
	memset(b, 'X', sizeof b);
	memcpy(a + LIMIT_ISCSI_NAME_BYTES - 2, "\xc3\xa9", 3);
	memcpy(b + LIMIT_ISCSI_NAME_BYTES - 2, "\xc3\x89", 3);
	assert_true(iname_same(a, b));
	memcpy(a + LIMIT_ISCSI_NAME_BYTES - 1, "\xc3\xa9", 3);
	memcpy(b + LIMIT_ISCSI_NAME_BYTES - 1, "\xc3\x89", 3);
	b[LIMIT_ISCSI_NAME_BYTES - 2] = 'X';
	a[LIMIT_ISCSI_NAME_BYTES - 2] = 'x';
	assert_false(iname_same(a, b));
	memcpy(b + LIMIT_ISCSI_NAME_BYTES - 1, "\xc3\xa9", 3);
	assert_true(iname_same(a, b));
	assert_int_equal(iname_hash(a), iname_hash(b));
}

/* Pieces that meet: bases and their marks, jamo, what vanishes, what is none. */
static const char *const pieces[] = { "a", "A", "E", "e", "z", "ss", "\xc3\x9f", "\xe1\xba\x9e",
	"\xc3\xa9", "\xcc\x81", "\xcc\xa3", "\xcd\x85", "\xc2\xad", "\xcf\x82", "\xce\xa3",
	"\xce\x90", "\xe1\x84\x80", "\xe1\x85\xa1", "\xe1\x86\xa8", "\xea\xb0\x80", "\xef\xac\x81",
	"\xef\xbc\xa1", "\xc4\xb0", "i", "\xcc\x87", "\xd7\x90", "\xf0\x9f\x98\x80", "\xff",
	"\xe0\xad\x87", "\xe0\xac\xbe" };

static void
make(char *ret, size_t bytes, const char *begin)
{
	size_t n = (size_t)snprintf(ret, bytes, "%s", begin);

	for (long i = random() % 5; i > 0; i--)
		n += (size_t)snprintf(ret + n, bytes - n, "%s",
		    pieces[(size_t)random() % (sizeof pieces / sizeof *pieces)]);
}

static void
what_is_prepared_stays_as_it_is(void **state)
{
	char name[80], out[LIMIT_ISCSI_NAME_BYTES + 1], again[LIMIT_ISCSI_NAME_BYTES + 1];
	unsigned good = 0;

	srandom(3454);
	for (int world = 0; world < 100000; world++) {
		enum iname_result told;

		make(name, sizeof name, N "x");
		told = iname_check(name, strlen(name));
		if (iname_normalise(name, out) != INAME_OK)
			continue;
		good++;
		assert_true(iname_same(name, out));
		assert_int_equal(iname_hash(name), iname_hash(out));
		assert_int_equal(iname_check(out, strlen(out)), INAME_OK);
		assert_int_equal(iname_normalise(out, again), INAME_OK);
		assert_string_equal(out, again);
		assert_int_equal(told == INAME_OK, strcmp(name, out) == 0);
	}
	assert_true(good > 50000);
}

static int
compare(const char *a, const char *b)
{
	return iname_compare(a, strlen(a), b, strlen(b));
}

static void
all_names_have_one_order(void **state)
{
	char name[3][80];
	unsigned same = 0;

	srandom(3722);
	for (int world = 0; world < 100000; world++) {
		int ab, bc, ac;

		for (int i = 0; i < 3; i++)
			make(name[i], sizeof name[i], "");
		ab = compare(name[0], name[1]);
		bc = compare(name[1], name[2]);
		ac = compare(name[0], name[2]);
		same += ab == 0;
		assert_int_equal(ab, -compare(name[1], name[0]));
		assert_int_equal(compare(name[0], name[0]), 0);
		if (ab <= 0 && bc <= 0)
			assert_int_equal(ac, ab < bc ? ab : bc);
		if (ab >= 0 && bc >= 0)
			assert_int_equal(ac, ab > bc ? ab : bc);
		assert_int_equal(iname_same(name[0], name[1]), ab == 0);
		assert_int_equal(iname_hash(name[0]) == iname_hash(name[1]), ab == 0);
	}
	assert_true(same > 1000);
}

/* It leaves no memory at all, and compares. */
static void
compare_without_memory(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)setrlimit(RLIMIT_AS, &none);
	(void)close(STDERR_FILENO);
	for (size_t n = 1 << 16; n > 0; n /= 2)
		while (malloc(n) != NULL)
			;
	_exit(iname_same("e\xcc\x81", "\xc3\xa9") ? 0 : 1);
}

static void
without_memory_the_process_ends_before_an_order_is_wrong(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		compare_without_memory();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* A sanitizer's own allocator ends it in its own way. */
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) > 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_prepared_as_rfc_3722_says),
		cmocka_unit_test(the_tables_are_those_of_unicode_3_2),
		cmocka_unit_test(a_name_may_grow_to_223_bytes),
		cmocka_unit_test(what_has_no_form_is_the_same_only_but_for_ascii_letters),
		cmocka_unit_test(what_is_prepared_stays_as_it_is),
		cmocka_unit_test(all_names_have_one_order),
		cmocka_unit_test(without_memory_the_process_ends_before_an_order_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
