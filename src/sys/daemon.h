/*
 * Being a daemon: going to the background, telling who waits, one at a time,
 * signals as a descriptor.
 *
 *   daemon_start        forks (unless foreground); the first process waits
 *   daemon_pid_open     a second start is refused
 *   daemon_signals      SIGTERM and friends from a descriptor
 *     … set-up …
 *   daemon_ready        the first process exits 0; systemd is told
 *   daemon_failed       the first process prints the sentence and exits 1
 */
#ifndef SYS_DAEMON_H
#define SYS_DAEMON_H

#include <sys/types.h>

#include <stdbool.h>

/* The pipe to the process that waits; -1 in the foreground. */
struct daemon {
	int ready_fd;
};

/*
 * Go to the background: a session of its own, working directory "/", standard
 * input and output at /dev/null; the standard error stays until daemon_ready().
 * The calling process never returns: it exits when the daemon called
 * daemon_ready() (0) or daemon_failed() (1), or died without a word (1).
 * In the foreground nothing of this happens.  Call it before threads start.
 * 0 or a negative errno of pipe() or fork().
 */
int daemon_start(struct daemon *ret, bool foreground);
/* Set-up is done.  Also sends READY=1 to systemd.  Harmless a second time. */
void daemon_ready(struct daemon *d);
/*
 * Set-up failed: print "program: sentence" in the waiting process (in the
 * foreground: here) and have it exit 1.  Returns, so that the caller can clean up.
 */
void daemon_failed(struct daemon *d, const char *program, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Create, lock and write a pid file (0600, so that nobody else can lock it).  The
 * lock ends with the process, so a file that was left behind does no harm; one
 * that somebody holds a lock for reading of is replaced: no daemon of ours does.
 * Returns a descriptor to keep open, or a negative errno: -EEXIST when the owner
 * runs, its pid in *ret_owner (0 where it is not known).
 */
int daemon_pid_open(const char *path, pid_t *ret_owner);
/* Remove the file and let go of the lock. */
void daemon_pid_close(const char *path, int fd);
/*
 * The pid that holds the file's lock for writing, 0 when none does (or no such
 * file), or a negative errno: -EACCES for another user's, -EPERM where the file is not
 * root's or ours, or others may write it, so that it says nothing.
 */
pid_t daemon_pid_owner(const char *path);

/*
 * Block these signals (a list that ends with 0) in this thread and those it
 * starts, but for those that are ignored now, and return a non-blocking,
 * close-on-exec signalfd for the others, or a negative errno.  SIGPIPE is ignored from now on.
 */
int daemon_signals(const int *signals);
/* The next pending signal's number, or -EAGAIN. */
int daemon_signal_next(int fd);

/* Send a state ("STOPPING=1") to the service manager; 0 also where there is none. */
int daemon_notify(const char *state);

#endif
