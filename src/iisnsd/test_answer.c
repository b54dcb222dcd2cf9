/* What servers answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "iisnsd/answer.h"

#define A     "iqn.2001-04.com.example:a"
#define B     "iqn.2001-04.com.example:b"
#define BYTES (4u << 20)

static uint8_t *room;
static struct put w;

static int
begin(void **state)
{
	(void)state;
	room = malloc(BYTES);
	w = put_over(room, BYTES);
	isnsp_put_number(&w, ISNSP_NODE_TYPE, ISNSP_NODE_TARGET); /* the key, as it was asked */
	isnsp_put_none(&w, ISNSP_DELIMITER);
	return room != NULL ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	free(room);
	return 0;
}

static void
node(const char *name, uint32_t type, const char *alias)
{
	isnsp_put_text(&w, ISNSP_NAME, name);
	isnsp_put_number(&w, ISNSP_NODE_TYPE, type);
	if (alias != NULL)
		isnsp_put_text(&w, ISNSP_ALIAS, alias);
}

/* 192.0.2.last */
static void
group(const char *name, uint8_t last, uint32_t port, int tag)
{
	uint8_t address[16] = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = last };

	isnsp_put_text(&w, ISNSP_PG_NAME, name);
	isnsp_put_address(&w, ISNSP_PG_IP, address);
	isnsp_put_number(&w, ISNSP_PG_PORT, port);
	if (tag < 0)
		isnsp_put_none(&w, ISNSP_PG_TAG);
	else
		isnsp_put_number(&w, ISNSP_PG_TAG, (uint32_t)tag);
}

static struct answer_targets
read_all(void)
{
	struct answer_targets t = { 0 };

	assert_false(w.overflow);
	assert_int_equal(answer_get_targets(cursor_over(room, put_len(&w)), &t), ISNSP_IS_OK);
	return t;
}

static void
targets_have_the_addresses_of_their_portal_groups(void **state)
{
	struct answer_targets t;

	(void)state;
	node(B, ISNSP_NODE_TARGET, NULL);
	group(B, 1, 3260, 7);
	node(A, ISNSP_NODE_TARGET, "first");
	group(A, 2, 3260, 1);
	group(A, 1, 3261, 2);
	t = read_all();
	assert_int_equal(t.n, 3);
	assert_string_equal(t.list[0].name, A); /* sorted */
	assert_string_equal(t.list[0].address, "192.0.2.1");
	assert_int_equal(t.list[0].port, 3261);
	assert_int_equal(t.list[0].tpgt, 2);
	assert_string_equal(t.list[0].alias, "first");
	assert_string_equal(t.list[1].address, "192.0.2.2");
	assert_string_equal(t.list[2].name, B);
	assert_int_equal(t.list[2].tpgt, 7);
	assert_null(t.list[2].alias);
	answer_targets_fini(&t);
}

static void
a_group_without_a_tag_is_no_way_to_a_target(void **state)
{
	struct answer_targets t;

	(void)state;
	node(A, ISNSP_NODE_TARGET, NULL);
	group(A, 1, 3260, -1);
	group(A, 2, 3260, 0);
	t = read_all();
	assert_int_equal(t.n, 1);
	assert_int_equal(t.list[0].tpgt, 0);
	assert_int_equal(t.left_out, 0);
	answer_targets_fini(&t);
}

static void
what_cannot_be_used_is_left_out_and_counted(void **state)
{
	static const uint8_t nowhere[16], everybody[16] = { 0xff, 2, [15] = 1 };
	struct answer_targets t;

	(void)state;
	group("no name", 1, 3260, 1);
	group(A, 1, 3260 | ISNSP_PORT_UDP, 1);
	group(A, 1, 3260, 0x10000);
	isnsp_put_text(&w, ISNSP_PG_NAME, A);
	isnsp_put_address(&w, ISNSP_PG_IP, nowhere);
	isnsp_put_number(&w, ISNSP_PG_PORT, 3260);
	isnsp_put_number(&w, ISNSP_PG_TAG, 1);
	isnsp_put_text(&w, ISNSP_PG_NAME, A);
	isnsp_put_address(&w, ISNSP_PG_IP, everybody);
	isnsp_put_number(&w, ISNSP_PG_PORT, 3260);
	isnsp_put_number(&w, ISNSP_PG_TAG, 1);
	isnsp_put_text(&w, ISNSP_PG_NAME, A); /* without an address */
	isnsp_put_number(&w, ISNSP_PG_TAG, 1);
	group(B, 1, 0, 1); /* the canonical port */
	t = read_all();
	assert_int_equal(t.left_out, 6);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.list[0].port, 3260);
	answer_targets_fini(&t);
}

