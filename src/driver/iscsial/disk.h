/*
 * A disk: turns an exporter's block requests (blk.h) into SCSI commands of
 * its LUN and judges their ends.  Nothing is allocated for a request.  On the
 * session's thread.
 *
 * Success is never reported for data the target has not acknowledged: a read
 * gives all its bytes or fails, a flush is a SYNCHRONIZE CACHE unless the
 * write cache is known to be off, FUA is the command's bit or a SYNCHRONIZE
 * CACHE behind it.
 *
 * When the target says that the unit may have changed, the disk holds
 * everything and asks for a look(); disk_update() or disk_off() is the answer.
 */
#ifndef ISCSIAL_DISK_H
#define ISCSIAL_DISK_H

#include "base/hist.h"
#include "driver/iscsial/iopool.h"
#include "driver/iscsial/lun_info.h"
#include "driver/iscsial/scsi_port.h"

/* One command moves at most this much, whatever the target allows. */
#define DISK_IO_BYTES_MAX (1u << 20)

struct disk;

/* The owner.  Called from the loop, outside of any call of its own. */
struct disk_ops {
	/* Probe the LUN, then disk_update() or disk_off(). */
	void (*look)(void *user, struct disk *d);
};

struct disk_counts {
	uint64_t reads, writes, flushes, discards, zeroes, bytes_read, bytes_written, errors,
	    retries;
	uint64_t failed_offline; /* the guide: I/Os that failed due to the session being offline */
};

/* How long commands took, in microseconds. */
struct disk_latency {
	struct hist reads, writes;
};

/*
 * `info` is copied, is_disk and is_sized; `name` as in blk_dev.  NULL when
 * memory is short.
 */
struct disk *disk_new(struct scsi_port *port, struct iopool *pool, const struct lun_info *info,
    const char *name, const struct disk_ops *ops, void *user);
/* Nothing may be under way: disk_off(), then wait for disk_is_idle().  NULL is fine. */
void disk_free(struct disk *d);

struct blk_dev *disk_blk(struct disk *d);
const struct lun_info *disk_info(const struct disk *d);
/*
 * What a look found; the same unit.  What was held goes on.  True when size,
 * block size or flags of the blk_dev are different now.
 */
bool disk_update(struct disk *d, const struct lun_info *info);
/* Hold everything, as if a look had been asked for, until disk_update() or disk_off(). */
void disk_pause(struct disk *d);
/*
 * No I/O from now on: what waits and what comes fails with err (-EIO, -ENXIO).
 * Commands that are on their way to the target end as they end; those that
 * wait for the session are taken back.
 */
void disk_off(struct disk *d, int err);
/*
 * While the session is offline for good, fail at once (true) instead of
 * waiting for it.
 */
void disk_fail_fast(struct disk *d, bool fail);
/* Commands under way and requests waiting: none. */
bool disk_is_idle(const struct disk *d);
struct disk_counts disk_counts(const struct disk *d);
const struct disk_latency *disk_latency(const struct disk *d);
/* Begin to count anew. */
void disk_clear_counts(struct disk *d);

#endif
