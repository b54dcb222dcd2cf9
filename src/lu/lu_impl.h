/* Between disk.c (queues), disk_io.c (commands) and iopool.c; nobody else includes it. */
#ifndef ISCSIAL_DISK_IMPL_H
#define ISCSIAL_DISK_IMPL_H

#include "driver/iscsial/disk.h"

enum disk_state {
	DISK_RUN,
	DISK_LOOK, /* waiting for disk_update() */
	DISK_OFF
};

struct disk {
	struct blk_dev blk;
	struct scsi_port *port;
	struct iopool *pool;
	const struct disk_ops *ops;
	void *user;
	struct lun_info info;
	enum disk_state state;
	int off_err;            /* negative; DISK_OFF */
	bool is_failing;        /* disk_fail_fast() */
	bool has_no_sync;       /* SYNCHRONIZE CACHE is not known, and no cache is */
	bool has_no_write_same; /* the target refused it: zeros are written */
	unsigned busy;          /* slots of the pool in use */
	unsigned depth;         /* commands the unit gets at once: disk_queue_full() */
	unsigned credit;        /* good answers since depth last grew */
	struct list waiting;    /* blk_req.link: no slot yet */
	struct list held;       /* io.link: to be sent again after the look */
	struct list finished;   /* blk_req.link: done() is due */
	struct list pool_link;  /* iopool's */
	struct agenda_work deliver, ask;
	struct disk_counts counts;
	struct disk_latency latency;
	/* The log of errors: at most so many in so long. */
	uint64_t log_since_us;
	unsigned logged, suppressed;
};

/* disk.c */
/* Hand blk back at the end of this turn. */
void disk_finish(struct disk *d, struct blk_req *blk, int result);
/* The command ended and `io` with it. */
void disk_io_end(struct disk *d, struct io *io, int result);
/* Hold io and have the unit looked at. */
void disk_hold(struct disk *d, struct io *io);
/* The unit said TASK SET FULL: it gets fewer commands at once from now on. */
void disk_queue_full(struct disk *d);
/* A command was answered GOOD: a queue that was cut grows back slowly. */
void disk_queue_good(struct disk *d);
/* A slot of the pool may be had. */
void disk_slot_free(struct disk *d);
/* A request ends because the session has been offline for too long. */
void disk_failed_offline(struct disk *d);
/* Is another line about errors due?  Counts those that are not. */
bool disk_may_log(struct disk *d);

/* disk_io.c */
/* Send the next command of io->blk, or end it. */
void disk_io_next(struct io *io);
/* Can it be answered without a command?  Then *ret_result is the answer. */
bool disk_io_trivial(const struct disk *d, const struct blk_req *blk, int *ret_result);

#endif
