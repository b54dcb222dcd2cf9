#include "sys/log.h"

#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sys/log_out.h"
#include "sys/log_ring.h"

/* How long the end of a process waits for its last words to be written. */
#define LAST_WORDS_MS 1000

/* What a call site has said.  There are some 200; a table that is full limits no more. */
#define SITES      512
#define SITE_LINES 200 /* a period: all sites together stay below what a disk takes */
struct site {
	_Atomic(const char *) fmt;
	struct log_limit limit;
};

/*
 * A process has one log, as it has one standard error: this is the one state of
 * it.  What threads change is atomic.
 */
static struct log {
	struct log_out out;
	atomic_int level;
	/* With a thread of its own lines go there; its memory stays for the process's life. */
	struct log_ring *ring;
	atomic_bool has_thread;
	pthread_t thread;
	/* Lines that are lost and have not been told yet. */
	atomic_uint lost;
	struct site sites[SITES];
} self = {
	.out = { .program = "openisw", .target = LOG_TO_STDERR, .fd = -1 },
	.level = LOG_LVL_ERR,
};

static void finish(struct log_line *line, int n, unsigned left_out);
static void emit(const struct log_line *line, bool may_wait);
static void *run(void *arg);
static void in_child(void);
static void at_exit(void);
static void on_abort(int sig);

void
log_init(const char *program, enum log_target target, enum log_level level)
{
	assert(!atomic_load(&self.has_thread));
	self.out.program = program;
	self.out.target = target;
	log_set_level(level);
	/* systemd's journal has its own clock and reads the level from "<N>" (sd-daemon(3)). */
	self.out.to_journal =
	    target == LOG_TO_STDERR && getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
	if (target == LOG_TO_SYSLOG && self.out.fd < 0) {
		tzset(); /* the file is read before we may be confined */
		self.out.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	}
}

int
log_start_thread(void)
{
	static const struct sigaction aborted = { .sa_handler = on_abort };
	sigset_t all, was;
	int err;

	if (atomic_load(&self.has_thread))
		return 0;
	if (self.ring == NULL && (self.ring = log_ring_new()) == NULL)
		return -ENOMEM;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was); /* fails for a bad argument only */
	err = pthread_create(&self.thread, NULL, run, self.ring);
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL); /* as above */
	if (err != 0)
		return -err;
	(void)pthread_detach(self.thread); /* it is one, and nobody joins it */
	atomic_store(&self.has_thread, true);
	/* Without these the last words may be missing, and nothing else. */
	(void)pthread_atfork(NULL, NULL, in_child);
	(void)atexit(at_exit);
	(void)sigaction(SIGABRT, &aborted, NULL);
	return 0;
}

void
log_flush(unsigned timeout_ms)
{
	uint64_t tail;

	/* Polled, because a signal handler may do this, and may not wait in any other way. */
	if (!atomic_load(&self.has_thread) || pthread_equal(pthread_self(), self.thread))
		return;
	tail = log_ring_tail(self.ring);
	for (unsigned i = 0; i < timeout_ms && !log_ring_is_past(self.ring, tail); i++)
		(void)poll(NULL, 0, 1); /* a signal makes it shorter */
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&self.level, (int)level, memory_order_relaxed);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&self.level, memory_order_relaxed);
}

