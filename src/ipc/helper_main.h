/*
 * The main program of a daemon of the helper protocol: options, one instance a
 * root, background, log, signals, privileges, the link to the driver.  Besides
 * running the daemon it also stops one and tells whether one runs, for the
 * start-up script.
 */
#ifndef IPC_HELPER_MAIN_H
#define IPC_HELPER_MAIN_H

#include "ipc/helper.h"
#include "sys/opt.h"
#include "sys/paths.h"

struct helper_program {
	/*
	 * A PATH_DAEMON row of sys/paths.def and a PROFILE row of sys/confine.def,
	 * which it is confined to after start() and before the first request.
	 */
	const char *name;
	const char *summary; /* one line for --help */
	/* Capabilities to keep where the daemon has them (1 << CAP_…); all others are dropped. */
	uint64_t keep_caps;
	/* Options of its own, beside those that every daemon has; NULL: none. */
	const struct opt *opts;
	size_t n_opts;
	/*
	 * After the options, unless they say --status or --stop: judge them, read
	 * what is configured under the root.  True: start the daemon.  False: end
	 * with *ret_exit, everything was done or said.  May be NULL.
	 */
	bool (*prepare)(const struct paths *paths, int *ret_exit);
	/*
	 * Before the first request; *ret_state is handed to the others.  0 or a
	 * negative errno.
	 */
	int (*start)(struct loop *loop, void **ret_state);
	/*
	 * Just before it is confined: what it must do below its root as the user
	 * who started it.  The directories are there.  May be NULL.
	 */
	void (*before_confined)(const struct paths *paths);
	/* A request (helper.h); user is the state. */
	helper_handler *handle;
	/* The driver is not connected any more: answer what is left, to nobody, and free the state.
	 */
	void (*stop)(void *state);
};

/* main() of the daemon; returns its exit status (sys/instance.h). */
int helper_main(const struct helper_program *p, int argc, char **argv);

#endif
