/*
 * A whole world in one process, on a virtual clock, from one seed: the real sessions,
 * units and protocol of the initiator; targets with a codec of their own; the networks
 * between them; users; an administrator; and a plan of what goes wrong.  What must never
 * be is found where it happens and told with the seed.  Nothing here is shared with src/core:
 * a bug that both sides of a wire have alike is not seen by either.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/agenda.h"
#include "base/list.h"
#include "ini/session.h"
#include "rng.h"

#define SECOND 1000000ull

/* Sizes of a world at most. */
#define SIM_SESSIONS   3
#define SIM_SEEKS      (2 * SIM_SESSIONS)
#define SIM_PLACES     3  /* LUNs of a target */
#define SIM_DISKS      5  /* of a target: those at its places, and strangers */
#define SIM_BLOCKS     24 /* that users write */
#define SIM_BLOCKS_MAX 40
#define SIM_BLOCK      512u
#define SIM_IO_BLOCKS  16
#define SIM_REQS       5 /* of a unit's user, at once */
#define SIM_WRITES     4000
#define SIM_NODES      (SIM_WRITES * 8)
#define SIM_CONNS      96
#define SIM_TASKS      768
#define SIM_TASK_BYTES (SIM_IO_BLOCKS * SIM_BLOCK)
#define SIM_PLAN       48
#define SIM_CHALLENGES 256

struct sim;
struct owner;
struct target;
struct tconn;
struct net;

/* ---- data (book.c, disk.c) ---- */

/* A write as its user sees it: its number is what it leaves in each block. */
struct wr {
	uint32_t node0; /* the node of its first block; the others follow */
	uint8_t uid, first, n;
	bool is_zero, is_discard, is_ended, is_acked;
	uint64_t start, end; /* ticks */
};
/* A write in one block. */
struct node {
	uint32_t wr, older; /* older: the node of the write before it in this block, 0: none */
	bool is_lost;       /* it was executed, and the cache was lost */
	uint64_t exec;      /* tick of the last execution; 0: none */
	uint64_t first;     /* of the first one since a cache was lost with it, likewise */
};

struct disk {
	uint8_t uid; /* 1… */
	uint64_t naa;
	char name[32]; /* as the initiator has it */
	uint32_t blocks;
	bool has_cache, has_fua, has_write_same, reads_zeros, has_unmap;
	uint32_t write_same_max, transfer_max, unmap_max;
	uint32_t cache[SIM_BLOCKS_MAX], stable[SIM_BLOCKS_MAX]; /* numbers of writes */
	uint64_t synced[SIM_BLOCKS_MAX]; /* the tick when stable became what cache was */
	uint32_t newest[SIM_BLOCKS_MAX]; /* nodes */
	bool is_loss_due;                /* answered writes are lost, and no flush said so */
	uint64_t loss_tick;
	uint64_t begin_tick; /* of the unit that stands for it: what was written before it does not
				owe */
	bool is_other;       /* a unit of the initiator stands for another disk */
};

/* ---- users (user.c) ---- */

struct unit;

struct user_req {
	struct blk_req r;
	struct unit *u;
	bool is_out;
	bool is_waiting; /* the kernel has it, and no unit of this life */
	uint8_t first, n;
	uint32_t wr;         /* 0: it writes nothing */
	uint64_t start;      /* tick */
	uint64_t since_us;   /* when it was submitted */
	uint64_t losses;     /* of the unit's sessions, then */
	uint64_t promise_us; /* the least that it was promised since */
	uint8_t *buf;
};

/* What is at a place of a session: a unit of the initiator, and its user; of an array, at those of
 * other sessions than the first, paths to these. */
struct unit {
	struct owner *o;
	struct lu *lu; /* NULL: none */
	unsigned place;
	struct unit *home;   /* whose path is there: its own, as a rule */
	struct lunpath *way; /* to another session's unit; NULL: none */
	bool is_leaving;     /* it stops, and goes when it is idle */
	struct disk *disk;   /* that it stands for */
	bool is_closing;
	bool is_kept;      /* a life before had it; its user waits for the next one */
	bool is_loss_kept; /* lu_ops.loss(): that outlives a life, too */
	unsigned out;      /* requests */
	uint32_t io_bytes_max;
	bool can_discard;
	struct agenda_timer think;
	/* What a scan found here, another disk, while it is on its way to who adopts it. */
	struct agenda_timer adopt;
	struct lu_info found;
	struct disk *found_disk;
	struct agenda_timer again; /* then a request that waits comes again */
	struct rng rng;
	struct user_req req[SIM_REQS];
	uint64_t calm_us; /* since then nothing is in its way */
	bool is_calm;
	uint64_t moved_us;    /* when its state was another one */
	uint64_t excused_us;  /* until then requests may fail, or wait */
	uint64_t bad_flushes; /* so many flushes may fail: the unit's cache was lost */
	uint64_t served_us;   /* when it last had an answer, or had no reason for one */
	bool was_foreign;     /* another disk stood at its place since it was the same */
};

