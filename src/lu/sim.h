/*
 * For tests: a target of a few logical units with caches and queues, on a virtual
 * clock, that does everything a target and a network may do, by chance; and a
 * book of what was written, which says what may be read.  What must never be
 * is found here and told with the seed.
 */
#ifndef LU_SIM_H
#define LU_SIM_H

#include "lu/fake_unit.h"
#include "lu/lu_impl.h"

#define SIM_PLACES 3
#define SIM_PATHS  2
#define SIM_DISKS  6
#define SIM_BLOCKS 16
#define SIM_REQS   10   /* of a unit's user, at once */
#define SIM_CMDS   128  /* at the target, those of dead connections too */
#define SIM_WRITES 2000 /* of a world */
/* Each poison takes less than this, and so long others wait for a last try. */
#define SIM_FUSE_US 3200000

/* A write as its user sees it; what it leaves in each block is its number. */
struct sim_write {
	unsigned place, first, n;
	bool is_zeros, is_ended, is_acked;
	bool is_lost;        /* executed, and then the cache was lost */
	bool is_stable;      /* executed, and out of the cache, or overwritten there */
	uint64_t start, end; /* ticks */
	uint64_t exec;       /* tick of the last execution; 0: none */
};

struct sim_disk {
	uint64_t naa;
	unsigned cache[SIM_BLOCKS], stable[SIM_BLOCKS]; /* numbers of writes */
};

/* A user's request. */
struct sim_req {
	struct blk_req r;
	bool is_out;  /* the unit has it */
	bool is_away; /* a command of it is with the path */
	unsigned place, first, n;
	unsigned write;    /* its number; 0: it is none */
	uint64_t start;    /* tick */
	uint64_t since_us; /* when it was submitted */
	uint64_t stuck_us; /* since when it cannot go on; 0: it can */
	bool is_poison;    /* it ends every connection */
	uint64_t fuse_us;  /* so long after it was sent */
	unsigned fired;    /* how often it did */
	bool is_proven;    /* it has flown for longer than any poison takes */
	bool was_other;    /* the unit was another one meanwhile */
	bool may_fail;     /* it was answered with something permanent */
	bool is_delayed;   /* its last answer asked for a pause */
	unsigned losses;   /* connections that ended (not: fell silent) with it under way */
	unsigned oddities; /* answers against the protocol */
	uint64_t sync;     /* tick of its last SYNCHRONIZE CACHE */
	uint8_t buf[3 * 512];
};

/* SIM_FUSE: a poison that is there. */
enum sim_stage { SIM_FREE, SIM_HERE, SIM_THERE, SIM_FUSE, SIM_SILENT, SIM_ANSWERED };
struct sim_cmd {
	enum sim_stage stage;
	struct req *r;     /* NULL: its connection is gone, but it may be executed */
	struct sim_req *q; /* NULL: a question */
	unsigned place, write, path;
	uint8_t op, bits;                  /* of the command */
	uint64_t nexus, late_us, answered; /* answered: tick */
	uint64_t submit_us, left_us;       /* left_us: 0: it has not */
	bool is_withdrawn;
	bool is_old;          /* it came before a change was told: it is broken off */
	uint8_t tells_change; /* its answer does */
	uint8_t tells_reset;
};

/* A path: a nexus, and what the target has to tell it. */
struct sim_path {
	struct path path;
	struct sim *s;
	unsigned i;
	uint64_t down_us;       /* since when it is down */
	enum alua_state access; /* what the port is to all units */
	/* A change that is not told yet: until then nothing is executed there. */
	uint8_t change[SIM_PLACES]; /* 3F/…, SIM_ACCESS: 2A/06; 0: none */
	uint8_t reset[SIM_PLACES];  /* 29/…; 0: none; it is told first */
	bool is_mute[SIM_PLACES];   /* BUSY, until another place told it */
	uint64_t reset_tick[SIM_PLACES], change_tick[SIM_PLACES], mute_tick[SIM_PLACES];
};
#define SIM_ACCESS 0xff