bool
log_level_parse(const char *text, enum log_level *ret_level)
{
#define LEVEL(id, number, word, ...)                                     \
	if (strcasecmp(text, word) == 0 || strcmp(text, #number) == 0) { \
		*ret_level = LOG_LVL_##id;                               \
		return true;                                             \
	}
#include "sys/log.def"
	return false;
}

const char *
log_level_name(enum log_level level)
{
	switch (level) {
#define LEVEL(id, number, word, ...) \
	case LOG_LVL_##id:           \
		return word;
#include "sys/log.def"
	}
	return "?";
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}

/* Format, and hand over or write.  errno stays as it was. */
static void
say(enum log_level level, unsigned left_out, const char *fmt, va_list ap)
{
	struct log_line line = { .level = level };
	int saved = errno;

	(void)clock_gettime(CLOCK_REALTIME, &line.when); /* cannot fail with this clock */
	finish(&line, vsnprintf(line.text, sizeof line.text, fmt, ap), left_out);
	if (atomic_load(&self.has_thread))
		(void)log_ring_put(self.ring, &line); /* what is dropped is counted */
	else
		emit(&line, false);
	errno = saved;
}

void
log_vmsg(enum log_level level, const char *fmt, va_list ap)
{
	if (level <= log_get_level())
		say(level, 0, fmt, ap);
}

void
log_limited(struct log_limit *limit, uint64_t now_us, enum log_level level, const char *fmt, ...)
{
	unsigned left_out;
	va_list ap;

	if (level > log_get_level() || !log_limit_passes(limit, now_us, LOG_LIMIT_LINES, &left_out))
		return;
	va_start(ap, fmt);
	say(level, left_out, fmt, ap);
	va_end(ap);
}

/* The call site's place, found by its format; NULL: the table is full. */
static struct site *
find_site(const char *fmt)
{
	size_t at = (size_t)((uintptr_t)fmt >> 2) * 31 % SITES;

	for (size_t i = 0; i < SITES; i++, at = (at + 1) % SITES) {
		const char *there = atomic_load(&self.sites[at].fmt);

		/* Taken by another call site in this moment: then `there` is whose it is now. */
		if (there == fmt || (there == NULL && (atomic_compare_exchange_strong(
							   &self.sites[at].fmt, &there, fmt) ||
							  there == fmt)))
			return &self.sites[at];
	}
	return NULL;
}

void
log_site(enum log_level level, const char *fmt, ...)
{
	unsigned left_out = 0;
	struct timespec t;
	struct site *site;
	va_list ap;

	if (level > log_get_level())
		return;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t); /* cannot fail with this clock */
	site = find_site(fmt);
	if (site != NULL &&
	    !log_limit_passes(&site->limit,
		(uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000, SITE_LINES, &left_out))
		return;
	va_start(ap, fmt);
	say(level, left_out, fmt, ap);
	va_end(ap);
}

/* Cut what vsnprintf() found too long, between two characters, and count what was left out. */
static void
finish(struct log_line *line, int n, unsigned left_out)
{
	char tail[64] = "";
	size_t cap = sizeof line->text - 1, more;

	if (left_out > 0)
		(void)snprintf(tail, sizeof tail, " (%u more like it were left out)", left_out);
	more = strlen(tail);
	line->len = n < 0 ? 0 : (size_t)n;
	if (line->len + more > cap) {
		line->len = cap - more - 3;
		while (line->len > 0 && ((unsigned char)line->text[line->len] & 0xc0) == 0x80)
			line->len--;
		memcpy(line->text + line->len, "...", 3);
		line->len += 3;
	}
	memcpy(line->text + line->len, tail, more);
	line->len += more;
}

/* What was lost before it is told first, where that can be. */
static void
emit(const struct log_line *line, bool may_wait)
{
	unsigned lost = atomic_exchange(&self.lost, 0) + (line != NULL ? line->dropped : 0);
	struct log_line told = { .level = LOG_LVL_ERR };

	if (lost > 0) {
		(void)clock_gettime(CLOCK_REALTIME, &told.when); /* as above */
		told.len = (size_t)snprintf(told.text, sizeof told.text,
		    "%u line%s dropped: "
		    "the log was not read fast enough",
		    lost, lost == 1 ? " was" : "s were");
		if (log_out_write(&self.out, &told, may_wait) != 0)
			atomic_fetch_add(&self.lost, lost);
	}
	if (line != NULL && log_out_write(&self.out, line, may_wait) != 0)
		atomic_fetch_add(&self.lost, 1);
}

/* The log's own thread: it may hang here for as long as whoever reads the log likes. */
static void *
run(void *arg)
{
	struct log_ring *r = arg;
	const struct log_line *line;
	unsigned dropped;

	/* A thread names itself without a file.  It is only a help for people. */
	(void)pthread_setname_np(pthread_self(), "log");
	for (;;) {
		log_ring_wait(r);
		while ((line = log_ring_peek(r)) != NULL) {
			emit(line, true);
			log_ring_pop(r);
		}
		dropped = log_ring_take_dropped(r);
		if (dropped > 0) {
			atomic_fetch_add(&self.lost, dropped);
			emit(NULL, true);
		}
	}
	return NULL;
}

/* Only the thread that forked goes on in a child, which writes for itself then. */
static void
in_child(void)
{
	atomic_store(&self.has_thread, false);
}

static void
at_exit(void)
{
	log_flush(LAST_WORDS_MS);
}

/* abort() goes on to end the process. */
static void
on_abort(int sig)
{
	(void)sig;
	log_flush(LAST_WORDS_MS);
}
