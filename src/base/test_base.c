#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/list.h"
#include "base/put.h"
#include "base/seq.h"

static void
cursor_stops_at_its_end_and_stays_failed(void **state)
{
	const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
	struct cursor c = cursor_over(bytes, sizeof bytes);

	(void)state;
	assert_int_equal(cursor_be16(&c), 0x0102);
	assert_int_equal(cursor_left(&c), 3);
	assert_int_equal(cursor_be32(&c), 0);
	assert_true(c.failed);
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_left(&c), 0);
}

static void
cursor_over_nothing_fails_cleanly(void **state)
{
	struct cursor c = cursor_over(NULL, 0);

	(void)state;
	assert_non_null(&c);
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_true(c.failed);
}

static void
put_writes_nothing_after_overflow(void **state)
{
	uint8_t buf[4] = { 0 };
	struct put w = put_over(buf, sizeof buf);

	(void)state;
	put_be24(&w, 0x010203);
	put_be16(&w, 0xffff);
	put_u8(&w, 9);
	assert_true(w.overflow);
	assert_int_equal(put_len(&w), 3);
	assert_int_equal(buf[3], 0);
}

static void
serial_numbers_order_across_the_wrap(void **state)
{
	(void)state;
	assert_true(seq_lt(0xffffffffu, 0));
	assert_true(seq_lt(0xfffffff0u, 0x10));
	assert_false(seq_lt(0x10, 0xfffffff0u));
	assert_true(seq_le(7, 7));
	/* RFC 1982, section 3.2: undefined; here neither is less. */
	assert_false(seq_lt(0, 0x80000000u));
	assert_false(seq_lt(0x80000000u, 0));
}

static void
list_splice_keeps_order_in_front(void **state)
{
	struct list a, b, n[4];

	(void)state;
	list_init(&a);
	list_init(&b);
	for (int i = 0; i < 4; i++)
		list_push_back(i < 2 ? &a : &b, &n[i]);
	list_splice_front(&b, &a);
	assert_true(list_empty(&a));
	for (int i = 0; i < 4; i++)
		assert_ptr_equal(list_pop(&b), &n[i]);
	assert_null(list_pop(&b));
	list_remove(&n[0]);
}

static void
checked_arithmetic_reports_what_does_not_fit(void **state)
{
	uint32_t v = 0;

	(void)state;
	assert_true(checked_add(0xffffffffu, 1u, &v));
	assert_false(checked_mul(0xffffu, 0x10001u, &v));
	assert_int_equal(v, 0xffffffffu);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursor_stops_at_its_end_and_stays_failed),
		cmocka_unit_test(cursor_over_nothing_fails_cleanly),
		cmocka_unit_test(put_writes_nothing_after_overflow),
		cmocka_unit_test(serial_numbers_order_across_the_wrap),
		cmocka_unit_test(list_splice_keeps_order_in_front),
		cmocka_unit_test(checked_arithmetic_reports_what_does_not_fit),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
