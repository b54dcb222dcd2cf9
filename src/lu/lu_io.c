/* The block device that a unit offers, and its requests as SCSI commands. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lu/lu_impl.h"
#include "scsi/cdb.h"

/* One command moves at most this much, whatever the target allows. */
#define IO_BYTES_MAX (1u << 20)
/* Blocks of one UNMAP or WRITE SAME where the target names no limit: none takes minutes. */
#define SWEEP_BLOCKS 0x400000u
/* Where zeros must be written, they come from here. */
#define ZERO_BYTES (256u << 10)
static uint8_t zeros[ZERO_BYTES]; /* only ever read */

static_assert(ZERO_BYTES >= CAPACITY_BLOCK_BYTES_MAX, "one block at least");

static uint64_t
blocks(const struct lu *u, uint64_t bytes)
{
	return bytes >> u->block_shift;
}

static bool
can_unmap(const struct lu_facts *i)
{
	return i->provision.unmap && i->limits.unmap_blocks_max > 0 &&
	       i->limits.unmap_extents_max > 0;
}

/* ---- what the disk is ---- */

static uint32_t
io_bytes_max(const struct lu_facts *i)
{
	uint64_t max = IO_BYTES_MAX;
	uint32_t block = i->capacity.block_bytes;

	if (i->limits.transfer_max > 0 && (uint64_t)i->limits.transfer_max * block < max)
		max = (uint64_t)i->limits.transfer_max * block;
	return (uint32_t)(max < block ? block : max - max % block);
}

/* 0 where it is no sensible number of bytes. */
static uint32_t
blocks_bytes(const struct lu_facts *i, uint32_t blocks)
{
	uint64_t bytes = (uint64_t)blocks * i->capacity.block_bytes;

	return bytes <= INT32_MAX ? (uint32_t)bytes : 0;
}

void
lu_describe(struct lu *u, const struct lu_info *info)
{
	const struct lu_facts *facts = &info->facts;
	const struct lunpath *first = lu_path_after(u, NULL);
	struct blk_dev b = u->blk;

	assert(info->is_disk && info->is_sized);
	b.size_bytes = info->capacity.bytes;
	b.block_bytes = info->capacity.block_bytes;
	b.max_io_bytes = io_bytes_max(facts);
	b.physical_bytes = info->capacity.physical_bytes;
	b.discard_bytes = blocks_bytes(facts, info->limits.unmap_granularity);
	b.optimal_bytes = blocks_bytes(facts, info->limits.transfer_optimal);
	b.read_only = info->has_mode && info->mode.is_write_protected;
	b.can_discard = !b.read_only && (can_unmap(facts) || info->provision.write_same_16_unmap);
	b.can_write_zeroes = !b.read_only;
	if (b.size_bytes != u->blk.size_bytes || b.block_bytes != u->blk.block_bytes ||
	    b.max_io_bytes != u->blk.max_io_bytes || b.read_only != u->blk.read_only ||
	    b.can_discard != u->blk.can_discard || b.can_write_zeroes != u->blk.can_write_zeroes) {
		u->is_changed = true;
		agenda_defer(u->agenda, &u->tell);
	}
	u->blk = b;
	u->block_shift = (unsigned)__builtin_ctz(b.block_bytes);
	u->info.facts = *facts;
	u->info.id->block_bytes = info->id.block_bytes;
	u->info.id->size_bytes = info->id.size_bytes;
	fault_keep(&u->info.fault, &info->fault);
	u->info.number = first->number;
	memcpy(u->info.wire, first->wire, sizeof u->info.wire);
}

bool
lu_io_must_sync(const struct lu *u)
{
	return (!u->is_mode_sure || lu_info_may_cache(&u->info.facts)) && !u->has_no_sync;
}

bool
lu_io_trivial(const struct lu *u, const struct blk_req *blk, int *ret_result)
{
	bool is_inside = blk->offset <= u->blk.size_bytes &&
			 blk->len <= u->blk.size_bytes - blk->offset &&
			 ((blk->offset | blk->len) & (u->blk.block_bytes - 1)) == 0;

	*ret_result = 0;
	if (blk->op == BLK_FLUSH)
		return !lu_io_must_sync(u);
	if (u->blk.read_only && blk->op != BLK_READ)
		*ret_result = -EROFS;
	else if (blk->op == BLK_DISCARD && !u->blk.can_discard)
		*ret_result = -EOPNOTSUPP;
	else if (!is_inside)
		*ret_result = blk->op == BLK_WRITE ? -ENOSPC : -EIO;
	return *ret_result != 0 || blk->len == 0;
}

/* What takes its time by design gets the whole promise, at least this and at most that. */
#define LONG_MS_MIN 60000u
#define LONG_MS_MAX 600000u

static uint32_t
long_ms(const struct lu *u)
{
	uint64_t ms = lu_promise_us(u) / 1000;

	if (ms < LONG_MS_MIN)
		return LONG_MS_MIN;
	return ms < LONG_MS_MAX ? (uint32_t)ms : LONG_MS_MAX;
}

