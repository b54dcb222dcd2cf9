/* Both sides of the daemon protocol in one loop, over a real socket. */
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/helper.h"
#include "sys/daemon.h"
#include "sys/identity.h"
#include "sys/log.h"
#include "sys/sock.h"

#define PATIENCE_US 20000000
#define ANSWERS     8
#define CALLS       8

static char dir[64], path[128], pid_path[128];
static struct loop *loop;
static struct helper_server *server;
static struct helper_client *client;
static int daemon_came, daemon_went, link_up, link_down;

/* What the driver got, in order. */
static struct {
	int err, fd, tag;
	char why[128];
	json_t *result;
} answers[ANSWERS];
static int n_answers;

/* What the daemon was asked and has not answered. */
static struct helper_call *calls[CALLS];
static int n_calls, n_cancelled;

static void
on_answer(void *user, int err, const char *why, const json_t *result, int fd)
{
	assert_true(n_answers < ANSWERS);
	answers[n_answers].err = err;
	answers[n_answers].fd = fd;
	answers[n_answers].tag = *(int *)user;
	(void)snprintf(answers[n_answers].why, sizeof answers[0].why, "%s", why != NULL ? why : "");
	answers[n_answers].result = json_deep_copy(result);
	n_answers++;
}

static void
on_state(void *user, pid_t pid)
{
	(void)user;
	if (pid != 0)
		daemon_came++;
	else
		daemon_went++;
}

static void
on_link(void *user, bool connected)
{
	(void)user;
	if (connected)
		link_up++;
	else
		link_down++;
}

static void
on_call(void *user, struct helper_call *call)
{
	(void)user;
	assert_true(n_calls < CALLS);
	calls[n_calls++] = call;
}

static void
on_cancel(void *user, struct helper_call *call)
{
	(void)user;
	n_cancelled++;
	helper_call_error(call, -ECANCELED, "cancelled");
}

/* Turns the loop until the counter is `want`. */
static const int *counter;
static int counter_want;
static struct agenda_work check_work;
static struct agenda_timer patience;

static void
check_counter(struct agenda_work *w)
{
	if (*counter >= counter_want)
		loop_stop(loop);
	else
		agenda_defer(loop_agenda(loop), w);
}

static void
patience_over(struct agenda_timer *t)
{
	(void)t;
	fail_msg("nothing happened");
}

static void
turn_until(const int *n, int want)
{
	counter = n;
	counter_want = want;
	agenda_work_init(&check_work, check_counter);
	patience.expired = patience_over;
	agenda_set(loop_agenda(loop), &patience, loop_now_update(loop) + PATIENCE_US);
	agenda_defer(loop_agenda(loop), &check_work);
	assert_int_equal(loop_run(loop), 0);
	agenda_cancel(&check_work);
	agenda_clear(loop_agenda(loop), &patience);
	assert_int_equal(*n, want);
}

static int
start(void **state)
{
	(void)state;
	daemon_came = daemon_went = link_up = link_down = 0;
	n_answers = n_calls = n_cancelled = 0;
	client = NULL;
	strncpy(dir, "/tmp/openisw-helper-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL || snprintf(path, sizeof path, "%s/sock", dir) < 0 ||
	    snprintf(pid_path, sizeof pid_path, "%s/iswd.pid", dir) < 0)
		return -1;
	loop = loop_new();
	return loop == NULL
		   ? -1
		   : helper_server_new(loop, path, pid_path, "iswd", on_state, NULL, &server);
}

static int
stop(void **state)
{
	(void)state;
	helper_client_free(client);
	helper_server_free(server);
	for (int i = 0; i < n_answers; i++)
		json_decref(answers[i].result);
	loop_free(loop);
	return rmdir(dir);
}

static void
start_daemon(void)
{
	assert_int_equal(helper_client_new(loop, path, "iswd", on_call, on_link, NULL, &client), 0);
}

