/*
 * A target: its codec (twire.c), logins (tlogin.c), what it asks of every PDU (tlaw.c), tasks
 * (ttask.c), control (tctl.c), SCSI (tscsi.c).  Written from RFC 7143 and T10, sharing nothing with
 * src/core.
 */
#ifndef SIM_TARGET_H
#define SIM_TARGET_H

#include "sim.h"

#define TARGET_IN_BYTES (48u + 1020 + 4 + 16384 + 8)
#define TARGET_R2T      8
#define NO_TAG          UINT32_MAX

enum tphase { T_SECURITY, T_OPERATIONAL, T_FULL, T_GONE };

/* A PDU that was sent: what the initiator knows once it has it. */
struct tsent {
	uint32_t max_cmd_sn, stat_sn;
};

/* What was agreed on. */
struct tparams {
	bool initial_r2t, immediate_data, header_digest, data_digest, fast_abort;
	uint32_t their_dsl, our_dsl, max_burst, first_burst, max_r2t, time2wait, time2retain;
};

/* A connection, which is a session here, and after its end a nexus whose commands may be executed
 * yet. */
struct tconn {
	struct list link; /* target.conns */
	struct target *t;
	struct net *net; /* NULL: it is gone */
	enum tphase phase;
	unsigned portal;
	uint8_t isid[6];
	char name[64]; /* the initiator's */
	bool is_alive; /* it has logged in, and is not dead */
	bool is_discovery;
	bool is_impostor; /* it was asked who it is, and could not say */
	struct {
		bool is_on;
		unsigned state, algorithm, n;
		uint8_t identifier, challenge[32];
	} chap;
	uint64_t list;              /* SendTargets: which one is told, … */
	uint32_t list_at, list_ttt; /* … from here on, to whom has this tag */
	uint32_t list_itt;
	struct agenda_timer list_due; /* the next part */
	bool is_full;                 /* the last login response was sent */
	bool has_logged_out, has_refused_logout, is_first, was_extra, is_deaf;
	uint64_t dead_us; /* of a nexus: then nothing of it is left */
	struct agenda_timer death;
	struct tparams p;
	uint32_t stat_sn, exp_cmd_sn, max_cmd_sn, login_itt, next_ttt;
	uint32_t seen_stat_sn; /* ExpStatSN of its last PDU */
	/* A unit has said that the port serves no reads and writes; the initiator has that since
	 * then. */
	struct {
		uint64_t epoch, us;
		uint32_t sn;
	} barred[SIM_PLACES];
	uint32_t ping_ttt, pings; /* NOP-Ins that want an answer */
	uint8_t ping_lun[8];
	uint32_t got_max_cmd_sn, got_stat_sn; /* sent so far: the initiator may have them */
	uint16_t tsih;
	struct list tasks;               /* in the order in which they came */
	uint32_t next_unsol;             /* no task may begin its Data-Out before */
	struct agenda_timer close_timer; /* it will close */
	char text[4096];                 /* of a login request in parts */
	uint32_t text_n;
	char reply[2048]; /* what is left of an answer in parts */
	uint32_t reply_n, reply_at;
	bool reply_transit;
	uint8_t reply_csg, reply_nsg;
	uint32_t have;
	uint8_t in[TARGET_IN_BYTES];
};

struct tr2t {
	uint32_t ttt, offset, end, data_sn;
};

enum ttask_state {
	TTASK_DATA,     /* write data is awaited */
	TTASK_QUEUED,   /* it will be executed */
	TTASK_SENDING,  /* read data is on its way */
	TTASK_ANSWERED, /* data that the initiator had begun to send may still come */
};

struct ttask {
	struct list link; /* tconn.tasks, or the free ones */
	struct tconn *c;
	enum ttask_state state;
	uint32_t itt, cmd_sn, edtl;
	unsigned place;
	uint8_t lun[8], cdb[16];
	bool is_read, is_write;
	bool is_unsolicited;           /* the end of unsolicited data has not come */
	bool is_old;                   /* what it was sent to is not what stands there now */
	bool is_swallowed;             /* it is never answered */
	uint32_t got, unsol_sn, asked; /* write: bytes that came; asked for */
	uint32_t r2t_sn;
	struct tr2t r2t[TARGET_R2T];
	unsigned r2ts;
	struct agenda_timer due;
	/* An answer. */
	uint8_t response, status, sense_key, asc, ascq;
	bool has_sense;
	uint64_t
	    barred_epoch; /* it says that its port serves no reads and writes; 0: it does not */
	bool is_lie;      /* it says success and contradicts itself: O and U together */
	uint32_t data_n, sent, data_sn, burst; /* read data */
	uint32_t wr;                           /* of zeros and discards: which write it is */
	uint8_t *buf;                          /* SIM_TASK_BYTES */
};

/* ---- target.c ---- */
void target_init(struct target *t, struct sim *w, unsigned i);
void target_fini(struct target *t);
/* Power is lost: all connections end, caches are gone; it is back after so long.  An array's other
 * targets likewise. */
