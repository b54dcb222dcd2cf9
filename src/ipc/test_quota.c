/* What clients of the control protocol may have of the driver: places, and memory for answers. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/servertest.h"
#include "sys/log.h"
#include "sys/sock.h"

static void
clients_beyond_the_limit_are_told_so(void **state)
{
	int fds[LIMIT_IPC_CLIENTS], extra;
	struct ipc_client *c;
	struct ipc_error e;
	json_t *result;

	(void)state;
	for (int i = 0; i < LIMIT_IPC_CLIENTS; i++) {
		fds[i] = servertest_raw("{\"id\":1,\"op\":\"driver.version\"}\n");
		json_decref(servertest_next(fds[i]));
	}
	extra = sock_connect(servertest_path, SOCK_STREAM);
	servertest_expect_error(extra, -1, "BUSY", "as many clients");
	assert_null(servertest_next(extra));
	close(extra);
	c = servertest_client();
	assert_int_equal(ipc_request(c, IPC_OP_driver_version, NULL, NULL, NULL, &result, &e), -1);
	assert_int_equal(e.code, IPC_ERR_BUSY);
	ipc_error_fini(&e);
	ipc_client_free(c);
	for (int i = 0; i < LIMIT_IPC_CLIENTS; i++)
		close(fds[i]);
}

static void
one_user_cannot_keep_out_another_and_nobody_root(void **state)
{
	int fds[LIMIT_IPC_STRANGERS], fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int i = 0; i < LIMIT_IPC_USER_CLIENTS; i++)
		fds[i] = servertest_served_as(SERVERTEST_NOBODY);
	fd = servertest_connect_as(SERVERTEST_NOBODY);
	servertest_expect_error(fd, -1, "BUSY", "as many clients");
	close(fd);
	for (int i = LIMIT_IPC_USER_CLIENTS; i < LIMIT_IPC_STRANGERS; i++)
		fds[i] = servertest_served_as((uid_t)(10000 + i));
	fd = servertest_connect_as(20000);
	servertest_expect_error(fd, -1, "BUSY", "as many clients");
	close(fd);
	/* There is still a place for who has to repair something. */
	fd = servertest_raw("{\"id\":3,\"op\":\"scan\"}\n");
	for (int i = 0; i < 4; i++)
		json_decref(servertest_next(fd));
	close(fd);
	/* Whoever leaves makes room. */
	close(fds[0]);
	for (;;) {
		json_t *answer;
		bool is_served;

		fd = servertest_connect_as(SERVERTEST_NOBODY);
		(void)sock_send(fd, "{\"id\":1,\"op\":\"driver.version\"}\n", 31, -1);
		answer = servertest_next(fd);
		is_served = json_is_true(json_object_get(answer, "ok"));
		json_decref(answer);
		close(fd);
		if (is_served)
			break; /* the server has seen the end of the other */
	}
	for (int i = 1; i < LIMIT_IPC_STRANGERS; i++)
		close(fds[i]);
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
	atomic_store(&servertest_n_big, 0);
	for (int i = 0; i < LIMIT_IPC_USER_CLIENTS; i++)
		fds[i] = servertest_served_as(SERVERTEST_NOBODY);
	for (int i = 0; i < LIMIT_IPC_USER_CLIENTS; i++)
		assert_int_equal(sock_send(fds[i], ask, strlen(ask), -1), strlen(ask));
	/* Root's question comes behind all of theirs, and is answered. */
	close(servertest_served_as(0));
	assert_true(atomic_load(&servertest_n_big) <= 1);
	/* Who reads gets all of them, and then the others do. */
	read_lines(fds, LIMIT_IPC_USER_CLIENTS, 3 * LIMIT_IPC_USER_CLIENTS);
	assert_int_equal(atomic_load(&servertest_n_big), 3 * LIMIT_IPC_USER_CLIENTS);
	for (int i = 0; i < LIMIT_IPC_USER_CLIENTS; i++)
		close(fds[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVERTEST_CASE(clients_beyond_the_limit_are_told_so),
		SERVERTEST_CASE(one_user_cannot_keep_out_another_and_nobody_root),
		SERVERTEST_CASE(answers_that_strangers_do_not_read_are_not_made),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
