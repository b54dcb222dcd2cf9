/* All of it in a few lines. */
#ifndef ISCSIUTIL_OVERVIEW_H
#define ISCSIUTIL_OVERVIEW_H

#include <jansson.h>
#include <stdio.h>

/*
 * The answers to target.list and io.tree: a line for each address of a target, and one for each
 * unit. Target names are cut for a terminal of `width` columns; 0: they are not.
 */
void overview_show(FILE *out, const json_t *targets, const json_t *tree, size_t width);

#endif
