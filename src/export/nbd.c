#include "export/nbd.h"

#include <sys/epoll.h>
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/nbdint.h"

/* Connections taken in one turn, and how long none is where there is no descriptor for one. */
#define TURN_ACCEPTS 8
#define PAUSE_US     1000000u

/* ---- a disk's socket ---- */

static void
listen_again(struct agenda_timer *t)
{
	struct nbd_disk *disk = LIST_ENTRY(t, struct nbd_disk, again);
	int err = loop_rewatch(disk->ex->loop, &disk->listener, EPOLLIN);

	assert(err == 0); /* it is a valid descriptor in a valid set */
}

/* Whoever connects waits in the kernel meanwhile. */
static void
listen_later(struct nbd_disk *disk, int why)
{
	struct loop *loop = disk->ex->loop;
	int err = loop_rewatch(loop, &disk->listener, 0);

	assert(err == 0); /* as above */
	agenda_set(loop_agenda(loop), &disk->again, loop_now(loop) + PAUSE_US);
	log_limited(&disk->said, loop_now(loop), LOG_LVL_WARN,
	    "disk %s: nobody can connect now: %s", disk->name, strerror(-why));
}

static void
take(struct nbd_disk *disk, int fd)
{
	uint64_t now = loop_now(disk->ex->loop);
	int err;

	if (disk->is_sealed || disk->n_conns >= LIMIT_NBD_CONNS) {
		if (!disk->is_sealed)
			log_limited(&disk->said, now, LOG_LVL_WARN,
			    "disk %s: a client is turned away, for %u connections are there",
			    disk->name, disk->n_conns);
		close(fd);
		return;
	}
	err = nbdconn_new(disk, fd);
	if (err < 0)
		log_limited(&disk->said, now, LOG_LVL_WARN, "disk %s: a client is turned away: %s",
		    disk->name, strerror(-err));
}

static void
knocked(struct loop_fd *f, uint32_t events)
{
	struct nbd_disk *disk = LIST_ENTRY(f, struct nbd_disk, listener);

	(void)events; /* what is wrong accepting tells */
	for (unsigned i = 0; i < TURN_ACCEPTS; i++) {
		int fd = sock_accept(disk->listener.fd);

		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			listen_later(disk, fd);
			return;
		}
		take(disk, fd);
	}
}

