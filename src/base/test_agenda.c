#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/agenda.h"

#define THINGS 200

struct thing {
	struct agenda_timer timer;
	struct agenda_work work;
	uint64_t due_us; /* what the test expects; UINT64_MAX: not armed */
	unsigned long order;
	unsigned runs;
};

static struct agenda a;
static struct thing things[THINGS];
static unsigned long orders;
static uint64_t last_us;
static unsigned long last_order;
static unsigned fired;

static void
expired(struct agenda_timer *t)
{
	struct thing *h = LIST_ENTRY(t, struct thing, timer);

	assert_true(h->due_us <= agenda_now(&a));
	assert_true(h->due_us > last_us || (h->due_us == last_us && h->order > last_order));
	last_us = h->due_us;
	last_order = h->order;
	h->due_us = UINT64_MAX;
	fired++;
}

static void
arm(struct thing *h, uint64_t at_us)
{
	agenda_set(&a, &h->timer, at_us);
	h->due_us = at_us;
	h->order = ++orders;
}

static unsigned
armed(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < THINGS; i++)
		n += things[i].due_us != UINT64_MAX;
	return n;
}

static void
deadlines_fire_when_due_in_order_however_they_are_armed_moved_and_cleared(void **state)
{
	(void)state;
	srand(1);
	agenda_init(&a, 1000);
	for (unsigned i = 0; i < THINGS; i++) {
		things[i] = (struct thing){ .timer.expired = expired, .due_us = UINT64_MAX };
		agenda_work_init(&things[i].work, NULL);
	}
	for (unsigned turn = 0; turn < 3000; turn++) {
		unsigned before, due = 0;

		for (unsigned k = 0; k < 8; k++) {
			struct thing *h = &things[(unsigned)rand() % THINGS];

			if (rand() % 4 == 0) {
				agenda_clear(&a, &h->timer);
				h->due_us = UINT64_MAX;
			} else {
				arm(h, agenda_now(&a) + (unsigned)rand() % 50);
			}
		}
		a.now_us += (unsigned)rand() % 10;
		for (unsigned i = 0; i < THINGS; i++)
			due += things[i].due_us <= a.now_us;
		before = armed();
		fired = 0;
		last_us = last_order = 0;
		agenda_run(&a);
		assert_int_equal(fired, due);
		assert_int_equal(armed(), before - due);
	}
	for (unsigned i = 0; i < THINGS; i++)
		agenda_clear(&a, &things[i].timer);
	assert_true(agenda_next_us(&a) == UINT64_MAX);
}

static void
again(struct agenda_timer *t)
{
	struct thing *h = LIST_ENTRY(t, struct thing, timer);

	h->runs++;
	agenda_set(&a, t, 0);
}

static void
once(struct agenda_timer *t)
{
	LIST_ENTRY(t, struct thing, timer)->runs++;
}

static void
deadline_rearmed_for_the_past_by_its_own_callback_waits_for_the_next_turn(void **state)
{
	struct thing h = { .timer.expired = again }, behind = { .timer.expired = once };

	(void)state;
	agenda_init(&a, 5);
	agenda_set(&a, &h.timer, 1);
	agenda_set(&a, &behind.timer, 2);
	for (unsigned turn = 1; turn <= 3; turn++) {
		agenda_run(&a);
		assert_int_equal(h.runs, turn);
		assert_int_equal(behind.runs, 1); /* it does not starve */
	}
	assert_true(agenda_next_us(&a) <= 5);
	agenda_clear(&a, &h.timer);
	assert_int_equal(agenda_next_us(&a), UINT64_MAX);
}

static void
work_again(struct agenda_work *w)
{
	LIST_ENTRY(w, struct thing, work)->runs++;
	agenda_defer(&a, w);
	agenda_defer(&a, w);
}

static void
work_runs_once_a_turn_and_from_itself_in_the_next(void **state)
{
	struct thing h = { 0 };

	(void)state;
	agenda_init(&a, 0);
	agenda_work_init(&h.work, work_again);
	agenda_defer(&a, &h.work);
	agenda_defer(&a, &h.work);
	for (unsigned turn = 1; turn <= 3; turn++) {
		assert_int_equal(agenda_next_us(&a), 0);
		agenda_run(&a);
		assert_int_equal(h.runs, turn);
	}
	agenda_cancel(&h.work);
	assert_true(agenda_next_us(&a) == UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    deadlines_fire_when_due_in_order_however_they_are_armed_moved_and_cleared),
		cmocka_unit_test(
		    deadline_rearmed_for_the_past_by_its_own_callback_waits_for_the_next_turn),
		cmocka_unit_test(work_runs_once_a_turn_and_from_itself_in_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
