/* Requests of the driver to a daemon, and their answers. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/helpertest.h"
#include "sys/log.h"

static void
a_request_is_answered_with_a_descriptor(void **state)
{
	int tag = 1, pass = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat want, have;

	(void)state;
	assert_int_equal(fstat(pass, &want), 0);
	helpertest_start_daemon();
	helpertest_turn_until(&helpertest.daemon_came, 1);
	assert_int_equal(helper_server_pid(helpertest.server), getpid());
	helpertest_ask(&tag, HELPERTEST_PATIENCE_US);
	assert_int_equal(helpertest.n_answers, 0);
	helpertest_turn_until(&helpertest.n_calls, 1);
	assert_string_equal(helper_call_op(helpertest.calls[0]), "connect");
	assert_int_equal(
	    json_integer_value(json_object_get(helper_call_args(helpertest.calls[0]), "port")),
	    3260);
	helper_call_reply(helpertest.calls[0], json_pack("{s:s}", "local", "127.0.0.1:4"), pass);
	helpertest_turn_until(&helpertest.n_answers, 1);
	assert_int_equal(helpertest.answers[0].err, 0);
	assert_int_equal(helpertest.answers[0].tag, 1);
	assert_string_equal(
	    json_string_value(json_object_get(helpertest.answers[0].result, "local")),
	    "127.0.0.1:4");
	assert_int_equal(fstat(helpertest.answers[0].fd, &have), 0);
	assert_int_equal(have.st_ino, want.st_ino);
	assert_int_equal(close(helpertest.answers[0].fd), 0);
	assert_int_equal(fcntl(pass, F_GETFD), -1); /* the daemon's copy is closed */
}

static void
answers_come_in_any_order_and_errors_by_name(void **state)
{
	int first = 1, second = 2;

	(void)state;
	helpertest_start_daemon();
	helpertest_ask(&first, HELPERTEST_PATIENCE_US);
	helpertest_ask(&second, HELPERTEST_PATIENCE_US);
	helpertest_turn_until(&helpertest.n_calls, 2);
	helper_call_error(helpertest.calls[1], -ECONNREFUSED, "nobody listens there");
	helpertest_turn_until(&helpertest.n_answers, 1);
	helper_call_reply(helpertest.calls[0], NULL, -1);
	helpertest_turn_until(&helpertest.n_answers, 2);
	assert_int_equal(helpertest.answers[0].tag, 2);
	assert_int_equal(helpertest.answers[0].err, -ECONNREFUSED);
	assert_string_equal(helpertest.answers[0].why, "nobody listens there");
	assert_int_equal(helpertest.answers[1].tag, 1);
	assert_int_equal(helpertest.answers[1].err, 0);
	assert_int_equal(helpertest.answers[1].fd, -1);
}

static void
without_a_daemon_a_request_waits_until_its_deadline(void **state)
{
	int tag = 1;

	(void)state;
	helpertest_ask(&tag, 1000);
	helpertest_turn_until(&helpertest.n_answers, 1);
	assert_int_equal(helpertest.answers[0].err, -ENOTCONN);
	assert_string_equal(helpertest.answers[0].why, "iswd is not running");
}

static void
a_silent_daemon_ends_in_a_timeout_and_is_told(void **state)
{
	int tag = 1;

	(void)state;
	helpertest_start_daemon();
	helpertest_turn_until(&helpertest.daemon_came, 1);
	helpertest_ask(&tag, 30000);
	helpertest_turn_until(&helpertest.n_calls, 1);
	helper_call_on_cancel(helpertest.calls[0], helpertest_on_cancel, NULL);
	helpertest_turn_until(&helpertest.n_answers, 1);
	assert_int_equal(helpertest.answers[0].err, -ETIMEDOUT);
	helpertest_turn_until(&helpertest.n_cancelled, 1);
	assert_int_equal(helpertest.n_answers, 1);
}