static bool
leads_to(const struct nbd_disk *disk, const struct export_socket *s)
{
	struct stat st;

	return fstatat(disk->ex->dir.fd, disk->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == s->file_dev && st.st_ino == s->file_ino;
}

/* What somebody else has put there by now stays. */
static void
remove_file(const struct nbd_disk *disk)
{
	if (leads_to(disk, &disk->socket) && unlinkat(disk->ex->dir.fd, disk->name, 0) < 0)
		log_warn("the socket of disk %s stays behind: %s", disk->name, strerror(errno));
}

/*
 * With the socket of a process before this one, at which clients may wait already.  False: there
 * is none, or nobody finds it any more.
 */
static bool
listen_on(struct nbd_disk *disk)
{
	const struct export_events *events = disk->ex->events;
	void *user = disk->ex->user;

	if (events->take_socket == NULL || !events->take_socket(user, disk->name, &disk->socket))
		return false;
	if (leads_to(disk, &disk->socket))
		return true;
	close(disk->socket.fd);
	events->drop_socket(user, disk->name);
	return false;
}

static int
listen_anew(struct nbd_disk *disk)
{
	const struct export *ex = disk->ex;
	struct stat st;
	int err, fd = sock_listen_at(ex->dir.fd, disk->name, SOCK_STREAM | SOCK_NONBLOCK, 0600);

	if (fd < 0)
		return fd;
	if (fstatat(ex->dir.fd, disk->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	disk->socket =
	    (struct export_socket){ .fd = fd, .file_dev = st.st_dev, .file_ino = st.st_ino };
	if (ex->events->hold_socket != NULL)
		ex->events->hold_socket(ex->user, disk->name, &disk->socket);
	return 0;
}

/* Held no more, so that nobody waits at it, and there is no file that leads to it. */
static void
end_socket(struct nbd_disk *disk)
{
	const struct export *ex = disk->ex;

	if (ex->events->drop_socket != NULL)
		ex->events->drop_socket(ex->user, disk->name);
	close(disk->socket.fd);
	remove_file(disk);
}

static int
begin_listening(struct nbd_disk *disk)
{
	int err = listen_on(disk) ? 0 : listen_anew(disk);

	if (err < 0)
		return err;
	disk->listener = (struct loop_fd){ .fd = disk->socket.fd, .ready = knocked };
	err = loop_watch(disk->ex->loop, &disk->listener, EPOLLIN);
	if (err < 0)
		end_socket(disk);
	return err;
}

static void
end_listening(struct nbd_disk *disk)
{
	struct loop *loop = disk->ex->loop;

	agenda_clear(loop_agenda(loop), &disk->again);
	loop_unwatch(loop, &disk->listener);
	end_socket(disk);
}

/* ---- the end of disks, and of the exporter ---- */

static void
disk_release(struct nbd_disk *disk)
{
	if (disk->disk.dev != NULL || disk->n_conns > 0)
		return;
	list_remove(&disk->link);
	free(disk);
}

static void
export_release(struct export *ex)
{
	const struct export_events *events = ex->events;
	void *user = ex->user;

	if (!ex->is_stopping || !list_empty(&ex->disks))
		return;
	exportdir_close(&ex->dir);
	free(ex);
	events->stopped(user);
}

void
nbd_conn_gone(struct nbd_disk *disk)
{
	struct export *ex = disk->ex;

	disk_release(disk);
	export_release(ex);
}

static void
drop(struct nbd_disk *disk)
{
	end_listening(disk);
	align_gone(&disk->disk);
	LIST_EACH(node, tmp, &disk->conns)
	nbdconn_close(LIST_ENTRY(node, struct nbd_conn, link));
	disk_release(disk);
}

/* ---- the exporter ---- */

static int
start(struct loop *loop, const char *dir, const struct export_events *events, void *user,
    struct export **ret_ex)
{
	struct export *ex = calloc(1, sizeof *ex);
	int err;

	if (ex == NULL)
		return -ENOMEM;
	*ex = (struct export){ .loop = loop, .events = events, .user = user };
	list_init(&ex->disks);
	err = exportdir_open(&ex->dir, dir);
	if (err < 0) {
		free(ex);
		return err;
	}
	*ret_ex = ex;
	events->started(user, 0);
	return 0;
}

static void
stop(struct export *ex)
{
	ex->is_stopping = true;
	LIST_EACH(node, tmp, &ex->disks)
	{
		struct nbd_disk *disk = LIST_ENTRY(node, struct nbd_disk, link);

		if (disk->disk.dev != NULL)
			drop(disk);
	}
	export_release(ex);
}

/* ---- devices ---- */

static struct nbd_disk *
find(const struct export *ex, const struct blk_dev *dev)
{
	LIST_EACH(node, tmp, &ex->disks)
	{
		struct nbd_disk *disk = LIST_ENTRY(node, struct nbd_disk, link);

		if (disk->disk.dev == dev)
			return disk;
	}
	return NULL;
}

static bool
has_name(const struct export *ex, const char *name)
{
	LIST_EACH(node, tmp, &ex->disks)
	{
		const struct nbd_disk *disk = LIST_ENTRY(node, struct nbd_disk, link);

		if (disk->disk.dev != NULL && strcmp(disk->name, name) == 0)
			return true;
	}
	return false;
}

struct nbd_view
nbd_view(const struct nbd_disk *disk)
{
	const struct blk_dev *d = disk->disk.dev;

	return (struct nbd_view){ .name = disk->name,
		.size_bytes = d->size_bytes - d->size_bytes % d->block_bytes,
		.block_bytes = d->block_bytes,
		.max_bytes = LIMIT_NBD_IO_BYTES,
		.is_read_only = d->read_only,
		.can_trim = d->can_discard,
		.can_zero = d->can_write_zeroes,
		.is_sealed = disk->is_sealed };
}

static int
add(struct export *ex, struct blk_dev *dev)
{
	struct nbd_disk *disk;
	int err = export_check_dev(dev);

	if (err < 0)
		return err;
	if (has_name(ex, dev->name))
		return -EEXIST;
	disk = calloc(1, sizeof *disk);
	if (disk == NULL)
		return -ENOMEM;
	disk->ex = ex;
	memcpy(disk->name, dev->name, sizeof disk->name);
	align_init(&disk->disk, dev);
	disk->again.expired = listen_again;
	list_init(&disk->conns);
	err = begin_listening(disk);
	if (err < 0) {
		free(disk);
		return err;
	}
	list_push_back(&ex->disks, &disk->link);
	return 0;
}

/* Each request, and each client that comes, looks at the device. */
static void
changed(struct export *ex, struct blk_dev *dev)
{
	assert(find(ex, dev) != NULL);
}

static int
remove_dev(struct export *ex, struct blk_dev *dev, bool force)
{
	struct nbd_disk *disk = find(ex, dev);

	assert(disk != NULL);
	if (disk->openers > 0 && !force)
		return -EBUSY;
	drop(disk);
	return 0;
}

static void
seal(struct export *ex, struct blk_dev *dev, bool is_sealed)
{
	struct nbd_disk *disk = find(ex, dev);

	assert(disk != NULL);
	disk->is_sealed = is_sealed;
}

static unsigned
openers(const struct export *ex, const struct blk_dev *dev)
{
	const struct nbd_disk *disk = find(ex, dev);

	return disk != NULL ? disk->openers : 0;
}

static unsigned
users(const struct export *ex, const struct blk_dev *dev, pid_t *pids, unsigned n)
{
	const struct nbd_disk *disk = find(ex, dev);
	unsigned found = 0;

	if (disk == NULL)
		return 0;
	LIST_EACH(node, tmp, &disk->conns)
	{
		const struct nbd_conn *c = LIST_ENTRY(node, struct nbd_conn, link);

		if (c->is_open && found < n)
			pids[found++] = c->peer.pid;
	}
	return found;
}

const struct export_ops nbd_export = {
	.name = "nbd",
	.start = start,
	.stop = stop,
	.add = add,
	.remove = remove_dev,
	.changed = changed,
	.openers = openers,
	.users = users,
	.seal = seal,
	.take_over = export_mortal_take_over,
	.can_hand_over = export_mortal_can_hand_over,
	.awaited = export_mortal_awaited,
	.had_loss = export_mortal_had_loss,
	.loss = export_mortal_loss,
	.overdue = export_mortal_overdue,
	.give_up = export_mortal_give_up,
};
