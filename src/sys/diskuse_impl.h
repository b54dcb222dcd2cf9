/* What the two files of diskuse have together. */
#ifndef SYS_DISKUSE_IMPL_H
#define SYS_DISKUSE_IMPL_H

#include <stdint.h>

#include "sys/diskuse.h"

/* The device that the mount of this number is on, or SIZE_MAX: it is none of ours. */
size_t diskuse_mount_device(const struct diskuse *u, int id);
/* The clients' ends of disks that are sockets; 0 or -ENOMEM. */
int diskuse_find_sockets(struct diskuse *u, const struct paths *paths);
/* What /proc/PID/fd says of an open file: is it one of these? */
bool diskuse_is_socket(const struct diskuse *u, const char *link, char *ret_disk);
/* The processes, as soon as devices, mounts and sockets are known; 0 or -ENOMEM. */
int diskuse_find_users(struct diskuse *u, pid_t driver);

#endif
