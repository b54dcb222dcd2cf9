/*
 * What the units of a session share: sess.c, task*.c, conn*.c, ctl*.c.
 * Nobody else includes this.
 */
#ifndef CORE_SESS_IMPL_H
#define CORE_SESS_IMPL_H

#include <assert.h>

#include "base/seq.h"
#include "core/conn.h"
#include "core/pdu.h"
#include "core/sess.h"
#include "core/spare.h"
#include "core/trace.h"

enum conn_state {
#define STATE(id) CONN_S_##id,
#include "core/conn_fsm.def"
	CONN_STATE_COUNT
};
enum conn_event {
#define EVENT(id) CONN_E_##id,
#include "core/conn_fsm.def"
	CONN_EVENT_COUNT
};

/* A piece of write data the target may have: asked by an R2T, or unsolicited (ttt is PDU_NO_TAG).
 */
struct burst {
	uint32_t ttt;
	uint32_t offset; /* of the next byte to send */
	uint32_t end;
	uint32_t data_sn;
};

/* req.slot of a request that has no slot: it waits to be sent, or it is over. */
#define SLOT_WAITING UINT32_MAX
#define SLOT_OVER    (UINT32_MAX - 1)

/* A task slot. */
struct task {
	struct req *req; /* NULL: free */
	uint32_t itt;    /* generation << 16 | slot; never PDU_NO_TAG */
	uint32_t cmd_sn;
	uint32_t next_sn;     /* the next DataSN (read) or R2TSN (write) expected from the target */
	uint32_t next_offset; /* the next buffer offset expected in a Data-In or R2T */
	uint32_t sequence_offset; /* where the sequence of Data-In under way began */
	uint32_t data_put;        /* write data bytes that were put */
	bool timed_out;
	bool aborting;  /* FastAbort: no more of its data is sent */
	bool answered;  /* status is in, but our own data is still being sent from req->data */
	uint8_t bursts; /* bursts waiting in burst[], oldest at burst_first */
	uint8_t burst_first;
	uint64_t deadline_us;
	uint64_t tx_begin;     /* stream position behind the header of its command */
	uint64_t tx_end;       /* and behind the last byte queued from req->data */
	struct list link;      /* sess.active, sess.lingering, or sess.free */
	struct list send_link; /* conn.senders while bursts > 0 */
	struct burst burst[LIMIT_R2T + 1];
};

/*
 * A request of ours that is no SCSI command, and its answer: login, ping and
 * logout are the connection's, text and task management the session's.  Of
 * each kind one is under way at most.
 */
struct exchange {
	enum exchange_state {
		EXCHANGE_IDLE,
		EXCHANGE_QUEUED, /* it waits for room */
		EXCHANGE_SENT,   /* its PDU was made; the answer is awaited */
		EXCHANGE_HELD,   /* answered; what comes next is somebody else's word */
	} state;
	uint32_t itt;
	uint64_t deadline_us;      /* of the answer; unless EXCHANGE_IDLE */
	uint64_t tx_end;           /* stream position behind its last byte; EXCHANGE_SENT */
	struct sess_ending ending; /* to be told if the connection ends first */
	void *user;
};

enum rx_phase { RX_HEADER, RX_DATA, RX_TRAILER };

/* Where a data segment goes. */
enum rx_sink { SINK_TASK, SINK_CONTROL, SINK_TEXT, SINK_DISCARD };

/* What commands wait for, if they do. */
enum flow { FLOW_OPEN, FLOW_NO_SLOT, FLOW_NO_WINDOW };

/* Received payloads from this size on are read by the socket straight into task memory. */
#define CONN_DIRECT_MIN 8192u
/* Sense and headers fit in; what logs in, and long echoes, have LIMIT_CONTROL_BYTES meanwhile. */
#define CONTROL_SMALL 320
/* NOP-Ins that wait for their answer; while they are so many nothing more is read. */
#define CONN_NOP_REPLIES 16
/* Payload queued for one send; more would leave the cache before the kernel copies it. */
#define CONN_BATCH_BYTES (512u << 10)

struct conn {
	struct sess *sess;
	enum conn_state state;
	bool header_digest, data_digest; /* in force now */
	uint32_t exp_stat_sn;
	uint16_t cid;