/* ---- building commands ---- */

static void
build_rw(struct io *io)
{
	struct lu *u = io->lp->lu;
	struct blk_req *b = io->blk;
	uint64_t lba = blocks(u, b->offset);
	uint32_t n;

	io->req.timeout_ms = io->lp->path->command_ms;
	io->chunk = (uint32_t)b->len;
	n = (uint32_t)blocks(u, io->chunk);
	io->req.data = b->buf;
	io->req.data_len = io->chunk;
	if (b->op == BLK_READ) {
		io->req.dir = REQ_READ;
		cdb_read(io->req.cdb, lba, n, 0);
	} else {
		io->req.dir = REQ_WRITE;
		b->hold.is_through = b->fua && u->info.mode.has_fua;
		cdb_write(io->req.cdb, lba, n, b->hold.is_through ? CDB_FUA : 0);
	}
}

static void
build_sync(struct io *io)
{
	struct lu *u = io->lp->lu;

	io->req.timeout_ms = long_ms(u);
	io->req.dir = REQ_NONE;
	io->req.data = NULL;
	io->req.data_len = 0;
	cdb_sync_cache(
	    io->req.cdb, 0, 0, blocks(u, u->blk.size_bytes) > UINT32_MAX ? CDB_FORM_16 : 0);
}

/* The next blocks of a discard or of zeros: as many as one command may name. */
static uint32_t
sweep(struct io *io, uint64_t max_blocks)
{
	struct lu *u = io->lp->lu;
	uint64_t left = blocks(u, io->blk->len - io->blk->hold.at);
	uint64_t n = max_blocks != 0 && max_blocks < SWEEP_BLOCKS ? max_blocks : SWEEP_BLOCKS;
	/* The chunk counts bytes in 32 bits. */
	uint64_t fit = UINT32_MAX / u->blk.block_bytes;

	if (n > fit)
		n = fit;
	if (n > left)
		n = left;
	io->chunk = (uint32_t)(n * u->blk.block_bytes);
	return (uint32_t)n;
}

static void
build_unmap(struct io *io, uint64_t lba)
{
	struct cdb_extent extent = { lba, sweep(io, io->lp->lu->info.limits.unmap_blocks_max) };
	size_t n = cdb_unmap_list(io->unmap_list, sizeof io->unmap_list, &extent, 1);

	assert(n == sizeof io->unmap_list);
	io->req.timeout_ms = long_ms(io->lp->lu);
	io->req.dir = REQ_WRITE;
	io->req.data = io->unmap_list;
	io->req.data_len = (uint32_t)n;
	cdb_unmap(io->req.cdb, (uint16_t)n);
}

static void
build_write_same(struct io *io, uint64_t lba, bool unmap)
{
	uint32_t n = sweep(io, io->lp->lu->info.limits.write_same_max);

	io->req.timeout_ms = long_ms(io->lp->lu);
	io->req.dir = REQ_WRITE;
	io->req.data = zeros;
	io->req.data_len = io->lp->lu->blk.block_bytes;
	cdb_write_same_16(io->req.cdb, lba, n, unmap);
}

static void
build_zeros(struct io *io, uint64_t lba)
{
	struct lu *u = io->lp->lu;
	uint32_t max = u->blk.max_io_bytes < sizeof zeros ? u->blk.max_io_bytes : sizeof zeros;
	uint32_t n = sweep(io, blocks(u, max));

	io->req.timeout_ms = io->lp->path->command_ms;
	io->req.dir = REQ_WRITE;
	io->req.data = zeros;
	io->req.data_len = io->chunk;
	cdb_write(io->req.cdb, lba, n, 0);
}

static void
build(struct io *io)
{
	struct lu *u = io->lp->lu;
	uint64_t lba = blocks(u, io->blk->offset + io->blk->hold.at);

	if (io->blk->hold.is_sync) {
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
		if (can_unmap(&u->info.facts))
			build_unmap(io, lba);
		else
			build_write_same(io, lba, true);
		break;
	case BLK_WRITE_ZEROES:
		if (u->has_no_write_same)
			build_zeros(io, lba);
		else
			build_write_same(io, lba, u->info.provision.write_same_16_unmap);
		break;
	}
}

void
lu_io_send(struct lunpath *lp, struct io *io, struct blk_req *r)
{
	struct lu *u = lp->lu;

	assert(lp->state == LU_SAME);
	io->lp = lp;
	io->blk = r;
	io->is_withdrawn = false;
	r->hold.nexus = lp->path->nexus;
	r->hold.path = lp->index;
	if (r->op == BLK_FLUSH)
		r->hold.mark = u->acked;
	else if (r->hold.at == 0 && !r->hold.is_sync)
		r->hold.mark = u->losses;
	io->req.attr = REQ_SIMPLE;
	io->req.done = lu_end;
	__builtin_memcpy(io->req.lun, lp->wire, sizeof io->req.lun);
	build(io);
	path_send(lp->path, &io->req);
}
