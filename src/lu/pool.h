/*
 * The requests of all disks of one session, allocated once.  A disk whose
 * request finds no slot waits its turn, one request a turn, so that no disk
 * starves another.  On the session's thread.
 */
#ifndef ISCSIAL_IOPOOL_H
#define ISCSIAL_IOPOOL_H

#include "core/req.h"
#include "driver/iscsial/retry.h"
#include "engine/loop.h"
#include "lu/blk.h"
#include "scsi/cdb.h"

struct disk;

/* One request of an exporter on its way to the target. */
struct io {
	struct req req;
	struct list link; /* free, or held by its disk */
	struct agenda_timer again;
	struct disk *disk;
	struct blk_req *blk;
	struct retry retry;
	bool is_sync;   /* the SYNCHRONIZE CACHE that stands for FUA is under way */
	uint64_t at;    /* bytes of blk that are done */
	uint32_t chunk; /* bytes of the command under way */
	uint8_t unmap_list[CDB_UNMAP_LIST_BYTES(1)];
};

struct iopool;

/* NULL when memory is short. */
struct iopool *iopool_new(unsigned slots);
/* All slots are back.  NULL is fine. */
void iopool_free(struct iopool *p);

/* A slot, or NULL: the disk is put on the list of those that wait. */
struct io *iopool_get(struct iopool *p, struct disk *d);
/* Give it back; the disk that waits longest gets disk_slot_free(). */
void iopool_put(struct iopool *p, struct io *io);
/* The disk waits no more (it has nothing left, or ends). */
void iopool_forget(struct iopool *p, struct disk *d);

#endif
