/* What is known of each unit beside the I/O tree: who uses it, its I/O, its last trouble. */
#ifndef ISCSIUTIL_UNITS_H
#define ISCSIUTIL_UNITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "sys/paths.h"

/*
 * An object for each unit of the tree (io.tree), in its order: hw_path; used_by, sentences of
 * usedby.h; io, its row of stats.get, or null; last_trouble, the last of these events of it, or
 * null.  stats and events (an array) may be NULL.  New.
 */
json_t *units_gather(
    const struct paths *paths, const json_t *tree, const json_t *stats, const json_t *events);

struct units_view {
	size_t width; /* of the terminal; 0: none */
	bool is_wide; /* all columns, also where the terminal is narrower */
	const json_t
	    *before;    /* units of the last time: I/O since then, a second; NULL: all of it */
	double seconds; /* since then */
};

/* A terminal of so many columns has room for all of a unit. */
#define UNITS_WIDE 119

/* A line a unit; under it what is unusual, and its trouble. */
void units_show(FILE *out, const json_t *tree, const json_t *units, const struct units_view *view);

#endif
