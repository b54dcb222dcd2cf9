/*
 * Who uses the disks: openers of the exporter's files, and users of the block
 * devices on them.  However many ask, one walk at a time finds it for all disks.
 */
#ifndef ISCSIAL_USAGE_H
#define ISCSIAL_USAGE_H

#include <jansson.h>

#include "driver/driver.h"
#include "driver/iscsi/mail.h"
#include "driver/iscsial/tree.h"

/*
 * The question to a session's worker: who has its shown disks open?  NULL: it has
 * none.  For wanted_ask(); done() drops it with disks_drop_openers().
 */
struct mail_openers *usage_question(const struct driver *d, uint32_t instance,
    enum mail_openers_seal seal, void (*done)(struct question *q), void *user);

struct usage *usage_new(struct driver *d);
/* No walk may be under way.  NULL is fine. */
void usage_free(struct usage *u);

/*
 * Bring node.is_in_use of all disks up to date, as it is now or later: asked
 * before anything that takes a disk away.  done() follows, never from inside,
 * within some seconds.  What cannot be asked in time is not known to be in use,
 * so it is not.
 */
void usage_collect(struct driver *d, void (*done)(void *user), void *user);
/*
 * The same for displays: what a walk found within the last second will do, so
 * that asking often costs nothing.
 */
void usage_glance(struct driver *d, void (*done)(void *user), void *user);

/* "c1t0d0 (/dev/loop0)", "c1t0d1 (process 4711)": a disk, and by what it is in use. */
#define USAGE_TEXT_BYTES 256
void usage_text(const struct node *n, char ret_text[USAGE_TEXT_BYTES]);
/* What the answer says of a disk's openers. */
void usage_note(struct node *n, const struct mail_openers_row *row);

/*
 * After it: usage_text() for every disk at or below `top` that is in
 * use; NULL: none is.  The caller's reference.
 */
json_t *usage_list(const struct driver *d, const struct hwpath *top);

#endif