	/* Receiving. */
	enum rx_phase phase;
	enum rx_sink sink;
	uint32_t have;    /* bytes of header or trailer carried over */
	uint32_t left;    /* payload bytes still to come */
	uint32_t trailer; /* bytes of padding and data digest that follow */
	uint32_t crc;
	uint32_t last_payload;
	uint32_t control_len;
	uint8_t *dst;      /* SINK_TASK: where the next byte goes */
	struct task *task; /* SINK_TASK: whose */
	uint8_t header[PDU_BHS_BYTES + LIMIT_AHS_BYTES + PDU_DIGEST_BYTES];
	uint8_t trailer_bytes[3 + PDU_DIGEST_BYTES];
	/* The payload of a PDU that belongs to no command: control_room bytes, here or on the heap.
	 */
	uint8_t *control;
	uint32_t control_room;
	uint8_t control_small[CONTROL_SMALL];

	/* Sending. */
	struct room *tx;             /* NULL: all has left, and it is another one's */
	uint64_t starved_until_us;   /* UINT64_MAX: there was memory for it */
	uint64_t tx_queued, tx_sent; /* stream positions */
	enum flow flow;
	uint64_t window_deadline_us; /* with FLOW_NO_WINDOW */
	struct list senders;         /* tasks with bursts to send, oldest first */

	struct {
		struct exchange x;
		struct login *machine; /* NULL once logged in */
		struct login_req req;
		unsigned responses;                 /* so far */
		size_t unknown_told, rejected_told; /* bytes of the names that were told */
	} login;
	struct {
		struct exchange x;
		bool is_ours; /* the user did not ask for it */
		uint32_t len;
		uint8_t *data; /* len of them; NULL: none */
		uint64_t sent_us;
	} ping;
	struct {
		struct exchange x;
		enum conn_result why; /* how the connection ends with the answer */
	} logout;
	uint32_t nop_replies; /* NOP-Ins of the target that wait for our NOP-Out */
	struct {
		uint32_t ttt;
		uint8_t lun[8];
	} nop_reply[CONN_NOP_REPLIES];
	uint64_t last_rx_us;

	uint32_t digest_expected, digest_received;
	enum conn_result result;   /* why it was broken */
	enum conn_state broken_in; /* with CONN_S_CLEANUP: the state before */
	struct conn_counts counts;
};

/* An idle session has this many slots. */
#define TASK_CHUNK 4

/* Events other than handed-back requests; conn_rx() stops while one waits. */
#define SESS_EVENTS 8

struct sess {
	struct sess_cfg cfg;
	struct conn *conn; /* NULL while offline */
	uint16_t tsih;
	enum sess_state ended_in; /* the connection before */
	/* For after this connection: the target's wish, or what was negotiated. */
	uint16_t time2wait_s, time2retain_s;
	int32_t tpgt;
	char target_alias[LIMIT_ALIAS_BYTES + 1];
	char redirect[LIMIT_ADDRESS_BYTES + 1];
	char login_reason[256], login_culprit[256], login_proposed[256];
	char unknown_keys[256], rejected_keys[256];
	struct neg_params params;

	uint32_t cmd_sn, exp_cmd_sn, max_cmd_sn;
	uint32_t next_control_itt;

	struct {
		struct exchange x;
		uint32_t ttt, total, parts; /* bytes and PDUs of the answer */
		uint8_t lun[8];
		char what[LIMIT_ISCSI_NAME_BYTES + 1];
	} text;
	struct {
		struct exchange x;
		enum sess_tmf_function function;
		uint32_t task_itt, task_cmd_sn; /* SESS_TMF_ABORT_TASK */
		uint8_t lun[8];
	} tmf;

	uint32_t made; /* slots that there is memory for: chunks of TASK_CHUNK, one more when all
			  are in use */
	struct list free;
	struct list active;           /* sent, unanswered, in CmdSN order */
	struct list lingering;        /* answered, their data not yet out */
	struct list waiting;          /* struct req, in order of submission */
	struct list done;             /* struct req, to be handed back */
	uint32_t n_free, n_lingering; /* slots not in use, also those not made yet; of lingering */
	uint32_t requests;            /* held: waiting, active, lingering, done */
	uint64_t check_us;            /* when the active tasks' deadlines are looked at again */
	uint64_t now_us;

