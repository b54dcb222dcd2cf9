/* Times as people write and read them, and as the driver has them. */
#ifndef TOOLS_WHEN_H
#define TOOLS_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* "2026-01-01T00:00:00.000Z" */
#define WHEN_UTC_BYTES   25
#define WHEN_LOCAL_BYTES 64

/*
 * "90s", "30m", "2h", "1d" (before now), "17:30" (of today), "2026-01-31", "2026-01-31T17:30[:00]",
 * with a blank for the T, too; local time, or UTC with a Z behind.  False: it is none of these.
 */
bool when_parse(const char *text, time_t now, char ret_utc[static WHEN_UTC_BYTES]);
/* The time of now, as the driver has it. */
void when_now(char ret_utc[static WHEN_UTC_BYTES]);
/* The driver's time as local time with its zone, "2026-01-31 17:30:00.123 +0100"; anything else as
 * it is. */
void when_local(const char *utc, char ret[static WHEN_LOCAL_BYTES]);

#endif
