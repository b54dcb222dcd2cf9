#include <assert.h>
#include <errno.h>

#include "driver/iscsial/disk_impl.h"
#include "sys/log.h"

/* A unit that is becoming ready is waited for, a second each time. */
#define DISK_READY_WAITS 60
/* Blocks of one UNMAP or WRITE SAME where the target names no limit: none takes minutes. */
#define DISK_SWEEP_BLOCKS 0x400000u
/* Where zeros must be written, they come from here. */
#define DISK_ZERO_BYTES (256u << 10)
static uint8_t zeros[DISK_ZERO_BYTES]; /* only ever read */

static_assert(DISK_ZERO_BYTES >= CAPACITY_BLOCK_BYTES_MAX, "one block at least");

static uint64_t
blocks(const struct disk *d, uint64_t bytes)
{
	return bytes / d->blk.block_bytes;
}

static bool
can_unmap(const struct disk *d)
{
	return d->info.provision.unmap && d->info.limits.unmap_blocks_max > 0 &&
	       d->info.limits.unmap_extents_max > 0;
}

static bool
must_sync(const struct disk *d)
{
	return lun_info_may_cache(&d->info) && !d->has_no_sync;
}

bool
disk_io_trivial(const struct disk *d, const struct blk_req *blk, int *ret_result)
{
	bool is_inside =
	    blk->offset <= d->blk.size_bytes && blk->len <= d->blk.size_bytes - blk->offset &&
	    blk->offset % d->blk.block_bytes == 0 && blk->len % d->blk.block_bytes == 0;

	*ret_result = 0;
	if (blk->op == BLK_FLUSH)
		return !must_sync(d);
	if (d->blk.read_only && blk->op != BLK_READ)
		*ret_result = -EROFS;
	else if (blk->op == BLK_DISCARD && !d->blk.can_discard)
		*ret_result = -EOPNOTSUPP;
	else if (!is_inside)
		*ret_result = blk->op == BLK_WRITE ? -ENOSPC : -EIO;
	return *ret_result != 0 || blk->len == 0;
}

/* ---- building commands ---- */

static void
build_rw(struct io *io)
{
	struct disk *d = io->disk;
	struct blk_req *b = io->blk;
	uint64_t lba = blocks(d, b->offset);
	uint32_t n;

	io->chunk = (uint32_t)b->len;
	n = (uint32_t)blocks(d, io->chunk);
	io->req.data = b->buf;
	io->req.data_len = io->chunk;
	if (b->op == BLK_READ) {
		io->req.dir = REQ_READ;
		cdb_read(io->req.cdb, lba, n, 0);
	} else {
		io->req.dir = REQ_WRITE;
		cdb_write(io->req.cdb, lba, n, b->fua && d->info.mode.has_fua ? CDB_FUA : 0);
	}
}

static void
build_sync(struct io *io)
{
	struct disk *d = io->disk;

	io->req.dir = REQ_NONE;
	io->req.data = NULL;
	io->req.data_len = 0;
	cdb_sync_cache(
	    io->req.cdb, 0, 0, blocks(d, d->blk.size_bytes) > UINT32_MAX ? CDB_FORM_16 : 0);
}

/* The next blocks of a discard or of zeros: as many as one command may name. */
static uint32_t
sweep(struct io *io, uint64_t max_blocks)
{
	struct disk *d = io->disk;
	uint64_t left = blocks(d, io->blk->len - io->at);
	uint64_t n =
	    max_blocks != 0 && max_blocks < DISK_SWEEP_BLOCKS ? max_blocks : DISK_SWEEP_BLOCKS;
	/* The chunk counts bytes in 32 bits. */
	uint64_t fit = UINT32_MAX / d->blk.block_bytes;

	if (n > fit)
		n = fit;
	if (n > left)
		n = left;
	io->chunk = (uint32_t)(n * d->blk.block_bytes);
	return (uint32_t)n;
}