/* ---- network (net.c) ---- */

#define NET_SEGS  64
#define NET_BYTES (512u << 10)

struct pipe {
	struct net *c;
	bool is_up; /* from the initiator to the target */
	uint8_t *mem;
	uint32_t put, got, room;
	struct {
		uint32_t end;
		uint64_t at_us;
	} seg[NET_SEGS];
	unsigned seg_first, segs;
	struct agenda_timer due;
	uint64_t last_us, later_us;
	bool is_lost;      /* nothing arrives any more */
	bool is_giving_up; /* that is being noticed */
	bool is_spoilt;    /* a bit was wrong */
	bool has_end;      /* the sender is gone, and the receiver has not heard of it */
	bool is_reset;     /* with has_end */
	uint64_t end_us;
};
struct net {
	struct sim *w;
	struct owner *o; /* NULL: its end is closed */
	struct tconn *t; /* likewise */
	unsigned owner;  /* whose network it is */
	struct pipe up, down;
	bool is_used;
};

/* ---- initiator (host.c, owner.c, seek.c) ---- */

/* What joins a core session to a connection, as engine/link.c does. */
struct line {
	struct login_run *run;
	struct sess *sess; /* NULL: not connected */
	struct net *net;
	struct agenda_timer dial, tick;
	struct agenda_timer verdict; /* of whom is asked about the target: */
	struct verify_query query;
	struct agenda_work flush;
	bool is_closing;
	bool is_reset; /* the other side is told to drop what it holds of it */
	int err;
	enum conn_result why;
	int portal; /* that is dialled; -1: nowhere */
};

/* Rows that SendTargets may give. */
#define SIM_FOUND 160

/* What the network of a session is like now. */
struct weather {
	uint64_t latency_us, up_frozen_us, down_frozen_us, split_until_us, corrupt_until_us;
	uint64_t refuse_until_us, black_until_us;
	struct rng rng;
};

/* What a driver that starts finds in its registry of a session. */
struct kept {
	struct settings settings;
	struct {
		bool is_wanted, is_needed; /* CHAP is offered; and nothing else */
		bool is_mutual, is_asked;  /* the target proves itself; to somebody else */
		char algorithms[24];       /* "": the default */
	} auth;
	struct settings_redirect redirect, redirect_before;
	uint64_t redirect_us; /* then it is written down; until then the one before is */
	/* Where nexuses may live: in memory, and in the file. */
	struct kept_places {
		size_t n;
		struct fence_place list[SESSION_PLACES];
	} places, written;
	struct agenda_timer write; /* then they are written down */
	struct {
		struct identity id;
		struct disk *disk; /* NULL: none is known */
		bool is_installed; /* its device never becomes another unit's */
	} unit[SIM_PLACES];
};

struct owner {
	struct world world;
	struct sim *w;
	unsigned i;
	struct session *s; /* NULL: the initiator is gone */
	struct target *t;
	struct line line;
	struct unit units[SIM_PLACES];
	struct weather weather;
	struct rng rng;
	enum session_state state;
	enum session_state close_in; /* it is to be closed there; SESSION_STATES: nowhere */
	bool is_open, is_closing, is_probing, is_probe_due, is_pinging, is_sweep_due;
	struct agenda_timer later; /* open again, or probe again */
	struct agenda_timer wake;  /* a scan is due */
	uint64_t losses;           /* connections that ended while online */
	uint64_t excused_us;       /* until then I/O of it may fail */
	uint64_t online_us, probe_us;
	unsigned renames, dialled_name; /* of the settings; and when it dialled last */
	struct timers timers;
	uint32_t longest_ms; /* promise so far */
	struct kept kept;
	int32_t tpgt;  /* of its address, as it is configured */
	int must_dial; /* the portal that a new life must try first; -1: any */
};

/* A discovery: an owner of a connection that has no session and no units. */
struct seek {
	struct owner host;
	struct discovery *x; /* NULL: none is under way */
	unsigned renames;
	uint64_t since_us, list; /* when it began; which list it was told last */
	bool is_told;            /* all of it */
	uint64_t spoilt;         /* of its targets: bits of the text about these were wrong */
};

/* ---- targets (t*.c) ---- */

/* What is wrong with one LUN now. */
struct place {
	struct disk *disk; /* NULL: nobody there */
	unsigned ua[8], uas;
	struct tconn *told; /* to whom the first of them was told, not known to be read */
	uint32_t told_sn;
	uint64_t busy_until_us, full_until_us, check_until_us, stall_until_us, swallow_until_us,
	    late_until_us;
	unsigned check; /* which of the odd answers */
	uint64_t changed_us;
	uint64_t back_us; /* when its own disk is back; 0: it is there */
};

