/*
 * Nothing about names and attributes is left to the kernel's caches (timeouts
 * of zero): a device may come, go and change at any moment, and telling the
 * kernel so would have to wait for locks that are held by callers who wait for
 * this thread.
 */
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#include "export/fuseint.h"
#include "export/porter.h"

/* Linux 6.2: writes of one file at a time otherwise. */
#ifndef FOPEN_PARALLEL_DIRECT_WRITES
#define FOPEN_PARALLEL_DIRECT_WRITES (1 << 6)
#endif

static void
fill_common(const struct export *ex, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_uid = getuid();
	st->st_gid = getgid();
	st->st_atim = st->st_mtim = st->st_ctim = ex->since;
}

static void
fill_root(const struct export *ex, struct stat *st)
{
	fill_common(ex, st);
	st->st_ino = FUSE_ROOT_ID;
	st->st_mode = S_IFDIR | 0500;
	st->st_nlink = 2;
}

static void
fill_node(const struct export *ex, const struct fuse_node *node, struct stat *st)
{
	const struct blk_dev *d = node->disk.dev;

	fill_common(ex, st);
	st->st_ino = node->ino;
	st->st_mode = S_IFREG;
	if (d == NULL)
		return;
	/* Also where it is read-only: do_open() says so, but to the porter, which may not pass over
	 * modes and opens it for its loop device. */
	st->st_mode |= 0600;
	st->st_nlink = 1;
	st->st_size = (off_t)(d->size_bytes - d->size_bytes % d->block_bytes);
	st->st_blocks = st->st_size / 512;
	st->st_blksize = d->block_bytes > 4096 ? (blksize_t)d->block_bytes : 4096;
}

static void
do_init(void *user, struct fuse_conn_info *conn)
{
	((struct export *)user)->has_init = true;
	conn->want &=
	    ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	conn->want |=
	    conn->capable & (FUSE_CAP_ASYNC_DIO | FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS);
	conn->max_write = LIMIT_FUSE_IO_BYTES;
	conn->max_read = LIMIT_FUSE_IO_BYTES;
	conn->max_background = LIMIT_FUSE_MOUNT_OPS;
	conn->congestion_threshold = LIMIT_FUSE_MOUNT_OPS / 4 * 3;
}

static unsigned
slot_of(const struct fuse_node *node)
{
	return (unsigned)(node->ino - FUSE_ROOT_ID - 1);
}

/*
 * Count what is answered next.  Not for a request that a predecessor counted
 * and did not come to answering: the count is what it is.
 */
static void
count_lookup(struct export *ex, struct fuse_node *node)
{
	if (fusestate_was_counted(ex->state, fuse_unique(ex)))
		return;
	node->lookups++;
	fusestate_count(
	    ex->state, fuse_unique(ex), slot_of(node), FUSESTATE_LOOKUPS, node->lookups);
}

static void
set_lookups(struct export *ex, struct fuse_node *node, uint64_t lookups)
{
	node->lookups = lookups;
	fusestate_set(ex->state, slot_of(node), FUSESTATE_LOOKUPS, lookups);
}

static void
count_openers(struct export *ex, struct fuse_node *node, int by)
{
	if (fusestate_was_counted(ex->state, fuse_unique(ex)))
		return;
	node->openers += (unsigned)by;
	fusestate_count(
	    ex->state, fuse_unique(ex), slot_of(node), FUSESTATE_OPENERS, node->openers);
}

static void
do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct export *ex = fuse_req_userdata(req);
	struct fuse_node *node = parent == FUSE_ROOT_ID ? fuse_node_by_name(ex, name) : NULL;
	struct fuse_entry_param e = { 0 };

	if (node == NULL) {
		/* The kernel must not forget the name of one that may come still. */
		fuse_reply_err(req, fusepark_awaited(ex, name) != NULL ? EIO : ENOENT);
		return;
	}
	e.ino = node->ino;
	e.generation = 1; /* an inode number is not used again before the kernel forgot it */
	fill_node(ex, node, &e.attr);
	count_lookup(ex, node);
	if (fuse_reply_entry(req, &e) == -ENOENT) /* interrupted: the kernel has not seen it */
		set_lookups(ex, node, node->lookups - 1);
	fusestate_answered(ex->state, fuse_unique(ex));
}

static void
forget(struct export *ex, fuse_ino_t ino, uint64_t count)
{
	struct fuse_node *node = fuse_node_by_ino(ex, ino);

	if (node == NULL)
		return;
	set_lookups(ex, node, count < node->lookups ? node->lookups - count : 0);
	fuse_node_release(ex, node);
}

static void
do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	forget(fuse_req_userdata(req), ino, count);
	fuse_reply_none(req);
}

static void
do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget(fuse_req_userdata(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* 0, or the errno of an inode that has no attributes. */
static int
attributes(const struct export *ex, fuse_ino_t ino, struct stat *ret_st)
{
	const struct fuse_node *node = fuse_node_by_ino(ex, ino);

	if (ino == FUSE_ROOT_ID)
		fill_root(ex, ret_st);
	else if (node == NULL)
		return ESTALE;
	else
		fill_node(ex, node, ret_st);
	return 0;
}

static void
do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int err = attributes(fuse_req_userdata(req), ino, &st);

	(void)fi;
	if (err != 0)
		fuse_reply_err(req, err);
	else
		fuse_reply_attr(req, &st, 0);
}

/*
 * Opening with O_TRUNC arrives as "size 0, no open file", and is ignored as a
 * disk ignores it: "dd of=…" and "cat image > …" then work.  Times, too, may be
 * set without effect.  Everything else would be a lie.
 */
static int
check_setattr(const struct fuse_node *node, const struct stat *want, int to_set, bool has_file)
{
	const struct blk_dev *d = node != NULL ? node->disk.dev : NULL;

	if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		return EPERM;
	if (!(to_set & FUSE_SET_ATTR_SIZE))
		return 0;
	if (d == NULL)
		return fuse_node_errno(node);
	if (d->read_only)
		return EROFS;
	if (want->st_size == 0 && !has_file)
		return 0;
	return (uint64_t)want->st_size == d->size_bytes - d->size_bytes % d->block_bytes ? 0
											 : EINVAL;
}

static void
do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *want, int to_set, struct fuse_file_info *fi)
{
	struct export *ex = fuse_req_userdata(req);
	int err = check_setattr(fuse_node_by_ino(ex, ino), want, to_set, fi != NULL);
	struct stat st;

	if (err == 0)
		err = attributes(ex, ino, &st);
	if (err != 0)
		fuse_reply_err(req, err);
	else
		fuse_reply_attr(req, &st, 0);
}

