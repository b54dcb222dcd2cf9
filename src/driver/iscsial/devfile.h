/*
 * Device files: <root>/dev/rdsk/cXtYdZ is a link to the exporter's file;
 * <root>/dev/dsk/cXtYdZ is a link to a loop block device on it, or to the file
 * where there are no loop devices.  The registry remembers what is installed.
 * On the main loop; loop devices are made and taken away by loopdev's threads.
 */
#ifndef ISCSIAL_DEVFILE_H
#define ISCSIAL_DEVFILE_H

#include "base/fault.h"
#include "driver/driver.h"
#include "driver/iscsial/tree.h"

struct devfile_result {
	struct node *node;
	bool is_made;   /* false without a fault: it was there already */
	char note[512]; /* "", or why there is no block device */
	struct fault fault;
};
/* Called once, never from inside. */
typedef void devfile_done(void *user, const struct devfile_result *r);

/*
 * Can there be loop devices?  Looks once, and frees what an earlier driver
 * left on this root's disks; ready() follows.  Before the first disk is shown.
 */
void devfile_start(struct driver *d, void (*ready)(struct driver *d));
/* No job is under way any more. */
void devfile_end(struct driver *d);
/* Make the files of a shown disk and remember it; `anew`: also where they exist. */
void devfile_install(struct driver *d, struct node *n, bool anew, devfile_done *done, void *user);
/* A disk that is installed is shown again: make its files again.  A failure is logged. */
void devfile_restore(struct driver *d, struct node *n);
/*
 * Take the files away and forget the disk.  BUSY while its block device is in
 * use, unless forced.
 */
void devfile_remove(
    struct driver *d, struct node *n, bool is_forced, devfile_done *done, void *user);

/* The disk goes away; it stays installed. */
void devfile_detach(struct driver *d, struct node *n);
/*
 * The same for all disks of a session; done() follows when what their block
 * devices held is written, or after a bounded time.
 */
void devfile_detach_session(
    struct driver *d, uint32_t instance, void (*done)(void *user), void *user);
/* Its size changed. */
void devfile_resize(struct driver *d, struct node *n);

/* Paths; buffers of PATH_MAX. */
void devfile_file(const struct driver *d, const struct node *n, char *ret_path);
void devfile_dsk(const struct driver *d, const struct node *n, char *ret_path);
void devfile_rdsk(const struct driver *d, const struct node *n, char *ret_path);

#endif