	struct sess_event event[SESS_EVENTS];
	uint32_t event_first, events;
	struct conn_counts past; /* of connections that are gone */
	struct tap *taps;        /* who listens; NULL: nobody */
	struct trace trace;
	struct task *chunk[]; /* enough for cfg.slots */
};

/* sess.c */
void sess_post(struct sess *s, const struct sess_event *ev);
uint32_t sess_control_itt(struct sess *s);
/* Whether a control request can go out now; it is counted when it cannot. */
bool sess_can_ask(struct sess *s);

/* conn.c: move the state; break with a reason (posts SESS_EV_CLOSE once). */
void conn_fire(struct conn *c, enum conn_event ev);
enum conn_result conn_break(struct conn *c, enum conn_result why);
/* 0, or an error as sess_connected() returns it. */
int conn_new(struct sess *s, uint64_t now, struct conn **ret_conn);
void conn_free(struct conn *c);
uint64_t conn_deadline(const struct conn *c);
void conn_tick(struct conn *c, uint64_t now);

/* exchange.c: control exchanges. */
void exchange_move(struct exchange *x, enum exchange_state to);
/* It is asked for: to be sent, and answered by `deadline_us`. */
void exchange_queue(struct exchange *x, uint64_t deadline_us, void *user);
/* Its PDU is the last that was put. */
void exchange_sent(const struct conn *c, struct exchange *x);
/*
 * Whether an answer with this tag is its answer: CONN_BAD_ITT, or
 * CONN_EARLY_ANSWER where the target cannot have the whole request yet.
 */
enum conn_result exchange_answered(const struct conn *c, const struct exchange *x, uint32_t itt);
/* The earliest deadline; UINT64_MAX: none. */
uint64_t exchange_deadline(const struct conn *c);
/* What is late ends, or the connection does. */
void exchange_tick(struct conn *c, uint64_t now);
/* The connection is gone, and with it what was not answered. */
void exchange_lost(struct conn *c);
/* Ours: nobody is told how it ended. */
void exchange_ping(struct conn *c, uint32_t len, bool is_ours, void *user, uint64_t now);
void exchange_logout(struct conn *c, enum conn_result why);

/* task.c: slots. */
struct task *task_get(struct sess *s, struct req *r, uint64_t now);
/* A few more slots.  False: there are all, or there is no memory. */
bool task_more(struct sess *s);
void task_put(struct sess *s, struct task *t);
/* The target's answer is complete; hands the request back when its data is out. */
void task_answered(struct sess *s, struct task *t);
/* Hand a request back. */
void task_give_back(struct sess *s, struct req *r, enum req_result result);
/* Requests whose data has left by now are handed back. */
void task_release_sent(struct sess *s, const struct conn *c);
/* The connection is gone, and every request with it. */
void task_lose_all(struct sess *s);
void task_check_deadlines(struct sess *s, uint64_t now);

/* tmf.c: task management functions and the recovery of late commands. */
void tmf_recover(struct conn *c);
/* Its function was not answered in time. */
void tmf_late(struct conn *c, uint64_t now);
enum conn_result tmf_in(struct conn *c);
/* One was put on the wire: with FastAbort its tasks send no more data (4.2.3.4). */
void tmf_sent(struct conn *c);
/* AsyncEvent 5: the LUN's tasks were terminated. */
void tmf_terminated(struct conn *c, const uint8_t lun[8]);

/* task_in.c: PDUs of the target that belong to a task.  The payload is in place. */
enum conn_result task_in_data_begin(struct conn *c, const uint8_t *bhs);
enum conn_result task_in_data(struct conn *c);
enum conn_result task_in_response(struct conn *c);
enum conn_result task_in_r2t(struct conn *c, const uint8_t *bhs);

/* ctl_in.c: all other PDUs of the target; header in c->header, payload in c->control. */
enum conn_result ctl_in(struct conn *c);
/* A NOP-Out is due that answers a NOP-In or an asynchronous message; there is room for one. */
void ctl_in_reply_nop(struct conn *c, uint32_t ttt, const uint8_t lun[8]);
/* A part of a Text Response arrived. */
void ctl_in_text(struct conn *c, const uint8_t *p, size_t n);

