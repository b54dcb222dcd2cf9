/* A daemon, played by hand, that sends what no daemon should. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/helpertest.h"
#include "sys/log.h"
#include "sys/sock.h"

static void
who_announces_nonsense_is_closed(void **state)
{
	static const char *const nonsense[] = { "x", "{}", "{\"daemon\":\"islpd\"}",
		"{\"daemon\":7}" };

	(void)state;
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++)
		helpertest_expect_closed(helpertest_by_hand(nonsense[i]));
	assert_int_equal(helpertest.daemon_came, 0);
}

static void
a_malformed_answer_ends_its_request_or_the_connection_but_nothing_else(void **state)
{
	int tag = 1, fd = helpertest_by_hand("{\"daemon\":\"iswd\"}");
	static const char *const harmless[] = { "{\"id\":99,\"ok\":true,\"result\":{}}",
		"{\"id\":\"1\"}", "{}" };
	static const char odd[] = "{\"id\":2,\"ok\":false,\"error\":{\"code\":\"EODD\"}}";

	(void)state;
	helpertest_turn_until(&helpertest.daemon_came, 1);
	helpertest_ask(&tag, HELPERTEST_PATIENCE_US);
	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		assert_true(sock_send(fd, harmless[i], strlen(harmless[i]), -1) > 0);
	assert_true(sock_send(fd, "{\"id\":1,\"ok\":true}", 18, -1) > 0);
	helpertest_turn_until(&helpertest.n_answers, 1);
	assert_int_equal(helpertest.answers[0].err, -EPROTO);
	helpertest_ask(&tag, HELPERTEST_PATIENCE_US);
	assert_true(sock_send(fd, odd, strlen(odd), -1) > 0);
	helpertest_turn_until(&helpertest.n_answers, 2);
	assert_int_equal(helpertest.answers[1].err, -EPROTO);
	assert_int_equal(helpertest.daemon_went, 0);
	assert_true(sock_send(fd, "]", 1, -1) > 0);
	helpertest_turn_until(&helpertest.daemon_went, 1);
	close(fd);
}

static void
a_daemon_that_answers_nothing_over_and_over_is_cut_off(void **state)
{
	static const char stray[] = "{\"id\":99,\"ok\":true,\"result\":{}}";
	int fd = helpertest_by_hand("{\"daemon\":\"iswd\"}");

	(void)state;
	helpertest_turn_until(&helpertest.daemon_came, 1);
	for (int i = 0; i < 17; i++)
		assert_true(sock_send(fd, stray, strlen(stray), -1) > 0);
	helpertest_turn_until(&helpertest.daemon_went, 1);
	close(fd);
}

static void
cancelled_requests_may_be_answered_as_often_as_there_were(void **state)
{
	int tag = 1, last = 2, fd = helpertest_by_hand("{\"daemon\":\"iswd\"}");
	char text[64];

	(void)state;
	helpertest_turn_until(&helpertest.daemon_came, 1);
	for (int i = 0; i < 40; i++) {
		int64_t id = helpertest_ask(&tag, HELPERTEST_PATIENCE_US);

		assert_true(helper_server_cancel(helpertest.server, id));
		(void)snprintf(
		    text, sizeof text, "{\"id\":%lld,\"ok\":true,\"result\":{}}", (long long)id);
		assert_true(sock_send(fd, text, strlen(text), -1) > 0);
	}
	(void)snprintf(text, sizeof text, "{\"id\":%lld,\"ok\":true,\"result\":{}}",
	    (long long)helpertest_ask(&last, HELPERTEST_PATIENCE_US));
	assert_true(sock_send(fd, text, strlen(text), -1) > 0);
	helpertest_turn_until(&helpertest.n_answers, 1);
	assert_int_equal(helpertest.answers[0].tag, 2);
	assert_int_equal(helpertest.daemon_went, 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HELPERTEST_CASE(who_announces_nonsense_is_closed),
		HELPERTEST_CASE(
		    a_malformed_answer_ends_its_request_or_the_connection_but_nothing_else),
		HELPERTEST_CASE(a_daemon_that_answers_nothing_over_and_over_is_cut_off),
		HELPERTEST_CASE(cancelled_requests_may_be_answered_as_often_as_there_were),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
