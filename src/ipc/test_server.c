/* Server and client, each on its own thread, over a real socket. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "ipc/client_impl.h"
#include "ipc/server.h"
#include "sys/log.h"
#include "sys/sock.h"

#define BIG_BYTES (3u << 20)
#define NOBODY    65534

static char dir[64], path[128];
static struct loop *loop;
static struct ipc_server *server;
static pthread_t thread;
static struct ipc_call *held[LIMIT_IPC_CALLS + 1]; /* the server thread's */
static size_t n_held;
static atomic_int n_big; /* answers of BIG_BYTES that were made */

static void
answer_held(void)
{
	for (size_t i = 0; i < n_held; i++)
		ipc_call_reply(held[i], json_pack("{s:b}", "wanted", ipc_call_is_wanted(held[i])));
	n_held = 0;
}

static void
reply_big(struct ipc_call *call)
{
	char *big = malloc(BIG_BYTES + 1);

	memset(big, 'x', BIG_BYTES);
	big[BIG_BYTES] = '\0';
	ipc_call_reply(call, json_pack("{s:s}", "nodes", big));
	free(big);
}

/* What the test's driver does for each operation it knows. */
static void
handle(void *user, struct ipc_call *call)
{
	(void)user;
	switch ((int)ipc_call_op(call)) {
	case IPC_OP_driver_version:
		ipc_call_reply(call,
		    json_pack("{s:s}", "device", ipc_call_arg_string(call, "device", "none")));
		return;
	case IPC_OP_session_nop:
		ipc_call_reply(call, json_pack("{s:I, s:I, s:b}", "instance",
					 (json_int_t)ipc_call_arg_int(call, "instance", -1), "size",
					 (json_int_t)ipc_call_arg_int(call, "size", 64), "given",
					 ipc_call_arg_given(call, "cid")));
		return;
	case IPC_OP_session_logout:
		ipc_call_error(call, IPC_ERR_BUSY, "A disk is in use.", "Unmount it.",
		    json_pack("{s:[s], s:s}", "in_use", "c1t0d0", "code", "never"));
		return;
	case IPC_OP_scan:
		for (int i = 1; i <= 3; i++)
			ipc_call_progress(call, json_pack("{s:i}", "done", i));
		ipc_call_reply(call, NULL);
		return;
	case IPC_OP_io_tree:
		atomic_fetch_add(&n_big, 1);
		reply_big(call);
		return;
	case IPC_OP_session_list:
		ipc_call_reply(call, json_pack("{s:[{s:s}]}", "a", "initiator_chap_name", "alice"));
		return;
	case IPC_OP_discovery_list: /* hold until target.list */
		held[n_held++] = call;
		return;
	case IPC_OP_target_list:
		answer_held();
		ipc_call_reply(call, NULL);
		return;
	default:
		ipc_call_error(call, IPC_ERR_INTERNAL, "Not in this test.", "", NULL);
	}
}

static void *
serve(void *arg)
{
	(void)arg;
	(void)loop_run(loop);
	return NULL;
}

static int
start(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/openisw-ipc-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) < 0)
		return -1;
	if (snprintf(path, sizeof path, "%s/iscsi", dir) < 0)
		return -1;
	loop = loop_new();
	if (loop == NULL || ipc_server_new(loop, path, 0666, handle, NULL, &server) < 0)
		return -1;
	return pthread_create(&thread, NULL, serve, NULL);
}

static int
stop(void **state)
{
	(void)state;
	loop_stop(loop);
	pthread_join(thread, NULL);
	ipc_server_free(server);
	answer_held(); /* also after the server */
	loop_free(loop);
	assert_int_equal(access(path, F_OK), -1);
	return rmdir(dir);
}

static struct ipc_client *
client(void)
{
	struct ipc_client *c = NULL;
	struct ipc_error e;

	assert_int_equal(ipc_connect(path, &c, &e), 0);
	return c;
}

/* A raw connection; reads have a limit so that a lost answer fails the test. */
static int
raw(const char *text)
{
	const struct timeval limit = { .tv_sec = 20 };
	int fd = sock_connect(path, SOCK_STREAM);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	if (text[0] != '\0')
		assert_int_equal(sock_send(fd, text, strlen(text), -1), strlen(text));
	return fd;
}

