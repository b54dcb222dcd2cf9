/*
 * What the parts of the ublk exporter know of each other:
 *
 *   ublk.c       the exporter: which disks there are, what is asked of it
 *   ublkdisk.c   a disk's device: from nothing to being served, and back
 *   ublkio.c     a request: what the unit is asked, in which steps
 *   ublkpool.c   memory for requests
 *   ublkring.c   how requests come, and answers go
 *   ublkrun.c, ublkjob.c, ublkctl.c, ublkprobe.c   commands to the kernel
 *   ublkstate.c  what the next process has to know
 *
 * A disk stays until its device is gone and the unit has answered what it was asked.
 */
#ifndef EXPORT_UBLKINT_H
#define EXPORT_UBLKINT_H

#include "export/exportdir.h"
#include "export/split.h"
#include "export/ublk.h"
#include "export/ublkabi.h"
#include "export/ublkring.h"
#include "export/ublkrun.h"
#include "export/ublkstate.h"

struct ublk_disk;
struct ublk_op;

/* A slot of a device's. */
struct ublk_slot {
	struct ublkring_slot ring;
	struct ublk_disk *disk;
	struct ublk_op *op; /* the unit has its request */
	bool waits;         /* its request waits for an op, in export.waiting */
	struct list waiting;
};

/* A request that the unit has. */
struct ublk_op {
	struct list link; /* export.idle, or ublk_disk.running */
	struct ublk_disk *disk;
	struct ublk_slot *slot; /* NULL: it was answered for the unit already */
	uint8_t op;             /* UBLK_IO_OP_… */
	bool fua, flushes;      /* a flush is due behind it */
	uint64_t offset, len, zeroed;
	struct split split;
	uint8_t *mem; /* LIMIT_UBLK_IO_BYTES, of which only what is touched costs anything */
	size_t carries, touched;
};

/* Of a disk's device. */
enum ublk_state {
	UBLK_NONE,    /* there is none */
	UBLK_LEFT,    /* a process before this one left it */
	UBLK_ADDED,   /* nobody sees it yet, or its users wait */
	UBLK_LIVE,    /* it is served */
	UBLK_STOPPED, /* it is not to be seen any more */
	UBLK_DOOMED   /* it is served no more, and to be deleted */
};

struct ublk_disk {
	struct list link;
	struct export *ex;
	struct blk_dev *dev; /* NULL: removed, or awaited */
	char name[32];
	bool is_awaited; /* of a process before this one, and not there yet */
	enum ublk_state state;
	struct ublkstate known;  /* as in its file */
	bool is_recovery;        /* ADDED: its users wait */
	bool is_wanted;          /* there is to be one */
	bool is_forced, is_lost; /* how it is to end */
	bool is_changed;         /* its size or flags */
	int fd;                  /* of /dev/ublkcN, or -1 */
	const struct ublksrv_io_desc *desc;
	struct ublk_slot *slots; /* UBLK_DEPTH of them */
	unsigned n_slots;        /* those that the kernel has not given up */
	struct list running;     /* ops */
	struct list askers;      /* export_block */
	struct ublkjob job;
	bool is_busy; /* job is under way */
	struct agenda_work go_on;
};

struct export
{
	struct loop *loop;
	struct exportdir dir;
	struct ublkring *ring;
	struct list disks;
	const struct export_events *events;
	void *user;
	bool is_starting, is_stopping;
	struct ublkjob job; /* is_starting */
	struct agenda_work end;
	struct list idle; /* ops */
	unsigned ops_made, ops;
	size_t carries, touched;
	struct list waiting; /* slots whose requests wait for one */
};

/* ublk.c */
/* A disk has nothing any more: it may be freed, and the exporter end. */
void ublk_disk_gone(struct ublk_disk *k);

/* ublkdisk.c */
void ublkdisk_init(struct ublk_disk *k, struct export *ex, const char *name);
/* What was said to it has changed: the next job, or answers to askers, at the end of the turn. */
void ublkdisk_go_on(struct ublk_disk *k);
/* Its unit is gone, or was never found again: errors for its users, and no device. */
void ublkdisk_drop(struct ublk_disk *k);
/* A slot was given up by the kernel. */
void ublkdisk_slot_gone(struct ublk_disk *k);

/* ublkio.c */
/* The request that is there in the slot. */
void ublkio_begin(struct ublk_slot *s);
/* Answer it: bytes, or a negative errno. */
void ublkio_answer(struct ublk_slot *s, int32_t result);
/* All that the disk has is answered with an error. */
void ublkio_fail_all(struct ublk_disk *k);

/* ublkpool.c */
/* An op that may carry so many bytes.  NULL: one must come back first. */
struct ublk_op *ublkpool_get(struct export *ex, size_t bytes);
void ublkpool_put(struct export *ex, struct ublk_op *op);
void ublkpool_free(struct export *ex);

#endif