struct target {
	struct sim *w;
	unsigned i;
	char name[64];
	struct rng rng;
	unsigned groups[2]; /* portal group tags of its portals */
	struct disk *disks; /* SIM_DISKS; those of an array are all its targets' */
	unsigned shift;     /* what stands at place 0 of the first target is at this one's */
	struct place places[SIM_PLACES];
	struct {
		uint8_t state, next; /* of its port group; and what it is then: */
		uint64_t until_us;   /* 0: nothing */
		uint64_t epoch;      /* it has changed so often */
	} alua;
	struct list conns; /* tconn.link: connections, and nexuses that are gone but live */
	uint16_t tsih;
	/* Its habits. */
	uint64_t slow_us; /* a command takes so long at most, as a rule */
	unsigned window, p_split_status, p_short_r2t, p_extra_round;
	/* What is wrong now. */
	uint64_t held_until_us; /* one of its units stalls, swallows or is late */
	uint64_t twin_until_us, list_spoilt_until_us;
	unsigned twin_portal;
	uint64_t down_until_us, login_silent_until_us, login_refuse_until_us, redirect_until_us,
	    window_closed_until_us, tmf_until_us, list_silent_until_us, list_slow_until_us,
	    secret_until_us, impostor_until_us;
	uint8_t status_class, status_detail, tmf_response;
	const struct plan_row *trap; /* it happens when a write is under way */
	struct agenda_timer spring;
	unsigned redirect_from, rejects;
	bool is_redirect_permanent, is_reset_fine;
};

/* ---- the plan (plan.c) ---- */

struct plan_row {
	unsigned kind;
	uint64_t at_us, for_us;
	unsigned session, place, arg;
	bool is_dropped;
};

/* ---- the world ---- */

enum sim_theme { SIM_ANYTHING, SIM_FENCES, SIM_CACHES, SIM_CHANGES, SIM_THEMES };

struct trace_row {
	uint64_t us, step, v[4];
	const char *fmt;
};
#define TRACE_ROWS 256

struct sim {
	uint64_t seed, step, tick;
	struct agenda agenda;
	bool is_recorded, is_traced, is_healed, is_ending;
	enum sim_theme theme;
	unsigned sessions, places;
	/* All targets are ports of one array, and the sessions paths; it has port groups; which an
	 * initiator may set; TEST UNIT READY is executed in each of their states. */
	bool is_array, has_alua, can_set, is_ready_anyway;
	struct disk disks[SIM_SESSIONS][SIM_DISKS];
	uint64_t begin_us, horizon_us, healed_us;
	struct rng rng;
	struct owner owners[SIM_SESSIONS];
	struct seek seeks[SIM_SEEKS]; /* of the target of session i: i, i + SIM_SESSIONS, … */
	unsigned seek_serial;
	struct target targets[SIM_SESSIONS];
	struct plan_row plan[SIM_PLAN];
	unsigned plans, next_plan;
	struct agenda_timer plan_timer;
	uint64_t think_us;
	unsigned blocks; /* that users write */
	unsigned op_weight[5];
	/* The book. */
	uint32_t wrs, nodes;
	/* Pools; what is behind the counters was never used. */
	struct list free_nets, free_conns, free_tasks;
	unsigned n_nets, n_conns, n_tasks;
	struct trace_row trace[TRACE_ROWS];
	uint64_t traces;
	/* The initiator is gone; how often it was. */
	/* Challenges of the initiator, each once. */
	uint64_t challenge[SIM_CHALLENGES];
	unsigned challenges;
	struct spare *spare; /* of the initiator's thread */
	bool is_down;
	unsigned life;
	struct agenda_timer restart, relapse;
	unsigned relapses; /* so often it is killed again soon after it has begun */
	struct rng crash_rng;
	/* What happened. */
	uint64_t requests, failed, commands, pdus, logins, ghosts, killed, again;
};

/* Memory that need not be zeroed for each world. */
extern struct wr sim_wr[SIM_WRITES];
extern struct node sim_node[SIM_NODES];

static inline uint64_t
sim_now(const struct sim *w)
{
	return w->agenda.now_us;
}

static inline void
sim_until(uint64_t *until, const struct sim *w, uint64_t us)
{
	if (*until < sim_now(w) + us)
		*until = sim_now(w) + us;
}

/* trace.c: something happened; %u, %x, %s (static text), %t (a time), up to four. */
void sim_trace(struct sim *w, const char *fmt, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
#define TRACE4(w, fmt, a, b, c, d, ...)                                                         \
	((w)->is_recorded                                                                       \
		? sim_trace(w, fmt, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d)) \
		: (void)0)
#define TRACE(w, ...) TRACE4(w, __VA_ARGS__, 0, 0, 0, 0, 0)
#define TRACE_TEXT(s) ((uint64_t)(uintptr_t)(s))
void sim_say(struct sim *w, const char *text);
/* The last rows, to the standard error. */
void sim_dump(const struct sim *w, unsigned rows);
/* An oracle has seen what must not be. */
void sim_fail(struct sim *w, const char *oracle, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#endif
