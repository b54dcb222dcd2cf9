/* --watch: a display again and again, and what was counted between two of them. */
#ifndef ISCSIUTIL_WATCH_H
#define ISCSIUTIL_WATCH_H

#include <jansson.h>

#include "tools/common/status.h"
#include "tools/iscsiutil/spec.h"

/*
 * Show once, or with --watch until a display fails or the output is gone.  On a
 * terminal each takes the place of the one before, elsewhere an empty line is between.
 */
enum status watch(
    const struct cmdline *line, enum status (*show)(void *user, bool is_again), void *user);
/*
 * Of two answers of stats.get: the later one with numbers a second instead of its counters, new;
 * what was not in the earlier one counts from zero.
 */
json_t *watch_rates(const json_t *before, const json_t *now, double seconds);

#endif
