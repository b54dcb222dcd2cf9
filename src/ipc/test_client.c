/* A client of the control protocol whose driver does not answer. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/client_impl.h"
#include "ipc/servertest.h"
#include "sys/log.h"
#include "sys/sock.h"

static void
a_driver_that_does_not_answer_is_given_up_in_time(void **state)
{
	struct ipc_client *c = servertest_client();
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
	assert_true(snprintf(other, sizeof other, "%s/other", servertest_dir) > 0);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVERTEST_CASE(a_driver_that_does_not_answer_is_given_up_in_time),
		cmocka_unit_test(a_driver_that_is_not_running_is_told_with_the_next_step),
		SERVERTEST_CASE(a_driver_that_ends_meanwhile_is_told),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
