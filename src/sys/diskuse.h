/*
 * What stands on an initiator's disks, as the system shows it: block devices, mounts in every mount
 * namespace, swap, processes.  Nothing is asked of a target, and no file of a mounted file system
 * is touched, so whatever hangs there does not hang this.
 */
#ifndef SYS_DISKUSE_H
#define SYS_DISKUSE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "sys/paths.h"

#define DISKUSE_NAME_BYTES 64

/* A block device: a disk's own, a partition of it, or what was made of it (device mapper, MD,
 * loop). */
struct diskuse_device {
	char name[DISKUSE_NAME_BYTES]; /* "loop0", "dm-1" */
	char disk[DISKUSE_NAME_BYTES]; /* "c0t0d1" */
	char what[DISKUSE_NAME_BYTES]; /* made of it: "device dm-1 (vg-lv)"; else "" */
	dev_t dev;
	bool is_swap;
};

struct diskuse_mount {
	int id, parent;
	pid_t via;     /* a process that sees it; 0: the caller does */
	size_t device; /* the device that it, or what it is mounted in, is on */
	char *where;   /* as `via` names it */
};

struct diskuse_user {
	pid_t pid;
	char name[16];
	char disk[DISKUSE_NAME_BYTES];
};

/* A client's end of a disk that is a socket. */
struct diskuse_socket {
	unsigned long ino;
	char disk[DISKUSE_NAME_BYTES];
};

/* Mounts: what is mounted in another one stands behind it. */
struct diskuse {
	struct diskuse_device *devices;
	struct diskuse_mount *mounts;
	struct diskuse_user *users;
	struct diskuse_socket *sockets;
	size_t n_devices, n_mounts, n_users, n_sockets;
	bool is_told; /* the kernel told of all sockets there are */
	char *files;  /* the directory of the disks' files, as the kernel names it */
};

/*
 * Find all of it.  `driver` and its children are nobody's users, nor are the caller and process 1,
 * nor a client of a disk's socket that makes a block device of the kernel's of it: what is mounted
 * from that would be lost with it.
 * 0 or -ENOMEM; *ret is to be given back in any case.
 */
int diskuse_find(struct diskuse *ret, const struct paths *paths, pid_t driver);
void diskuse_fini(struct diskuse *u);
/* It is (still) one: asked through a process descriptor's pid, so that a number that is another's
 * by now is let live. */
bool diskuse_is_user(const struct diskuse *u, pid_t pid);
/* Somebody has the other end of a connection to its socket; also where the kernel tells nothing. */
bool diskuse_is_connected(const struct diskuse *u, const char *disk);

#endif
