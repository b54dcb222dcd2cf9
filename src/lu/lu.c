#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/iscsial/disk_impl.h"
#include "sys/log.h"

#define DISK_LOG_LINES     5
#define DISK_LOG_PERIOD_US 10000000

/* ---- requests come ---- */

/* Give waiting requests to free slots. */
static void
pump(struct disk *d)
{
	struct list *node;
	struct io *io;

	while (d->state == DISK_RUN && d->busy < d->depth && !list_empty(&d->waiting)) {
		io = iopool_get(d->pool, d);
		if (io == NULL)
			return;
		node = list_pop(&d->waiting);
		d->busy++;
		io->disk = d;
		io->blk = LIST_ENTRY(node, struct blk_req, link);
		io->retry = (struct retry){ 0 };
		io->is_sync = false;
		io->at = 0;
		io->chunk = 0;
		disk_io_next(io);
	}
}

/* The disk had waited for this slot; if more wait, it goes to the end of the line. */
void
disk_slot_free(struct disk *d)
{
	pump(d);
}

static void
submit(struct blk_dev *b, struct blk_req *r)
{
	struct disk *d = LIST_ENTRY(b, struct disk, blk);
	int result;

	if (d->state == DISK_OFF) {
		disk_finish(d, r, d->off_err);
	} else if (d->is_failing) {
		disk_failed_offline(d);
		disk_finish(d, r, -EIO);
	} else if (disk_io_trivial(d, r, &result)) {
		disk_finish(d, r, result);
	} else {
		list_push_back(&d->waiting, &r->link);
		pump(d);
	}
}

/*
 * SAM-5, section 5.3.1: TASK SET FULL is there so that an initiator learns how
 * much a unit takes.  One below what was out is where it is safe again; every
 * `depth` good answers try one more, so that the queue finds its size anew
 * when other initiators have gone.
 */
void
disk_queue_full(struct disk *d)
{
	d->depth = d->busy > 1 ? d->busy - 1 : 1;
	d->credit = 0;
}

void
disk_queue_good(struct disk *d)
{
	if (d->depth == UINT_MAX || ++d->credit < d->depth)
		return;
	d->credit = 0;
	if (++d->depth > LIMIT_TASKS_DEFAULT)
		d->depth = UINT_MAX;
}

/* ---- requests end ---- */

static void
deliver(struct agenda_work *w)
{
	struct disk *d = LIST_ENTRY(w, struct disk, deliver);
	struct list *node;

	while ((node = list_pop(&d->finished)) != NULL) {
		struct blk_req *r = LIST_ENTRY(node, struct blk_req, link);

		r->done(r);
	}
}

void
disk_finish(struct disk *d, struct blk_req *blk, int result)
{
	blk->result = result;
	list_push_back(&d->finished, &blk->link);
	agenda_defer(loop_agenda(d->port->loop), &d->deliver);
}

void
disk_io_end(struct disk *d, struct io *io, int result)
{
	struct blk_req *blk = io->blk;

	if (result != 0)
		d->counts.errors++;
	io->blk = NULL;
	assert(d->busy > 0);
	d->busy--;
	iopool_put(d->pool, io);
	/* It comes from the session's completion, never from inside submit: no deferral needed. */
	blk->result = result;
	blk->done(blk);
	pump(d);
}

void
disk_hold(struct disk *d, struct io *io)
{
	list_push_back(&d->held, &io->link);
	if (d->state == DISK_RUN) {
		d->state = DISK_LOOK;
		agenda_defer(loop_agenda(d->port->loop), &d->ask);
	}
}

static void
ask(struct agenda_work *w)
{
	struct disk *d = LIST_ENTRY(w, struct disk, ask);

	if (d->state == DISK_LOOK)
		d->ops->look(d->user, d);
}

bool
disk_may_log(struct disk *d)
{
	uint64_t now = loop_now(d->port->loop);

	if (d->logged == 0 || now - d->log_since_us >= DISK_LOG_PERIOD_US) {
		if (d->suppressed > 0)
			log_err(
			    "disk %s: %u more errors were not logged", d->blk.name, d->suppressed);
		d->log_since_us = now;
		d->logged = d->suppressed = 0;
	}
	if (d->logged >= DISK_LOG_LINES) {
		d->suppressed++;
		return false;
	}
	d->logged++;
	return true;
}

/* ---- what the disk is ---- */

static uint32_t
io_bytes_max(const struct lun_info *i)
{
	uint64_t max = DISK_IO_BYTES_MAX;
	uint32_t block = i->capacity.block_bytes;

	if (i->limits.transfer_max > 0 && (uint64_t)i->limits.transfer_max * block < max)
		max = (uint64_t)i->limits.transfer_max * block;
	return (uint32_t)(max < block ? block : max - max % block);
}

