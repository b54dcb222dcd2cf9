/*
 * Who uses a loop device?  The kernel does not tell how often it is open, so
 * this looks where users leave traces: mounts, swap, devices on top of it,
 * and open files of processes.  May wait for the device's file.
 */
#ifndef EXPORT_LOOPUSE_H
#define EXPORT_LOOPUSE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is /dev/loop<number> in use?  Then ret_who has it in words: "mounted at
 * /mnt", "open in dd (process 12)".  This process itself does not count.
 */
bool loopuse_find(int number, char *ret_who, size_t size);

#endif
