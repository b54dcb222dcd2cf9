/* All of it in a few lines. */
#ifndef ISCSIUTIL_OVERVIEW_H
#define ISCSIUTIL_OVERVIEW_H

#include <jansson.h>
#include <stdio.h>

#include "tools/iscsiutil/units.h"

/*
 * The answers to target.list and io.tree, and units_gather(): a line for each address of a target,
 * and one for each unit.  Target names are cut for a terminal.
 */
void overview_show(FILE *out, const json_t *targets, const json_t *tree, const json_t *units,
    const struct units_view *view);

#endif
