/*
 * For tests of a process that uses the mounts it serves: if such a test fails or
 * hangs, its threads wait for each other inside the kernel, where no signal
 * reaches them.  A guard is a process that cuts the connections of all mounts
 * below a directory, and takes mounts and loop devices away, when its test does
 * not end in time or ends without guard_end().
 */
#ifndef EXPORT_GUARD_H
#define EXPORT_GUARD_H

#include <sys/types.h>

struct guard {
	pid_t pid;
	int fd;
};

/* Call it before there are threads. */
void guard_begin(struct guard *g, const char *base, unsigned seconds);
void guard_end(struct guard *g);

#endif
