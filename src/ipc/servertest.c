#include "ipc/servertest.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/codec.h"
#include "sys/sock.h"

char servertest_dir[64], servertest_path[128];
atomic_int servertest_n_big;

static struct loop *loop;
static struct ipc_server *server;
static pthread_t thread;
static struct ipc_call *held[LIMIT_IPC_CALLS + 1]; /* the server thread's */
static size_t n_held;

/* This thread finds none.  The linker puts this in malloc()'s place. */
static _Thread_local bool has_no_memory;
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *
__wrap_malloc(size_t n)
{
	return has_no_memory ? NULL : __real_malloc(n);
}

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
	char *big = malloc(SERVERTEST_BIG_BYTES + 1);

	memset(big, 'x', SERVERTEST_BIG_BYTES);
	big[SERVERTEST_BIG_BYTES] = '\0';
	ipc_call_reply(call, json_pack("{s:s}", "nodes", big));
	free(big);
}

/* Two descriptors, each with its line; whoever reads has the second one. */
static void
pass_pipe(struct ipc_call *call)
{
	for (int i = 0; i < 2; i++) {
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		assert_int_equal(write(fds[1], &"12"[i], 1), 1);
		(void)close(fds[1]); /* what was written is in the pipe */
		ipc_call_progress_fd(call, json_pack("{s:i}", "done", i + 1), fds[0]);
	}
	ipc_call_reply(call, NULL);
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
	case IPC_OP_session_capture:
		pass_pipe(call);
		return;
	case IPC_OP_io_tree:
		atomic_fetch_add(&servertest_n_big, 1);
		reply_big(call);
		return;
	case IPC_OP_stats_get: /* there is no memory for one of its members */
		has_no_memory = true;
		assert_null(jsonmem_get(1));
		has_no_memory = false;
		ipc_call_reply(call, json_pack("{s:i}", "some", 1));
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

int
servertest_start(void **state)
{
	(void)state;
	strncpy(servertest_dir, "/tmp/openisw-ipc-XXXXXX", sizeof servertest_dir - 1);
	if (mkdtemp(servertest_dir) == NULL || chmod(servertest_dir, 0755) < 0)
		return -1;
	if (snprintf(servertest_path, sizeof servertest_path, "%s/iscsi", servertest_dir) < 0)
		return -1;
	loop = loop_new();
	if (loop == NULL || ipc_server_new(loop, servertest_path, 0666, handle, NULL, &server) < 0)
		return -1;
	return pthread_create(&thread, NULL, serve, NULL);
}

int
servertest_stop(void **state)
{
	(void)state;
	loop_stop(loop);
	pthread_join(thread, NULL);
	ipc_server_free(server);
	answer_held(); /* also after the server */
	loop_free(loop);
	assert_int_equal(access(servertest_path, F_OK), -1);
	return rmdir(servertest_dir);
}

struct ipc_client *
servertest_client(void)
{
	struct ipc_client *c = NULL;
	struct ipc_error e;

	assert_int_equal(ipc_connect(servertest_path, &c, &e), 0);
	return c;
}

int
servertest_raw(const char *text)
{
	const struct timeval limit = { .tv_sec = 20 };
	int fd = sock_connect(servertest_path, SOCK_STREAM);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	if (text[0] != '\0')
		assert_int_equal(sock_send(fd, text, strlen(text), -1), strlen(text));
	return fd;
}

json_t *
servertest_next(int fd)
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

void
servertest_expect_error(int fd, json_int_t id, const char *code, const char *words)
{
	json_t *answer = servertest_next(fd);
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

/* The system call, not the library's function: only this thread's user changes, not the server's.
 */
int
servertest_connect_as(uid_t uid)
{
	int fd;

	assert_int_equal(syscall(SYS_setresuid, -1, uid, -1), 0);
	fd = sock_connect(servertest_path, SOCK_STREAM);
	assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
	assert_true(fd >= 0);
	return fd;
}

int
servertest_served_as(uid_t uid)
{
	static const char ask[] = "{\"id\":1,\"op\":\"driver.version\"}\n";
	int fd = servertest_connect_as(uid);

	assert_int_equal(sock_send(fd, ask, strlen(ask), -1), strlen(ask));
	json_decref(servertest_next(fd));
	return fd;
}
