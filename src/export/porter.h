/*
 * Mounts and loop devices at second hand, for root's driver.  Both need CAP_SYS_ADMIN, which is
 * nearly root, and the driver takes apart what targets send.  So it has a child, forked before it
 * parses a byte: the porter (porter_serve.h), which has that right, parses nothing but questions of
 * a fixed size, and takes the driver for conquered.  The driver itself gives the right up.
 *
 * When the porter ends nobody can give it its rights again: the disks that are there go
 * on, what would need it fails with -EPIPE and a sentence, until the driver is started anew.
 */
#ifndef EXPORT_PORTER_H
#define EXPORT_PORTER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "engine/loop.h"
#include "export/loopdev.h"
#include "export/ublkjob.h"

/*
 * Fork the porter, for the directory of mounts `base`, which is there.  Before threads are
 * started and before anything is given up; once in a process's life.  0 or a negative errno.
 * `kept`: mounts below it that this process takes over; their loop devices are left alone, and
 * taken for those of their disks.  It stays the caller's, and as it is.
 * `note` gets a sentence about what it could not give up, or is empty; `size` is its room.
 */
int porter_start(const char *base, const struct loopdev_kept *kept, char *note, size_t size);
/* Was it started?  Without one a process mounts by itself. */
bool porter_is_there(void);
/* Is this thread, which opens a file, of a job of the porter's? */
bool porter_is_own(pid_t thread);
/* Say in the log when it ends; `loop` is the caller's, until porter_end().  0 or a negative errno.
 */
int porter_watch(struct loop *loop);
/* Let it go, with `loop` still there; nobody asks any more.  Harmless where there is none. */
void porter_end(void);

/*
 * From any thread; these wait for the porter.  A negative errno: -EPIPE where it is gone,
 * -EINVAL for what is not right below `base`, or what mount(2) said.
 */
/* Mount a new connection at `path`, an existing directory on which nothing is mounted: its
 * descriptor. */
int porter_mount(const char *path);
/* Mount this connection in its place again: 0. */
int porter_again(const char *path, int fd);
/* Take a mount of ours away: 0. */
int porter_unmount(const char *path);
/* loopdev_check(). */
int porter_loops(char *ret_why, size_t size);
/* A job, as by loopjob_run(); SWEEP returns no numbers, and TIDY takes the porter's own. */
void porter_run(struct loopdev_job *job);
/* A job, as by ublkjob_run(), for this process as server. */
void porter_ublk(struct ublkjob *job);

#endif
