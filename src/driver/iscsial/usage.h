/*
 * Who uses the disks: openers of the exporter's files, and users of the block
 * devices on them.  Asked before anything that takes a disk away.
 */
#ifndef ISCSIAL_USAGE_H
#define ISCSIAL_USAGE_H

#include <jansson.h>

#include "driver/driver.h"
#include "driver/iscsial/hwpath.h"

/*
 * Bring node.is_in_use of all disks (of one session, or of all: USAGE_ALL) up
 * to date; done() follows, never from inside, within a few seconds.  A disk
 * that cannot be asked in time counts as in use.
 */
#define USAGE_ALL UINT32_MAX
void usage_collect(struct driver *d, uint32_t instance, void (*done)(void *user), void *user);

/*
 * After it: "c1t0d0 (/dev/loop0)" for every disk at or below `top` that is in
 * use; NULL: none is.  The caller's reference.
 */
json_t *usage_list(const struct driver *d, const struct hwpath *top);

#endif
