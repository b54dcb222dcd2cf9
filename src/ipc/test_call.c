/* Requests of the control protocol, over a real socket: what their answers say, and who may ask. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/servertest.h"
#include "sys/log.h"
#include "sys/sock.h"

static void
a_request_is_answered_with_its_arguments_seen(void **state)
{
	struct ipc_client *c = servertest_client();
	struct ipc_error e;
	json_t *result;

	(void)state;
	assert_int_equal(ipc_request(c, IPC_OP_session_nop, json_pack("{s:i}", "instance", 7), NULL,
			     NULL, &result, &e),
	    0);
	assert_int_equal(json_integer_value(json_object_get(result, "instance")), 7);
	assert_int_equal(json_integer_value(json_object_get(result, "size")), 64);
	assert_true(json_is_false(json_object_get(result, "given")));
	json_decref(result);
	assert_int_equal(ipc_request(c, IPC_OP_driver_version, NULL, NULL, NULL, &result, &e), 0);
	assert_string_equal(json_string_value(json_object_get(result, "device")), "none");
	json_decref(result);
	ipc_client_free(c);
}

static void
an_error_brings_cause_next_step_and_its_extra_facts(void **state)
{
	struct ipc_client *c = servertest_client();
	struct ipc_error e;
	json_t *result;

	(void)state;
	assert_int_equal(ipc_request(c, IPC_OP_session_logout, json_pack("{s:i}", "instance", 0),
			     NULL, NULL, &result, &e),
	    -1);
	assert_int_equal(e.code, IPC_ERR_BUSY);
	assert_string_equal(e.message, "A disk is in use.");
	assert_string_equal(e.next, "Unmount it.");
	assert_int_equal(json_array_size(json_object_get(e.extra, "in_use")), 1);
	assert_int_equal(json_object_size(e.extra), 1);
	ipc_error_fini(&e);
	ipc_client_free(c);
}

/* It says so, once, and the next one is whole. */
static void
an_answer_that_lacks_memory_is_none(void **state)
{
	struct ipc_client *c = servertest_client();
	struct ipc_error e;
	json_t *result;

	(void)state;
	assert_int_equal(ipc_request(c, IPC_OP_stats_get, NULL, NULL, NULL, &result, &e), -1);
	assert_int_equal(e.code, IPC_ERR_INTERNAL);
	assert_non_null(strstr(e.message, "no memory for the whole answer"));
	ipc_error_fini(&e);
	assert_int_equal(ipc_request(c, IPC_OP_driver_version, NULL, NULL, NULL, &result, &e), 0);
	assert_string_equal(json_string_value(json_object_get(result, "device")), "none");
	json_decref(result);
	ipc_client_free(c);
}

static void
count_progress(void *user, const json_t *progress)
{
	int *n = user;

	assert_int_equal(json_integer_value(json_object_get(progress, "done")), ++*n);
}

static void
progress_arrives_in_order_before_the_result(void **state)
{
	struct ipc_client *c = servertest_client();
	struct ipc_error e;
	json_t *result;
	int n = 0;

	(void)state;
	assert_int_equal(ipc_request(c, IPC_OP_scan, NULL, count_progress, &n, &result, &e), 0);
	assert_int_equal(n, 3);
	assert_int_equal(json_object_size(result), 0);
	json_decref(result);
	ipc_client_free(c);
}

static void
hostile_lines_get_an_answer_that_names_the_fault(void **state)
{
	int fd = servertest_raw(
	    "nonsense\n{\"op\":\"scan\"}\n{\"id\":5}\n{\"id\":6,\"op\":\"x.y\"}\n"
	    "{\"id\":7,\"op\":\"scan\",\"args\":{\"bad\":1}}\n{\"id\":8,\"op\":\"scan\","
	    "\"args\":3}\n"
	    "{\"id\":\"9\",\"op\":\"scan\"}\n");

	(void)state;
	servertest_expect_error(fd, -1, "INVALID", "no JSON object");
	servertest_expect_error(fd, -1, "INVALID", "\"id\"");
	servertest_expect_error(fd, 5, "INVALID", "\"op\"");
	servertest_expect_error(fd, 6, "UNKNOWN_OP", "x.y");
	servertest_expect_error(fd, 7, "INVALID", "\"bad\"");
	servertest_expect_error(fd, 8, "INVALID", "not an object");
	servertest_expect_error(fd, -1, "INVALID", "\"id\"");
	close(fd);
}

static void
too_many_unanswered_requests_are_refused(void **state)
{
	int fd = servertest_raw("");

	(void)state;
	for (int i = 0; i < LIMIT_IPC_CALLS + 1; i++) {
		char line[80];
		int n = snprintf(line, sizeof line, "{\"id\":%d,\"op\":\"discovery.list\"}\n", i);

		assert_int_equal(sock_send(fd, line, (size_t)n, -1), n);
	}
	servertest_expect_error(fd, LIMIT_IPC_CALLS, "BUSY", "not answered");
	close(fd);
}

static void
others_may_look_but_not_change(void **state)
{
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = servertest_served_as(SERVERTEST_NOBODY);
	assert_int_equal(sock_send(fd, "{\"id\":2,\"op\":\"scan\"}\n", 21, -1), 21);
	servertest_expect_error(fd, 2, "DENIED", "scan");
	close(fd);
}

static void
what_names_people_is_for_root_and_a_group_only(void **state)
{
	static const char *const secret_ops[] = { "session.trace", "events.get", "initiator.get" };
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = servertest_served_as(SERVERTEST_NOBODY);
	for (size_t i = 0; i < sizeof secret_ops / sizeof secret_ops[0]; i++) {
		char line[80];
		int n = snprintf(line, sizeof line, "{\"id\":2,\"op\":\"%s\"}\n", secret_ops[i]);

		assert_int_equal(sock_send(fd, line, (size_t)n, -1), n);
		servertest_expect_error(fd, 2, "DENIED", secret_ops[i]);
	}
	close(fd);
}

static const char *
chap_name(int fd)
{
	static const char ask[] = "{\"id\":2,\"op\":\"session.list\"}\n";
	static char text[32];
	json_t *answer;

	assert_int_equal(sock_send(fd, ask, strlen(ask), -1), strlen(ask));
	answer = servertest_next(fd);
	(void)snprintf(text, sizeof text, "%s",
	    json_string_value(json_object_get(
		json_array_get(json_object_get(json_object_get(answer, "result"), "a"), 0),
		"initiator_chap_name")));
	json_decref(answer);
	return text;
}

static void
members_that_name_people_are_null_for_others(void **state)
{
	int fd, mine;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = servertest_served_as(SERVERTEST_NOBODY);
	mine = servertest_raw("");
	assert_string_equal(chap_name(fd), "(null)");
	assert_string_equal(chap_name(mine), "alice");
	close(fd);
	close(mine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVERTEST_CASE(a_request_is_answered_with_its_arguments_seen),
		SERVERTEST_CASE(an_error_brings_cause_next_step_and_its_extra_facts),
		SERVERTEST_CASE(an_answer_that_lacks_memory_is_none),
		SERVERTEST_CASE(progress_arrives_in_order_before_the_result),
		SERVERTEST_CASE(hostile_lines_get_an_answer_that_names_the_fault),
		SERVERTEST_CASE(too_many_unanswered_requests_are_refused),
		SERVERTEST_CASE(others_may_look_but_not_change),
		SERVERTEST_CASE(what_names_people_is_for_root_and_a_group_only),
		SERVERTEST_CASE(members_that_name_people_are_null_for_others),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
