/* A daemon, or the driver, that goes while the other stays. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/helpertest.h"
#include "sys/log.h"

static void
a_successor_gets_what_the_dead_daemon_did_not_answer(void **state)
{
	int first = 1, second = 2;
	struct helper_call *lost;

	(void)state;
	helpertest_start_daemon();
	helpertest_ask(&first, HELPERTEST_PATIENCE_US);
	helpertest_turn_until(&helpertest.n_calls, 1);
	lost = helpertest.calls[0];
	helper_client_free(helpertest.client);
	helpertest_turn_until(&helpertest.daemon_went, 1);
	assert_int_equal(helper_server_pid(helpertest.server), 0);
	helpertest_ask(&second, HELPERTEST_PATIENCE_US);
	helpertest_start_daemon();
	helpertest_turn_until(&helpertest.n_calls, 3);
	helper_call_reply(lost, NULL, -1); /* to nobody */
	helper_call_reply(helpertest.calls[1], NULL, -1);
	helper_call_reply(helpertest.calls[2], NULL, -1);
	helpertest_turn_until(&helpertest.n_answers, 2);
	assert_int_equal(helpertest.answers[0].tag, 1);
	assert_int_equal(helpertest.answers[1].tag, 2);
	assert_int_equal(helpertest.n_cancelled, 0);
}

static void
the_daemon_finds_a_restarted_driver_by_itself(void **state)
{
	int tag = 1;

	(void)state;
	helpertest_start_daemon();
	helpertest_ask(&tag, HELPERTEST_PATIENCE_US);
	helpertest_turn_until(&helpertest.n_calls, 1);
	helper_call_on_cancel(helpertest.calls[0], helpertest_on_cancel, NULL);
	helper_server_free(helpertest.server);
	assert_int_equal(helpertest.n_answers, 1);
	assert_int_equal(helpertest.answers[0].err, -ECANCELED);
	helpertest_turn_until(&helpertest.link_down, 1);
	assert_int_equal(helpertest.n_cancelled, 1);
	assert_int_equal(helpertest.link_up, 1);
	assert_int_equal(helper_server_new(helpertest.loop, helpertest.path, helpertest.pid_path,
			     "iswd", helpertest_on_state, NULL, &helpertest.server),
	    0);
	helpertest_turn_until(&helpertest.daemon_came, 2);
	assert_int_equal(helpertest.link_up, 2);
}

static void
a_daemon_started_first_waits_for_the_driver(void **state)
{
	(void)state;
	helper_server_free(helpertest.server);
	helpertest_start_daemon();
	assert_int_equal(helpertest.link_up, 0);
	assert_int_equal(helper_server_new(helpertest.loop, helpertest.path, helpertest.pid_path,
			     "iswd", helpertest_on_state, NULL, &helpertest.server),
	    0);
	helpertest_turn_until(&helpertest.daemon_came, 1);
}

/* Of another release, as after an update that left it running: it is taken, and told. */
static void
a_daemon_of_another_version_is_told(void **state)
{
	char log[4096], name[] = "/tmp/oisw-log.XXXXXX";
	int before = dup(STDERR_FILENO), file = mkstemp(name), fd;
	ssize_t n;

	(void)state;
	assert_true(before >= 0 && file >= 0);
	assert_int_equal(unlink(name), 0);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	log_set_level(LOG_LVL_WARN);
	helpertest_start_daemon();
	helpertest_turn_until(&helpertest.daemon_came, 1);
	helper_client_free(helpertest.client);
	helpertest.client = NULL;
	helpertest_turn_until(&helpertest.daemon_went, 1);
	fd = helpertest_by_hand("{\"daemon\":\"iswd\",\"version\":\"0.0\",\"pid\":7}");
	helpertest_turn_until(&helpertest.daemon_came, 2);
	log_flush(1000);
	log_set_level(LOG_LVL_CRIT);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	n = pread(file, log, sizeof log - 1, 0);
	assert_true(n >= 0);
	log[n] = '\0';
	assert_non_null(strstr(log, "is of version 0.0, this driver of " OPENISW_VERSION));
	/* Not of the one of this release. */
	assert_ptr_equal(strstr(log, "is of version"), strstr(log, "is of version 0.0"));
	close(fd);
	close(before);
	close(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HELPERTEST_CASE(a_successor_gets_what_the_dead_daemon_did_not_answer),
		HELPERTEST_CASE(the_daemon_finds_a_restarted_driver_by_itself),
		HELPERTEST_CASE(a_daemon_started_first_waits_for_the_driver),
		HELPERTEST_CASE(a_daemon_of_another_version_is_told),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
