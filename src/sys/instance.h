/* A daemon that runs, seen from outside, through its pid file: for --status and --stop. */
#ifndef SYS_INSTANCE_H
#define SYS_INSTANCE_H

#include <sys/types.h>

/*
 * Exit statuses of a program that is asked for its instance, --status or
 * --stop; dist/iscsi knows them.
 */
enum instance_exit {
	INSTANCE_EXIT_OK = 0,
	INSTANCE_EXIT_FAILED = 1,
	INSTANCE_EXIT_NOT_RUNNING = 3, /* --status */
	INSTANCE_EXIT_BUSY = 4,        /* --stop of the driver: refused, disks are in use */
};

/* Print whether it runs; the exit status: OK, NOT_RUNNING, FAILED. */
int instance_status(const char *program, const char *pid_path);
/*
 * End it: SIGTERM; if it is still there after patience_ms, say so and SIGKILL;
 * wait as long again.  Its pid file is removed.  The exit status: OK (also when it did not run),
 * FAILED.
 */
int instance_stop(const char *program, const char *pid_path, int patience_ms);

#endif
