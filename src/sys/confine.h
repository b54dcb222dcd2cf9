/*
 * Giving up what a process of ours does not need, once it is set up: its user,
 * its capabilities, new privileges, and system calls (seccomp; the tables are
 * confine.def).  Whoever takes over a confined process by a peer's bytes can do
 * little more than its work.
 */
#ifndef SYS_CONFINE_H
#define SYS_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/identity.h"

/* Rows of confine.def: what a process may do. */
enum confine_profile {
#define PROFILE(id, ...) CONFINE_##id,
#include "sys/confine.def"
};

/* What may be done below a directory, or with a file. */
enum confine_access {
	CONFINE_READ,  /* open for reading, list */
	CONFINE_WRITE, /* and make, change, remove */
	CONFINE_NAMES  /* list, make and remove sockets and links, but open nothing */
};
struct confine_place {
	const char *path;
	enum confine_access access;
};

/* Strings are borrowed for the call only. */
struct confine_cfg {
	/* Whom to become where root started us; NULL: stay root (iscsi_driverd, which mounts). */
	const struct daemon_identity *user;
	/*
	 * Write nowhere but below this directory, where the kernel has Landlock.  Not for whoever
	 * mounts, which Landlock forbids.  NULL: wherever the user may.
	 */
	const char *write_below;
	/*
	 * Instead: open, make and remove nothing but in these places, where the kernel has Landlock
	 * (confine_has_places()).  A place that is not there is passed over.  n_places 0: not so.
	 */
	const struct confine_place *places;
	size_t n_places;
	/* Capabilities to keep where we have them (1 << CAP_…). */
	uint64_t keep_caps;
	/* Fail where the kernel has no seccomp; otherwise that is noted only. */
	bool strict;
};
#define CONFINE_NOTE_BYTES 512

/*
 * No other process of our user may look into this one, and no core file of it is
 * written: for whoever holds a secret.  Cannot fail.
 */
void confine_private(void);

/* Can this kernel keep us to places? */
bool confine_has_places(void);

/* The profile of a program of ours, which must have one. */
enum confine_profile confine_find(const char *program);
/*
 * Enter the profile, with all threads there are, and become private.  Nothing of it can be undone.
 * An ordinary user's process changes no user; all else holds for it too.
 * 0: done, `note` is empty or a sentence about what could not be had.
 * A negative errno: `note` says what failed; the process is to end.
 */
int confine_enter(
    enum confine_profile profile, const struct confine_cfg *cfg, char note[CONFINE_NOTE_BYTES]);
/*
 * A driver has started: from now on no thread of it changes owners and modes of files.  0 or a
 * negative errno: -ENOSYS where the kernel has no seccomp.
 */
int confine_settle(void);

#endif
