/*
 * Mounting and unmounting, for a thread that may not wait: a child process may
 * do it (fusermount3), a stale mount may take seconds to say nothing, and a
 * path is looked up.  So it is done on a thread of its own, one job at a time,
 * which also notices when a mount is not in its place any more.
 */
#ifndef EXPORT_MOUNTER_H
#define EXPORT_MOUNTER_H

#include "engine/loop.h"

struct fuse_session;
struct mounter;

enum mounter_what {
	/* dir, se: make it, clear it of stale mounts, mount; returns path, made_dir. */
	MOUNTER_MOUNT,
	/* dir: where a connection that is taken over is mounted; returns path. */
	MOUNTER_NAME,
	/* path, se: the same connection once more, for its mount was taken away. */
	MOUNTER_AGAIN,
	/* path, se, made_dir: unmount, and remove the directory if it was made. */
	MOUNTER_UNMOUNT,
	/* path: done when something else than our mount is there, or by mounter_cancel(). */
	MOUNTER_WATCH
};

/* The caller's; left alone from mounter_run() until done(). */
struct mounter_job {
	enum mounter_what what;
	const char *dir;
	char *path; /* heap, the caller's; NULL before MOUNT or NAME */
	struct fuse_session *se;
	bool made_dir;
	/* On the loop, never from inside mounter_run() or mounter_cancel(). */
	void (*done)(struct mounter_job *job);
	/*
	 * 0 or a negative errno.  WATCH: -ECANCELED, or 0: it is missing.  MOUNT:
	 * -EBUSY: a mount that lives is there; -ENODEV, -EACCES: no /dev/fuse.
	 */
	int result;

	/* Its own. */
	struct loop *loop;
	struct list link;
	struct loop_msg msg;
};

/* With a thread of its own. */
int mounter_new(struct mounter **ret);
/* No job may be outstanding.  NULL is fine. */
void mounter_free(struct mounter *m);
/* Begin; `loop` is the caller's. */
void mounter_run(struct mounter *m, struct loop *loop, struct mounter_job *job);
/* A WATCH is to end; done() follows, if it has not ended by itself already. */
void mounter_cancel(struct mounter *m, struct mounter_job *job);

#endif
