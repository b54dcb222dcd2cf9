/* For tests: a read or write in a thread of its own. */
#ifndef EXPORT_CALLTEST_H
#define EXPORT_CALLTEST_H

#include <sys/types.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct calltest {
	pthread_t thread; /* joined by the test; then there is its result */
	int fd;
	bool is_write;
	off_t off;
	ssize_t n;
	int err; /* 0, or n < 0 */
	uint8_t buf[8192];
};

/* Of sizeof c->buf. */
void calltest_begin(struct calltest *c, int fd, bool is_write, off_t off);

#endif