/* The next line of a raw connection, as an object; NULL at its end. */
static json_t *
raw_next(int fd)
{
	char line[4096];
	size_t n = 0;
	ssize_t got;

	do
		got = read(fd, line + n, 1);
	while (got == 1 && line[n] != '\n' && ++n < sizeof line);
	assert_true(got >= 0 || errno == ECONNRESET);
	return got == 1 ? json_loadb(line, n, 0, NULL) : NULL;
}

static void
expect_error(int fd, json_int_t id, const char *code, const char *words)
{
	json_t *answer = raw_next(fd);
	const json_t *error = json_object_get(answer, "error");

	assert_non_null(answer);
	assert_true(json_is_false(json_object_get(answer, "ok")));
	if (id >= 0)
		assert_int_equal(json_integer_value(json_object_get(answer, "id")), id);
	else
		assert_true(json_is_null(json_object_get(answer, "id")));
	assert_string_equal(json_string_value(json_object_get(error, "code")), code);
	assert_non_null(strstr(json_string_value(json_object_get(error, "message")), words));
	json_decref(answer);
}

static void
a_request_is_answered_with_its_arguments_seen(void **state)
{
	struct ipc_client *c = client();
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
	struct ipc_client *c = client();
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

static void
count_progress(void *user, const json_t *progress)
{
	int *n = user;

	assert_int_equal(json_integer_value(json_object_get(progress, "done")), ++*n);
}

static void
progress_arrives_in_order_before_the_result(void **state)
{
	struct ipc_client *c = client();
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
an_answer_of_megabytes_passes(void **state)
{
	struct ipc_client *c = client();
	struct ipc_error e;
	json_t *result;

	(void)state;
	assert_int_equal(ipc_request(c, IPC_OP_io_tree, NULL, NULL, NULL, &result, &e), 0);
	assert_int_equal(json_string_length(json_object_get(result, "nodes")), BIG_BYTES);
	json_decref(result);
	ipc_client_free(c);
}

static void
several_requests_are_answered_in_any_order(void **state)
{
	int fd = raw("{\"id\":1,\"op\":\"discovery.list\"}\n{\"id\":2,\"op\":\"driver.version\"}\n"
		     "{\"id\":3,\"op\":\"target.list\"}\n");
	static const int order[] = { 2, 1, 3 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		json_t *answer = raw_next(fd);

		assert_int_equal(json_integer_value(json_object_get(answer, "id")), order[i]);
		json_decref(answer);
	}
	close(fd);
}

static void
who_closes_his_half_still_gets_his_answers(void **state)
{
	int fd = raw("{\"id\":1,\"op\":\"discovery.list\"}\n");
	struct ipc_client *c = client();
	struct ipc_error e;
	json_t *answer, *result;

	(void)state;
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(ipc_request(c, IPC_OP_driver_version, NULL, NULL, NULL, &result, &e), 0);
	json_decref(result);
	assert_int_equal(ipc_request(c, IPC_OP_target_list, NULL, NULL, NULL, &result, &e), 0);
	json_decref(result);
	answer = raw_next(fd);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	assert_null(raw_next(fd));
	close(fd);
	ipc_client_free(c);
}

static void
a_call_whose_client_is_gone_can_still_be_answered(void **state)
{
	int fd =
	    raw("{\"id\":1,\"op\":\"discovery.list\"}\n{\"id\":2,\"op\":\"driver.version\"}\n");
	struct ipc_client *c = client();
	struct ipc_error e;
	json_t *result;

	(void)state;
	json_decref(raw_next(fd)); /* the first is held now */
	close(fd);
	assert_int_equal(ipc_request(c, IPC_OP_target_list, NULL, NULL, NULL, &result, &e), 0);
	json_decref(result);
	ipc_client_free(c);
}

static void
hostile_lines_get_an_answer_that_names_the_fault(void **state)
{
	int fd = raw("nonsense\n{\"op\":\"scan\"}\n{\"id\":5}\n{\"id\":6,\"op\":\"x.y\"}\n"
		     "{\"id\":7,\"op\":\"scan\",\"args\":{\"bad\":1}}\n{\"id\":8,\"op\":\"scan\","
		     "\"args\":3}\n"
		     "{\"id\":\"9\",\"op\":\"scan\"}\n");

	(void)state;
	expect_error(fd, -1, "INVALID", "no JSON object");
	expect_error(fd, -1, "INVALID", "\"id\"");
	expect_error(fd, 5, "INVALID", "\"op\"");
	expect_error(fd, 6, "UNKNOWN_OP", "x.y");
	expect_error(fd, 7, "INVALID", "\"bad\"");
	expect_error(fd, 8, "INVALID", "not an object");
	expect_error(fd, -1, "INVALID", "\"id\"");
	close(fd);
}

static void
an_endless_line_ends_the_connection(void **state)
{
	size_t n = LIMIT_IPC_REQUEST_BYTES + 2;
	char *big = malloc(n + 1);
	int fd;

	(void)state;
	memset(big, ' ', n);
	big[n] = '\0';
	fd = raw(big);
	expect_error(fd, -1, "INVALID", "longer");
	assert_null(raw_next(fd));
	close(fd);
	free(big);
}

static void
too_many_unanswered_requests_are_refused(void **state)
{
	int fd = raw("");

	(void)state;
	for (int i = 0; i < LIMIT_IPC_CALLS + 1; i++) {
		char line[80];
		int n = snprintf(line, sizeof line, "{\"id\":%d,\"op\":\"discovery.list\"}\n", i);

		assert_int_equal(sock_send(fd, line, (size_t)n, -1), n);
	}
	expect_error(fd, LIMIT_IPC_CALLS, "BUSY", "not answered");
	close(fd);
}

static void
who_does_not_read_is_dropped(void **state)
{
	int fd = raw("{\"id\":1,\"op\":\"io.tree\"}\n{\"id\":2,\"op\":\"io.tree\"}\n"
		     "{\"id\":3,\"op\":\"io.tree\"}\n{\"id\":4,\"op\":\"io.tree\"}\n");
	struct pollfd end = { .fd = fd };

	(void)state;
	assert_int_equal(poll(&end, 1, 20000), 1);
	assert_true((end.revents & POLLHUP) != 0);
	close(fd);
}

static void
clients_beyond_the_limit_are_told_so(void **state)
{
	int fds[LIMIT_IPC_CLIENTS], extra;
	struct ipc_client *c;
	struct ipc_error e;
	json_t *result;

	(void)state;
	for (int i = 0; i < LIMIT_IPC_CLIENTS; i++) {
		fds[i] = raw("{\"id\":1,\"op\":\"driver.version\"}\n");
		json_decref(raw_next(fds[i]));
	}
	extra = sock_connect(path, SOCK_STREAM);
	expect_error(extra, -1, "BUSY", "as many clients");
	assert_null(raw_next(extra));
	close(extra);
	c = client();
	assert_int_equal(ipc_request(c, IPC_OP_driver_version, NULL, NULL, NULL, &result, &e), -1);
	assert_int_equal(e.code, IPC_ERR_BUSY);
	ipc_error_fini(&e);
	ipc_client_free(c);
	for (int i = 0; i < LIMIT_IPC_CLIENTS; i++)
		close(fds[i]);
}

/* The system call, not the library's function: only this thread's user changes, not the server's.
 */
static int
connect_as(uid_t uid)
{
	int fd;

	assert_int_equal(syscall(SYS_setresuid, -1, uid, -1), 0);
	fd = sock_connect(path, SOCK_STREAM);
	assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
	assert_true(fd >= 0);
	return fd;
}

/* A connection of this user that has got an answer, so that it surely has its place. */
static int
served_as(uid_t uid)
{
	static const char ask[] = "{\"id\":1,\"op\":\"driver.version\"}\n";
	int fd = connect_as(uid);

	assert_int_equal(sock_send(fd, ask, strlen(ask), -1), strlen(ask));
	json_decref(raw_next(fd));
	return fd;
}

static void
others_may_look_but_not_change(void **state)
{
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = served_as(NOBODY);
	assert_int_equal(sock_send(fd, "{\"id\":2,\"op\":\"scan\"}\n", 21, -1), 21);
	expect_error(fd, 2, "DENIED", "scan");
	close(fd);
}

static void
one_user_cannot_keep_out_another_and_nobody_root(void **state)
{
	int fds[LIMIT_IPC_STRANGERS], fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int i = 0; i < LIMIT_IPC_USER_CLIENTS; i++)
		fds[i] = served_as(NOBODY);
	fd = connect_as(NOBODY);
	expect_error(fd, -1, "BUSY", "as many clients");
	close(fd);
	for (int i = LIMIT_IPC_USER_CLIENTS; i < LIMIT_IPC_STRANGERS; i++)
		fds[i] = served_as((uid_t)(10000 + i));
	fd = connect_as(20000);
	expect_error(fd, -1, "BUSY", "as many clients");
	close(fd);
	/* There is still a place for who has to repair something. */
	fd = raw("{\"id\":3,\"op\":\"scan\"}\n");
	for (int i = 0; i < 4; i++)
		json_decref(raw_next(fd));
	close(fd);
	/* Whoever leaves makes room. */
	close(fds[0]);
	for (;;) {
		json_t *answer;
		bool is_served;

		fd = connect_as(NOBODY);
		(void)sock_send(fd, "{\"id\":1,\"op\":\"driver.version\"}\n", 31, -1);
		answer = raw_next(fd);
		is_served = json_is_true(json_object_get(answer, "ok"));
		json_decref(answer);
		close(fd);
		if (is_served)
			break; /* the server has seen the end of the other */
	}
	for (int i = 1; i < LIMIT_IPC_STRANGERS; i++)
		close(fds[i]);
}

static void
what_names_people_is_for_root_and_a_group_only(void **state)
{
	static const char *const secret_ops[] = { "session.trace", "events.get", "initiator.get" };
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = served_as(NOBODY);
	for (size_t i = 0; i < sizeof secret_ops / sizeof secret_ops[0]; i++) {
		char line[80];
		int n = snprintf(line, sizeof line, "{\"id\":2,\"op\":\"%s\"}\n", secret_ops[i]);

		assert_int_equal(sock_send(fd, line, (size_t)n, -1), n);
		expect_error(fd, 2, "DENIED", secret_ops[i]);
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
	answer = raw_next(fd);
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
	fd = served_as(NOBODY);
	mine = raw("");
	assert_string_equal(chap_name(fd), "(null)");
	assert_string_equal(chap_name(mine), "alice");
	close(fd);
	close(mine);
}

/* Read what comes on any of them, until it was so many lines. */
static void
read_lines(const int *fds, nfds_t n_fds, int n)
{
	static char chunk[1 << 16];
	struct pollfd p[LIMIT_IPC_USER_CLIENTS];

	for (nfds_t i = 0; i < n_fds; i++)
		p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	while (n > 0) {
		assert_true(poll(p, n_fds, 20000) > 0);
		for (nfds_t i = 0; i < n_fds; i++) {
			ssize_t got = p[i].revents != 0 ? read(fds[i], chunk, sizeof chunk) : 0;

			assert_true(got >= 0);
			for (ssize_t k = 0; k < got; k++)
				n -= chunk[k] == '\n';
		}
	}
	assert_int_equal(n, 0);
}

/* Requests whose answers a stranger never reads: they wait, and not in the driver's memory. */
static void
answers_that_strangers_do_not_read_are_not_made(void **state)
{
	static const char ask[] = "{\"id\":1,\"op\":\"io.tree\"}\n{\"id\":2,\"op\":\"io.tree\"}\n"
				  "{\"id\":3,\"op\":\"io.tree\"}\n";
	int fds[LIMIT_IPC_USER_CLIENTS];

	(void)state;
	if (geteuid() != 0)
		skip();
	atomic_store(&n_big, 0);
	for (int i = 0; i < LIMIT_IPC_USER_CLIENTS; i++)
		fds[i] = served_as(NOBODY);
	for (int i = 0; i < LIMIT_IPC_USER_CLIENTS; i++)
		assert_int_equal(sock_send(fds[i], ask, strlen(ask), -1), strlen(ask));
	/* Root's question comes behind all of theirs, and is answered. */
	close(served_as(0));
	assert_true(atomic_load(&n_big) <= 1);
	/* Who reads gets all of them, and then the others do. */
	read_lines(fds, LIMIT_IPC_USER_CLIENTS, 3 * LIMIT_IPC_USER_CLIENTS);
	assert_int_equal(atomic_load(&n_big), 3 * LIMIT_IPC_USER_CLIENTS);
	for (int i = 0; i < LIMIT_IPC_USER_CLIENTS; i++)
		close(fds[i]);
}

static void
a_driver_that_does_not_answer_is_given_up_in_time(void **state)
{
	struct ipc_client *c = client();
	struct ipc_error e;
	json_t *result;

	(void)state;
	c->deadline_ms = 50;
	assert_int_equal(ipc_request(c, IPC_OP_discovery_list, NULL, NULL, NULL, &result, &e), -1);
	assert_int_equal(e.code, IPC_ERR_TIMEOUT);
	assert_non_null(strstr(e.message, "discovery.list"));
	ipc_error_fini(&e);
	ipc_client_free(c);
}

static void
a_driver_that_is_not_running_is_told_with_the_next_step(void **state)
{
	struct ipc_client *c;
	struct ipc_error e;

	(void)state;
	assert_int_equal(ipc_connect("/nonexistent/dev/iscsi", &c, &e), -1);
	assert_int_equal(e.code, IPC_ERR_NOTRUNNING);
	assert_non_null(strstr(e.message, "/nonexistent/dev/iscsi"));
	assert_non_null(strstr(e.next, "iscsi start"));
	ipc_error_fini(&e);
}

static void
a_driver_that_ends_meanwhile_is_told(void **state)
{
	struct ipc_client *c = NULL;
	struct ipc_error e;
	json_t *result;
	char other[128];
	int fd, peer;

	(void)state;
	assert_true(snprintf(other, sizeof other, "%s/other", dir) > 0);
	fd = sock_listen(other, SOCK_STREAM, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ipc_connect(other, &c, &e), 0);
	peer = sock_accept(fd);
	close(peer);
	close(fd);
	assert_int_equal(ipc_request(c, IPC_OP_scan, NULL, NULL, NULL, &result, &e), -1);
	assert_int_equal(e.code, IPC_ERR_NOTRUNNING);
	assert_non_null(strstr(e.message, "before it answered scan"));
	ipc_client_free(c);
	assert_int_equal(unlink(other), 0);
}

#define SERVED(f) cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_request_is_answered_with_its_arguments_seen),
		SERVED(an_error_brings_cause_next_step_and_its_extra_facts),
		SERVED(progress_arrives_in_order_before_the_result),
		SERVED(an_answer_of_megabytes_passes),
		SERVED(several_requests_are_answered_in_any_order),
		SERVED(who_closes_his_half_still_gets_his_answers),
		SERVED(a_call_whose_client_is_gone_can_still_be_answered),
		SERVED(hostile_lines_get_an_answer_that_names_the_fault),
		SERVED(an_endless_line_ends_the_connection),
		SERVED(too_many_unanswered_requests_are_refused),
		SERVED(who_does_not_read_is_dropped),
		SERVED(clients_beyond_the_limit_are_told_so),
		SERVED(others_may_look_but_not_change),
		SERVED(one_user_cannot_keep_out_another_and_nobody_root),
		SERVED(what_names_people_is_for_root_and_a_group_only),
		SERVED(members_that_name_people_are_null_for_others),
		SERVED(answers_that_strangers_do_not_read_are_not_made),
		SERVED(a_driver_that_does_not_answer_is_given_up_in_time),
		cmocka_unit_test(a_driver_that_is_not_running_is_told_with_the_next_step),
		SERVED(a_driver_that_ends_meanwhile_is_told),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
