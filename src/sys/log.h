/*
 * The log of a process: one line a message, to the standard error or to
 * syslog.  Any thread may log.  Text from outside (a target's strings) is made
 * harmless: control characters are printed as \xNN.  Never log a secret.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include <stdarg.h>
#include <stdbool.h>

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
/* Messages of this and more urgent levels are logged.  Any thread. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "err", "3" → LOG_LVL_ERR; false for anything else. */
bool log_level_parse(const char *text, enum log_level *ret_level);
const char *log_level_name(enum log_level level);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vmsg(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

#define log_crit(...)  log_msg(LOG_LVL_CRIT, __VA_ARGS__)
#define log_err(...)   log_msg(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_LVL_WARN, __VA_ARGS__)
#define log_note(...)  log_msg(LOG_LVL_NOTE, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LVL_DEBUG, __VA_ARGS__)

#endif
