/*
 * What scenarios have asserted, against the tables of everything there is:
 * nothing may be missing without a row in exempt.def, and no row there may
 * stand for something that a scenario does provoke.
 */
#ifndef SCENARIO_COVER_H
#define SCENARIO_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cover_kind {
	COVER_COUNTER,   /* a row of conn_stats.def */
	COVER_STATISTIC, /* a row of stats.def, by its counter */
	COVER_MESSAGE,   /* a row of messages.def */
	COVER_VIOLATION, /* a row of violation.def */
	COVER_RESULT,    /* a row of conn_result.def */
	COVER_STATUS,    /* class << 8 | detail of a Login Response, RFC 7143, 11.13.5 */
	COVER_ASYNC,     /* AsyncEvent, 11.9.1 */
	COVER_REJECT,    /* a reject's reason, 11.17.1 */
	COVER_TMF,       /* a task management response, 11.6.1 */
	COVER_LOGOUT,    /* a logout response, 11.15.1 */
	COVER_KINDS
};

void cover_note(enum cover_kind kind, unsigned id);
/* One TAP case a table; `number` is that of the last case.  Returns how many failed. */
unsigned cover_report(unsigned *number);

#endif
