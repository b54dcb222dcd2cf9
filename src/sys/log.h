/*
 * The log of a process: one line a message, to the standard error or to
 * syslog.  Any thread may log, and no caller ever waits for who reads it: in a
 * process with log_start_thread() lines are queued for a thread that may hang
 * as long as it likes, in others a line that would have to wait is left out.
 * What is lost is counted, and the count is logged as soon as something can be.
 *
 * Text from outside (a target's strings) is made harmless: base/visible.h.
 * Never log a secret.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "sys/log_limit.h"

/* The guide, appendix C, table C-1; the numbers are syslog's too. */
enum log_level {
#define LEVEL(id, number, ...) LOG_LVL_##id = (number),
#include "sys/log.def"
};

enum log_target {
	LOG_TO_STDERR,
	LOG_TO_SYSLOG,
};

/*
 * Before the first message and before threads start.  `program` is borrowed.
 * Without this, messages go to the standard error under the level ERR.
 */
void log_init(const char *program, enum log_target target, enum log_level level);
/*
 * From now on lines are written by a thread of the log's own.  What is queued is
 * written at the process's exit() or abort(), if that takes no longer than a
 * second; in a child of fork() the log is as without this.  After daemon_start()
 * and confine_enter(), which know nothing of it.  Again: nothing happens.  0 or
 * a negative errno, and the log is as before.
 */
int log_start_thread(void);
/*
 * Wait until what was logged before has been written, for timeout_ms at most.
 * For the end of a process and for tests.  Signal handlers may call it.
 */
void log_flush(unsigned timeout_ms);
/* Messages of this and more urgent levels are logged.  Any thread. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "err", "3" → LOG_LVL_ERR; false for anything else. */
bool log_level_parse(const char *text, enum log_level *ret_level);
const char *log_level_name(enum log_level level);

/* However often: for messages that are limited already. */
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vmsg(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/*
 * As often as `limit` lets it pass: LOG_LIMIT_LINES a period.  The next one that
 * passes says how many were left out.  now_us is the caller's clock.
 */
void log_limited(struct log_limit *limit, uint64_t now_us, enum log_level level, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
/*
 * As often as the call site may, which is told by the address of fmt (a
 * literal): a couple of hundred lines a period, whoever they are about.
 */
void log_site(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_crit(...)  log_site(LOG_LVL_CRIT, __VA_ARGS__)
#define log_err(...)   log_site(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...)  log_site(LOG_LVL_WARN, __VA_ARGS__)
#define log_note(...)  log_site(LOG_LVL_NOTE, __VA_ARGS__)
#define log_info(...)  log_site(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LVL_DEBUG, __VA_ARGS__)

#endif
