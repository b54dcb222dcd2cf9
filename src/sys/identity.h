/*
 * Who a daemon is.  Each has a user of its own, so that none can touch another's
 * process or pass for it, and the driver knows its daemons by their users.
 */
#ifndef SYS_IDENTITY_H
#define SYS_IDENTITY_H

#include <sys/types.h>

#include <stdbool.h>

struct daemon_identity {
	char name[32]; /* "openisw-iswd", also where there is no such account */
	uid_t uid;
	gid_t gid;
	bool is_account;
};

/*
 * The user of a daemon, by its program's name: its account, else a number that is
 * this daemon's and no account's.  -ENOENT: none of our daemons; -EEXIST: there is no
 * account and the number is somebody's; or what the account database says.
 */
int identity_of(const char *program, struct daemon_identity *ret);

/* Is there nobody to become: root of a user namespace that has no other user? */
bool identity_is_alone(void);

/* The group whose members may read what names initiators and targets; false: there is none. */
bool identity_readers(gid_t *ret);

#endif
