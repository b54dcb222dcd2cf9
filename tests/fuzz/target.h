/*
 * A session and all that is around it, for the harnesses of the core: a user with
 * requests, a socket that takes and gives any number of bytes, and a target that
 * does what the input says.  What the session owes to anybody is checked at each step:
 *
 *   every request ends once, with what is true of it; so do pings and texts
 *   memory of a request is not touched once it is handed back (each has memory of its own)
 *   what is sent is whole PDUs with right digests, within the window, the bursts and R2Ts that were
 *   granted, of the length that was negotiated, and with the data that was to be written
 *   after an error nothing more is sent, and the end is told once; after a tick nothing is overdue
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include "base/seq.h"
#include "core/sess.h"
#include "pdus.h"

#define TARGET_REQUESTS 16
#define TARGET_R2TS     64
#define TARGET_DATA_MAX 200000u
#define TARGET_OUT      (4u << 20)

struct target_r2t {
	uint32_t ttt, at, end; /* what is still to come of it */
};

/* A request of the user's. */
struct target_request {
	struct req *req; /* NULL: none */
	bool is_seen;    /* its command left */
	uint32_t itt;
	uint32_t next_sn, next_offset; /* of Data-In or R2T */
	uint32_t unsolicited;          /* where the next such byte stands */
	uint32_t n_r2ts;
	struct target_r2t r2t[TARGET_R2TS];
};

struct target {
	struct sess *sess;
	struct sess_cfg cfg;
	struct chap_cfg chap;
	uint64_t now;
	uint16_t configuration;
	size_t chunk;             /* bytes that a read gives at most */
	bool is_direct, is_stuck; /* reads into task memory; the socket takes nothing */
	bool is_closing;          /* SESS_EV_CLOSE was told */
	bool is_online, is_verifying;
	enum conn_result result;
	uint32_t stat_sn, max_cmd_sn; /* the next one, and what we allowed */
	uint32_t next_cmd_sn;         /* of what the initiator sends */
	uint8_t login_flags;          /* of the last Login Request */
	uint32_t last_itt;            /* of what is no SCSI command */
	unsigned pings, texts;        /* asked for, not ended */
	struct target_request request[TARGET_REQUESTS];
	size_t in_len; /* bytes that the initiator sent, not a whole PDU yet */
	uint8_t *in;
};

/* Bits of the configuration. */
enum target_configuration {
	TARGET_DISCOVERY = 0x0001,
	TARGET_CHAP = 0x0002,
	TARGET_MUTUAL = 0x0004,
	TARGET_ASK = 0x0008, /* with TARGET_MUTUAL: somebody else is asked */
	TARGET_SKIP_SECURITY = 0x0010,
	TARGET_HEADER_DIGEST = 0x0020,
	TARGET_DATA_DIGEST = 0x0040,
	TARGET_INITIAL_R2T = 0x0080,
	TARGET_NO_IMMEDIATE = 0x0100,
	TARGET_FAST_ABORT = 0x0200,
	TARGET_ONE_SLOT = 0x0400,
	TARGET_DIRECT = 0x0800,
	TARGET_STAGE = 0xf000, /* of the login, how far it has come: fuzz_login.c */
};

struct target *target_new(uint16_t configuration);
/* Everything must have come back. */
void target_free(struct target *t);
void target_connect(struct target *t);
/* The transport is gone; harmless when it is. */
void target_disconnect(struct target *t);
/* Logs in as the configuration says, without CHAP. */
void target_log_in(struct target *t);
/* A Login Response with these keys ("A=1\nB=2\n") that answers the last request. */
void target_answer_login(struct target *t, uint8_t flags, const char *keys);

void target_play(struct target *t, const struct pdus_unit *unit);

/* target_user.c: what the user does, and what he is told. */
void target_act(struct target *t, uint8_t what, uint16_t number);
void target_submit(struct target *t, enum req_dir dir, uint32_t len);
void target_drain(struct target *t);

/* target_sent.c: the socket takes up to n bytes; what is whole of them is looked at. */
void target_pull(struct target *t, size_t n);
/* What is written: the beginning of it; is it this part? */
void target_put_pattern(uint8_t *data, uint32_t len);
bool target_is_pattern(uint32_t offset, const uint8_t *data, uint32_t len);

#endif