static void
an_address_that_is_named_twice_is_one(void **state)
{
	struct answer_targets t;

	(void)state;
	group(A, 1, 3260, 1);
	group(A, 1, 3260, 1);
	t = read_all();
	assert_int_equal(t.n, 1);
	answer_targets_fini(&t);
}

static void
there_is_an_end_to_targets(void **state)
{
	struct answer_targets t;
	char name[64];

	(void)state;
	for (unsigned i = 0; i <= LIMIT_ISNS_TARGETS; i++) {
		(void)snprintf(name, sizeof name, "%s%u", A, i);
		group(name, 1, 3260, 1);
	}
	t = read_all();
	assert_int_equal(t.n, LIMIT_ISNS_TARGETS);
	assert_true(t.is_too_many);
	answer_targets_fini(&t);
}

static void
an_answer_that_is_cut_off_is_none(void **state)
{
	struct answer_targets t;
	size_t n, whole = 0;

	(void)state;
	node(A, ISNSP_NODE_TARGET, "first");
	group(A, 1, 3260, 1);
	n = put_len(&w);
	for (size_t i = 0; i < n; i++) {
		if (answer_get_targets(cursor_over(room, i), &t) != ISNSP_IS_OK)
			continue;
		answer_targets_fini(&t);
		whole++;
	}
	/* Between two attributes it is whole, as far as can be seen. */
	assert_int_equal(whole, 9);
}

static void
answers_are_compared_with_all_that_counts(void **state)
{
	struct answer_targets a, b;

	(void)state;
	node(A, ISNSP_NODE_TARGET, "first");
	group(A, 1, 3260, 1);
	a = read_all();
	b = read_all();
	assert_true(answer_targets_equal(&a, &b));
	b.list[0].tpgt++;
	assert_false(answer_targets_equal(&a, &b));
	b.list[0].tpgt--;
	b.list[0].alias[0]++;
	assert_false(answer_targets_equal(&a, &b));
	b.list[0].alias[0]--;
	b.left_out++;
	assert_false(answer_targets_equal(&a, &b));
	answer_targets_fini(&a);
	answer_targets_fini(&b);
}

static void
a_registration_says_how_long_it_lives(void **state)
{
	uint8_t bytes[64];
	struct put p = put_over(bytes, sizeof bytes);
	struct cursor c;
	uint32_t n;

	(void)state;
	put_be32(&p, ISNSP_STATUS_SUCCESS);
	isnsp_put_text(&p, ISNSP_EID, A);
	isnsp_put_number(&p, ISNSP_PERIOD, 60);
	c = cursor_over(bytes, put_len(&p));
	assert_int_equal(answer_status(&c, &n), ISNSP_IS_OK);
	assert_int_equal(n, ISNSP_STATUS_SUCCESS);
	assert_int_equal(answer_period(c, &n), ISNSP_IS_OK);
	assert_int_equal(n, 60);
	c.end -= 12; /* nothing is said */
	assert_int_equal(answer_period(c, &n), ISNSP_IS_OK);
	assert_int_equal(n, 0);
	c = cursor_over(bytes, 3);
	assert_int_equal(answer_status(&c, &n), ISNSP_IS_SHORT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(targets_have_the_addresses_of_their_portal_groups),
		T(a_group_without_a_tag_is_no_way_to_a_target),
		T(what_cannot_be_used_is_left_out_and_counted),
		T(an_address_that_is_named_twice_is_one),
		T(there_is_an_end_to_targets),
		T(an_answer_that_is_cut_off_is_none),
		T(answers_are_compared_with_all_that_counts),
		T(a_registration_says_how_long_it_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
