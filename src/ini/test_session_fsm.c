/* The machine's table, from inside: what has no row is counted, named, and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ini/fake_owner.h"
#include "ini/session_fsm.c"

static struct fake_owner o;

static bool
has_row(enum session_state from, enum session_event ev)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].from == from && rows[i].event == ev)
			return true;
	return false;
}

static uint64_t
count(void)
{
	const struct ini_counts *c = session_counts(o.s);

	return c->unexpected_online + c->unexpected_transient + c->unexpected_offline;
}

static void
a_pair_without_a_row_is_counted_and_named_and_changes_nothing(void **state)
{
	uint64_t n = 0;
	char want[64];

	(void)state;
	fake_owner_init(&o, 1, 1);
	for (int from = 0; from < SESSION_STATES; from++)
		for (int ev = 0; ev < SESSION_EVENTS; ev++) {
			if (has_row((enum session_state)from, (enum session_event)ev))
				continue;
			o.s->state = (enum session_state)from;
			go(o.s, (enum session_event)ev);
			assert_int_equal(o.s->state, from);
			assert_int_equal(count(), ++n);
			(void)snprintf(want, sizeof want, "event %s has no place in the state %s",
			    events[ev], states[from].name);
			assert_non_null(strstr(o.w.said, want));
		}
	o.s->state = SESSION_CLOSED;
	assert_true(o.s->counts.unexpected_online > 0 && o.s->counts.unexpected_offline > 0 &&
		    o.s->counts.unexpected_transient > 0);
	fake_owner_fini(&o);
}

static void
no_pair_has_two_rows_and_every_state_is_reached(void **state)
{
	unsigned into[SESSION_STATES] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		into[rows[i].to]++;
		for (size_t k = 0; k < i; k++)
			assert_false(
			    rows[i].from == rows[k].from && rows[i].event == rows[k].event);
	}
	for (int i = 0; i < SESSION_STATES; i++)
		assert_true(into[i] > 0);
}

static void
every_state_can_be_closed_and_has_one_of_the_guides_words(void **state)
{
	(void)state;
	for (int i = 0; i < SESSION_STATES; i++) {
		const char *word = session_state_word((enum session_state)i);

		assert_true(strcmp(word, "online") == 0 || strcmp(word, "transient") == 0 ||
			    strcmp(word, "offline") == 0);
		if (i != SESSION_CLOSED && i != SESSION_LOGOUT)
			assert_true(has_row((enum session_state)i, SESSION_EV_CLOSE));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_without_a_row_is_counted_and_named_and_changes_nothing),
		cmocka_unit_test(no_pair_has_two_rows_and_every_state_is_reached),
		cmocka_unit_test(every_state_can_be_closed_and_has_one_of_the_guides_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
