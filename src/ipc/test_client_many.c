/* Several requests at once: answers that come in any order, with whatever else a driver says
 * between them. */
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "ipc/client_impl.h"

#define WORLDS 300

struct world {
	int peer;
	struct ipc_client *c;
	struct ipc_many q[IPC_MANY_MAX];
	size_t n;
	bool is_good[IPC_MANY_MAX], is_answered[IPC_MANY_MAX];
};

static void
begin(struct world *w)
{
	int fds[2], room = 1 << 20;

	*w = (struct world){ .n = 1 + (size_t)(rand() % IPC_MANY_MAX) };
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
	w->c = calloc(1, sizeof *w->c);
	assert_non_null(w->c);
	w->c->fd = fds[1];
	w->c->deadline_ms = 20000;
	ipc_lines_init(&w->c->lines, LIMIT_IPC_LINE_BYTES);
	w->peer = fds[0];
	for (size_t i = 0; i < w->n; i++)
		w->q[i] = (struct ipc_many){ .op = IPC_OP_session_nop,
			.args = json_pack("{s:i}", "instance", (int)i) };
}

static void
say(struct world *w, const char *line)
{
	assert_int_equal(write(w->peer, line, strlen(line)), strlen(line));
}

static void
answer(struct world *w, size_t i)
{
	char line[200];
	int id = (int)i + 1;

	w->is_answered[i] = true;
	w->is_good[i] = rand() % 3 != 0;
	if (rand() % 4 == 0) { /* of a request that was given up, and a sign of life */
		say(w, "{\"id\":4711,\"ok\":true,\"result\":{\"instance\":99}}\n");
		(void)snprintf(line, sizeof line, "{\"id\":%d,\"progress\":{}}\n", id);
		say(w, line);
	}
	if (w->is_good[i])
		(void)snprintf(line, sizeof line,
		    "{\"id\":%d,\"ok\":true,\"result\":{\"instance\":%zu}}\n", id, i);
	else
		(void)snprintf(line, sizeof line,
		    "{\"id\":%d,\"ok\":false,\"error\":{\"code\":\"BUSY\",\"message\":\"no "
		    "%zu\",\"next\":\"x\",\"in_use\":[]}}\n",
		    id, i);
	say(w, line);
}

/* The requests came in their order. */
static void
check_requests(const struct world *w)
{
	static char text[1 << 18];
	ssize_t n = read(w->peer, text, sizeof text - 1);
	char *rest = text, *line;

	assert_true(n > 0);
	text[n] = '\0';
	for (size_t i = 0; i < w->n; i++) {
		json_t *o;

		line = strsep(&rest, "\n");
		assert_non_null(rest);
		o = json_loads(line, 0, NULL);
		assert_int_equal(json_integer_value(json_object_get(o, "id")), i + 1);
		assert_int_equal(
		    json_integer_value(json_object_get(json_object_get(o, "args"), "instance")), i);
		json_decref(o);
	}
	assert_string_equal(rest, "");
}

static void
check_and_end(struct world *w, enum ipc_error_code otherwise)
{
	char message[32];

	check_requests(w);
	for (size_t i = 0; i < w->n; i++) {
		struct ipc_many *q = &w->q[i];

		assert_null(q->args);
		assert_int_equal(q->result != NULL, w->is_answered[i] && w->is_good[i]);
		if (q->result != NULL) {
			assert_int_equal(
			    json_integer_value(json_object_get(q->result, "instance")), i);
		} else {
			(void)snprintf(message, sizeof message, "no %zu", i);
			assert_int_equal(
			    q->error.code, w->is_answered[i] ? IPC_ERR_BUSY : otherwise);
			assert_int_equal(strcmp(q->error.message, message) == 0, w->is_answered[i]);
			ipc_error_fini(&q->error);
		}
		json_decref(q->result);
	}
	(void)close(w->peer);
	ipc_client_free(w->c);
}

static void
each_gets_its_own_answer_in_whichever_order_they_come(void **state)
{
	(void)state;
	for (int k = 0; k < WORLDS; k++) {
		size_t order[IPC_MANY_MAX];
		struct world w;

		begin(&w);
		for (size_t i = 0; i < w.n; i++) {
			size_t j = (size_t)rand() % (i + 1);

			order[i] = order[j];
			order[j] = i;
		}
		for (size_t i = 0; i < w.n; i++)
			answer(&w, order[i]);
		ipc_request_many(w.c, w.q, w.n);
		check_and_end(&w, IPC_ERR_INTERNAL);
	}
}

static void
a_driver_that_ends_between_answers_has_answered_these_and_no_others(void **state)
{
	(void)state;
	for (int k = 0; k < WORLDS; k++) {
		struct world w;

		begin(&w);
		for (size_t i = 0; i < w.n; i++)
			if (rand() % 2 == 0)
				answer(&w, i);
		assert_int_equal(shutdown(w.peer, SHUT_WR), 0);
		ipc_request_many(w.c, w.q, w.n);
		check_and_end(&w, IPC_ERR_NOTRUNNING);
	}
}

static void
what_makes_no_sense_ends_all_that_wait(void **state)
{
	(void)state;
	for (int k = 0; k < WORLDS; k++) {
		struct world w;

		begin(&w);
		for (size_t i = 0; i < w.n / 2; i++)
			answer(&w, i);
		say(&w, "}\n");
		ipc_request_many(w.c, w.q, w.n);
		check_and_end(&w, IPC_ERR_INTERNAL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_gets_its_own_answer_in_whichever_order_they_come),
		cmocka_unit_test(
		    a_driver_that_ends_between_answers_has_answered_these_and_no_others),
		cmocka_unit_test(what_makes_no_sense_ends_all_that_wait),
	};

	return cmocka_run_group_tests_name("ipc_client_many", tests, NULL, NULL);
}
