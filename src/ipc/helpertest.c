#include "ipc/helpertest.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/sock.h"

struct helpertest helpertest;

void
helpertest_on_answer(void *user, int err, const char *why, const json_t *result, int fd)
{
	assert_true(helpertest.n_answers < HELPERTEST_ANSWERS);
	helpertest.answers[helpertest.n_answers].err = err;
	helpertest.answers[helpertest.n_answers].fd = fd;
	helpertest.answers[helpertest.n_answers].tag = *(int *)user;
	(void)snprintf(helpertest.answers[helpertest.n_answers].why,
	    sizeof helpertest.answers[0].why, "%s", why != NULL ? why : "");
	helpertest.answers[helpertest.n_answers].result = json_deep_copy(result);
	helpertest.n_answers++;
}

void
helpertest_on_state(void *user, pid_t pid)
{
	(void)user;
	if (pid != 0)
		helpertest.daemon_came++;
	else
		helpertest.daemon_went++;
}

static void
on_link(void *user, bool connected)
{
	(void)user;
	if (connected)
		helpertest.link_up++;
	else
		helpertest.link_down++;
}

static void
on_call(void *user, struct helper_call *call)
{
	(void)user;
	assert_true(helpertest.n_calls < HELPERTEST_CALLS);
	helpertest.calls[helpertest.n_calls++] = call;
}

void
helpertest_on_cancel(void *user, struct helper_call *call)
{
	(void)user;
	helpertest.n_cancelled++;
	helper_call_error(call, -ECANCELED, "cancelled");
}

static const int *counter;
static int counter_want;
static struct agenda_work check_work;
static struct agenda_timer patience;

static void
check_counter(struct agenda_work *w)
{
	if (*counter >= counter_want)
		loop_stop(helpertest.loop);
	else
		agenda_defer(loop_agenda(helpertest.loop), w);
}

static void
patience_over(struct agenda_timer *t)
{
	(void)t;
	fail_msg("nothing happened");
}

void
helpertest_turn_until(const int *n, int want)
{
	counter = n;
	counter_want = want;
	agenda_work_init(&check_work, check_counter);
	patience.expired = patience_over;
	agenda_set(loop_agenda(helpertest.loop), &patience,
	    loop_now_update(helpertest.loop) + HELPERTEST_PATIENCE_US);
	agenda_defer(loop_agenda(helpertest.loop), &check_work);
	assert_int_equal(loop_run(helpertest.loop), 0);
	agenda_cancel(&check_work);
	agenda_clear(loop_agenda(helpertest.loop), &patience);
	assert_int_equal(*n, want);
}

int
helpertest_start(void **state)
{
	(void)state;
	helpertest.daemon_came = helpertest.daemon_went = helpertest.link_up =
	    helpertest.link_down = 0;
	helpertest.n_answers = helpertest.n_calls = helpertest.n_cancelled = 0;
	helpertest.client = NULL;
	strncpy(helpertest.dir, "/tmp/openisw-helper-XXXXXX", sizeof helpertest.dir - 1);
	if (mkdtemp(helpertest.dir) == NULL ||
	    snprintf(helpertest.path, sizeof helpertest.path, "%s/sock", helpertest.dir) < 0 ||
	    snprintf(
		helpertest.pid_path, sizeof helpertest.pid_path, "%s/iswd.pid", helpertest.dir) < 0)
		return -1;
	helpertest.loop = loop_new();
	return helpertest.loop == NULL
		   ? -1
		   : helper_server_new(helpertest.loop, helpertest.path, helpertest.pid_path,
			 "iswd", helpertest_on_state, NULL, &helpertest.server);
}

int
helpertest_stop(void **state)
{
	(void)state;
	helper_client_free(helpertest.client);
	helper_server_free(helpertest.server);
	for (int i = 0; i < helpertest.n_answers; i++)
		json_decref(helpertest.answers[i].result);
	loop_free(helpertest.loop);
	return rmdir(helpertest.dir);
}

void
helpertest_start_daemon(void)
{
	assert_int_equal(helper_client_new(helpertest.loop, helpertest.path, "iswd", on_call,
			     on_link, NULL, &helpertest.client),
	    0);
}

int64_t
helpertest_ask(int *tag, uint64_t in_us)
{
	int64_t id = helper_server_request(helpertest.server, "connect",
	    json_pack("{s:s, s:i}", "address", "127.0.0.1", "port", 3260),
	    loop_now_update(helpertest.loop) + in_us, helpertest_on_answer, tag);

	assert_true(id > 0);
	return id;
}

int
helpertest_by_hand(const char *text)
{
	int fd = sock_connect(helpertest.path, SOCK_SEQPACKET);

	assert_true(fd >= 0);
	assert_int_equal(sock_send(fd, text, strlen(text), -1), strlen(text));
	return fd;
}

/* 1 when the other end has closed; for helpertest_turn_until(). */
static int was_closed;
static struct loop_fd watch;

static void
watch_ready(struct loop_fd *f, uint32_t events)
{
	char buf[16];

	(void)events;
	if (sock_recv(f->fd, buf, sizeof buf, NULL) == 0) {
		was_closed = 1;
		loop_unwatch(helpertest.loop, f);
	}
}

void
helpertest_expect_closed(int fd)
{
	was_closed = 0;
	watch = (struct loop_fd){ .fd = fd, .ready = watch_ready };
	assert_int_equal(loop_watch(helpertest.loop, &watch, 1), 0); /* EPOLLIN */
	helpertest_turn_until(&was_closed, 1);
	close(fd);
}