static void
build_unmap(struct io *io, uint64_t lba)
{
	struct cdb_extent extent = { lba, sweep(io, io->disk->info.limits.unmap_blocks_max) };
	size_t n = cdb_unmap_list(io->unmap_list, sizeof io->unmap_list, &extent, 1);

	assert(n == sizeof io->unmap_list);
	io->req.dir = REQ_WRITE;
	io->req.data = io->unmap_list;
	io->req.data_len = (uint32_t)n;
	cdb_unmap(io->req.cdb, (uint16_t)n);
}

static void
build_write_same(struct io *io, uint64_t lba, bool unmap)
{
	uint32_t n = sweep(io, io->disk->info.limits.write_same_max);

	io->req.dir = REQ_WRITE;
	io->req.data = zeros;
	io->req.data_len = io->disk->blk.block_bytes;
	cdb_write_same_16(io->req.cdb, lba, n, unmap);
}

static void
build_zeros(struct io *io, uint64_t lba)
{
	struct disk *d = io->disk;
	uint32_t max = d->blk.max_io_bytes < sizeof zeros ? d->blk.max_io_bytes : sizeof zeros;
	uint32_t n = sweep(io, blocks(d, max));

	io->req.dir = REQ_WRITE;
	io->req.data = zeros;
	io->req.data_len = io->chunk;
	cdb_write(io->req.cdb, lba, n, 0);
}

static void
build(struct io *io)
{
	struct disk *d = io->disk;
	uint64_t lba = blocks(d, io->blk->offset + io->at);

	if (io->is_sync) {
		build_sync(io);
		return;
	}
	switch (io->blk->op) {
	case BLK_READ:
	case BLK_WRITE:
		build_rw(io);
		break;
	case BLK_FLUSH:
		build_sync(io);
		break;
	case BLK_DISCARD:
		if (can_unmap(d))
			build_unmap(io, lba);
		else
			build_write_same(io, lba, true);
		break;
	case BLK_WRITE_ZEROES:
		if (d->has_no_write_same)
			build_zeros(io, lba);
		else
			build_write_same(io, lba, d->info.provision.write_same_16_unmap);
		break;
	}
}

/* ---- their ends ---- */

static void
log_failure(struct disk *d, const struct req *r)
{
	char why[480];

	if (disk_may_log(d))
		log_err("disk %s: %s", d->blk.name, retry_describe(why, sizeof why, r));
}

static void
count(struct disk *d, const struct blk_req *b)
{
	switch (b->op) {
	case BLK_READ:
		d->counts.reads++;
		d->counts.bytes_read += b->len;
		break;
	case BLK_WRITE:
		d->counts.writes++;
		d->counts.bytes_written += b->len;
		break;
	case BLK_FLUSH:
		d->counts.flushes++;
		break;
	case BLK_DISCARD:
		d->counts.discards++;
		break;
	case BLK_WRITE_ZEROES:
		d->counts.zeroes++;
		break;
	}
}

/* A command did what it should: the next one, or the end. */
static void
advance(struct io *io)
{
	struct disk *d = io->disk;
	struct blk_req *b = io->blk;
	bool is_done = io->is_sync || b->op == BLK_FLUSH;

	if (!is_done) {
		io->at += io->chunk;
		is_done = io->at >= b->len;
		/* FUA where the target has no such bit: the cache is written out before the answer.
		 */
		if (is_done && b->op == BLK_WRITE && b->fua && !d->info.mode.has_fua &&
		    must_sync(d)) {
			io->is_sync = true;
			is_done = false;
		}
	}
	io->retry = (struct retry){ 0 };
	if (is_done) {
		count(d, b);
		disk_io_end(d, io, 0);
	} else if (d->state == DISK_OFF) {
		disk_io_end(d, io, d->off_err);
	} else {
		disk_io_next(io);
	}
}

/* Did all data move?  A read that is short is an error, whatever the status says. */
static bool
is_complete(const struct req *r)
{
	if (r->dir == REQ_READ)
		return r->data_got == r->data_len;
	return r->dir != REQ_WRITE || !r->underflow;
}