static void
a_cancelled_request_is_never_answered(void **state)
{
	int first = 1, second = 2, third = 3;
	int64_t id, unsent;

	(void)state;
	unsent = helpertest_ask(&third, HELPERTEST_PATIENCE_US);
	assert_true(helper_server_cancel(helpertest.server, unsent));
	helpertest_start_daemon();
	id = helpertest_ask(&first, HELPERTEST_PATIENCE_US);
	helpertest_turn_until(&helpertest.n_calls, 1);
	helper_call_on_cancel(helpertest.calls[0], helpertest_on_cancel, NULL);
	assert_true(helper_server_cancel(helpertest.server, id));
	assert_false(helper_server_cancel(helpertest.server, id));
	helpertest_turn_until(&helpertest.n_cancelled, 1);
	helpertest_ask(&second, HELPERTEST_PATIENCE_US);
	helpertest_turn_until(&helpertest.n_calls, 2);
	helper_call_reply(helpertest.calls[1], NULL, -1);
	helpertest_turn_until(&helpertest.n_answers, 1);
	assert_int_equal(helpertest.answers[0].tag, 2);
}

static void
a_descriptor_for_a_cancelled_request_is_closed(void **state)
{
	int tag = 1, second = 2, pass, next;
	int64_t id;

	(void)state;
	helpertest_start_daemon();
	id = helpertest_ask(&tag, HELPERTEST_PATIENCE_US);
	helpertest_turn_until(&helpertest.n_calls, 1);
	assert_true(helper_server_cancel(helpertest.server, id));
	next = dup(0);
	close(next);
	pass = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pass, next);
	helper_call_reply(helpertest.calls[0], NULL, pass);
	helpertest_ask(&second, HELPERTEST_PATIENCE_US);
	helpertest_turn_until(&helpertest.n_calls, 2);
	helper_call_reply(helpertest.calls[1], NULL, -1);
	helpertest_turn_until(&helpertest.n_answers, 1);
	pass = dup(0);
	assert_int_equal(pass, next);
	close(pass);
}

static void
more_requests_than_the_socket_holds_all_arrive(void **state)
{
	static int tags[3000];
	int fd = helpertest_by_hand("{\"daemon\":\"iswd\"}"), got = 0;
	char *buf = malloc(HELPER_MESSAGE_BYTES), *big = calloc(1, 2001);
	ssize_t n;

	(void)state;
	helpertest_turn_until(&helpertest.daemon_came, 1);
	memset(big, 'a', 2000);
	for (int i = 0; i < 3000; i++)
		assert_true(helper_server_request(helpertest.server, "connect",
				json_pack("{s:s}", "address", big),
				loop_now(helpertest.loop) + HELPERTEST_PATIENCE_US,
				helpertest_on_answer, &tags[i]) == i + 1);
	while (got < 3000) {
		const int one = 1;

		while ((n = recv(fd, buf, HELPER_MESSAGE_BYTES, MSG_DONTWAIT)) > 0) {
			json_t *object = json_loadb(buf, (size_t)n, 0, NULL);

			assert_int_equal(json_integer_value(json_object_get(object, "id")), ++got);
			json_decref(object);
		}
		helpertest_turn_until(&one, 1); /* one turn */
	}
	for (int i = 1; i <= 3000; i++)
		assert_true(helper_server_cancel(helpertest.server, i));
	close(fd);
	free(buf);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HELPERTEST_CASE(a_request_is_answered_with_a_descriptor),
		HELPERTEST_CASE(answers_come_in_any_order_and_errors_by_name),
		HELPERTEST_CASE(without_a_daemon_a_request_waits_until_its_deadline),
		HELPERTEST_CASE(a_silent_daemon_ends_in_a_timeout_and_is_told),
		HELPERTEST_CASE(a_cancelled_request_is_never_answered),
		HELPERTEST_CASE(a_descriptor_for_a_cancelled_request_is_closed),
		HELPERTEST_CASE(more_requests_than_the_socket_holds_all_arrive),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
