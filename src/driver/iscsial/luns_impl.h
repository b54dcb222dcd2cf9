/* What the files of a session's LUNs share; nobody else includes it. */
#ifndef ISCSIAL_LUNS_IMPL_H
#define ISCSIAL_LUNS_IMPL_H

#include "driver/iscsial/luns.h"

/* The registry or a probe knows LUNs of the session. */
bool luns_is_known(const struct driver *d, uint32_t instance);
/* What is told as an event where the same unit is described anew. */
void luns_tell_changed(struct wanted *w, const struct node *n, const struct lu_info *info);
/* luns_account.c */
void luns_account(struct wanted *w, const struct probe_result *r);

/* One look at a session's LUNs, from the question to the disks that are shown. */
struct visit {
	struct list waiting; /* driver.visits */
	struct agenda_timer turn;
	struct driver *d;
	uint32_t instance;
	luns_done *done;
	void *user;
	struct mail_probe *probe; /* its answer */
	struct luns_result result;
	uint64_t began_us;
	size_t next;                   /* of the probe's LUNs */
	struct agenda_work more;       /* goes on with them */
	struct luns_failure *failures; /* NULL or as many as there may be, owned */
	bool has_freed;                /* a disk of the session is another unit's now, or gone */
	bool must_again;               /* what is remembered could not be read: that is no answer */
	size_t restoring;              /* disks whose device files are being made, and one */
};
/* A unit at its place, held against what the registry remembers. */
enum standing {
	STANDING_RIGHT,   /* it is the one that is remembered */
	STANDING_ASSUMED, /* none is remembered, but one is installed */
	STANDING_NEW,     /* nobody has an old one installed, if there was one */
	STANDING_WRONG,   /* another one, and the old one is installed */
	STANDING_UNKNOWN, /* that cannot be told now: nothing changes */
};

/* luns_claim.c */
void luns_fail(struct visit *v, const char *what, const struct fault *why);
/* Its disk is what it was, by what the unit said last, whatever stands at its own LUN. */
bool luns_goes_on(const struct node *n);
void luns_note_away(struct node *n);
/* The node of a LUN that is there, and where it stands; NULL when it could not have one. */
struct node *luns_claim(struct visit *v, const struct lu_info *info, enum standing *ret_standing);

/* luns_probe.c */
/* A look is over, or a session closed: looks that waited for it go on. */
void luns_next_turns(struct driver *d);

/* luns_join.c */
/* What is known of who it is. */
bool luns_identity(const struct driver *d, const struct node *n, struct identity *ret);
/*
 * Is this LUN, which has no device of its own, one more path to a unit that has a disk?  Then
 * n->twin names that, and n->note says so.  has_disk: it shows one of this unit itself.
 */
void luns_find_twin(
    const struct driver *d, struct node *n, const struct lu_info *info, bool has_disk);
/*
 * The disk that n->twin names gets this path; it is shown for that, where it is installed and not
 * shown.  done() follows, never from inside.  False: it is no path, n->note says why.
 */
bool luns_join(struct driver *d, struct node *n, void (*done)(void *user), void *user);
/* A disk is to be shown: the row's ways (mail.h), by its info, and what is configured for it. */
void luns_known_ways(const struct driver *d, const struct node *o, struct mail_show_row *row);
/* It is: paths to it that are known from before and have not been seen yet are its paths, too. */
void luns_join_known(struct driver *d, const struct node *o);
unsigned luns_worker(const struct driver *d, uint32_t instance, unsigned worker);
/*
 * Where the session is on another worker than the disk that it leads to, it begins anew there, and
 * its LUNs are looked at once more: done() follows, as of luns_probe().  False: it stays, for it
 * has none such, or others to keep where it is.
 */
bool luns_move(struct driver *d, uint32_t instance, luns_done *done, void *user);
/* A session is closed, or a disk of it another unit's: what led to its disks may have disks of
 * their own now. */
void luns_set_free(struct driver *d, uint32_t instance);

/* luns_told.c */
/* The target asks for a look. */
void luns_look(struct wanted *w);

#endif
