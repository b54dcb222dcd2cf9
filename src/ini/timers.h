/* A session's configurable time limits, ini/timers.def.  Pure. */
#ifndef INI_TIMERS_H
#define INI_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum timer_id {
#define TIMER(id, ...) TIMER_##id,
#include "ini/timers.def"
	TIMER_COUNT
};

struct timer_info {
	const char *name, *text;
	uint32_t min, max, default_s;
};

/* Seconds, by timer_id. */
struct timers {
	uint32_t s[TIMER_COUNT];
};

const struct timer_info *timers_info(enum timer_id id);
/* In any case of letters. */
bool timers_find(const char *name, enum timer_id *ret_id);
/* A whole number within the timer's range; false: it is not. */
bool timers_parse(enum timer_id id, const char *text, uint32_t *ret_s);

#endif
