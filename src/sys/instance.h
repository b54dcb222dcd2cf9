/* A daemon that runs, seen from outside, through its pid file: for --status and --stop. */
#ifndef SYS_INSTANCE_H
#define SYS_INSTANCE_H

#include <sys/types.h>

/* Exit statuses of all programs; dist/iscsi knows them, too. */
enum instance_exit {
#define STATUS(id, number, ...) INSTANCE_EXIT_##id = (number),
#include "sys/exit.def"
};

/* Print whether it runs; the exit status: OK, NOT_RUNNING, DENIED, FAILED. */
int instance_status(const char *program, const char *pid_path);
/*
 * End it: SIGTERM; if it is still there after patience_ms, say so and SIGKILL;
 * wait as long again.  Its pid file is removed.  The exit status: OK (also when it did not run),
 * DENIED, FAILED.
 */
int instance_stop(const char *program, const char *pid_path, int patience_ms);

#endif
