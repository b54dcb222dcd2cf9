/*
 * The world of one scenario: a session of the core, the target at the other
 * end of its wire, the socket between them, and a clock that only scripts
 * move.  It plays the engine (link.h): what the session has to send goes out
 * at once, its events are collected, a connection that it wants closed is
 * closed, and events become messages through report.h.
 */
#ifndef SCENARIO_WORLD_H
#define SCENARIO_WORLD_H

#include "core/sendtargets.h"
#include "core/sess.h"
#include "driver/diag/diag.h"
#include "script.h"
#include "wire.h"

#define WORLD_NAMES   64
#define WORLD_EVENTS  64
#define WORLD_TEXT    4096
#define WORLD_PATTERN (1u << 20)

/* How the target's bytes reach the session. */
struct world_cut {
	const char *name;
	size_t bytes; /* at most so many a read; 0: all there are */
	bool direct;  /* large payloads straight into the request's memory */
};

/* A request of the script. */
struct world_req {
	struct req req;
	char name[16];
	bool done, asserted;
};
/* A PDU that the script gave a name. */
struct world_pdu {
	char name[16];
	struct wire_pdu pdu;
};
struct world_event {
	struct sess_event ev;
	char redirect[LIMIT_ADDRESS_BYTES + 1], culprit[256], reason[256];
	uint8_t sense[64];
};
struct world_message {
	enum diag_id id;
	char text[1024];
};

struct world {
	const struct scenario *scenario;
	const struct line *line;
	const struct world_cut *cut;
	bool failed, trace;
	char why[2048];

	/* The session and its caller. */
	struct sess *sess;
	struct sess_cfg cfg;
	struct chap_cfg chap;
	struct chap_ops chap_ops;
	uint64_t now;
	bool was_online;
	enum conn_result closing; /* CONN_OK unless a close is wanted */
	bool is_closing;
	struct world_req req[WORLD_NAMES];
	size_t reqs;
	struct world_req *order[WORLD_NAMES]; /* as they ended */
	size_t ended;
	struct world_event event[WORLD_EVENTS];
	size_t events, events_asserted;
	struct world_message message[WORLD_EVENTS];
	size_t messages, messages_asserted;
	bool count_asserted[sizeof(struct conn_counts) / sizeof(uint64_t)];
	char text[WORLD_TEXT]; /* of Text Responses */
	size_t text_len;
	struct sendtargets *targets; /* reads the same */
	char found[WORLD_TEXT];      /* what it made of it: "name address" lines */

	/* The target. */
	uint32_t stat_sn, exp_cmd_sn, window, window_closed_at;
	bool window_is_fixed;
	uint32_t last_exp_stat_sn;
	bool header_digest, data_digest, digests_next[2];
	uint32_t max_recv_dsl;
	bool full_feature;
	struct wire_pdu last; /* that the initiator sent */
	struct world_pdu saved[WORLD_NAMES];
	size_t saves;

	/* The wire: what the initiator sent and the script has not looked at, and how much the
	 * socket takes. */
	uint8_t *in;
	size_t in_len, in_at, in_size;
	uint64_t socket_room;
	/* The target's bytes that wait for company ("more"). */
	uint8_t *out;
	size_t out_len;
	/* And those that the session did not take yet. */
	uint8_t *kept;
	size_t kept_len;
};

extern uint8_t world_pattern[WORLD_PATTERN];

void world_init(struct world *w, const struct scenario *sc, const struct world_cut *cut);
void world_fini(struct world *w);
/* Make the session from w->cfg, unless it exists. */
void world_start(struct world *w);
/* The script's expectation does not hold; only the first is kept. */
void world_fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* After any input: events out, bytes out, and the close if one is wanted. */
void world_turn(struct world *w);
void world_connect(struct world *w);
/* The transport ends: err as in link.h. */
void world_disconnect(struct world *w, int err, enum conn_result why);
/* Bytes of the target. */
void world_feed(struct world *w, const uint8_t *bytes, size_t n);
/* The clock moves, and every deadline on the way is kept. */
void world_advance(struct world *w, uint64_t us);
/* The next PDU the initiator sent; false: none is whole.  It is checked against the rules of law.c.
 */
bool world_next_pdu(struct world *w, struct wire_pdu *ret_pdu);
struct world_req *world_req(struct world *w, const char *name);
/* A PDU the script gave this name; NULL: none. */
const struct wire_pdu *world_pdu(struct world *w, const char *name);
void world_save(struct world *w, const char *name, const struct wire_pdu *p);

/* law.c: what any target may expect of any PDU of an initiator. */
void law_check(struct world *w, const struct wire_pdu *p);

#endif