/* ctl_login.c: a Login Response; header in c->header, payload in c->control. */
enum conn_result ctl_login_in(struct conn *c);
/* The login waited for a verdict on the target; here it is. */
enum conn_result ctl_login_verified(struct conn *c, enum chap_verdict verdict);

/* ctl_out.c: PDUs that are not tasks; each returns false when there is no room now. */
bool ctl_out(struct conn *c, uint64_t now);
void ctl_out_login(struct conn *c);

/* conn_tx.c: building. */
/* Queue the header just filled with n bytes of payload, which stay where they are until sent. */
void conn_tx_put(struct conn *c, uint8_t *bhs, const uint8_t *data, uint32_t n);
/* As conn_tx_put() but the payload (at most 512 bytes) is copied into the arena. */
void conn_tx_put_copy(struct conn *c, uint8_t *bhs, const uint8_t *data, uint32_t n);

/* ---- of every PDU, and therefore inline ---- */

static inline bool
conn_is_full_feature(const struct conn *c)
{
	return c->state == CONN_S_LOGGED_IN || c->state == CONN_S_IN_LOGOUT;
}

/* A status-bearing PDU came: its StatSN must be the next one. */
static inline enum conn_result
conn_take_stat_sn(struct conn *c, uint32_t stat_sn)
{
	/*
	 * On one TCP connection nothing is lost or reordered, so a number that is
	 * not the next one means a response that will never come: with
	 * ErrorRecoveryLevel 0 the session starts over (RFC 7143, section 7.1.4.1).
	 */
	if (stat_sn != c->exp_stat_sn) {
		c->counts.statsn_holes++;
		return CONN_STATSN_HOLE;
	}
	c->exp_stat_sn++;
	return CONN_OK;
}

static inline void
sess_note_window(struct sess *s, uint32_t exp_cmd_sn, uint32_t max_cmd_sn)
{
	/*
	 * RFC 7143, section 4.2.2.1: "If the PDU MaxCmdSN is less than the PDU
	 * ExpCmdSN - 1 (in Serial Arithmetic sense), they are both ignored", and
	 * each is only ever moved forward.
	 */
	if (seq_lt(max_cmd_sn, exp_cmd_sn - 1))
		return;
	if (seq_lt(s->max_cmd_sn, max_cmd_sn))
		s->max_cmd_sn = max_cmd_sn;
	if (seq_lt(s->exp_cmd_sn, exp_cmd_sn))
		s->exp_cmd_sn = exp_cmd_sn;
}

/* The task of a tag in a PDU of the target; NULL: there is none. */
static inline struct task *
task_find(struct sess *s, uint32_t itt)
{
	uint32_t slot = itt & 0xffff;

	struct task *t;

	if (slot >= s->made)
		return NULL;
	t = &s->chunk[slot / TASK_CHUNK][slot % TASK_CHUNK];
	if (t->itt != itt || t->req == NULL || t->answered)
		return NULL;
	/* Of a command whose header is not on its way yet nobody can know. */
	return s->conn->tx_sent < t->tx_begin ? NULL : t;
}

/* New commands wait while a function that concerns more than one task is under way. */
static inline bool
tmf_holds_commands(const struct conn *c)
{
	return c->sess->tmf.x.state != EXCHANGE_IDLE &&
	       c->sess->tmf.function != SESS_TMF_ABORT_TASK;
}

/* The most one PDU needs: header, digest, a copied payload, padding and digest. */
#define TX_COPY_MAX 512
#define TX_PDU_MAX  (PDU_BHS_BYTES + PDU_DIGEST_BYTES + TX_COPY_MAX + 3 + PDU_DIGEST_BYTES)

/* Whether another PDU can be put. */
static inline bool
conn_tx_room(const struct conn *c)
{
	return c->tx->arena_used + TX_PDU_MAX <= ROOM_ARENA_BYTES && c->tx->iov_end + 3 <= ROOM_IOV;
}

/* A header in the arena, to be filled by the caller; then conn_tx_put(). */
static inline uint8_t *
conn_tx_header(struct conn *c)
{
	assert(conn_tx_room(c));
	return c->tx->arena + c->tx->arena_used;
}

#endif
