/*
 * The least that drives a session over a real socket: the engine's loop and
 * link, a connection that is made again when it is lost, and one request that
 * is asked again until the target has done it.
 */
#ifndef FAULT_CLIENT_H
#define FAULT_CLIENT_H

#include "core/sess.h"

struct client_run {
	uint16_t port;
	enum req_dir dir;
	bool short_limits; /* time limits that a stalled target makes expire at once */
	/* Called when the request was reported as done, before anything else happens. */
	void (*done)(void *user, const struct req *r);
	void *user;
};

struct client_result {
	bool done;                   /* status GOOD */
	bool hung;                   /* the whole run took longer than any time limit allows */
	unsigned connections, times; /* times the request was handed back */
	unsigned expired;            /* connections that a time limit ended, or requests */
	enum conn_result last;       /* of the last connection that we ended */
	uint8_t data[4096];          /* that was read */
};

struct client_result client_run(const struct client_run *run);

#endif
