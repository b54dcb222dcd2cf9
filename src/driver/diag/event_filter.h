/* Which events somebody wants to see. */
#ifndef DRIVER_DIAG_EVENT_FILTER_H
#define DRIVER_DIAG_EVENT_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

/* "2026-01-01T00:00:00.000Z" */
#define EVENT_TIME_BYTES 24
#define EVENT_UNIT_BYTES 31

struct event_filter {
	bool is_set;                             /* false: every event */
	char since[EVENT_TIME_BYTES + 1];        /* "": from the first on */
	int level;                               /* this and more urgent ones; 7: all */
	long session;                            /* -1: all */
	char target[LIMIT_ISCSI_NAME_BYTES + 1]; /* "": all; in any case of letters */
	char unit[EVENT_UNIT_BYTES + 1];         /* "": all */
};

/* A time as events have it. */
bool event_filter_is_time(const char *text);
/* A line of the log; what is no event passes nothing but the filter that is not set. */
bool event_filter_passes(const struct event_filter *f, const char *line, size_t len);

#endif
