/* A session's configurable time limits, ini/timers.def.  Pure. */
#ifndef INI_TIMERS_H
#define INI_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

enum timer_id {
#define TIMER(id, ...) TIMER_##id,
#include "ini/timers.def"
	TIMER_COUNT
};

struct timer_info {
	const char *name, *text;
	uint32_t min_ms, max_ms, default_ms;
};

/* Milliseconds, by timer_id. */
struct timers {
	uint32_t ms[TIMER_COUNT];
};

const struct timer_info *timers_info(enum timer_id id);
/* In any case of letters. */
bool timers_find(const char *name, enum timer_id *ret_id);
void timers_default(struct timers *ret);

/* The value of Failback that is no time: never by itself. */
#define TIMERS_MANUAL_MS 86400000
/*
 * Seconds in decimals, "15" or "0.5", to the millisecond, within the timer's
 * range, or a word that it has; false: it is neither.
 */
bool timers_parse(enum timer_id id, const char *text, uint32_t *ret_ms);
#define TIMERS_TEXT_BYTES 16
/* Seconds, as short as timers_parse() reads them back the same: "15", "0.5". */
void timers_print(uint32_t ms, char ret_text[TIMERS_TEXT_BYTES]);
/* The same of this timer's value, or its word. */
void timers_print_value(enum timer_id id, uint32_t ms, char ret_text[TIMERS_TEXT_BYTES]);

/*
 * Do the limits fit each other?  A silent target is found (NOPInterval and
 * NOPTimeout) before a command is aborted for it, and a command, its abort, a reset and
 * a login have their time within the ReplacementTimeout.  False: *ret_fault names
 * the two that do not fit, and says what to change.
 */
bool timers_check(const struct timers *t, struct fault *ret_fault);

#endif
