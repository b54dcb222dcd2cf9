#include "sys/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* The longest text of one message; what is longer is cut, with a sign that it was. */
#define LOG_TEXT_BYTES 1024

static const char *program_name = "openisw";
static enum log_target log_target = LOG_TO_STDERR;
static bool to_journal;
static atomic_int current_level = LOG_LVL_ERR;

static void make_harmless(const char *text, char *out, size_t cap);
static void write_stderr(enum log_level level, const char *text);

void
log_init(const char *program, enum log_target target, enum log_level level)
{
	program_name = program;
	log_target = target;
	log_set_level(level);
	/* systemd's journal has its own clock and reads the level from "<N>" (sd-daemon(3)). */
	to_journal =
	    target == LOG_TO_STDERR && getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
	if (target == LOG_TO_SYSLOG)
		openlog(program, LOG_PID, LOG_DAEMON);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
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

void
log_vmsg(enum log_level level, const char *fmt, va_list ap)
{
	char raw[LOG_TEXT_BYTES], text[LOG_TEXT_BYTES * 4];
	int saved = errno;
	int n;

	if (level > log_get_level())
		return;
	n = vsnprintf(raw, sizeof raw, fmt, ap);
	if (n >= (int)sizeof raw)
		memcpy(raw + sizeof raw - sizeof "...", "...", sizeof "...");
	make_harmless(raw, text, sizeof text);
	if (log_target == LOG_TO_SYSLOG)
		syslog((int)level, "%s", text);
	else
		write_stderr(level, text);
	errno = saved;
}

/*
 * A target's string must not be able to write a line of its own, nor to speak
 * to the terminal.  Bytes from 0x80 on pass: they are UTF-8 or harmless.
 */
static void
make_harmless(const char *text, char *out, size_t cap)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *text != '\0' && n + 5 <= cap; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c != 0x7f) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
}

/* One write() a line, so that lines of several processes do not mix. */
static void
write_stderr(enum log_level level, const char *text)
{
	char line[LOG_TEXT_BYTES * 4 + 256], when[32];
	struct timespec now;
	struct tm tm;
	int n;

	if (to_journal) {
		n = snprintf(line, sizeof line, "<%d>%s\n", (int)level, text);
	} else {
		(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
		if (gmtime_r(&now.tv_sec, &tm) == NULL ||
		    strftime(when, sizeof when, "%FT%T", &tm) == 0)
			when[0] = '\0';
		n = snprintf(line, sizeof line, "%s.%03ldZ %s[%ld] %s: %s\n", when,
		    now.tv_nsec / 1000000, program_name, (long)getpid(), log_level_name(level),
		    text);
	}
	/* Nowhere to say that the log cannot be written. */
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
