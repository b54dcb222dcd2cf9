#include "export/fuse.h"

#include <sys/epoll.h>
#include <sys/uio.h>

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
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
begin(struct loop *loop, const char *dir, const struct export_held *held,
    const struct export_events *events, void *user, struct export **ret_ex)
{
	struct export *ex = calloc(1, sizeof *ex);
	int err;

	if (ex == NULL)
		return -ENOMEM;
	ex->taken_fd = -1;
	ex->loop = loop;
	ex->events = events;
	ex->user = user;
	ex->burst = 1;
	list_init(&ex->starved);
	list_init(&ex->busy);
	list_init(&ex->parked);
	list_init(&ex->unparked);
	agenda_work_init(&ex->play, fuse_play);
	clock_gettime(CLOCK_REALTIME, &ex->since);
	ex->dir = strdup(dir);
	err = ex->dir != NULL ? fusepool_join(&ex->pool) : -ENOMEM;
	if (err == 0 && held != NULL)
		err = fusetake_begin(ex, held);
	if (err == 0)
		err = fuselife_begin(ex);
	if (err == 0) {
		*ret_ex = ex;
		return 0;
	}
	if (held != NULL) {
		close(held->device_fd);
		if (ex->state == NULL)
			close(held->state_fd);
	}
	fuse_nodes_free(ex);
	fusestate_free(ex->state);
	if (ex->pool != NULL)
		fusepool_leave(ex->pool);
	free(ex->dir);
	free(ex);
	return err;
}

static int
start(struct loop *loop, const char *dir, const struct export_events *events, void *user,
    struct export **ret_ex)
{
	return begin(loop, dir, NULL, events, user, ret_ex);
}

static int
take_over(struct loop *loop, const char *dir, const struct export_held *held,
    const struct export_events *events, void *user, struct export **ret_ex)
{
	return begin(loop, dir, held, events, user, ret_ex);
}

void
fuse_nodes_free(struct export *ex)
{
	for (unsigned i = 0; i < ex->node_slots; i++)
		free(ex->nodes[i]);
	free(ex->nodes);
}

struct fuse_node *
fuse_node_by_ino(const struct export *ex, fuse_ino_t ino)
{
	return ino >= 2 && ino - 2 < ex->node_slots ? ex->nodes[ino - 2] : NULL;
}

int
fuse_node_errno(const struct fuse_node *node)
{
	return node != NULL && node->is_awaited ? EIO : ENXIO;
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
	if (node->disk.dev != NULL || node->is_awaited || node->lookups > 0 || node->openers > 0 ||
	    node->ops > 0)
		return;
	ex->nodes[node->ino - 2] = NULL;
	fusestate_clear(ex->state, (unsigned)(node->ino - 2));
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
	node = fusepark_awaited(ex, dev->name);
	if (node != NULL) {
		align_init(&node->disk, dev);
		fusepark_resolved(ex, node);
		return 0;
	}
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
	fusestate_show(ex->state, (unsigned)slot, node->name);
	return 0;
}

/* Its device does not come. */
static void
give_up_node(struct export *ex, struct fuse_node *node)
{
	fusestate_gone(ex->state, (unsigned)(node->ino - 2));
	fusepark_resolved(ex, node);
	fuse_node_release(ex, node);
}

static void
give_up(struct export *ex, const char *name)
{
	for (unsigned i = 0; i < ex->node_slots; i++) {
		struct fuse_node *node = ex->nodes[i];

		if (node != NULL && node->is_awaited &&
		    (name == NULL || strcmp(node->name, name) == 0))
			give_up_node(ex, node);
	}
}

static void
overdue(struct export *ex)
{
	for (unsigned i = 0; i < ex->node_slots; i++)
		if (ex->nodes[i] != NULL && ex->nodes[i]->is_awaited)
			fusepark_overdue(ex, ex->nodes[i]);
}

static long
awaited(const struct export *ex, const char *name)
{
	const struct fuse_node *node = fusepark_awaited(ex, name);

	return node != NULL ? (long)node->openers : -1;
}

static bool
had_loss(const struct export *ex, const char *name)
{
	const struct fuse_node *node = fusepark_awaited(ex, name);

	return node != NULL && node->is_loss_due;
}

static void
loss(struct export *ex, struct blk_dev *dev, bool is_due)
{
	struct fuse_node *node = node_by_dev(ex, dev);

	if (node == NULL)
		return; /* it was removed by force: its users know */
	node->is_loss_due = is_due;
	fusestate_set_loss(ex->state, (unsigned)(node->ino - 2), is_due);
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
	fusestate_gone(ex->state, (unsigned)(node->ino - 2));
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
	fusepark_abandon(ex, ESHUTDOWN);
	for (unsigned i = 0; i < ex->node_slots; i++)
		if (ex->nodes[i] != NULL)
			align_gone(&ex->nodes[i]->disk);
	fuselife_end(ex);
}

