/*
 * For tests: a driver that expects certain requests and gives canned answers.
 * JSON is written with ' for ".
 */
#ifndef TOOLS_FAKE_DRIVER_H
#define TOOLS_FAKE_DRIVER_H

#include <sys/types.h>

#include <stddef.h>

/* One request and its answers. */
struct fake_exchange {
	const char *op;
	const char *args; /* "" for none */
	const char
	    *answers[4]; /* without their id; none: the driver hangs up; "!text" is sent as it is */
};

/*
 * Listen at `path`, and serve one connection in a process of its own.  When
 * this returns, clients can connect.
 */
pid_t fake_driver_start(const char *path, const struct fake_exchange *exchanges, size_t n);
/* The same for a client that makes a connection for each request. */
pid_t fake_driver_start_each(const char *path, const struct fake_exchange *exchanges, size_t n);
/* Wait for its end; fails the test where a request was not the expected one, or is missing. */
void fake_driver_end(pid_t pid);

#endif
