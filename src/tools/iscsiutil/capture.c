/*
 * iscsiutil --capture: PDUs as they pass, into a pcapng file.  The driver hands out one end of a
 * socket, and its workers send on the other; whatever this process does, they go on.
 */
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/size.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/capfile.h"
#include "tools/iscsiutil/captured.h"
#include "tools/iscsiutil/run.h"

/* What is captured is in the file, or on the terminal, after so long. */
#define FLUSH_MS 250
/* So much is put together before it is written. */
#define FLUSH_BYTES (1u << 20)
/* Datagrams in a row before anything else is looked at. */
#define TURN_DATAGRAMS 64
/* The driver's last words, after it was told that we have enough. */
#define END_MS 2000

struct capture {
	const struct cmdline *line;
	struct call call;
	struct captured captured;
	struct records records;
	struct capfile file;
	int fd, signals;
	unsigned workers;
	bool is_ending; /* the driver was told */
	bool is_progress_drawn;
	uint64_t until_ms; /* with is_ending */
	int err;           /* of the file */
	const char *wrong; /* of the driver */
	const char *why;   /* it ended, where nobody asked for it */
	uint8_t datagram[RECORDS_DATAGRAM_BYTES];
};

static uint64_t
clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* it cannot fail */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the file ---- */

static void
enough(struct capture *c, const char *why)
{
	if (c->is_ending)
		return;
	c->is_ending = true;
	c->why = why;
	c->until_ms = clock_ms() + END_MS;
	if (shutdown(c->fd, SHUT_WR) != 0)
		c->until_ms = 0; /* nobody is there to be told */
}

static void
write_out(struct capture *c)
{
	if (c->err == 0 && c->captured.out.len > 0) {
		c->err = capfile_write(&c->file, &c->captured.out);
		if (c->err != 0)
			enough(c, NULL);
	}
	c->captured.out.len = 0; /* what comes after an error goes nowhere */
}

/* This file is as long as it may be: the next one, or the end. */
static void
turn_file(struct capture *c)
{
	if (c->file.files == 1) {
		enough(c, "the file is as large as --size lets it be");
		return;
	}
	captured_end_file(&c->captured);
	write_out(c);
	if (c->err == 0)
		c->err = capfile_next(&c->file);
	if (c->err != 0)
		enough(c, NULL);
	captured_begin_file(&c->captured);
}

static void
flush(struct capture *c)
{
	bool is_full = capfile_is_full(&c->file, &c->captured.out);

	write_out(c);
	if (is_full && c->err == 0 && !c->is_ending)
		turn_file(c);
}

/* ---- what people see ---- */

static void
draw(struct capture *c)
{
	char size[SIZE_TEXT_BYTES];

	if (!isatty(STDERR_FILENO) || say_is_json())
		return;
	size_text(c->captured.bytes, size);
	fprintf(stderr, "\r%llu PDUs, %s, %llu dropped\033[K", (unsigned long long)c->captured.pdus,
	    size, (unsigned long long)captured_dropped(&c->captured));
	fflush(stderr);
	c->is_progress_drawn = true;
}

static void
tell(struct capture *c)
{
	const struct captured *k = &c->captured;
	unsigned long long dropped = captured_dropped(k);
	char size[SIZE_TEXT_BYTES];
	json_t *o;

	if (c->is_progress_drawn)
		fputs("\r\033[K", stderr);
	if (ask_wants_json(c->line)) {
		o = say_need(json_pack("{s:{s:s, s:I, s:I, s:I, s:I, s:I}}", "capture", "file",
		    c->file.path, "files", (json_int_t)c->file.made, "pdus", (json_int_t)k->pdus,
		    "bytes", (json_int_t)k->bytes, "connections", (json_int_t)k->connections,
		    "dropped", (json_int_t)dropped));
		result_print(stdout, o);
		json_decref(o);
		return;
	}
	size_text(k->bytes, size);
	if (c->why != NULL)
		say_note("%s", c->why);
	say_note("%llu PDUs (%s) of %llu connection%s in %s; %llu dropped",
	    (unsigned long long)k->pdus, size, (unsigned long long)k->connections,
	    k->connections == 1 ? "" : "s",
	    strcmp(c->file.path, "-") == 0 ? "the standard output" : c->file.path, dropped);
}

/* ---- the driver's socket ---- */

