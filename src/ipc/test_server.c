/* Connections to the server of the control protocol, which is on a thread of its own. */
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/servertest.h"
#include "sys/log.h"

static unsigned
open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
a_descriptor_comes_with_its_answer_and_none_is_left_open(void **state)
{
	unsigned before = open_descriptors();
	struct ipc_client *c = servertest_client();
	struct ipc_error e;
	json_t *result;
	char got;
	int fd;

	(void)state;
	assert_int_equal(ipc_client_take_fd(c), -1);
	assert_int_equal(ipc_request(c, IPC_OP_session_capture, NULL, NULL, NULL, &result, &e), 0);
	json_decref(result);
	fd = ipc_client_take_fd(c);
	assert_int_equal(ipc_client_take_fd(c), -1);
	assert_int_equal(read(fd, &got, 1), 1);
	assert_int_equal(got, '2'); /* the last one counts */
	close(fd);
	/* One that nobody takes is closed with the client. */
	assert_int_equal(ipc_request(c, IPC_OP_session_capture, NULL, NULL, NULL, &result, &e), 0);
	json_decref(result);
	ipc_client_free(c);
	/* The server's end is closed when it hears of it. */
	for (int i = 0; i < 5000 && open_descriptors() != before; i++)
		(void)poll(NULL, 0, 1);
	assert_int_equal(open_descriptors(), before);
}

static void
an_answer_of_megabytes_passes(void **state)
{
	struct ipc_client *c = servertest_client();
	struct ipc_error e;
	json_t *result;

	(void)state;
	assert_int_equal(ipc_request(c, IPC_OP_io_tree, NULL, NULL, NULL, &result, &e), 0);
	assert_int_equal(
	    json_string_length(json_object_get(result, "nodes")), SERVERTEST_BIG_BYTES);
	json_decref(result);
	ipc_client_free(c);
}

static void
several_requests_are_answered_in_any_order(void **state)
{
	int fd = servertest_raw(
	    "{\"id\":1,\"op\":\"discovery.list\"}\n{\"id\":2,\"op\":\"driver.version\"}\n"
	    "{\"id\":3,\"op\":\"target.list\"}\n");
	static const int order[] = { 2, 1, 3 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		json_t *answer = servertest_next(fd);

		assert_int_equal(json_integer_value(json_object_get(answer, "id")), order[i]);
		json_decref(answer);
	}
	close(fd);
}

static void
who_closes_his_half_still_gets_his_answers(void **state)
{
	int fd = servertest_raw("{\"id\":1,\"op\":\"discovery.list\"}\n");
	struct ipc_client *c = servertest_client();
	struct ipc_error e;
	json_t *answer, *result;

	(void)state;
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(ipc_request(c, IPC_OP_driver_version, NULL, NULL, NULL, &result, &e), 0);
	json_decref(result);
	assert_int_equal(ipc_request(c, IPC_OP_target_list, NULL, NULL, NULL, &result, &e), 0);
	json_decref(result);
	answer = servertest_next(fd);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	assert_null(servertest_next(fd));
	close(fd);
	ipc_client_free(c);
}

static void
a_call_whose_client_is_gone_can_still_be_answered(void **state)
{
	int fd = servertest_raw(
	    "{\"id\":1,\"op\":\"discovery.list\"}\n{\"id\":2,\"op\":\"driver.version\"}\n");
	struct ipc_client *c = servertest_client();
	struct ipc_error e;
	json_t *result;

	(void)state;
	json_decref(servertest_next(fd)); /* the first is held now */
	close(fd);
	assert_int_equal(ipc_request(c, IPC_OP_target_list, NULL, NULL, NULL, &result, &e), 0);
	json_decref(result);
	ipc_client_free(c);
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
	fd = servertest_raw(big);
	servertest_expect_error(fd, -1, "INVALID", "longer");
	assert_null(servertest_next(fd));
	close(fd);
	free(big);
}

static void
who_does_not_read_is_dropped(void **state)
{
	int fd = servertest_raw("{\"id\":1,\"op\":\"io.tree\"}\n{\"id\":2,\"op\":\"io.tree\"}\n"
				"{\"id\":3,\"op\":\"io.tree\"}\n{\"id\":4,\"op\":\"io.tree\"}\n");
	struct pollfd end = { .fd = fd };

	(void)state;
	assert_int_equal(poll(&end, 1, 20000), 1);
	assert_true((end.revents & POLLHUP) != 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVERTEST_CASE(a_descriptor_comes_with_its_answer_and_none_is_left_open),
		SERVERTEST_CASE(an_answer_of_megabytes_passes),
		SERVERTEST_CASE(several_requests_are_answered_in_any_order),
		SERVERTEST_CASE(who_closes_his_half_still_gets_his_answers),
		SERVERTEST_CASE(a_call_whose_client_is_gone_can_still_be_answered),
		SERVERTEST_CASE(an_endless_line_ends_the_connection),
		SERVERTEST_CASE(who_does_not_read_is_dropped),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
