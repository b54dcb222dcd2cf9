/*
 * What is kept beside the listening socket of a disk (export.h, struct export_socket), in a sealed
 * memfd, so that another process can go on with it: whose it is, and which file leads to it.
 */
#ifndef EXPORT_SOCKSTATE_H
#define EXPORT_SOCKSTATE_H

#include <stdbool.h>
#include <stdint.h>

struct sockstate {
	uint32_t session; /* instance */
	char name[32];    /* of the disk; a file name */
	uint64_t file_dev, file_ino;
};

/* A descriptor, which is the caller's, or a negative errno. */
int sockstate_make(const struct sockstate *s);
/* False: it is damaged, or another version's. */
bool sockstate_read(int fd, struct sockstate *ret);

#endif