/* The kernel tells which thread opens; one that we can signal within this process is ours, as are
 * the porter's. */
static bool
is_own(fuse_req_t req)
{
	pid_t thread = fuse_req_ctx(req)->pid;

	return thread > 0 &&
	       (porter_is_own(thread) || syscall(SYS_tgkill, getpid(), thread, 0) == 0);
}

/* Our own opener is the loop device's, whose protection is its own flag; writes fail all the same.
 */
static bool
may_write(fuse_req_t req, const struct blk_dev *d)
{
	return !d->read_only || is_own(req);
}

static void
do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct export *ex = fuse_req_userdata(req);
	struct fuse_node *node = fuse_node_by_ino(ex, ino);
	/* fuse_reply_open() of libfuse before 3.15 cannot say all of this. */
	struct fuse_open_out out = {
		.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES,
	};

	if (node == NULL || node->disk.dev == NULL) {
		fuse_reply_err(req, fuse_node_errno(node));
		return;
	}
	if ((fi->flags & O_ACCMODE) != O_RDONLY && !may_write(req, node->disk.dev)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	if (node->is_sealed) {
		fuse_reply_err(req, EBUSY);
		return;
	}
	count_openers(ex, node, 1);
	if (fuse_reply_buf(req, (const char *)&out, sizeof out) == -ENOENT) {
		node->openers--; /* interrupted: there will be no release */
		fusestate_set(ex->state, slot_of(node), FUSESTATE_OPENERS, node->openers);
	}
	fusestate_answered(ex->state, fuse_unique(ex));
}

static void
do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct export *ex = fuse_req_userdata(req);
	struct fuse_node *node = fuse_node_by_ino(ex, ino);

	(void)fi;
	if (node == NULL ||
	    (node->openers == 0 && !fusestate_was_counted(ex->state, fuse_unique(ex)))) {
		fuse_reply_err(req, 0);
		return;
	}
	count_openers(ex, node, -1);
	fuse_reply_err(req, 0);
	fusestate_answered(ex->state, fuse_unique(ex));
	if (node->openers == 0 && node->disk.dev != NULL && !ex->is_stopping)
		ex->events->let_go(ex->user, node->disk.dev);
	fuse_node_release(ex, node);
}

/* Offsets: 1 behind ".", 2 behind "..", 3 + i behind the i-th place. */
static void
do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct export *ex = fuse_req_userdata(req);
	char *buf = (char *)ex->rx->mem + FUSE_ROOM + FUSE_HEADER_BYTES;
	size_t used = 0;

	(void)fi;
	if (ino != FUSE_ROOT_ID || off < 0) {
		fuse_reply_err(req, ENOTDIR);
		return;
	}
	if (size > LIMIT_FUSE_IO_BYTES)
		size = LIMIT_FUSE_IO_BYTES;
	for (off_t at = off; at < (off_t)ex->node_slots + 2; at++) {
		const struct fuse_node *node = at >= 2 ? ex->nodes[at - 2] : NULL;
		const char *name = at == 0 ? "." : "..";
		struct stat st;
		size_t n;

		fill_root(ex, &st);
		if (at >= 2) {
			if (node == NULL || (node->disk.dev == NULL && !node->is_awaited))
				continue;
			fill_node(ex, node, &st);
			name = node->name;
		}
		n = fuse_add_direntry(req, buf + used, size - used, name, &st, at + 1);
		if (n > size - used)
			break;
		used += n;
	}
	fuse_reply_buf(req, buf, used);
}

/*
 * The loop driver takes f_bsize of the file for the smallest range it can
 * discard: the device's block, not one value for the mount.
 */
static void
do_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const struct fuse_node *node = fuse_node_by_ino(fuse_req_userdata(req), ino);
	const struct blk_dev *d = node != NULL ? node->disk.dev : NULL;
	struct statvfs sv = {
		.f_bsize = d != NULL ? d->block_bytes : 4096,
		.f_frsize = d != NULL ? d->block_bytes : 4096,
		.f_blocks = d != NULL ? d->size_bytes / d->block_bytes : 0,
		.f_namemax = sizeof node->name - 1,
	};

	fuse_reply_statfs(req, &sv);
}

/* Files come and go with LUNs, not by opening or removing them. */
static void
do_create(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req, EPERM);
}

static void
do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

void
fusefs_fill(struct fuse_lowlevel_ops *ops)
{
	ops->init = do_init;
	ops->lookup = do_lookup;
	ops->forget = do_forget;
	ops->forget_multi = do_forget_multi;
	ops->getattr = do_getattr;
	ops->setattr = do_setattr;
	ops->open = do_open;
	ops->release = do_release;
	ops->readdir = do_readdir;
	ops->statfs = do_statfs;
	ops->create = do_create;
	ops->unlink = do_unlink;
}
