/*
 * A block device as an exporter sees it, and one request to it.  What stands
 * behind it (a LUN) is the driver's affair.
 */
#ifndef LU_BLK_H
#define LU_BLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,       /* everything answered before is on stable storage when this is answered */
	BLK_DISCARD,     /* the blocks are not needed any more; reading them later gives anything */
	BLK_WRITE_ZEROES /* the blocks read as zeros afterwards; they may be deallocated */
};

struct blk_dev;

/* Where a request stands while the unit has it (hold.c); the backend's alone. */
struct blk_hold {
	uint64_t order;       /* they are sent in this order */
	uint64_t since_us;    /* when it came */
	uint64_t deadline_us; /* it fails then, unless it is under way; 0: it could go on so far */
	uint64_t not_before_us; /* it pauses */
	uint64_t at;            /* bytes of it that are done */
	uint64_t nexus;         /* under which it was sent last */
	uint8_t path;           /* over which: lunpath.index */
	uint64_t mark;          /* flush: writes answered before it was sent; else losses of the
				   cache, see lu_end.c */
	uint8_t tries;          /* times that a connection ended, and it may have been the reason */
	uint8_t excused;        /* times that it was under way, too, but others were the reason */
	uint32_t found;         /* path.found when it was excused last */
	uint8_t oddities;       /* answers to it that broke the protocol, since it last got on */
	uint8_t bounces;        /* times that it was not executed, since it last got on */
	bool was_lost;          /* in a loss of that path that is being told now */
	bool is_blamed;         /* it may have ended that connection */
	bool is_ghostly;        /* it was lost, and may be executed late */
	uint8_t stood;   /* it has flown and nothing happened; 1: alone for a while, 2: for long */
	bool is_through; /* FUA: its data was sent with the command's bit */
	bool is_sync;    /* FUA: the SYNCHRONIZE CACHE behind it is due */
};

struct blk_req {
	enum blk_op op;
	bool fua;        /* BLK_WRITE: on stable storage when answered */
	uint64_t offset; /* bytes, a multiple of the block size, as is len */
	uint64_t len;    /* BLK_READ, BLK_WRITE: at most max_io_bytes */
	uint8_t *buf;    /* BLK_READ, BLK_WRITE: len bytes, borrowed until done */
	/* 0, or a negative errno: -EIO, -EROFS, -ENOSPC, -EOPNOTSUPP, -ENXIO (gone), -ESHUTDOWN. */
	int result;
	/* Called once, on the device's thread, never from inside submit. */
	void (*done)(struct blk_req *r);
	void *user; /* the exporter's */
	/* The backend's while it has the request. */
	struct list link;
	struct blk_hold hold;
};

struct blk_dev {
	char name[32]; /* a file name: "c1t0d0" */
	uint64_t size_bytes;
	uint32_t block_bytes;  /* 512 or 4096 (any power of two) */
	uint32_t max_io_bytes; /* largest BLK_READ/BLK_WRITE */
	/* What suits it, for whom that is of use; 0: not known. */
	uint32_t physical_bytes; /* a physical block */
	uint32_t discard_bytes;  /* granularity of BLK_DISCARD */
	uint32_t optimal_bytes;  /* of a read or write */
	bool read_only, can_discard, can_write_zeroes;
	/* Start a request; answers through r->done, also for errors. */
	void (*submit)(struct blk_dev *d, struct blk_req *r);
	void *user; /* the backend's */
};

#endif
