/*
 * A way to show block devices to the system.  An exporter serves all devices
 * of one session, on that session's thread (loop.h): what arrives becomes a
 * blk_req there, and its answer leaves from there.
 *
 * That thread is on the data path: the kernel may need one of its answers to
 * get memory free, so it must never wait for what such a disk holds.  Whoever
 * makes the thread sets PR_SET_IO_FLUSHER in it and, where memory is locked,
 * uses MCL_ONFAULT: an exporter maps far more buffers than it touches.  Nothing
 * on it may look at a path inside the mounts it serves (stat, open, statfs):
 * it would wait for itself.
 */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include <sys/types.h>

#include "engine/loop.h"
#include "lu/blk.h"

struct export;

/*
 * What has to be held that another process can go on when this one was killed:
 * two descriptors of a connection to the kernel.
 */
struct export_held {
	int device_fd; /* the connection: while somebody has it, its users wait */
	int state_fd;  /* a memfd: what the exporter knows of it */
};

/* The socket at which a device's clients connect, and the file that leads to it. */
struct export_socket {
	int fd; /* it listens: while somebody has it, whoever connects waits */
	dev_t file_dev;
	ino_t file_ino;
};

/*
 * A block device of the kernel's for a device, where the exporter makes them by itself: made, or
 * taken away again.  The asker's; left alone from block() until done().
 */
enum export_block_what {
	EXPORT_BLOCK_MAKE, /* returns number; one that is there, or was taken over, is this one */
	EXPORT_BLOCK_END   /* is_forced, is_lost: as of loopdev.h's DETACH, as are its errors */
};
struct export_block {
	enum export_block_what what;
	bool is_forced, is_lost;
	void (*done)(struct export_block *b); /* never from inside block() */
	void *user;
	int result;       /* 0 or a negative errno */
	char why[400];    /* result != 0: a sentence with the cause and the next step */
	int number;       /* as in loopuse.h */
	struct list link; /* the exporter's */
};

/*
 * What happens to an exporter, told to its owner on its thread; but for sockets never from
 * inside add(), changed(), remove(), seal() or openers(), and nothing but
 * drop(), drop_socket() and stopped() after stop() was called.
 */
struct export_events {
	/*
	 * The answer to start(), once, perhaps from inside it: 0, or a negative errno
	 * with which start() failed; then `ex` is gone.
	 */
	void (*started)(void *user, int err);
	/* The device's file (or block device) is not there any more; the exporter mends that, and
	 * back() follows. */
	void (*gone)(void *user, struct blk_dev *dev, const char *why);
	/*
	 * It is there again.  is_new: whoever had it open before has nothing any more,
	 * the block device on it, too.
	 */
	void (*back)(void *user, struct blk_dev *dev, bool is_new);
	/* The last one who had it open closed it.  What a predecessor counted is not told:
	 * openers(). */
	void (*let_go)(void *user, struct blk_dev *dev);
	/*
	 * There is a connection, and nothing of it has been answered yet: have these held
	 * (sent to a process that does nothing else) before this returns.  They are the
	 * exporter's, for looking and sending.  NULL: nobody holds any, nothing is kept.
	 */
	void (*hold)(void *user, const struct export_held *held);
	/*
	 * The connection has ended: hold its descriptors no more.  Until they are closed
	 * everywhere, who has just asked for something waits.
	 */
	void (*drop)(void *user);
	/*
	 * The socket of the device of this name, which was just made, or ends: as hold() and
	 * drop(). From inside add(), remove() and stop().  NULL: nobody holds any.
	 */
	void (*hold_socket)(void *user, const char *name, const struct export_socket *socket);
	void (*drop_socket)(void *user, const char *name);
	/* From inside add(): the one that a process before this one had, if it is held: it is the
	 * exporter's then, and held on.  NULL: none ever is. */
	bool (*take_socket)(void *user, const char *name, struct export_socket *ret);
	/* The answer to stop(), once, perhaps from inside it; `ex` is not the owner's any more. */
	void (*stopped)(void *user);
};

