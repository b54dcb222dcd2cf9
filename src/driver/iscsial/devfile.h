/*
 * Device files: of a disk that speaks NBD, <root>/dev/nbd/cXtYdZ, a link to its socket;
 * of one that its exporter makes a block device of (ublk), <root>/dev/dsk/cXtYdZ and rdsk, links to
 * that; of all others <root>/dev/rdsk/cXtYdZ is a link to the exporter's file;
 * <root>/dev/dsk/cXtYdZ is a link to a loop block device on it, or to the file
 * where there are no loop devices.  The registry remembers what is installed.
 * On the main loop; loop devices are made and taken away by loopdev's threads.
 */
#ifndef ISCSIAL_DEVFILE_H
#define ISCSIAL_DEVFILE_H

#include <jansson.h>

#include "base/fault.h"
#include "driver/driver.h"
#include "driver/iscsial/tree.h"

#define DEVFILE_WHY_BYTES 512
struct devfile_result {
	struct node *node;
	bool is_made;                 /* false without a fault: it was there already */
	char note[DEVFILE_WHY_BYTES]; /* devfile_why(), or why there is no block device */
	struct fault fault;
};
/* Called once, never from inside. */
typedef void devfile_done(void *user, const struct devfile_result *r);

/*
 * Before anything is served: removes the links and frees the loop devices that
 * an earlier driver left on this root's disks, but for those that go on.  Runs the driver's loop
 * for as long as that takes, within a bound.  False with *ret_fault.
 */
bool devfile_start(struct driver *d, struct fault *ret_fault);
/* Is it of a session whose mount an earlier driver left for this one? */
bool devfile_goes_on(const struct driver *d, const struct node *n);
/* No work may be outstanding. */
void devfile_end(struct driver *d);
/* Make the files of a shown disk and remember it; `anew`: also where they exist. */
void devfile_install(struct driver *d, struct node *n, bool anew, devfile_done *done, void *user);
/*
 * A disk that is installed is shown again: make its files again.  done() may be
 * NULL: then a failure is logged.
 */
void devfile_restore(struct driver *d, struct node *n, devfile_done *done, void *user);
/*
 * Take the files away and forget the disk.  BUSY while its block device is in
 * use, unless forced.
 */
void devfile_remove(
    struct driver *d, struct node *n, bool is_forced, devfile_done *done, void *user);

/* The disk goes away; it stays installed. */
void devfile_detach(struct driver *d, struct node *n);
/*
 * The same for all disks of a session that is being closed: done() follows when
 * what their block devices held is written, or after a bounded time.  Unless
 * forced, a block device with a user stays, and is in `in_use` ("c1t0d0
 * (/dev/loop0)", borrowed; NULL: none is).  No file is made again before
 * devfile_closed().
 */
typedef void devfile_detached(void *user, json_t *in_use);
void devfile_detach_session(
    struct driver *d, uint32_t instance, bool is_forced, devfile_detached *done, void *user);
/* The session is closed, or (is_open) it is not after all, and its disks get their files again. */
void devfile_closed(struct driver *d, uint32_t instance, bool is_open);
/* Its size or its write protection changed. */
void devfile_change(struct driver *d, struct node *n);
/* Somebody let go of the disk's file: where that was its block device, another is made. */
void devfile_check(struct driver *d, struct node *n);
/* The file is another one now, though by the same name: the block device, too. */
void devfile_renew(struct driver *d, struct node *n);

/* Paths; buffers of PATH_MAX. */
void devfile_file(const struct driver *d, const struct node *n, char *ret_path);
void devfile_dsk(const struct driver *d, const struct node *n, char *ret_path);
void devfile_rdsk(const struct driver *d, const struct node *n, char *ret_path);
void devfile_nbd(const struct driver *d, const struct node *n, char *ret_path);
/* Is what shows it a socket (NBD), not a file? */
bool devfile_is_socket(const struct node *n);
/* What it is instead of a file with a loop device, and why; "": it is that. */
void devfile_why(const struct driver *d, const struct node *n, char ret_text[DEVFILE_WHY_BYTES]);

#endif
