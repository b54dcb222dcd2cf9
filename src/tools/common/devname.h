/* Names of devices, cXtYdZ, and of their files. */
#ifndef TOOLS_DEVNAME_H
#define TOOLS_DEVNAME_H

/*
 * The device that a word of the command line names: "c1t0d2" itself, or a file
 * of it, /dev/dsk/c1t0d2 or /dev/rdsk/c1t0d2, as the system or `root` has it.
 * A pointer into `word`, or NULL.
 */
const char *devname_find(const char *word, const char *root);

#endif
