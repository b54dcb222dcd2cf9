/* What iscsiutil -m displays. */
#ifndef ISCSIUTIL_PATHS_H
#define ISCSIUTIL_PATHS_H

#include <jansson.h>
#include <stdio.h>

/* path.list's result, a table a disk, no wider than `width` (0: as wide as it is). */
void paths_show(FILE *out, const json_t *result, size_t width);

#endif
