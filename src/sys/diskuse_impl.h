/* What the two files of diskuse have together. */
#ifndef SYS_DISKUSE_IMPL_H
#define SYS_DISKUSE_IMPL_H

#include <stdint.h>

#include "sys/diskuse.h"

/* The device that the mount of this number is on, or SIZE_MAX: it is none of ours. */
size_t diskuse_mount_device(const struct diskuse *u, int id);
/* The processes, as soon as devices and mounts are known; 0 or -ENOMEM. */
int diskuse_find_users(struct diskuse *u, pid_t driver);

#endif