static int64_t
ask(int *tag, uint64_t in_us)
{
	int64_t id = helper_server_request(server, "connect",
	    json_pack("{s:s, s:i}", "address", "127.0.0.1", "port", 3260),
	    loop_now_update(loop) + in_us, on_answer, tag);

	assert_true(id > 0);
	return id;
}

static void
a_request_is_answered_with_a_descriptor(void **state)
{
	int tag = 1, pass = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat want, have;

	(void)state;
	assert_int_equal(fstat(pass, &want), 0);
	start_daemon();
	turn_until(&daemon_came, 1);
	assert_int_equal(helper_server_pid(server), getpid());
	ask(&tag, PATIENCE_US);
	assert_int_equal(n_answers, 0);
	turn_until(&n_calls, 1);
	assert_string_equal(helper_call_op(calls[0]), "connect");
	assert_int_equal(
	    json_integer_value(json_object_get(helper_call_args(calls[0]), "port")), 3260);
	helper_call_reply(calls[0], json_pack("{s:s}", "local", "127.0.0.1:4"), pass);
	turn_until(&n_answers, 1);
	assert_int_equal(answers[0].err, 0);
	assert_int_equal(answers[0].tag, 1);
	assert_string_equal(
	    json_string_value(json_object_get(answers[0].result, "local")), "127.0.0.1:4");
	assert_int_equal(fstat(answers[0].fd, &have), 0);
	assert_int_equal(have.st_ino, want.st_ino);
	assert_int_equal(close(answers[0].fd), 0);
	assert_int_equal(fcntl(pass, F_GETFD), -1); /* the daemon's copy is closed */
}

static void
answers_come_in_any_order_and_errors_by_name(void **state)
{
	int first = 1, second = 2;

	(void)state;
	start_daemon();
	ask(&first, PATIENCE_US);
	ask(&second, PATIENCE_US);
	turn_until(&n_calls, 2);
	helper_call_error(calls[1], -ECONNREFUSED, "nobody listens there");
	turn_until(&n_answers, 1);
	helper_call_reply(calls[0], NULL, -1);
	turn_until(&n_answers, 2);
	assert_int_equal(answers[0].tag, 2);
	assert_int_equal(answers[0].err, -ECONNREFUSED);
	assert_string_equal(answers[0].why, "nobody listens there");
	assert_int_equal(answers[1].tag, 1);
	assert_int_equal(answers[1].err, 0);
	assert_int_equal(answers[1].fd, -1);
}

static void
without_a_daemon_a_request_waits_until_its_deadline(void **state)
{
	int tag = 1;

	(void)state;
	ask(&tag, 1000);
	turn_until(&n_answers, 1);
	assert_int_equal(answers[0].err, -ENOTCONN);
	assert_string_equal(answers[0].why, "iswd is not running");
}

static void
a_silent_daemon_ends_in_a_timeout_and_is_told(void **state)
{
	int tag = 1;

	(void)state;
	start_daemon();
	turn_until(&daemon_came, 1);
	ask(&tag, 30000);
	turn_until(&n_calls, 1);
	helper_call_on_cancel(calls[0], on_cancel, NULL);
	turn_until(&n_answers, 1);
	assert_int_equal(answers[0].err, -ETIMEDOUT);
	turn_until(&n_cancelled, 1);
	assert_int_equal(n_answers, 1);
}

static void
a_cancelled_request_is_never_answered(void **state)
{
	int first = 1, second = 2, third = 3;
	int64_t id, unsent;

	(void)state;
	unsent = ask(&third, PATIENCE_US);
	assert_true(helper_server_cancel(server, unsent));
	start_daemon();
	id = ask(&first, PATIENCE_US);
	turn_until(&n_calls, 1);
	helper_call_on_cancel(calls[0], on_cancel, NULL);
	assert_true(helper_server_cancel(server, id));
	assert_false(helper_server_cancel(server, id));
	turn_until(&n_cancelled, 1);
	ask(&second, PATIENCE_US);
	turn_until(&n_calls, 2);
	helper_call_reply(calls[1], NULL, -1);
	turn_until(&n_answers, 1);
	assert_int_equal(answers[0].tag, 2);
}