/* False: there is no more. */
static bool
receive(struct capture *c)
{
	for (int i = 0; i < TURN_DATAGRAMS; i++) {
		ssize_t n = recv(c->fd, c->datagram, sizeof c->datagram, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return false;
		if (!records_take(&c->records, c->datagram, (size_t)n)) {
			c->wrong = "what the driver sends makes no sense";
			return false;
		}
		if (c->captured.out.len >= FLUSH_BYTES)
			flush(c);
	}
	return true;
}

static void
run(struct capture *c)
{
	uint64_t next = clock_ms() + FLUSH_MS, now;
	bool goes_on = true;

	captured_begin_file(&c->captured);
	flush(c);
	while (goes_on) {
		struct pollfd p[2] = { { c->fd, POLLIN, 0 }, { c->signals, POLLIN, 0 } };
		struct signalfd_siginfo signal;

		now = clock_ms();
		if (poll(p, 2, next > now ? (int)(next - now) : 0) < 0 && errno != EINTR)
			break;
		if ((p[1].revents & POLLIN) != 0 &&
		    read(c->signals, &signal, sizeof signal) == sizeof signal)
			enough(c, NULL);
		if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			goes_on = receive(c);
		now = clock_ms();
		if (now >= next) {
			flush(c);
			draw(c);
			next = now + FLUSH_MS;
		}
		if (c->is_ending && now >= c->until_ms)
			break;
	}
	captured_end_file(&c->captured);
	write_out(c);
	if (c->captured.ends < c->workers && !c->is_ending && c->wrong == NULL)
		c->why = "the driver has ended, or could not record all of it: see its log";
}

static void
begin(void *user, const json_t *progress)
{
	struct capture *c = user;
	const json_t *o = json_object_get(progress, "capture");

	c->fd = ipc_client_take_fd(c->call.client);
	c->workers = (unsigned)result_number(o, "workers");
	c->captured.clock_ns = result_number(o, "clock_ns");
	if (c->fd < 0 || result_number(o, "version") != TAPRING_VERSION)
		c->wrong = "the driver is of another version";
	else if ((c->err = capfile_open(&c->file)) == 0)
		run(c);
	if (c->fd >= 0)
		(void)close(c->fd); /* which ends it */
	c->fd = -1;
}

/* ---- the line ---- */

static bool
check(const struct cmdline *line)
{
	const char *path = line->values[OPT_capture].text;
	bool is_stdout = strcmp(path, "-") == 0;

	if (is_stdout && line->values[OPT_files].given)
		say_problem("name a file", "--files: the standard output is no ring of files");
	else if (is_stdout && ask_wants_json(line))
		say_problem("name a file, or leave --json out",
		    "--json: the standard output has the capture already");
	else if (is_stdout && isatty(STDOUT_FILENO))
		say_problem("name a file, or pipe it to 'tshark -r -'",
		    "a capture is no text for a terminal");
	else
		return true;
	return false;
}

static int
catch_signals(void)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN); /* it cannot fail */
	(void)sigemptyset(&set);        /* likewise */
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static enum status
finish(struct capture *c, enum status status)
{
	bool is_pipe_gone = c->err == -EPIPE;

	if (c->captured.out.bytes != NULL)
		tell(c);
	if (c->wrong != NULL) {
		say_failure(IPC_ERR_INTERNAL, NULL,
		    "use a command and a driver of the same version", "%s", c->wrong);
		return STATUS_FAILED;
	}
	/* Who reads no more has enough. */
	if (c->err != 0 && !is_pipe_gone) {
		say_failure(IPC_ERR_INTERNAL, NULL,
		    c->captured.out.bytes == NULL
			? "name a file in a directory that may be written"
			: "see that there is room and that the file may be written; what it has is "
			  "whole",
		    "%s: %s", c->file.path, strerror(-c->err));
		return STATUS_FAILED;
	}
	return status;
}

/* Ask the driver, and capture until there is enough. */
static enum status
capture(struct capture *c, json_t *args)
{
	enum status status = call_open(&c->call, c->line, CALL_ISCSI);
	json_t *result = NULL;

	if (status == STATUS_OK) {
		status = call_watch(&c->call, IPC_OP_session_capture, args, begin, c, &result);
		status = finish(c, status);
	} else {
		json_decref(args);
	}
	json_decref(result);
	call_close(&c->call);
	return status;
}

enum status
run_capture(const struct cmdline *line)
{
	const struct cmdline_value *size = &line->values[OPT_size],
				   *files = &line->values[OPT_files];
	json_t *args = say_need(json_object());
	enum status status = STATUS_USAGE;
	struct capture *c;

	if (!check(line) || !args_put(args, "instance", line, OPT_S) ||
	    !args_put(args, "snap", line, OPT_snap) ||
	    !args_put(args, "secrets", line, OPT_secrets)) {
		json_decref(args);
		return status;
	}
	c = say_need(calloc(1, sizeof *c));
	c->line = line;
	c->fd = c->file.fd = -1;
	c->signals = catch_signals();
	c->records = (struct records){ .each = captured_record, .user = &c->captured };
	c->file = (struct capfile){ .path = line->values[OPT_capture].text,
		.files = files->given ? (unsigned)files->number : 1,
		.bytes_max = size->given ? (uint64_t)size->number << 20 : 0,
		.fd = -1 };
	status = capture(c, args);
	capfile_close(&c->file);
	records_fini(&c->records);
	captured_fini(&c->captured);
	free(c);
	return status;
}