static bool
describe(struct disk *d, const struct lun_info *info)
{
	struct blk_dev b = d->blk;
	bool can_unmap = info->provision.unmap && info->limits.unmap_blocks_max > 0 &&
			 info->limits.unmap_extents_max > 0;
	bool is_changed;

	b.size_bytes = info->capacity.bytes;
	b.block_bytes = info->capacity.block_bytes;
	b.max_io_bytes = io_bytes_max(info);
	b.read_only = info->has_mode && info->mode.is_write_protected;
	b.can_discard = !b.read_only && (can_unmap || info->provision.write_same_16_unmap);
	b.can_write_zeroes = !b.read_only;
	is_changed = b.size_bytes != d->blk.size_bytes || b.block_bytes != d->blk.block_bytes ||
		     b.max_io_bytes != d->blk.max_io_bytes || b.read_only != d->blk.read_only ||
		     b.can_discard != d->blk.can_discard ||
		     b.can_write_zeroes != d->blk.can_write_zeroes;
	d->blk = b;
	d->info = *info;
	return is_changed;
}

struct disk *
disk_new(struct scsi_port *port, struct iopool *pool, const struct lun_info *info, const char *name,
    const struct disk_ops *ops, void *user)
{
	struct disk *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	assert(info->is_disk && info->is_sized);
	d->port = port;
	d->pool = pool;
	d->ops = ops;
	d->user = user;
	d->depth = UINT_MAX;
	list_init(&d->waiting);
	list_init(&d->held);
	list_init(&d->finished);
	list_init(&d->pool_link);
	agenda_work_init(&d->deliver, deliver);
	agenda_work_init(&d->ask, ask);
	(void)snprintf(d->blk.name, sizeof d->blk.name, "%s", name);
	d->blk.submit = submit;
	d->blk.user = d;
	(void)describe(d, info); /* nobody has seen it yet */
	return d;
}

void
disk_free(struct disk *d)
{
	if (d == NULL)
		return;
	assert(disk_is_idle(d));
	iopool_forget(d->pool, d);
	agenda_cancel(&d->deliver);
	agenda_cancel(&d->ask);
	free(d);
}

/* Everything that was held is sent again, or ends with err. */
static void
let_go(struct disk *d, int err)
{
	struct list held, *node;

	list_init(&held);
	list_splice_front(&held, &d->held);
	while ((node = list_pop(&held)) != NULL) {
		struct io *io = LIST_ENTRY(node, struct io, link);

		if (err != 0)
			disk_io_end(d, io, err);
		else
			disk_io_next(io);
	}
}

static void
fail_waiting(struct disk *d, int err)
{
	struct list *node;

	while ((node = list_pop(&d->waiting)) != NULL)
		disk_finish(d, LIST_ENTRY(node, struct blk_req, link), err);
	iopool_forget(d->pool, d);
}

bool
disk_update(struct disk *d, const struct lun_info *info)
{
	bool is_changed = describe(d, info);

	d->has_no_sync = d->has_no_write_same = false;
	d->state = DISK_RUN;
	let_go(d, 0);
	pump(d);
	return is_changed;
}

void
disk_pause(struct disk *d)
{
	d->state = DISK_LOOK;
}

void
disk_off(struct disk *d, int err)
{
	d->state = DISK_OFF;
	d->off_err = err;
	fail_waiting(d, err);
	let_go(d, err);
	/*
	 * Commands that waited for the session, for instance since the last
	 * connection was lost, would go to whatever has this LUN now.
	 */
	d->port->fail_unsent(d->port, d->info.wire);
}

void
disk_fail_fast(struct disk *d, bool fail)
{
	d->is_failing = fail;
	if (!fail)
		return;
	fail_waiting(d, -EIO);
	let_go(d, -EIO);
}

bool
disk_is_idle(const struct disk *d)
{
	return d->busy == 0 && list_empty(&d->waiting) && list_empty(&d->finished);
}

struct blk_dev *
disk_blk(struct disk *d)
{
	return &d->blk;
}

const struct lun_info *
disk_info(const struct disk *d)
{
	return &d->info;
}

struct disk_counts
disk_counts(const struct disk *d)
{
	return d->counts;
}

const struct disk_latency *
disk_latency(const struct disk *d)
{
	return &d->latency;
}

void
disk_clear_counts(struct disk *d)
{
	memset(&d->counts, 0, sizeof d->counts);
	memset(&d->latency, 0, sizeof d->latency);
}

void
disk_failed_offline(struct disk *d)
{
	d->counts.failed_offline++;
	stat_add(d->port->account.driver, STAT_TRANSPORT_GLOBAL_ios_offline);
}