static void
a_descriptor_for_a_cancelled_request_is_closed(void **state)
{
	int tag = 1, second = 2, pass, next;
	int64_t id;

	(void)state;
	start_daemon();
	id = ask(&tag, PATIENCE_US);
	turn_until(&n_calls, 1);
	assert_true(helper_server_cancel(server, id));
	next = dup(0);
	close(next);
	pass = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pass, next);
	helper_call_reply(calls[0], NULL, pass);
	ask(&second, PATIENCE_US);
	turn_until(&n_calls, 2);
	helper_call_reply(calls[1], NULL, -1);
	turn_until(&n_answers, 1);
	pass = dup(0);
	assert_int_equal(pass, next);
	close(pass);
}

static void
a_successor_gets_what_the_dead_daemon_did_not_answer(void **state)
{
	int first = 1, second = 2;
	struct helper_call *lost;

	(void)state;
	start_daemon();
	ask(&first, PATIENCE_US);
	turn_until(&n_calls, 1);
	lost = calls[0];
	helper_client_free(client);
	turn_until(&daemon_went, 1);
	assert_int_equal(helper_server_pid(server), 0);
	ask(&second, PATIENCE_US);
	start_daemon();
	turn_until(&n_calls, 3);
	helper_call_reply(lost, NULL, -1); /* to nobody */
	helper_call_reply(calls[1], NULL, -1);
	helper_call_reply(calls[2], NULL, -1);
	turn_until(&n_answers, 2);
	assert_int_equal(answers[0].tag, 1);
	assert_int_equal(answers[1].tag, 2);
	assert_int_equal(n_cancelled, 0);
}

static void
the_daemon_finds_a_restarted_driver_by_itself(void **state)
{
	int tag = 1;

	(void)state;
	start_daemon();
	ask(&tag, PATIENCE_US);
	turn_until(&n_calls, 1);
	helper_call_on_cancel(calls[0], on_cancel, NULL);
	helper_server_free(server);
	assert_int_equal(n_answers, 1);
	assert_int_equal(answers[0].err, -ECANCELED);
	turn_until(&link_down, 1);
	assert_int_equal(n_cancelled, 1);
	assert_int_equal(link_up, 1);
	assert_int_equal(
	    helper_server_new(loop, path, pid_path, "iswd", on_state, NULL, &server), 0);
	turn_until(&daemon_came, 2);
	assert_int_equal(link_up, 2);
}

static void
a_daemon_started_first_waits_for_the_driver(void **state)
{
	(void)state;
	helper_server_free(server);
	start_daemon();
	assert_int_equal(link_up, 0);
	assert_int_equal(
	    helper_server_new(loop, path, pid_path, "iswd", on_state, NULL, &server), 0);
	turn_until(&daemon_came, 1);
}

/* A connection by hand that announces itself as `text`. */
static int
by_hand(const char *text)
{
	int fd = sock_connect(path, SOCK_SEQPACKET);

	assert_true(fd >= 0);
	assert_int_equal(sock_send(fd, text, strlen(text), -1), strlen(text));
	return fd;
}

/* 1 when the other end has closed; for turn_until(). */
static int was_closed;
static struct loop_fd watch;

static void
watch_ready(struct loop_fd *f, uint32_t events)
{
	char buf[16];

	(void)events;
	if (sock_recv(f->fd, buf, sizeof buf, NULL) == 0) {
		was_closed = 1;
		loop_unwatch(loop, f);
	}
}

static void
expect_closed(int fd)
{
	was_closed = 0;
	watch = (struct loop_fd){ .fd = fd, .ready = watch_ready };
	assert_int_equal(loop_watch(loop, &watch, 1), 0); /* EPOLLIN */
	turn_until(&was_closed, 1);
	close(fd);
}

