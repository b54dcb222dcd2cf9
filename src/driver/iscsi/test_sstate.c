#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/iscsi/sstate.h"

static enum sstate
go(enum sstate s, enum sstate_event ev)
{
	enum sstate to = SSTATE_N;

	assert_true(sstate_next(s, ev, &to));
	return to;
}

static void
a_session_opens_and_closes(void **state)
{
	enum sstate s = SSTATE_CLOSED;

	(void)state;
	assert_string_equal(sstate_word(s), "offline");
	s = go(s, SSTATE_EV_OPEN);
	assert_string_equal(sstate_word(s), "transient");
	s = go(s, SSTATE_EV_CONNECTED);
	s = go(s, SSTATE_EV_RELEASED);
	assert_string_equal(sstate_word(s), "online");
	s = go(s, SSTATE_EV_CLOSE);
	s = go(s, SSTATE_EV_GONE);
	assert_int_equal(s, SSTATE_CLOSED);
}

static void
an_outage_past_the_replacement_timeout_stays_offline_until_online(void **state)
{
	enum sstate s = SSTATE_ONLINE;

	(void)state;
	s = go(s, SSTATE_EV_LOST);
	s = go(s, SSTATE_EV_OPEN);
	s = go(s, SSTATE_EV_GIVE_UP);
	assert_string_equal(sstate_word(s), "offline");
	s = go(s, SSTATE_EV_LOST);
	s = go(s, SSTATE_EV_OPEN);
	assert_string_equal(sstate_word(s), "offline");
	s = go(s, SSTATE_EV_CONNECTED);
	assert_string_equal(sstate_word(s), "offline");
	s = go(s, SSTATE_EV_RELEASED);
	assert_string_equal(sstate_word(s), "online");
}

static void
a_connection_that_comes_after_logout_changes_nothing(void **state)
{
	enum sstate to;

	(void)state;
	assert_false(sstate_next(SSTATE_LOGOUT, SSTATE_EV_CONNECTED, &to));
	assert_false(sstate_next(SSTATE_CLOSED, SSTATE_EV_LOST, &to));
}

static void
every_open_state_can_end(void **state)
{
	(void)state;
	for (int s = 0; s < SSTATE_N; s++)
		if (s != SSTATE_CLOSED)
			assert_int_equal(go((enum sstate)s, SSTATE_EV_GONE), SSTATE_CLOSED);
}

static void
every_state_is_reached_from_closed(void **state)
{
	uint32_t seen = 1u << SSTATE_CLOSED, before = 0;

	(void)state;
	while (seen != before) {
		before = seen;
		for (int s = 0; s < SSTATE_N; s++)
			for (int ev = 0; ev < SSTATE_EV_N; ev++) {
				enum sstate to;

				if ((before & 1u << s) != 0 &&
				    sstate_next((enum sstate)s, (enum sstate_event)ev, &to))
					seen |= 1u << to;
			}
	}
	assert_int_equal(seen, (1u << SSTATE_N) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_opens_and_closes),
		cmocka_unit_test(an_outage_past_the_replacement_timeout_stays_offline_until_online),
		cmocka_unit_test(a_connection_that_comes_after_logout_changes_nothing),
		cmocka_unit_test(every_open_state_can_end),
		cmocka_unit_test(every_state_is_reached_from_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
