#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/fanout.h"

struct world {
	struct agenda agenda;
	struct fanout f;
	unsigned told, late, ended;
};

static void
told(struct fanout *f, bool is_late)
{
	struct world *w = LIST_ENTRY(f, struct world, f);

	assert_int_equal(w->ended, 0);
	w->told++;
	w->late += is_late;
}

static void
ended(struct fanout *f)
{
	struct world *w = LIST_ENTRY(f, struct world, f);

	assert_int_equal(w->told, 1);
	w->ended++;
}

static void
setup(struct world *w, uint64_t until_us)
{
	*w = (struct world){ .told = 0 };
	agenda_init(&w->agenda, 0);
	fanout_init(&w->f, &w->agenda, until_us, told, ended);
}

/* Any number of questions, answered before and behind the patience: told once, ended once, last. */
static void
it_tells_once_and_ends_with_the_last_answer(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 6; n++)
		for (unsigned in_time = 0; in_time <= n; in_time++) {
			struct world w;

			setup(&w, 1000);
			for (unsigned i = 0; i < n; i++)
				fanout_add(&w.f);
			fanout_seal(&w.f);
			for (unsigned i = 0; i < in_time; i++)
				fanout_drop(&w.f);
			assert_int_equal(w.told, in_time == n);
			w.agenda.now_us = 1000;
			agenda_run(&w.agenda);
			assert_int_equal(w.told, 1);
			assert_int_equal(w.late, in_time < n);
			assert_int_equal(w.ended, in_time == n);
			for (unsigned i = in_time; i < n; i++)
				fanout_drop(&w.f);
			assert_int_equal(w.told, 1);
			assert_int_equal(w.ended, 1);
			assert_true(agenda_next_us(&w.agenda) == UINT64_MAX);
		}
}

static void
answers_that_come_while_others_are_asked_end_nothing(void **state)
{
	struct world w;

	(void)state;
	setup(&w, UINT64_MAX);
	fanout_add(&w.f);
	fanout_drop(&w.f);
	assert_int_equal(w.told, 0);
	fanout_add(&w.f);
	fanout_seal(&w.f);
	assert_int_equal(w.told, 0);
	fanout_drop(&w.f);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.late, 0);
	assert_int_equal(w.ended, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_tells_once_and_ends_with_the_last_answer),
		cmocka_unit_test(answers_that_come_while_others_are_asked_end_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
