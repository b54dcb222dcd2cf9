/* Displays of statistics: the driver's answer to stats.get (doc/control-protocol.md). */
#ifndef ISCSIUTIL_STATS_H
#define ISCSIUTIL_STATS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * The guide's tables, "name : value", and what is known of each LUN; without what is zero, and with
 * each one's class and description, where that is wanted.  On a terminal long names are wrapped.
 */
void stats_show(FILE *out, const json_t *result, bool is_nonzero, bool is_explained);

#endif
