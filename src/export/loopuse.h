/*
 * Who uses loop devices, and those of ublk?  The kernel does not tell how often one is open, so
 * this looks where users leave traces: mounts, swap, devices on top of it,
 * and open files of processes.  However many devices are asked about, each of
 * these places is looked at once.
 */
#ifndef EXPORT_LOOPUSE_H
#define EXPORT_LOOPUSE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

struct loopuse {
	int number; /* the question: N of /dev/loopN, or LOOPUSE_UBLK | N of /dev/ublkbN */
	bool is_used;
	char who[120]; /* "mounted at /mnt", "open in dd (process 12)"; cut where it is long */
};

#define LOOPUSE_UBLK (1 << 30)
/* Its path. */
void loopuse_path(int number, char ret_path[32]);

/*
 * Find the users of n different devices, and leave them in order of their
 * numbers.  This process itself does not count, nor those of this group of
 * processes (0: none).  May wait for a device.
 */
void loopuse_find(struct loopuse *devices, size_t n, pid_t group);

#endif
