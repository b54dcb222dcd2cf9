/*
 * Where everything of one initiator lives.  All paths follow one root, so that
 * a whole initiator can run from any directory, as any user, several on one
 * machine.  The rows are in paths.def.
 */
#ifndef SYS_PATHS_H
#define SYS_PATHS_H

#include <stddef.h>

#include "sys/beneath.h"

/* Absolute paths, owned; "/" is the root of a system's own initiator. */
struct paths {
	char *root;
#define PATH_DIR(id, ...)  char *id;
#define PATH_FILE(id, ...) char *id;
#define PATH_DAEMON(id, ...) \
	char *id##_dir;      \
	char *id##_sock;     \
	char *id##_pid;
#include "sys/paths.def"
};

/* The environment variable that names the root where no --root does. */
#define PATHS_ENV "OPENISW_ROOT"
/* The driver's socket for a daemon, in the daemon's directory. */
#define PATHS_SOCK_NAME "sock"

/*
 * The root is `root`, else $OPENISW_ROOT, else "/"; an empty word counts as
 * none.  A relative one is made absolute; the directory need not exist.
 * -ENOMEM, -ENAMETOOLONG (nothing under it could be opened), or an errno of
 * getcwd().  On failure *ret is all NULL.
 */
int paths_init(struct paths *ret, const char *root);
void paths_fini(struct paths *p);
/*
 * Make the root and every directory row that is missing, with the row's mode
 * whatever the umask is; existing ones are left alone, but for the 0700 ones,
 * whose group and other bits are taken away.  The daemons' directories are made
 * 0700, or by root 0710 for the group of the daemon (sys/identity.h).  No link is
 * followed below the root, and root works only where nobody else can change the way
 * (sys/beneath.h).  0 or a negative errno, with a sentence in `why`: what is wrong with which
 * directory and what to do.
 */
int paths_mkdirs(const struct paths *p, char why[BENEATH_WHY_BYTES]);

/* A daemon's directory, socket or pid file by its program name ("iswd"); NULL for none of ours. */
const char *paths_daemon_dir(const struct paths *p, const char *program);
const char *paths_daemon_sock(const struct paths *p, const char *program);
const char *paths_daemon_pid(const struct paths *p, const char *program);

#endif
