/*
 * Loop block devices on exported files: attach, change, detach, sweep up what
 * an earlier run left, and say who uses them.
 *
 * The kernel opens and reads the file inside these calls.  When the file is in
 * a mount that this process itself serves, the thread that serves it must be
 * free to answer.  So jobs run on threads of their own; a job that hangs, for
 * its session has no connection, delays only those behind it on its thread.
 * Where there is a porter (porter.h), the threads ask it, and nothing of this is done here.
 */
#ifndef EXPORT_LOOPDEV_H
#define EXPORT_LOOPDEV_H

#include <limits.h>

#include "engine/loop.h"
#include "export/loopuse.h"

struct loopdev;

/* As many jobs may hang before others have to wait for them. */
#define LOOPDEV_THREADS 4

/*
 * What a loop device is tied to, beside its file's name: device and inode of
 * the file.  A mount that is gone from the tree, or whose process is dead, keeps
 * its device number for as long as a loop device holds it, so this is never
 * another file's.  inode 0: not known.
 */
struct loopdev_id {
	uint64_t device, inode;
};

/* Mounts that an earlier run left for this one: the directories of these names, ascending. */
struct loopdev_kept {
	const uint32_t *names; /* n of them, the owner's */
	size_t n;
};

enum loopdev_what {
	/*
	 * file, block_bytes, is_read_only, may_adopt; returns number, id.  may_adopt: one that an
	 * earlier run left on this file is taken for it, whoever has it open.
	 */
	LOOPDEV_ATTACH,
	/*
	 * number, file, id, is_read_only: take over the file's size, larger or
	 * smaller, and the write protection.  -ENXIO as below.
	 */
	LOOPDEV_CHANGE,
	LOOPDEV_CHECK, /* number, file, id: 0 when it is on this file, else -ENXIO */
	/*
	 * number, file, id: give the device back.  -EBUSY with who uses it, and
	 * nothing has changed, unless is_forced: then it goes when its last user
	 * does, if there is one, and the result is 0.  -ENXIO when it is not, or no
	 * more, on this file: another's number is not touched.
	 */
	LOOPDEV_DETACH,
	/*
	 * file, or a directory with '/' at its end: detach every loop device
	 * on it or below it; returns count, and in `numbers` those that are free now
	 * and that no program expects (LOOPDEV_KEPT).  Before the exporter starts
	 * there: a mount that a dead process left still says which file it was.
	 * Those of `kept` directories below it are left alone.
	 */
	LOOPDEV_SWEEP,
	/*
	 * n_numbers of `numbers`: take the last few that are still free out of the
	 * system, which takes a while for each; n_numbers says how many are left.
	 */
	LOOPDEV_TIDY,
	LOOPDEV_USERS, /* n_numbers of `users`: who uses each of them, found in one walk */
};

/* The kernel makes so many at its start, and programs expect to find them. */
#define LOOPDEV_KEPT 8
/* Numbers from here on: there are many devices. */
#define LOOPDEV_CROWD 64

/*
 * One task.  Embedded in, or owned by, its caller, who leaves it alone from
 * loopdev_run() until done() is called.
 */
struct loopdev_job {
	/* Set by the caller. */
	enum loopdev_what what;
	char file[PATH_MAX];  /* absolute */
	int number;           /* N of /dev/loopN */
	struct loopdev_id id; /* of the file it is on */
	uint32_t block_bytes; /* logical block size: 512 to the page size */
	bool is_read_only, is_forced, may_adopt;
	/*
	 * ATTACH: the last one had a high number (LOOPDEV_CROWD), so a new device is made: one
	 * that is free would be looked for among all that are not.
	 */
	bool is_crowded;
	struct loopdev_kept kept;
	/*
	 * DETACH: the disk is not to be had any more.  What the kernel still has to write
	 * counts, a flush of what the disk has long acknowledged does not.
	 */
	bool is_lost;
	/* ATTACH, CHANGE: the file is open, or fd is a negative errno; else it is found by its
	 * name. */
	bool has_fd;
	int fd;
	pid_t group; /* processes of this group are none of a device's users; 0: no group */
	/* Called on the loop of loopdev_new(). */
	void (*done)(struct loopdev_job *job);
	void *user;

	/* Valid in done(). */
	int result;     /* 0 or a negative errno */
	char why[512];  /* result != 0: a sentence with the cause and the next step */
	char path[32];  /* "/dev/loop7"; empty when there is none */
	bool is_direct; /* ATTACH: no second page cache below the device's own */
	unsigned count; /* SWEEP */
	int *numbers;   /* SWEEP: the caller's then, to be freed */
	size_t n_numbers;
	struct loopuse *users; /* the caller's; in any order afterwards */

	/* Its own. */
	struct list link;
};

/* `loop` is the caller's: jobs come from it and are done on it.  NULL with errno. */
struct loopdev *loopdev_new(struct loop *loop);
/* No job may be outstanding.  NULL is fine. */
void loopdev_free(struct loopdev *ld);
/* Begin; job->done() is never called from inside.  Never fails otherwise than through the job. */
void loopdev_run(struct loopdev *ld, struct loopdev_job *job);

/*
 * Can this process have loop devices here at all?  0, or a negative errno and
 * a sentence.  Looks at no mount; may be called on any thread.
 */
int loopdev_check(char *ret_why, size_t size);

#endif