/* One row per kind of exporter; export_find() looks them up by name. */
struct export_ops {
	const char *name; /* "fuse", "ublk", "nbd", "null" */
	/*
	 * Serve a directory at `dir` (made when missing; it may be a stale mount
	 * of a dead process, which is cleaned up).  On the loop's thread, which does
	 * not wait for it: started() follows where this returns 0.  -EBUSY: a process
	 * that lives has it.  "null" makes no directory.  `events` stays the caller's.
	 */
	int (*start)(struct loop *loop, const char *dir, const struct export_events *events,
	    void *user, struct export **ret_ex);
	/*
	 * As start(), but go on with what another process, which is dead by now, had at
	 * this directory.  Both descriptors (`held` is NULL where the directory alone tells, as of
	 * ublk) are the exporter's from then on, and closed if
	 * it fails, now or with started(): then have them dropped wherever they are held, and
	 * start().  hold() follows for a connection that is made later only.
	 * -EOPNOTSUPP: it never can.  -EINVAL, -ENOTSUP: what is kept is damaged, or
	 * another version's.  -ENOTCONN: the connection has ended.
	 *
	 * Devices that the other had are awaited: whoever uses them waits until add()
	 * brings one of the same name, which takes their inode number and openers, or
	 * until give_up().
	 */
	int (*take_over)(struct loop *loop, const char *dir, const struct export_held *held,
	    const struct export_events *events, void *user, struct export **ret_ex);
	/* Would a successor get all that is not answered?  Also before there is a mount. */
	bool (*can_hand_over)(void);
	/*
	 * The device of this name (NULL: none that is awaited) does not come: it is as
	 * if it had been removed by force.  No harm if it is not awaited.
	 */
	void (*give_up)(struct export *ex, const char *name);
	/*
	 * Whoever waits for one that is awaited has waited long enough, and fails (EIO), as does
	 * who comes before add() brings it all the same.
	 */
	void (*overdue)(struct export *ex);
	/* How many openers one of this name has that is awaited; -1: none is. */
	long (*awaited)(const struct export *ex, const char *name);
	/* What loss() told last of one of this name that is awaited. */
	bool (*had_loss)(const struct export *ex, const char *name);
	/*
	 * Show the device as `dir`/`dev->name`.  dev stays borrowed until remove()
	 * or stop() returned.  -EEXIST; -EINVAL: its name is no file name, or a
	 * block is no power of two from 512 to 65536, or more than max_io_bytes.
	 */
	int (*add)(struct export *ex, struct blk_dev *dev);
	/* Its size or flags changed (dev already has the new ones). */
	void (*changed)(struct export *ex, struct blk_dev *dev);
	/* What its users wrote may be lost and they have not been told: kept for a successor. */
	void (*loss)(struct export *ex, struct blk_dev *dev, bool is_due);
	/*
	 * -EBUSY while somebody has it open, unless forced: then later access
	 * gives ENXIO.  Requests the device still has stay with it, and it answers
	 * them through done() as always.
	 */
	int (*remove)(struct export *ex, struct blk_dev *dev, bool force);
	/*
	 * Sealed: whoever opens it is refused (EBUSY), so that what openers() says
	 * stays true until it is removed, or unsealed.
	 */
	void (*seal)(struct export *ex, struct blk_dev *dev, bool is_sealed);
	/* How many openers the device has (the loop device counts as one). */
	unsigned (*openers)(const struct export *ex, const struct blk_dev *dev);
	/*
	 * Who they are, as far as that can be told: up to n processes, 0 for one that has no
	 * number here.  How many of `pids` are set.  NULL: it cannot be told.
	 */
	unsigned (*users)(
	    const struct export *ex, const struct blk_dev *dev, pid_t *pids, unsigned n);
	/* Make or end the block device of this device.  NULL: what it shows are files or sockets.
	 */
	void (*block)(struct export *ex, struct blk_dev *dev, struct export_block *b);
	/*
	 * Removes everything, forced, and unmounts; stopped() follows.  Whoever waits
	 * for an answer gets an error at once; requests the devices still have stay
	 * with them, and are done() without effect.  May be called before started(),
	 * which is not called then.
	 */
	void (*stop)(struct export *ex);
};

/* NULL: there is none of this name. */
const struct export_ops *export_find(const char *name);

/* For exporters: 0, or -EINVAL when add() must refuse the device. */
int export_check_dev(const struct blk_dev *dev);
/* Rows of those whose devices end with their process: there is nothing to take over. */
int export_mortal_take_over(struct loop *loop, const char *dir, const struct export_held *held,
    const struct export_events *events, void *user, struct export **ret_ex);
bool export_mortal_can_hand_over(void);
void export_mortal_give_up(struct export *ex, const char *name);
void export_mortal_overdue(struct export *ex);
long export_mortal_awaited(const struct export *ex, const char *name);
bool export_mortal_had_loss(const struct export *ex, const char *name);
void export_mortal_loss(struct export *ex, struct blk_dev *dev, bool is_due);

#endif
