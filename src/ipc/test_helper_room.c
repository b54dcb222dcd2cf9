/* The daemon protocol where the kernel has no memory for a message. */
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/helper.h"
#include "sys/log.h"

#define PATIENCE_US 5000000

static char dir[64], path[128], pid_path[128];
static struct loop *loop;
static struct helper_server *server;
static struct helper_client *client;
static struct agenda_timer patience;
static bool is_there, is_answered;
static int answer_err;
/* How many of the next messages find no memory. */
static int without_memory;

/* Instead of the C library's. */
ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (without_memory > 0) {
		without_memory--;
		errno = ENOBUFS;
		return -1;
	}
	return syscall(SYS_sendmsg, fd, m, flags);
}

static void
on_state(void *user, pid_t pid)
{
	(void)user;
	is_there = pid != 0;
	loop_stop(loop);
}

static void
on_call(void *user, struct helper_call *call)
{
	(void)user;
	without_memory = 1;
	helper_call_reply(call, NULL, -1);
}

static void
on_answer(void *user, int err, const char *why, const json_t *result, int fd)
{
	(void)user;
	(void)why;
	(void)result;
	(void)fd;
	is_answered = true;
	answer_err = err;
	loop_stop(loop);
}

static void
patience_over(struct agenda_timer *t)
{
	(void)t;
	fail_msg("nothing happened");
}

static void
turn(void)
{
	patience.expired = patience_over;
	agenda_set(loop_agenda(loop), &patience, loop_now_update(loop) + PATIENCE_US);
	assert_int_equal(loop_run(loop), 0);
	agenda_clear(loop_agenda(loop), &patience);
}

static void
a_message_that_finds_no_memory_is_sent_a_little_later(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/openisw-room-XXXXXX", sizeof dir - 1);
	assert_non_null(mkdtemp(dir));
	assert_true(snprintf(path, sizeof path, "%s/sock", dir) > 0);
	assert_true(snprintf(pid_path, sizeof pid_path, "%s/iswd.pid", dir) > 0);
	loop = loop_new();
	assert_non_null(loop);
	assert_int_equal(
	    helper_server_new(loop, path, pid_path, "iswd", on_state, NULL, &server), 0);
	without_memory = 1; /* for who it is */
	assert_int_equal(helper_client_new(loop, path, "iswd", on_call, NULL, NULL, &client), 0);
	turn();
	assert_true(is_there);
	without_memory = 1; /* for the question, and then for the answer */
	assert_true(helper_server_request(server, "connect", json_object(),
			loop_now_update(loop) + PATIENCE_US, on_answer, NULL) > 0);
	turn();
	assert_true(is_answered);
	assert_int_equal(answer_err, 0);
	assert_int_equal(without_memory, 0);
	helper_client_free(client);
	helper_server_free(server);
	loop_free(loop);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_that_finds_no_memory_is_sent_a_little_later),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
