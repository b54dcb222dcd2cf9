#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/diag/diag.h"
#include "driver/diag/diag_limit.h"

static struct diag_limit limit;

static int
setup(void **state)
{
	(void)state;
	memset(&limit, 0, sizeof limit);
	return 0;
}

static unsigned
say(uint64_t now_ms, uint32_t id, uint32_t peer, unsigned times, uint32_t *ret_held_back)
{
	unsigned passed = 0;
	uint32_t held_back;

	*ret_held_back = 0;
	for (unsigned i = 0; i < times; i++)
		if (diag_limit_passes(&limit, now_ms, id, peer, &held_back)) {
			passed++;
			*ret_held_back += held_back;
		}
	return passed;
}

static void
a_message_passes_a_few_times_and_then_says_how_often_it_did_not(void **state)
{
	uint32_t held_back;

	(void)state;
	assert_int_equal(say(1, 7, 3, 1000, &held_back), DIAG_BURST);
	assert_int_equal(held_back, 0);
	assert_int_equal(say(DIAG_WINDOW_MS + 1, 7, 3, 1, &held_back), 1);
	assert_int_equal(held_back, 1000 - DIAG_BURST);
}

static void
one_peer_or_message_does_not_silence_another(void **state)
{
	uint32_t held_back;

	(void)state;
	assert_int_equal(say(1, 7, 3, 1000, &held_back), DIAG_BURST);
	assert_int_equal(say(1, 7, 4, 1000, &held_back), DIAG_BURST);
	assert_int_equal(say(1, 8, 3, 1000, &held_back), DIAG_BURST);
}

/* Also where pairs are chosen so that they push each other out of the table. */
static void
any_number_of_pairs_in_any_order_is_bounded(void **state)
{
	unsigned passed = 0,
		 bound = DIAG_LIMIT_SETS * DIAG_LIMIT_WAYS * DIAG_BURST + DIAG_LIMIT_OTHERS;
	uint32_t held_back;

	(void)state;
	for (int round = 0; round < 20; round++)
		for (uint32_t peer = 0; peer < 20000; peer++)
			passed += say(1, 7, peer, 1, &held_back);
	assert_true(passed <= bound);
	assert_true(passed > bound / 2);
}

static void
two_that_share_a_place_do_not_open_it_for_each_other(void **state)
{
	unsigned passed = 0;
	uint32_t held_back;

	(void)state;
	/* Among so many peers some share each set with more than it has room for. */
	for (int round = 0; round < 1000; round++)
		for (uint32_t peer = 0; peer < 16; peer++)
			passed += say(1, 7, peer << 20, 1, &held_back);
	assert_true(passed <= 16 * DIAG_BURST + DIAG_LIMIT_OTHERS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    a_message_passes_a_few_times_and_then_says_how_often_it_did_not, setup),
		cmocka_unit_test_setup(one_peer_or_message_does_not_silence_another, setup),
		cmocka_unit_test_setup(any_number_of_pairs_in_any_order_is_bounded, setup),
		cmocka_unit_test_setup(two_that_share_a_place_do_not_open_it_for_each_other, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
