/*
 * Loop block devices on exported files: attach, grow, detach, sweep up what an
 * earlier run left, and say who uses one.
 *
 * The kernel opens and reads the file inside these calls.  When the file is in
 * a mount that this process itself serves, the thread that serves it must be
 * free to answer.  So jobs run on threads of their own; a job that hangs, for
 * its session has no connection, delays only those behind it on its thread.
 */
#ifndef EXPORT_LOOPDEV_H
#define EXPORT_LOOPDEV_H

#include <limits.h>

#include "engine/loop.h"

struct loopdev;

enum loopdev_what {
	LOOPDEV_ATTACH, /* file, block_bytes, is_read_only; returns number */
	LOOPDEV_GROW,   /* number, file: take over the file's size, larger or smaller */
	/*
	 * number, file: give the device back.  -EBUSY with who uses it, unless
	 * is_forced: then it goes when its last user does, if there is one, and
	 * the result is 0.  -ENXIO when it is not, or no more, on this file.
	 */
	LOOPDEV_DETACH,
	/*
	 * file, or a directory with '/' at its end: detach every loop device
	 * on it or below it; returns count.  Before the exporter starts there:
	 * a mount that a dead process left still says which file it was.
	 */
	LOOPDEV_SWEEP,
	LOOPDEV_IN_USE, /* number: 0 when nobody has it open, -EBUSY with who in `why` */
};

/*
 * One task.  Embedded in, or owned by, its caller, who leaves it alone from
 * loopdev_run() until done() is called.
 */
struct loopdev_job {
	/* Set by the caller. */
	enum loopdev_what what;
	char file[PATH_MAX];  /* absolute */
	int number;           /* N of /dev/loopN */
	uint32_t block_bytes; /* logical block size: 512 to the page size */
	bool is_read_only, is_forced;
	/* Called on the loop of loopdev_new(). */
	void (*done)(struct loopdev_job *job);
	void *user;

	/* Valid in done(). */
	int result;     /* 0 or a negative errno */
	char why[512];  /* result != 0: a sentence with the cause and the next step */
	char path[32];  /* "/dev/loop7"; empty when there is none */
	bool is_direct; /* ATTACH: no second page cache below the device's own */
	unsigned count; /* SWEEP */

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
