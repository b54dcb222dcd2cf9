/*
 * The exporter "ublk": block devices of the kernel's (ublk_drv), which it makes by itself, when
 * asked (export_ops.block).  Requests and answers pass through a ring of the worker's (ublkring.h),
 * data is copied out of and into a request by reading and writing /dev/ublkcN (UBLK_F_USER_COPY,
 * Linux 6.5).
 *
 * A device outlives its process by itself: its users wait (UBLK_F_USER_RECOVERY_REISSUE) until
 * another one goes on with it, and then the kernel gives that all that was not answered, so a
 * request may be executed twice, as one behind a lost connection.  In `dir` there is a file for
 * each device by which the next one knows it (ublkstate.h); take_over() needs nothing else, and no
 * descriptor.  The kernel takes a device from none of its users: one that is not admitted again is
 * deleted, and they get errors.
 *
 * Partitions are not looked for, as on loop devices: partx, kpartx.
 */
#ifndef EXPORT_UBLK_H
#define EXPORT_UBLK_H

#include "export/export.h"

extern const struct export_ops ublk_export;

/* Has a process before this one left devices in `dir`? */
bool ublk_has_left(const char *dir);
/* The sessions for which directories below `base` have some: numbers, ascending, n of them, the
 * caller's; NULL: none. */
uint32_t *ublk_left_sessions(const char *base, size_t *ret_n);
/*
 * Delete what was left in it, on threads; `loop` is the caller's.  How many there are: as often
 * done() is called, never from inside.
 */
unsigned ublk_forget(struct loop *loop, const char *dir, void (*done)(void *user), void *user);

#endif
