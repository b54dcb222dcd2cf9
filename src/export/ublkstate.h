/*
 * What another process has to know to go on with a disk's ublk device: a file by the disk's name in
 * the exporter's directory, written before there is a device, so that none is ever there that
 * nobody knows.
 *
 * Once the device has a number, but before it is seen, there is a file .ublkbN, too, with a line
 * that is the disk's name: for udev, which gets to know the number alone (dist/udev/openisw-disk).
 */
#ifndef EXPORT_UBLKSTATE_H
#define EXPORT_UBLKSTATE_H

#include <stdbool.h>
#include <stdint.h>

struct ublkstate {
	uint64_t tag;   /* ublkjob.h */
	int32_t number; /* UBLK_ANY: it may have been made, or not */
	bool had_loss;  /* export_ops.loss() */
};

/* 0 or a negative errno. */
int ublkstate_write(int dir, const char *name, const struct ublkstate *s);
/* False: there is none, it is damaged, or another version's. */
bool ublkstate_read(int dir, const char *name, struct ublkstate *ret);
/* There may be none. */
void ublkstate_remove(int dir, const char *name);
/* Each one of the directory `path`: each() may remove it.  How many there were; 0: no directory. */
unsigned ublkstate_each(const char *path,
    void (*each)(void *user, int dir, const char *name, const struct ublkstate *s), void *user);

#endif