void target_crash(struct target *t, uint64_t us);
/* Its port group is in this state now; 0x0f: for so long, then in the next one. */
void target_set_port(struct target *t, uint8_t state, uint64_t us);
/* A controller of an array restarts; its caches are another one's, too. */
void target_restart(struct target *t, uint64_t us);
/* Those of one array, of which t is one: the next behind `at` (NULL: the first); NULL: none. */
struct target *target_mate(const struct target *t, const struct target *at);
#define EACH_MATE(t, m) \
	for (struct target *m = target_mate(t, NULL); m != NULL; m = target_mate(t, m))
/* Where what stands at this place of t is at a mate. */
unsigned target_place(const struct target *t, unsigned place, const struct target *mate);
/* All that have a way to a disk are told. */
void target_attention(struct target *t, const struct disk *d, unsigned code);
/* Of the places of t, and whoever a command there is for. */
struct unit *target_unit(const struct target *t, unsigned place);
/* A connection is made. */
struct tconn *tconn_new(struct target *t, struct net *net, unsigned portal);
/* From the network. */
uint32_t tconn_bytes(struct tconn *c, const uint8_t *bytes, uint32_t n);
void tconn_ended(struct tconn *c);
/* The initiator has closed its end: whatever the target knows, the time of the nexus is limited. */
void tconn_host_is_gone(struct tconn *c);
/* The target closes it. */
void tconn_close(struct tconn *c, bool is_reset);
/* Its commands are executed no more, as reinstatement or a logout promise. */
void tconn_kill(struct tconn *c);
/* Another initiator with our name and ISID logs in at this portal: what we have there is over. */
void target_twin(struct target *t, unsigned portal);
/* The nexus that serves now, or NULL. */
struct tconn *target_nexus(struct target *t);

/* ---- twire.c ---- */
/* Send a PDU: its window fields and StatSN are filled; has_status: it counts. */
void twire_put(struct tconn *c, uint8_t bhs[48], const uint8_t *data, uint32_t n, bool has_status);
uint32_t twire_crc(uint32_t crc, const uint8_t *p, uint32_t n);

/* ---- tlogin.c ---- */
void tlogin_in(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n);

/* ---- tlaw.c: the rules of RFC 7143 for what an initiator sends ---- */
void tlaw_check(struct tconn *c, const uint8_t *bhs, uint32_t n);
void tlaw_login(struct tconn *c, const uint8_t *bhs);
void tlaw_command(struct tconn *c, const uint8_t *bhs, uint32_t n);
void tlaw_data_out(struct tconn *c, const struct ttask *k, const uint8_t *bhs, uint32_t n);
__attribute__((noreturn, format(printf, 2, 3))) void tlaw_broken(
    struct tconn *c, const char *fmt, ...);

/* ---- ttask.c ---- */
void ttask_command(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n);
void ttask_data_out(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n);
struct ttask *ttask_find(struct tconn *c, uint32_t itt);
/* It is forgotten. */
void ttask_drop(struct ttask *k);
/* A command of this write may be executed yet, whatever came of another one. */
bool ttask_has_write(const struct target *t, uint32_t wr);
/* What was to be executed much later is executed soon. */
void ttask_hurry(struct target *t);
/* Those that wait at this place are not executed: what is connected is told. */
void ttask_clear_place(struct target *t, unsigned place);
/* Answer: status and sense of *k, and data_n bytes of k->buf. */
void ttask_answer(struct ttask *k);
void ttask_check(struct ttask *k, uint8_t key, uint8_t asc, uint8_t ascq);

/* ---- tscsi.c ---- */
/* The command is executed, on whatever stands there; what it answers is in *k. */
void tscsi_execute(struct ttask *k);
/* Reads and writes are executed at this port. */
bool tscsi_serves(const struct target *t);
/* A unit attention that is due: asc << 8 | ascq. */
void tscsi_attention(struct place *p, unsigned code);

/* ---- tctl.c ---- */
void tctl_nop(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n);
void tctl_tmf(struct tconn *c, const uint8_t *bhs);
void tctl_logout(struct tconn *c, const uint8_t *bhs);
void tctl_async(struct tconn *c, uint8_t event, unsigned place, unsigned code);
/* LOGICAL UNIT RESET: nothing that waits there is executed, or answered. */
void tctl_reset_unit(struct target *t, unsigned place);
void tctl_ping(struct tconn *c, bool wants_answer);
void tctl_reject(struct tconn *c, const uint8_t *bhs, uint8_t reason);

/* ---- tlist.c: SendTargets ---- */
void tlist_due(struct agenda_timer *timer);
void tlist_text(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n);
/* What a list must be read as. */
struct tlist_row {
	char name[64], host[64];
	uint16_t port, tpgt;
	bool is_tag_open;
	unsigned target; /* which of the list */
};
/* Returns how many rows. */
unsigned tlist_rows(const struct target *t, uint64_t list, struct tlist_row rows[SIM_FOUND]);

#endif
