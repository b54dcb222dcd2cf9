/*
 * A registry in memory, for whoever may not wait for a disk: a copy of a file,
 * with the same calls.  What is committed on it is handed over as a change, to be
 * made in the file by another thread.  The file may be changed by nobody else
 * meanwhile; where it was all the same, or a change is lost, the whole copy is
 * written over it.
 *
 * Results and sentences are as registry.h says.
 */
#ifndef REGISTRY_COPY_H
#define REGISTRY_COPY_H

#include "base/list.h"
#include "registry/registry.h"

/* What one transaction did, or all that a copy holds.  It may hold secrets. */
struct registry_change {
	struct list link; /* its owner's, as */
	bool is_undoable; /* this */
	bool is_whole;
	size_t bytes;
	void *data; /* SQLite's changeset, or image */
};

/* A transaction was committed on the copy; `change` is the callee's.  From inside the call. */
typedef void registry_changed(void *user, struct registry_change *change);

/*
 * A copy of all that `file` holds now, which from then on takes changes of the copy only
 * (registry_apply()).  `user` is borrowed.  End it with
 * registry_close().  A failure's sentence is the file's.
 */
int registry_copy(
    struct registry *file, registry_changed *changed, void *user, struct registry **ret);
/* All that the copy holds.  -ENOMEM */
int registry_whole(struct registry *copy, struct registry_change **ret);

/*
 * Make changes in the file, n of a list, oldest first (links of struct
 * registry_change): all of them or none, with one wait for the disk.  One that is
 * whole stands alone.  -ESTALE: the file is not what they were made on.
 */
int registry_apply(struct registry *file, const struct list *changes);
/*
 * Take a change back, which is told as a change of its own.  What later ones made
 * of the same rows stays.
 */
int registry_undo(struct registry *copy, const struct registry_change *change);

/* It is wiped.  NULL is fine; it stands in no list. */
void registry_change_free(struct registry_change *change);

/*
 * Have all memory of SQLite wiped when it is freed: settings may be secrets.  Of
 * the whole process; before its first registry.
 */
void registry_wipe_memory(void);

#endif
