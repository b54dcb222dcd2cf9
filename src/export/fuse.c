#include "export/fuse.h"

#include <sys/epoll.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/fuseint.h"

/* Requests received in one turn, before others on the loop get theirs. */
#define BURST_MAX 32
/* Turns that had as many as expected, before more are expected. */
#define BURST_PATIENCE 8

static int
start(struct loop *loop, const char *dir, const struct export_events *events, void *user,
    struct export **ret_ex)
{
	struct export *ex = calloc(1, sizeof *ex);
	int err;

	if (ex == NULL)
		return -ENOMEM;
	ex->loop = loop;
	ex->events = events;
	ex->user = user;
	ex->burst = 1;
	list_init(&ex->starved);
	list_init(&ex->busy);
	clock_gettime(CLOCK_REALTIME, &ex->since);
	ex->dir = strdup(dir);
	err = ex->dir != NULL ? fusepool_join(&ex->pool) : -ENOMEM;
	if (err == 0)
		err = fuselife_begin(ex);
	if (err == 0) {
		*ret_ex = ex;
		return 0;
	}
	if (ex->pool != NULL)
		fusepool_leave(ex->pool);
	free(ex->dir);
	free(ex);
	return err;
}

struct fuse_node *
fuse_node_by_ino(const struct export *ex, fuse_ino_t ino)
{
	return ino >= 2 && ino - 2 < ex->node_slots ? ex->nodes[ino - 2] : NULL;
}

struct fuse_node *
fuse_node_by_name(const struct export *ex, const char *name)
{
	for (unsigned i = 0; i < ex->node_slots; i++) {
		struct fuse_node *node = ex->nodes[i];

		if (node != NULL && node->disk.dev != NULL && strcmp(node->name, name) == 0)
			return node;
	}
	return NULL;
}

static struct fuse_node *
node_by_dev(const struct export *ex, const struct blk_dev *dev)
{
	for (unsigned i = 0; i < ex->node_slots; i++)
		if (ex->nodes[i] != NULL && ex->nodes[i]->disk.dev == dev)
			return ex->nodes[i];
	return NULL;
}

void
fuse_node_release(struct export *ex, struct fuse_node *node)
{
	if (node->disk.dev != NULL || node->lookups > 0 || node->openers > 0 || node->ops > 0)
		return;
	ex->nodes[node->ino - 2] = NULL;
	free(node);
}

/* A free place for a node, or -1. */
static long
free_slot(struct export *ex)
{
	struct fuse_node **more;
	unsigned i, slots;

	for (i = 0; i < ex->node_slots; i++)
		if (ex->nodes[i] == NULL)
			return i;
	slots = ex->node_slots > 0 ? ex->node_slots * 2 : 8;
	/* Removed ones that somebody still has open take places, too. */
	if (slots > 2 * LIMIT_LUNS)
		return -1;
	more = realloc(ex->nodes, slots * sizeof *more);
	if (more == NULL)
		return -1;
	memset(more + i, 0, (slots - i) * sizeof *more);
	ex->nodes = more;
	ex->node_slots = slots;
	return i;
}

static int
add(struct export *ex, struct blk_dev *dev)
{
	struct fuse_node *node;
	long slot;
	int err = export_check_dev(dev);

	if (err < 0)
		return err;
	if (fuse_node_by_name(ex, dev->name) != NULL)
		return -EEXIST;
	node = calloc(1, sizeof *node);
	slot = node != NULL ? free_slot(ex) : -1;
	if (slot < 0) {
		free(node);
		return -ENOMEM;
	}
	align_init(&node->disk, dev);
	memcpy(node->name, dev->name, sizeof node->name);
	node->ino = (fuse_ino_t)slot + 2;
	ex->nodes[slot] = node;
	return 0;
}

/*
 * Every look at a file asks for its attributes again, and every request looks
 * at the device, so there is nobody to tell.
 */
static void
changed(struct export *ex, struct blk_dev *dev)
{
	assert(node_by_dev(ex, dev) != NULL);
}

static int
remove_dev(struct export *ex, struct blk_dev *dev, bool force)
{
	struct fuse_node *node = node_by_dev(ex, dev);

	assert(node != NULL);
	if (node->openers > 0 && !force)
		return -EBUSY;
	node->ops++; /* it stays while the waiting ones end */
	align_gone(&node->disk);
	node->ops--;
	fuse_node_release(ex, node);
	return 0;
}

static void
seal(struct export *ex, struct blk_dev *dev, bool is_sealed)
{
	struct fuse_node *node = node_by_dev(ex, dev);

	assert(node != NULL);
	node->is_sealed = is_sealed;
}

static unsigned
openers(const struct export *ex, const struct blk_dev *dev)
{
	const struct fuse_node *node = node_by_dev(ex, dev);

	return node != NULL ? node->openers : 0;
}

struct fuse_counts
fuse_counts(const struct export *ex)
{
	return ex->counts;
}

void
fuse_stop_receiving(struct export *ex)
{
	list_remove(&ex->starved);
	loop_unwatch(ex->loop, &ex->fd);
}

static void
stop(struct export *ex)
{
	ex->is_stopping = true;
	fuseio_abandon(ex, ESHUTDOWN);
	for (unsigned i = 0; i < ex->node_slots; i++)
		if (ex->nodes[i] != NULL)
			align_gone(&ex->nodes[i]->disk);
	fuselife_end(ex);
}

/* Receive into ex->rx and deal with it.  False: there is no more for now. */
static bool
receive(struct export *ex)
{
	uint8_t *at = ex->rx->mem + FUSE_ROOM;
	struct fuse_buf buf = { .mem = at };
	ssize_t n = read(ex->fd.fd, at, FUSE_RX_BYTES);

	ex->counts.receives++;
	if (n < 0 && (errno == EINTR || errno == ENOENT))
		return true; /* ENOENT: its caller was interrupted before it got here */
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		fuselife_lost(ex);
		return false;
	}
	ex->counts.requests++;
	buf.size = (size_t)n;
	fuse_session_process_buf(ex->se, &buf);
	return true;
}

/*
 * How many requests there are only a read that fails tells.  One who sends one
 * at a time would pay for it each time, so a turn ends after as many as the
 * last ones had, and now and then asks for more; the descriptor is still ready
 * if there are.
 */
void
fuse_ready(struct loop_fd *f, uint32_t events)
{
	struct export *ex = LIST_ENTRY(f, struct export, fd);
	unsigned n;

	(void)events; /* an error is read, too */
	for (n = 0; n < ex->burst; n++) {
		if (ex->rx == NULL && (ex->rx = fusepool_get(ex)) == NULL) {
			fusepool_wait(ex);
			return;
		}
		if (!receive(ex))
			break;
	}
	if (n < ex->burst)
		ex->burst = n > 0 ? n : 1;
	else if (++ex->full_turns % BURST_PATIENCE == 0)
		ex->burst = n * 2 < BURST_MAX ? n * 2 : BURST_MAX;
	if (ex->rx != NULL) {
		struct fuse_op *op = ex->rx;

		ex->rx = NULL;
		fusepool_put(op);
	}
}

const struct export_ops fuse_export = {
	.name = "fuse",
	.start = start,
	.add = add,
	.changed = changed,
	.remove = remove_dev,
	.seal = seal,
	.openers = openers,
	.stop = stop,
};
