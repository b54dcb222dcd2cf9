/*
 * Access to a block device by bytes.  What is not a multiple of the block size
 * is read in whole blocks, and written by reading the first and the last block,
 * putting the new bytes over them and writing whole blocks again.
 *
 * Such a write carries old bytes with it.  It therefore waits for every write
 * under way that touches one of its blocks, and later ones wait for it: nothing
 * is lost.  Whole-block writes do not wait for each other.
 *
 * Nearly all requests are whole blocks that the device takes at once, and no
 * write of part of a block is under way: these pass (align_pass()), and their
 * sender gives them to the device himself.
 */
#ifndef EXPORT_ALIGN_H
#define EXPORT_ALIGN_H

#include "export/split.h"

/* The largest block size: room for this much is kept around every buffer. */
#define ALIGN_BLOCK_MAX 65536u

/* One device and the writes to it; all access goes through here. */
struct align_disk {
	struct blk_dev *dev;    /* borrowed; NULL once it is gone */
	struct list running;    /* writes, in any order */
	struct list waiting;    /* writes, oldest first */
	unsigned partial_count; /* of both, those that are not whole blocks */
	unsigned passed_count;  /* writes that passed and are not answered */
};

struct align_io {
	/* Set by the caller. */
	enum blk_op op; /* BLK_READ, BLK_WRITE, BLK_WRITE_ZEROES, BLK_FLUSH */
	bool fua;
	uint64_t offset; /* bytes; the range is inside the device and not empty, but for a flush */
	uint64_t len;
	/*
	 * BLK_READ and BLK_WRITE: len bytes.  For an access that is not of whole
	 * blocks, the block size - 1 bytes before and behind are overwritten.
	 */
	uint8_t *buf;
	uint8_t
	    *scratch; /* BLK_WRITE, BLK_WRITE_ZEROES: two blocks, likewise only overwritten then */
	/* Called once, never from inside align_submit(). */
	void (*done)(struct align_io *io);
	void *user; /* the caller's */
	int result; /* 0 or a negative errno */

	/* Its own. */
	struct align_disk *disk;
	struct list link;
	uint64_t start, end; /* offset and its end, rounded to whole blocks */
	uint32_t block_bytes;
	bool has_head, has_tail; /* the first, the last block is not written as a whole */
	unsigned edges_running;
	struct blk_req head, tail;
	struct split body;
};

void align_init(struct align_disk *disk, struct blk_dev *dev);
/*
 * The device is gone: writes that wait end with -ENXIO now, those under way
 * when the device answers.
 */
void align_gone(struct align_disk *disk);
/*
 * May this request go to the device as it is?  Then it counts as under way until
 * align_passed(); else it has to be an align_io.  disk->dev must not be NULL.
 */
bool align_pass(struct align_disk *disk, enum blk_op op, uint64_t offset, uint64_t len);
/* It was answered. */
void align_passed(struct align_disk *disk, enum blk_op op);
/* disk->dev must not be NULL. */
void align_submit(struct align_disk *disk, struct align_io *io);

#endif