static void
a_second_daemon_is_refused_while_the_first_lives(void **state)
{
	int fd;

	(void)state;
	start_daemon();
	turn_until(&daemon_came, 1);
	fd = by_hand("{\"daemon\":\"iswd\",\"version\":\"x\",\"pid\":7}");
	expect_closed(fd);
	assert_int_equal(daemon_went, 0);
	assert_int_equal(helper_server_pid(server), getpid());
}

/* Of another release, as after an update that left it running: it is taken, and told. */
static void
a_daemon_of_another_version_is_told(void **state)
{
	char log[4096], name[] = "/tmp/oisw-log.XXXXXX";
	int before = dup(STDERR_FILENO), file = mkstemp(name), fd;
	ssize_t n;

	(void)state;
	assert_true(before >= 0 && file >= 0);
	assert_int_equal(unlink(name), 0);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	log_set_level(LOG_LVL_WARN);
	start_daemon();
	turn_until(&daemon_came, 1);
	helper_client_free(client);
	client = NULL;
	turn_until(&daemon_went, 1);
	fd = by_hand("{\"daemon\":\"iswd\",\"version\":\"0.0\",\"pid\":7}");
	turn_until(&daemon_came, 2);
	log_flush(1000);
	log_set_level(LOG_LVL_CRIT);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	n = pread(file, log, sizeof log - 1, 0);
	assert_true(n >= 0);
	log[n] = '\0';
	assert_non_null(strstr(log, "is of version 0.0, this driver of " OPENISW_VERSION));
	/* Not of the one of this release. */
	assert_ptr_equal(strstr(log, "is of version"), strstr(log, "is of version 0.0"));
	close(fd);
	close(before);
	close(file);
}

/*
 * In a child that becomes another user, with a lock of the pid file (F_WRLCK, F_RDLCK) or
 * without (F_UNLCK): announce the daemon, and end with 0 when the driver hangs up.
 */
static pid_t
stranger(uid_t uid, short lock)
{
	static const char text[] = "{\"daemon\":\"iswd\",\"version\":\"x\",\"pid\":7}";
	struct flock whole = { .l_type = lock, .l_whence = SEEK_SET };
	pid_t pid = fork(), owner;
	char byte;
	int fd;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (lock == F_WRLCK && daemon_pid_open(pid_path, &owner) < 0)
		_exit(2);
	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(3);
	if (lock == F_RDLCK) {
		fd = open(pid_path, O_RDONLY);
		if (fd < 0 || fcntl(fd, F_SETLK, &whole) < 0)
			_exit(6);
	}
	fd = sock_connect(path, SOCK_SEQPACKET);
	if (fd < 0 || (sock_send(fd, text, strlen(text), -1) < 0 && errno != EPIPE))
		_exit(4);
	_exit(sock_recv(fd, &byte, 1, NULL) > 0 ? 5 : 0);
}

static int has_ended;

static void
child_ended(struct loop_fd *f, uint32_t events)
{
	(void)events;
	has_ended = 1;
	loop_unwatch(loop, f);
}

/* The exit status of a child, while our loop turns. */
static int
end_of(pid_t pid)
{
	int st;

	has_ended = 0;
	watch = (struct loop_fd){ .fd = pidfd_open(pid, 0), .ready = child_ended };
	assert_int_equal(loop_watch(loop, &watch, 1), 0); /* EPOLLIN */
	turn_until(&has_ended, 1);
	close(watch.fd);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static void
only_the_daemon_s_own_user_with_the_lock_of_the_pid_file_is_the_daemon(void **state)
{
	struct daemon_identity who;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || identity_of("iswd", &who) != 0)
		skip();
	/* The doors stand open, so that it is the last lock that is tried. */
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(path, 0666), 0);
	pid = stranger(who.uid, F_WRLCK);
	turn_until(&daemon_came, 1);
	assert_int_equal(helper_server_pid(server), pid);
	kill(pid, SIGKILL);
	turn_until(&daemon_went, 1);
	assert_int_equal(end_of(pid), -1);
	/* The file is still there; who has no lock of it is refused. */
	assert_int_equal(end_of(stranger(who.uid, F_UNLCK)), 0);
	/* Another user's lock is none, whatever he has come by. */
	assert_int_equal(end_of(stranger(12345, F_WRLCK)), 0);
	assert_int_equal(chmod(pid_path, 0644), 0);
	assert_int_equal(end_of(stranger(who.uid, F_RDLCK)), 0);
	assert_int_equal(end_of(stranger(12345, F_RDLCK)), 0);
	assert_int_equal(chmod(pid_path, 0666), 0);
	assert_int_equal(end_of(stranger(who.uid, F_UNLCK)), 0);
	assert_int_equal(daemon_came, 1);
	assert_int_equal(unlink(pid_path), 0);
}