struct sim {
	uint64_t seed, random;
	struct sim_path path[SIM_PATHS]; /* n_paths of them */
	unsigned n_paths;
	struct agenda agenda;
	uint64_t tick;
	struct lu *u[SIM_PLACES];
	struct sim_disk disks[SIM_DISKS];
	unsigned at[SIM_PLACES]; /* the disk that stands there; SIM_DISKS: none */
	bool is_stalled[SIM_PLACES];
	bool was_foreign[SIM_PLACES]; /* another disk stood there since the unit was the same */
	bool is_cached, has_fua;
	bool is_loss_due[SIM_PLACES]; /* answered writes are lost, and no flush said so */
	uint64_t loss_tick[SIM_PLACES];
	unsigned losses[SIM_PLACES], bad_flushes[SIM_PLACES];
	struct sim_cmd cmds[SIM_CMDS];
	struct sim_write writes[SIM_WRITES]; /* number 0: what is there in the beginning */
	unsigned n_writes;
	struct sim_req reqs[SIM_PLACES][SIM_REQS];
	unsigned window;
	/* Of a thousand: how often which kind of thing happens. */
	unsigned p_fault, p_loss, p_change, p_reset, p_poison, p_ghost, p_fence, p_move, p_stall,
	    p_login, p_short, p_access;
	bool is_traced, is_healed, is_fencing, only_poison_ends, has_slow_poison, is_strict;
	unsigned ended, failed, swaps, ghosts;
	/* For answers. */
	struct fake_unit unit;
	struct fake_path scratch;
};

/* What happened must not: names the seed, and ends the test. */
void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));
void sim_trace(const struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *sim_state_name(enum lu_state s);
uint64_t sim_random(struct sim *s, uint64_t below);
bool sim_chance(struct sim *s, unsigned of_thousand);

/* sim_target.c */
void sim_submit(struct path *p, struct req *r);
bool sim_withdraw(struct path *p, struct req *r);
/* One command moves on by one stage, if any can. */
bool sim_step(struct sim *s);
/* Commands whose time is over. */
void sim_late(struct sim *s);
/* When the next poison ends the connection; UINT64_MAX: none does. */
uint64_t sim_fuse_us(const struct sim *s);
/* It does, if it is time. */
void sim_fire(struct sim *s);
void sim_lose(struct sim *s, struct sim_path *w, bool is_silent);
void sim_login(struct sim *s, struct sim_path *w, bool is_reinstated);
void sim_fence(struct sim *s, struct sim_path *w);
/* The port's group is this from now on. */
void sim_access(struct sim *s, struct sim_path *w, enum alua_state access);
/* All of them were given up. */
bool sim_is_given_up(const struct sim *s);
/* The way of a unit over this path. */
struct lunpath *sim_way(const struct sim *s, unsigned place, unsigned path);
void sim_swap(struct sim *s, unsigned place, unsigned disk);
void sim_reset(struct sim *s);

/* sim_exec.c */
/* The target comes to this command: it executes it, or not, and has an answer. */
void sim_execute(struct sim *s, struct sim_cmd *c);

/* sim_book.c */
/* A user's request ends; what was read, or is promised, must be true. */
void sim_book_end(struct sim *s, struct sim_req *q);
/* A number for a new write. */
unsigned sim_book_write(struct sim *s, const struct sim_req *q);
/* A command of a dead connection is executed: on nothing newer. */
void sim_book_ghost(struct sim *s, const struct sim_disk *d, unsigned number);
void sim_book_exec(struct sim *s, struct sim_disk *d, unsigned number, bool is_through);
void sim_book_sync(struct sim *s, struct sim_disk *d, unsigned place);
/* The caches of all disks are lost. */
void sim_book_lost(struct sim *s);
/* True between any two events. */
void sim_book_check(struct sim *s);

#endif
