/* Long answers of the control protocol, over a real socket. */
#include <sys/stat.h>

#include <errno.h>
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
#include "ipc/client.h"
#include "ipc/pieces.h"
#include "ipc/server.h"
#include "sys/sock.h"

#define TEXT_BYTES 1000
/* More than a line may have, four times. */
#define MANY (4 * LIMIT_IPC_LINE_BYTES / TEXT_BYTES)

static char dir[64], path[128];
static struct loop *loop;
static struct ipc_server *server;
static pthread_t thread;
static atomic_int n_made, n_ended;

struct numbers {
	struct ipc_pieces pieces;
	int at, n;
};

static json_t *
next(struct ipc_pieces *p)
{
	struct numbers *x = LIST_ENTRY(p, struct numbers, pieces);
	char text[TEXT_BYTES + 1];

	if (x->at == x->n)
		return NULL;
	atomic_fetch_add(&n_made, 1);
	memset(text, 'x', TEXT_BYTES);
	text[TEXT_BYTES] = '\0';
	return json_pack("{s:i, s:s}", "number", x->at++, "text", text);
}

static void
end(struct ipc_pieces *p)
{
	free(LIST_ENTRY(p, struct numbers, pieces));
	atomic_fetch_add(&n_ended, 1);
}

static const struct ipc_pieces_ops ops = { next, end };

static void
handle(void *user, struct ipc_call *call)
{
	struct numbers *x = calloc(1, sizeof *x);

	(void)user;
	x->n = ipc_call_op(call) == IPC_OP_io_tree ? (int)MANY : 3;
	x->pieces = (struct ipc_pieces){
		.ops = &ops, .member = "nodes", .rest = json_pack("{s:i}", "n", x->n)
	};
	ipc_call_reply_pieces(call, &x->pieces);
}

static void *
turn(void *of)
{
	return loop_run(of) == 0 ? of : NULL;
}

static int
start(void **state)
{
	*state = NULL;
	atomic_store(&n_made, 0);
	atomic_store(&n_ended, 0);
	strncpy(dir, "/tmp/openisw-pieces-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL || snprintf(path, sizeof path, "%s/iscsi", dir) < 0)
		return -1;
	loop = loop_new();
	if (loop == NULL || ipc_server_new(loop, path, 0600, handle, NULL, &server) < 0)
		return -1;
	return pthread_create(&thread, NULL, turn, loop);
}

static int
stop(void **state)
{
	(void)state;
	loop_stop(loop);
	pthread_join(thread, NULL);
	ipc_server_free(server);
	loop_free(loop);
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

static void
an_answer_longer_than_a_line_comes_whole_and_in_order(void **state)
{
	struct ipc_client *c = client();
	struct ipc_error e = { 0 };
	json_t *result, *nodes;

	(void)state;
	assert_int_equal(ipc_request(c, IPC_OP_io_tree, NULL, NULL, NULL, &result, &e), 0);
	nodes = json_object_get(result, "nodes");
	assert_int_equal(json_array_size(nodes), MANY);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(
		    json_integer_value(json_object_get(json_array_get(nodes, i), "number")), i);
	assert_int_equal(json_integer_value(json_object_get(result, "n")), MANY);
	json_decref(result);
	/* The connection is good for more. */
	assert_int_equal(ipc_request(c, IPC_OP_session_list, NULL, NULL, NULL, &result, &e), 0);
	assert_int_equal(json_array_size(json_object_get(result, "nodes")), 3);
	json_decref(result);
	ipc_client_free(c);
	assert_int_equal(atomic_load(&n_ended), 2);
}

/* The next line of a connection; "" at its end. */
static void
read_line(int fd, char *line, size_t bytes)
{
	size_t n = 0;

	while (n < bytes - 1 && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
}

static int
ask(const char *text)
{
	int fd = sock_connect(path, SOCK_STREAM);

	assert_true(fd >= 0);
	assert_int_equal(sock_send(fd, text, strlen(text), -1), strlen(text));
	return fd;
}

static void
a_short_answer_is_one_line(void **state)
{
	int fd = ask("{\"id\":1,\"op\":\"session.list\"}\n");
	static char line[8192];

	(void)state;
	read_line(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"ok\":true"));
	assert_null(strstr(line, "\"part\""));
	(void)close(fd);
}

static void
what_is_not_read_is_not_made_and_others_are_answered(void **state)
{
	int fd = ask("{\"id\":1,\"op\":\"io.tree\"}\n"), other, made;
	static char line[8192];

	(void)state;
	/* Each answer to another client is a turn of the loop: the first one makes no progress any
	 * more. */
	do {
		made = atomic_load(&n_made);
		for (int i = 0; i < 20; i++) {
			other = ask("{\"id\":1,\"op\":\"session.list\"}\n");
			read_line(other, line, sizeof line);
			assert_non_null(strstr(line, "\"ok\":true"));
			(void)close(other);
		}
	} while (atomic_load(&n_made) != made + 20 * 3);
	/* The socket's buffers, what may wait, and a piece. */
	assert_true(made * TEXT_BYTES < 2 << 20);
	/* It is gone: nothing of it stays. */
	made = atomic_load(&n_ended);
	(void)close(fd);
	while (atomic_load(&n_ended) == made) {
		other = ask("{\"id\":1,\"op\":\"session.list\"}\n");
		made++; /* this one's */
		read_line(other, line, sizeof line);
		(void)close(other);
	}
}

static void
a_driver_that_stops_leaves_nothing_of_an_answer_behind(void **state)
{
	int fd = ask("{\"id\":1,\"op\":\"io.tree\"}\n");

	(void)state;
	while (atomic_load(&n_made) == 0)
		; /* it has begun */
	(void)close(fd);
}

static json_t *
parsed(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

static void
joins(json_t **joined, const char *text)
{
	json_t *part = parsed(text);

	assert_int_equal(ipc_pieces_join(joined, part), 0);
	json_decref(part);
}

static void
an_element_that_is_continued_gets_longer(void **state)
{
	json_t *joined = NULL,
	       *result = parsed("{\"a\":[{\"continued\":true,\"b\":[4]},{\"n\":2}],\"c\":5}");
	json_t *want = parsed("{\"a\":[{\"n\":1,\"b\":[1,2,3,4]},{\"n\":2}],\"c\":5}");

	(void)state;
	joins(&joined, "{\"a\":[{\"n\":1,\"b\":[1,2]}]}");
	joins(&joined, "{\"a\":[{\"continued\":true,\"b\":[3]}]}");
	assert_int_equal(ipc_pieces_join_last(joined, result), 0);
	assert_true(json_equal(result, want));
	json_decref(joined);
	json_decref(result);
	json_decref(want);
}

static void
what_continues_nothing_makes_no_sense(void **state)
{
	json_t *joined = NULL, *part = parsed("{\"a\":[{\"continued\":true,\"b\":[3]}]}");

	(void)state;
	assert_int_equal(ipc_pieces_join(&joined, part), -1);
	json_decref(joined);
	json_decref(part);
}

#define SERVED(f) cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(an_answer_longer_than_a_line_comes_whole_and_in_order),
		SERVED(a_short_answer_is_one_line),
		SERVED(what_is_not_read_is_not_made_and_others_are_answered),
		SERVED(a_driver_that_stops_leaves_nothing_of_an_answer_behind),
		cmocka_unit_test(an_element_that_is_continued_gets_longer),
		cmocka_unit_test(what_continues_nothing_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