static void
socket_is_closed_to_others_by_its_mode_and_its_directory_s(void **state)
{
	pid_t pid = fork();
	int st;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct stat file;

		if (stat(path, &file) < 0 || (file.st_mode & 07) != 0)
			_exit(1);
		if (geteuid() != 0)
			_exit(0);
		if (setresuid(12345, 12345, 12345) < 0)
			_exit(2);
		_exit(sock_connect(path, SOCK_SEQPACKET) == -EACCES ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
}

static void
who_announces_nonsense_is_closed(void **state)
{
	static const char *const nonsense[] = { "x", "{}", "{\"daemon\":\"islpd\"}",
		"{\"daemon\":7}" };

	(void)state;
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++)
		expect_closed(by_hand(nonsense[i]));
	assert_int_equal(daemon_came, 0);
}

static void
a_malformed_answer_ends_its_request_or_the_connection_but_nothing_else(void **state)
{
	int tag = 1, fd = by_hand("{\"daemon\":\"iswd\"}");
	static const char *const harmless[] = { "{\"id\":99,\"ok\":true,\"result\":{}}",
		"{\"id\":\"1\"}", "{}" };
	static const char odd[] = "{\"id\":2,\"ok\":false,\"error\":{\"code\":\"EODD\"}}";

	(void)state;
	turn_until(&daemon_came, 1);
	ask(&tag, PATIENCE_US);
	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		assert_true(sock_send(fd, harmless[i], strlen(harmless[i]), -1) > 0);
	assert_true(sock_send(fd, "{\"id\":1,\"ok\":true}", 18, -1) > 0);
	turn_until(&n_answers, 1);
	assert_int_equal(answers[0].err, -EPROTO);
	ask(&tag, PATIENCE_US);
	assert_true(sock_send(fd, odd, strlen(odd), -1) > 0);
	turn_until(&n_answers, 2);
	assert_int_equal(answers[1].err, -EPROTO);
	assert_int_equal(daemon_went, 0);
	assert_true(sock_send(fd, "]", 1, -1) > 0);
	turn_until(&daemon_went, 1);
	close(fd);
}

static void
a_daemon_that_answers_nothing_over_and_over_is_cut_off(void **state)
{
	static const char stray[] = "{\"id\":99,\"ok\":true,\"result\":{}}";
	int fd = by_hand("{\"daemon\":\"iswd\"}");

	(void)state;
	turn_until(&daemon_came, 1);
	for (int i = 0; i < 17; i++)
		assert_true(sock_send(fd, stray, strlen(stray), -1) > 0);
	turn_until(&daemon_went, 1);
	close(fd);
}

static void
cancelled_requests_may_be_answered_as_often_as_there_were(void **state)
{
	int tag = 1, last = 2, fd = by_hand("{\"daemon\":\"iswd\"}");
	char text[64];

	(void)state;
	turn_until(&daemon_came, 1);
	for (int i = 0; i < 40; i++) {
		int64_t id = ask(&tag, PATIENCE_US);

		assert_true(helper_server_cancel(server, id));
		(void)snprintf(
		    text, sizeof text, "{\"id\":%lld,\"ok\":true,\"result\":{}}", (long long)id);
		assert_true(sock_send(fd, text, strlen(text), -1) > 0);
	}
	(void)snprintf(text, sizeof text, "{\"id\":%lld,\"ok\":true,\"result\":{}}",
	    (long long)ask(&last, PATIENCE_US));
	assert_true(sock_send(fd, text, strlen(text), -1) > 0);
	turn_until(&n_answers, 1);
	assert_int_equal(answers[0].tag, 2);
	assert_int_equal(daemon_went, 0);
	close(fd);
}