/* The target does not know the command: is there another way? */
static bool
unsupported(struct io *io)
{
	struct disk *d = io->disk;

	if (io->is_sync || io->blk->op == BLK_FLUSH) {
		/*
		 * A target whose caching page says that its write cache is on must be
		 * able to empty it; one that says nothing of a cache has none.
		 */
		if (d->info.has_mode && d->info.mode.has_caching)
			return false;
		d->has_no_sync = true;
		log_info("disk %s: the target knows no SYNCHRONIZE CACHE and names no cache",
		    d->blk.name);
		advance(io);
		return true;
	}
	if (io->blk->op == BLK_WRITE_ZEROES && !d->has_no_write_same) {
		d->has_no_write_same = true;
		disk_io_next(io);
		return true;
	}
	return false;
}

static int
end_of(const struct io *io, const struct retry_verdict *v)
{
	/* Only an optional command may be "not supported"; a read or write failed. */
	if (v->error == EOPNOTSUPP && io->blk->op != BLK_DISCARD && io->blk->op != BLK_WRITE_ZEROES)
		return -EIO;
	return -v->error;
}

static void
handed_back(struct req *r)
{
	struct io *io = LIST_ENTRY(r, struct io, req);
	struct disk *d = io->disk;
	struct retry_verdict v = retry_judge(&io->retry, r, DISK_READY_WAITS);

	if (r->result == REQ_DONE && r->status == SENSE_STATUS_TASK_SET_FULL)
		disk_queue_full(d);
	else if (v.step == RETRY_DONE)
		disk_queue_good(d);
	if (v.step == RETRY_DONE && !io->is_sync && r->dir != REQ_NONE)
		hist_add(r->dir == REQ_READ ? &d->latency.reads : &d->latency.writes,
		    r->done_us - r->submit_us);
	if (v.step == RETRY_DONE && !is_complete(r)) {
		log_failure(d, r);
		disk_io_end(d, io, -EIO);
		return;
	}
	if (v.step == RETRY_AGAIN || v.step == RETRY_LOOK) {
		d->counts.retries++;
		if (d->state == DISK_OFF || d->is_failing) {
			disk_io_end(d, io, d->state == DISK_OFF ? d->off_err : -EIO);
			return;
		}
	}
	switch (v.step) {
	case RETRY_DONE:
		advance(io);
		break;
	case RETRY_AGAIN:
		if (v.delay_us == 0)
			disk_io_next(io);
		else
			agenda_set(loop_agenda(d->port->loop), &io->again,
			    loop_now(d->port->loop) + v.delay_us);
		break;
	case RETRY_LOOK:
		disk_hold(d, io);
		break;
	case RETRY_GIVE_UP:
		if (v.action == SENSE_UNSUPPORTED && unsupported(io))
			break;
		if (r->result == REQ_OFFLINE)
			disk_failed_offline(d);
		if (v.action != SENSE_UNSUPPORTED || end_of(io, &v) == -EIO)
			log_failure(d, r);
		disk_io_end(d, io, end_of(io, &v));
		break;
	}
}

static void
again(struct agenda_timer *t)
{
	struct io *io = LIST_ENTRY(t, struct io, again);
	struct disk *d = io->disk;

	if (d->state == DISK_OFF || d->is_failing)
		disk_io_end(d, io, d->state == DISK_OFF ? d->off_err : -EIO);
	else
		disk_io_next(io);
}

void
disk_io_next(struct io *io)
{
	struct disk *d = io->disk;

	/* While the unit is looked at nothing more is sent to it. */
	if (d->state == DISK_LOOK) {
		disk_hold(d, io);
		return;
	}
	io->again.expired = again;
	io->req.attr = REQ_SIMPLE;
	io->req.timeout_ms = 0;
	io->req.is_probe = io->req.is_once = false;
	io->req.done = handed_back;
	__builtin_memcpy(io->req.lun, d->info.wire, sizeof io->req.lun);
	build(io);
	d->port->submit(d->port, &io->req);
}
