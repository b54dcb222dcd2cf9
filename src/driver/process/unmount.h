/* Before the driver stops: unmount what is on its disks, its users ended first. */
#ifndef PROCESS_UNMOUNT_H
#define PROCESS_UNMOUNT_H

#include "sys/paths.h"

/* Seconds: users end by themselves for so long, are asked (SIGTERM) for so long, then are killed;
 * all of it together. */
#define UNMOUNT_GRACE_S 0
#define UNMOUNT_ASK_S   5
#define UNMOUNT_LIMIT_S 300

/*
 * For the driver that runs for these paths; nothing is done if none does.  What happens is said on
 * the standard error.  SIGTERM and SIGINT hurry it: users are killed now, and two seconds later it
 * ends. The exit status: OK, nothing is in use any more; BUSY, it was said what is, and that was
 * written out; DENIED, the driver is another user's.
 */
int unmount_all(const char *program, const struct paths *paths, long grace_s, long limit_s);

#endif