static void
a_descriptor_that_is_no_connection_is_not_taken(void **state)
{
	int tag = 1, pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	start_daemon();
	for (int i = 0; i < 3; i++) {
		int pass = i == 0   ? open("/dev/null", O_RDWR | O_CLOEXEC)
			   : i == 1 ? dup(pair[0])
				    : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		ask(&tag, PATIENCE_US);
		turn_until(&n_calls, i + 1);
		helper_call_reply(calls[i], NULL, pass);
		turn_until(&n_answers, i + 1);
		assert_int_equal(answers[i].err, -EPROTO);
		assert_int_equal(answers[i].fd, -1);
	}
	close(pair[0]);
	close(pair[1]);
}

static void
more_requests_than_the_socket_holds_all_arrive(void **state)
{
	static int tags[3000];
	int fd = by_hand("{\"daemon\":\"iswd\"}"), got = 0;
	char *buf = malloc(HELPER_MESSAGE_BYTES), *big = calloc(1, 2001);
	ssize_t n;

	(void)state;
	turn_until(&daemon_came, 1);
	memset(big, 'a', 2000);
	for (int i = 0; i < 3000; i++)
		assert_true(
		    helper_server_request(server, "connect", json_pack("{s:s}", "address", big),
			loop_now(loop) + PATIENCE_US, on_answer, &tags[i]) == i + 1);
	while (got < 3000) {
		const int one = 1;

		while ((n = recv(fd, buf, HELPER_MESSAGE_BYTES, MSG_DONTWAIT)) > 0) {
			json_t *object = json_loadb(buf, (size_t)n, 0, NULL);

			assert_int_equal(json_integer_value(json_object_get(object, "id")), ++got);
			json_decref(object);
		}
		turn_until(&one, 1); /* one turn */
	}
	for (int i = 1; i <= 3000; i++)
		assert_true(helper_server_cancel(server, i));
	close(fd);
	free(buf);
	free(big);
}

#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(a_request_is_answered_with_a_descriptor),
		WITH_SERVER(answers_come_in_any_order_and_errors_by_name),
		WITH_SERVER(without_a_daemon_a_request_waits_until_its_deadline),
		WITH_SERVER(a_silent_daemon_ends_in_a_timeout_and_is_told),
		WITH_SERVER(a_cancelled_request_is_never_answered),
		WITH_SERVER(a_descriptor_for_a_cancelled_request_is_closed),
		WITH_SERVER(a_successor_gets_what_the_dead_daemon_did_not_answer),
		WITH_SERVER(the_daemon_finds_a_restarted_driver_by_itself),
		WITH_SERVER(a_daemon_started_first_waits_for_the_driver),
		WITH_SERVER(a_second_daemon_is_refused_while_the_first_lives),
		WITH_SERVER(a_daemon_of_another_version_is_told),
		WITH_SERVER(only_the_daemon_s_own_user_with_the_lock_of_the_pid_file_is_the_daemon),
		WITH_SERVER(socket_is_closed_to_others_by_its_mode_and_its_directory_s),
		WITH_SERVER(a_daemon_that_answers_nothing_over_and_over_is_cut_off),
		WITH_SERVER(cancelled_requests_may_be_answered_as_often_as_there_were),
		WITH_SERVER(a_descriptor_that_is_no_connection_is_not_taken),
		WITH_SERVER(who_announces_nonsense_is_closed),
		WITH_SERVER(a_malformed_answer_ends_its_request_or_the_connection_but_nothing_else),
		WITH_SERVER(more_requests_than_the_socket_holds_all_arrive),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
