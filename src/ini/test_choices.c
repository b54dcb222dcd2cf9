#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ini/choices.h"

static void
each_is_found_by_its_name_and_its_words(void **state)
{
	unsigned way = 7;

	(void)state;
	for (int i = 0; i < CHOICE_COUNT; i++) {
		enum choice_id id = CHOICE_COUNT;

		assert_true(choices_find(choices_name((enum choice_id)i), &id));
		assert_int_equal(id, i);
		for (unsigned w = 0; choices_word(id, w) != NULL; w++) {
			assert_true(choices_parse(id, choices_word(id, w), &way));
			assert_int_equal(way, w);
		}
	}
	assert_true(choices_parse(CHOICE_volatile_loss, "WARN", &way));
	assert_int_equal(way, CHOICE_volatile_loss_warn);
	assert_true(choices_parse(CHOICE_exporter, "nbd", &way));
	assert_int_equal(way, CHOICE_exporter_nbd);
}

static void
what_is_none_of_them_is_refused(void **state)
{
	enum choice_id id = CHOICE_COUNT;
	unsigned way = 7;

	(void)state;
	assert_false(choices_find("Volatile", &id));
	assert_false(choices_find("", &id));
	assert_false(choices_parse(CHOICE_volatile_loss, "", &way));
	assert_false(choices_parse(CHOICE_volatile_loss, "primary", &way));
	assert_int_equal(id, CHOICE_COUNT);
	assert_int_equal(way, 7);
}

/* Data that is lost is told unless somebody chose otherwise; all LUNs are shown, likewise. */
static void
the_defaults_hide_nothing(void **state)
{
	struct choices c = { 0 };

	(void)state;
	assert_int_equal(c.way[CHOICE_volatile_loss], CHOICE_volatile_loss_fail);
	assert_int_equal(c.way[CHOICE_lun_addressing], CHOICE_lun_addressing_all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found_by_its_name_and_its_words),
		cmocka_unit_test(what_is_none_of_them_is_refused),
		cmocka_unit_test(the_defaults_hide_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
