/* Who uses a disk of ours, as far as the caller may see it: for whoever was told that it is in use.
 */
#ifndef SYS_USEDBY_H
#define SYS_USEDBY_H

#include "sys/paths.h"

/* More than that of one disk are not told one by one. */
#define USEDBY_MAX 16

/*
 * `disk` is "c1t0d1", or "c1t0d1 (/dev/loop4)" as the driver names one that is in use.  told() is
 * called with each user, harmless text: "mounted at /mnt", "process 1234 (dd)", "process 1234,
 * which has ended" (a client of a socket that another one has now), "swap", "device dm-0 (data)",
 * "loop device /dev/loop9", "block device /dev/nbd0".  Nobody's: nothing is called.
 */
void usedby_find(const struct paths *paths, const char *disk,
    void (*told)(void *user, const char *by), void *user);
/* All of them, with commas between, or ""; for free().  NULL: no memory. */
char *usedby_text(const struct paths *paths, const char *disk);

#endif