/* Deal with what is in ex->rx.  False: it has to wait and finds no room. */
static bool
deal(struct export *ex, size_t bytes)
{
	struct fuse_op *op = ex->rx;
	struct fuse_buf buf = { .mem = op->mem + FUSE_ROOM, .size = bytes };
	enum fusepark park = fusepark(ex, buf.mem, bytes, op->record);
	bool is_first = !ex->has_init;

	if (park == FUSEPARK_FULL) {
		int err = loop_rewatch(ex->loop, &ex->fd, 0);

		assert(err == 0);
		ex->rx_bytes = bytes;
		return false;
	}
	if (park == FUSEPARK_WAITS)
		return true;
	if (!fusetake_init_again(ex, buf.mem, bytes))
		fuse_session_process_buf(ex->se, &buf);
	if (ex->rx == op) /* it was answered */
		fusestate_done(ex->state, op->record);
	/* INIT was not understood for lack of memory, and the kernel will send nothing more here.
	 */
	if (is_first && !ex->has_init)
		fuselife_lost(ex);
	return true;
}

/* What does not wait any more. */
static size_t
waited(struct export *ex)
{
	size_t bytes = ex->rx_bytes;

	ex->rx_bytes = 0;
	return bytes > 0 ? bytes : fusepark_take(ex, ex->rx->mem + FUSE_ROOM, &ex->rx->record);
}

/*
 * A process that is killed while the kernel writes a request to its memory gets
 * no page any more, and then the kernel ends the request with EIO.  Where a
 * successor is to go on, it writes to pages that are there.
 */
static ssize_t
receive_into(struct export *ex, struct fuse_op *op)
{
	uint8_t *at = op->mem + FUSE_ROOM;
	size_t there = op->resident;
	struct iovec iov[2] = { { at, there }, { ex->spill, FUSE_RX_BYTES - there } };
	ssize_t n;

	if (ex->spill == NULL)
		return read(ex->fd.fd, at, FUSE_RX_BYTES);
	n = readv(ex->fd.fd, iov, there < FUSE_RX_BYTES ? 2 : 1);
	if (n <= (ssize_t)there)
		return n;
	memcpy(at + there, ex->spill, (size_t)n - there);
	op->resident = ((size_t)n + 4095) / 4096 * 4096;
	return n;
}

/* Receive into ex->rx and deal with it.  False: there is no more for now. */
static bool
receive(struct export *ex)
{
	size_t bytes = ex->rx_bytes > 0 || ex->parked_count > 0 ? waited(ex) : 0;
	ssize_t n;

	if (bytes > 0)
		return deal(ex, bytes);
	n = receive_into(ex, ex->rx);
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
	ex->rx->record = fusestate_received(ex->state, fuse_unique(ex));
	return deal(ex, (size_t)n);
}

uint64_t
fuse_unique(const struct export *ex)
{
	struct fuse_in_header in;

	memcpy(&in, ex->rx->mem + FUSE_ROOM, sizeof in);
	return in.unique;
}

/*
 * How many requests there are only a read that fails tells.  One who sends one
 * at a time would pay for it each time, so a turn ends after as many as the
 * last ones had, and now and then asks for more; the descriptor is still ready
 * if there are.
 */
static void
turn(struct export *ex)
{
	unsigned n;

	for (n = 0; n < ex->burst && ex->fd.watched; n++) {
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
	if (ex->rx != NULL && ex->rx_bytes == 0) {
		struct fuse_op *op = ex->rx;

		ex->rx = NULL;
		fusepool_put(op);
	}
	fusepark_go_on(ex);
}

void
fuse_ready(struct loop_fd *f, uint32_t events)
{
	struct export *ex = LIST_ENTRY(f, struct export, fd);

	if ((events & EPOLLERR) != 0 && ex->rx_bytes > 0)
		fuselife_lost(ex); /* nothing is received that would say so */
	else
		turn(ex); /* an error is read, too */
}

void
fuse_play(struct agenda_work *w)
{
	struct export *ex = LIST_ENTRY(w, struct export, play);
	int err;

	if (!ex->fd.watched)
		return;
	if (ex->rx_bytes > 0) {
		err = loop_rewatch(ex->loop, &ex->fd, EPOLLIN);
		assert(err == 0);
	}
	turn(ex);
}

const struct export_ops fuse_export = {
	.name = "fuse",
	.start = start,
	.take_over = take_over,
	.can_hand_over = fusetake_can_resend,
	.give_up = give_up,
	.overdue = overdue,
	.awaited = awaited,
	.had_loss = had_loss,
	.loss = loss,
	.add = add,
	.changed = changed,
	.remove = remove_dev,
	.seal = seal,
	.openers = openers,
	.stop = stop,
};
