/*
 * A target for tests of the session: it writes and reads PDUs byte by byte with
 * a codec of its own, so that a mistake in the core's codec is not made twice.
 * It also plays the socket: bytes of the target reach the session in chunks of
 * any size.
 */
#ifndef CORE_TEST_PEER_H
#define CORE_TEST_PEER_H

#include "core/sess.h"

#define PEER_BYTES (4u << 20)

/* A PDU the initiator sent, or the target will send. */
struct peer_pdu {
	uint8_t bhs[48];
	const uint8_t *data;
	uint32_t len;
};

struct peer {
	struct sess *sess;
	uint64_t now;
	size_t chunk; /* bytes a socket read gives at most; 0: everything */
	bool direct;  /* read large payloads straight into task memory, as the engine does */
	bool header_digest, data_digest;
	uint32_t corrupt; /* flip a bit of the next PDU: 'H'eader digest, 'D'ata digest */
	uint32_t stat_sn, exp_cmd_sn, window;
	enum conn_result result;
	uint8_t *in; /* what the initiator sent */
	size_t in_len, in_at;
	/* Both streams since they were made (PEER_BYTES each); NULL: nobody wants them. */
	uint8_t *stream[2];
	size_t stream_len[2]; /* of the target, and of the initiator */
	/* Events seen, newest last; request completions separately. */
	struct sess_event event[64];
	unsigned events;
	struct req *done[2048];
	unsigned n_done;
	char text[8192]; /* of SESS_EV_TEXT */
	size_t text_len;
};

struct peer *peer_new(const struct sess_cfg *cfg);
/* Ends the session too; requests left over are handed back first. */
void peer_free(struct peer *p);

uint32_t peer_get32(const uint8_t *bhs, unsigned byte);
void peer_put32(uint8_t *bhs, unsigned byte, uint32_t v);
void peer_put24(uint8_t *bhs, unsigned byte, uint32_t v);

/* Take what the initiator has to send; then the next PDU of it, or false. */
void peer_pull(struct peer *p);
bool peer_next(struct peer *p, struct peer_pdu *ret_pdu);
/* The next PDU must exist and have this opcode. */
struct peer_pdu peer_expect(struct peer *p, uint8_t opcode);
/* Nothing more may be waiting to be sent. */
void peer_expect_nothing(struct peer *p);

/* Send raw bytes; drains events. */
void peer_bytes(struct peer *p, const uint8_t *bytes, size_t n);
/* Send a PDU: fills lengths, MaxCmdSN, ExpCmdSN, digests and padding. */
void peer_send(struct peer *p, uint8_t *bhs, const void *data, uint32_t len);
/* Same, and StatSN is set and counted. */
void peer_answer(struct peer *p, uint8_t *bhs, const void *data, uint32_t len);

/* Connect and log in; `keys` are the target's operational answers, "A=1\nB=2\n". */
void peer_login(struct peer *p, const char *keys);
/* The event at the end of the list has this kind. */
const struct sess_event *peer_last(struct peer *p, enum sess_event_kind kind);
/* Advance the clock and tick. */
void peer_tick(struct peer *p, uint64_t us);
void peer_drain(struct peer *p);

/* Common answers. */
void peer_status(struct peer *p, uint32_t itt, uint8_t status);
void peer_data_in(struct peer *p, uint32_t itt, uint32_t sn, uint32_t offset, const uint8_t *data,
    uint32_t len, bool has_status);
void peer_r2t(
    struct peer *p, uint32_t itt, uint32_t ttt, uint32_t sn, uint32_t offset, uint32_t len);

/* The tests' session, and the same online with a target that answers `keys`. */
struct sess_cfg peer_config(void);
struct peer *peer_online(const char *keys);
/* What a target answers to our default offer; the last of a key counts. */
#define PEER_KEYS_PLAIN                                                                          \
	"HeaderDigest=None\nDataDigest=None\nMaxConnections=1\nDefaultTime2Wait=2\n"             \
	"DefaultTime2Retain=0\nDataPDUInOrder=Yes\nDataSequenceInOrder=Yes\nErrorRecoveryLevel=" \
	"0\n"                                                                                    \
	"MaxRecvDataSegmentLength=8192\nMaxOutstandingR2T=1\nTaskReporting=RFC3720\n"
#define PEER_KEYS_BURSTS "MaxBurstLength=65536\nFirstBurstLength=16384\n"
#define PEER_KEYS        PEER_KEYS_PLAIN PEER_KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n"

/* What writes send and reads expect; no part of it looks like another. */
extern uint8_t peer_pattern[1 << 20];
/* A submitted request to LUN 3, a write of the pattern. */
struct req *peer_request(struct peer *p, enum req_dir dir, uint32_t len);
void peer_request_free(struct req *r);
/* The request was the last one handed back, and so. */
void peer_assert_done(struct peer *p, const struct req *r, enum req_result result);
/* The connection was ended for this reason, and nothing more is sent. */
void peer_assert_broken(struct peer *p, enum conn_result why);

#endif
