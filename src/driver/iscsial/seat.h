/*
 * The half of a normal session that lives on a worker: its nexus, its probes
 * and its disks.  The functions here are called on the main loop and post to
 * the worker; the answers and the events are called on the main loop again,
 * in order.  Between seat_new() and gone() a seat is always there, so no
 * message can miss it.
 */
#ifndef ISCSIAL_SEAT_H
#define ISCSIAL_SEAT_H

#include "driver/iscsi/nexus.h"
#include "driver/iscsial/disk.h"
#include "driver/iscsial/lun_info.h"
#include "driver/iscsial/probe.h"
#include "export/export.h"

/* What a login gave. */
struct seat_login {
	struct neg_params params;
	uint16_t tsih;
	int32_t tpgt;
	char target_alias[LIMIT_ALIAS_BYTES + 1];
};

struct seat_ping {
	struct fault fault;
	uint32_t bytes, bytes_same;
	uint64_t rtt_us;
};

/* What the session and its disks counted. */
struct seat_lun_counts {
	uint32_t lun;
	char name[32];
	struct disk_counts counts;
	struct disk_latency latency;
};
struct seat_counts {
	struct conn_counts core;
	struct seat_lun_counts *luns; /* n of them */
	size_t n;
};

/* A disk to show, and how that went. */
struct seat_disk {
	struct lun_info info;
	char name[32];
	bool is_refused;    /* it is the wrong unit: the disk, where it is shown, gets no I/O */
	struct fault fault; /* out: not shown */
};

struct seat_openers {
	uint32_t lun;
	unsigned openers; /* out */
};

/* What becomes of later openers while they are counted: nothing, they are refused, or no more. */
enum seat_seal { SEAT_SEAL_STAYS, SEAT_SEAL, SEAT_UNSEAL };

/* Events, on the main loop.  Pointers are valid during the call. */
struct seat_ops {
	/* Logged in, and every disk that is shown was checked; requests flow. */
	void (*online)(void *user, const struct seat_login *login);
	/* No connection any more; never after seat_close(). */
	void (*down)(void *user, const struct nexus_down *down);
	/* A disk's size or flags are different. */
	void (*changed)(void *user, const struct lun_info *info);
	/* A LUN is another unit than it was. */
	void (*replaced)(void *user, uint32_t lun, const struct fault *why);
	/* The target says that it has other LUNs now. */
	void (*luns_changed)(void *user);
	/* As nexus_ops; seat_verified() is the answer. */
	void (*verify)(void *user, const struct nexus_query *q);
	/* The answer to seat_close(): everything is gone but the seat itself; seat_free() it. */
	void (*gone)(void *user);
};

struct seat_cfg {
	struct loop *main, *worker;
	const struct export_ops *export;
	const char *dir; /* the exporter's */
	struct nexus_cfg nexus;
	const struct seat_ops *ops;
	void *user;
};

/* The last PDU headers, the oldest first, and the session's clock. */
struct seat_trace {
	uint64_t now_us;
	size_t n;
	struct trace_entry entry[TRACE_ENTRIES];
};

struct seat;

struct seat *seat_new(const struct seat_cfg *cfg);
/* Only before the first seat_attach() or after gone(). */
void seat_free(struct seat *s);

/* Log in over fd, which is the seat's; owns `login`. */
void seat_attach(struct seat *s, int fd, struct nexus_login *login);
/* Lost for so long that I/O fails at once until the session is online again. */
void seat_give_up(struct seat *s);
/* Log out (within a bound), fail what is left, take all disks away; gone() follows. */
void seat_close(struct seat *s);

/* Probe all LUNs; `r` as in probe_done. */
void seat_probe(struct seat *s, probe_done *done, void *user);
/* n disks, the seat's until done(), which owns them then (free()). */
void seat_show(struct seat *s, struct seat_disk *disks, size_t n,
    void (*done)(void *user, struct seat_disk *disks, size_t n), void *user);
void seat_hide(struct seat *s, uint32_t lun);
/* As seat_show(): who has these open, and `seal`, in one step. */
void seat_count_openers(struct seat *s, struct seat_openers *list, size_t n, enum seat_seal seal,
    void (*done)(void *user, struct seat_openers *list, size_t n), void *user);
/* The verdict on a query, nexus_verified(). */
void seat_verified(struct seat *s, unsigned stamp, bool ok, const struct fault *why);
/* *c is valid during the call. */
void seat_counts(struct seat *s, void (*done)(void *user, const struct seat_counts *c), void *user);
/* The disks begin to count anew. */
void seat_clear_counts(struct seat *s);
/* In gone(): what the session counted in its life. */
const struct conn_counts *seat_final_counts(const struct seat *s);
void seat_ping(struct seat *s, uint32_t bytes,
    void (*done)(void *user, const struct seat_ping *ping), void *user);
/* `t` is the seat's until done(). */
void seat_trace(struct seat *s, struct seat_trace *t,
    void (*done)(void *user, const struct seat_trace *t), void *user);

#endif
