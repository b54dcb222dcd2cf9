/* The target: what it sends. */
#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "core/digest.h"

#define TSIH 7

static size_t
hash_of(void *ctx, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out)
{
	(void)ctx;
	(void)parts;
	(void)n;
	memset(out, 0x5a, CHAP_DIGEST_MAX);
	return chap_algorithm_bytes(algorithm);
}

static void
configure(struct target *t)
{
	static const struct chap_ops ops = { hash_of, NULL };
	static const uint8_t secret[] = "0123456789abcdef", challenge[16] = { 1, 2, 3 };
	struct neg_offer *offer = &t->cfg.login.offer;
	uint16_t c = t->configuration;

	t->cfg = (struct sess_cfg){
		.login = { .initiator_name = "iqn.2026-11.org.openisw:test",
		    .target_name =
			(c & TARGET_DISCOVERY) != 0 ? NULL : "iqn.2026-11.org.openisw:tgt",
		    .initiator_alias = "an alias",
		    .expected_tpgt = (c & TARGET_CHAP) != 0 ? 1 : -1,
		    .skip_security = (c & TARGET_SKIP_SECURITY) != 0 },
		.isid = { 0x80, 1, 2, 3, 4, 5 },
		.slots = (c & TARGET_ONE_SLOT) != 0 ? 1 : 8,
		.nop_interval_ms = 5000,
	};
	neg_offer_default(offer);
	offer->initial_r2t = (c & TARGET_INITIAL_R2T) != 0;
	offer->immediate_data = (c & TARGET_NO_IMMEDIATE) == 0;
	if ((c & TARGET_CHAP) == 0)
		return;
	offer->auth_method = (struct neg_list){ 2, { NEG_AUTH_CHAP, NEG_AUTH_NONE } };
	t->chap = (struct chap_cfg){ .ops = &ops,
		.algorithm = { CHAP_SHA256, CHAP_MD5 },
		.n_algorithms = 2,
		.name = "user",
		.secret = secret,
		.secret_len = 16,
		.mutual = (c & TARGET_MUTUAL) == 0 ? CHAP_UNI
			  : (c & TARGET_ASK) != 0  ? CHAP_BI_ASK
						   : CHAP_BI_SECRET,
		.target_chap_name = (c & TARGET_ONE_SLOT) != 0 ? "tgt" : NULL,
		.target_secret = secret,
		.target_secret_len = 15,
		.identifier = 9,
		.challenge = challenge,
		.challenge_len = sizeof challenge };
	t->cfg.login.chap = &t->chap;
}

struct target *
target_new(uint16_t configuration)
{
	static uint8_t sent[TARGET_OUT]; /* too large to be made each time */
	struct target *t = calloc(1, sizeof *t);

	if (t == NULL)
		abort();
	t->in = sent;
	t->configuration = configuration;
	configure(t);
	t->sess = sess_new(&t->cfg);
	if (t->sess == NULL)
		abort();
	t->now = 1000000;
	t->chunk = SIZE_MAX;
	t->is_direct = (configuration & TARGET_DIRECT) != 0;
	return t;
}

void
target_free(struct target *t)
{
	target_disconnect(t);
	FUZZ_CHECK(sess_requests(t->sess) == 0);
	for (unsigned i = 0; i < TARGET_REQUESTS; i++)
		FUZZ_CHECK(t->request[i].req == NULL);
	sess_free(t->sess);
	free(t);
}

void
target_connect(struct target *t)
{
	t->is_closing = t->is_online = t->is_verifying = t->is_stuck = false;
	t->result = CONN_OK;
	t->stat_sn = 1000;
	t->in_len = 0;
	for (unsigned i = 0; i < TARGET_REQUESTS; i++)
		FUZZ_CHECK(t->request[i].req == NULL);
	if (sess_connected(t->sess, t->now) != 0)
		abort();
	target_drain(t);
	target_pull(t, SIZE_MAX);
}

void
target_disconnect(struct target *t)
{
	sess_disconnected(t->sess, t->now);
	target_drain(t);
	FUZZ_CHECK(sess_state(t->sess) == SESS_OFFLINE && sess_conn(t->sess) == NULL);
	FUZZ_CHECK(t->pings == 0 && t->texts == 0);
	FUZZ_CHECK(sess_deadline(t->sess) == UINT64_MAX && sess_window(t->sess) == 0);
}

/* ---- bytes ---- */

static void
feed(struct target *t, const uint8_t *bytes, size_t n)
{
	while (n > 0 && sess_conn(t->sess) != NULL && t->result == CONN_OK && !t->is_closing) {
		struct conn *c = sess_conn(t->sess);
		size_t used = n < t->chunk ? n : t->chunk, want = 0;
		uint8_t *to;

		if (t->is_direct)
			want = conn_rx_want(c, &to);
		if (want > 0) {
			used = used < want ? used : want;
			memcpy(to, bytes, used);
			t->result = conn_rx_direct(c, used, t->now);
		} else {
			t->result = conn_rx(c, bytes, used, t->now, &used);
		}
		FUZZ_CHECK(used <= n);
		bytes += used;
		n -= used;
		if (used > 0 || t->result != CONN_OK || sess_has_next(t->sess)) {
			target_drain(t);
			continue;
		}
		FUZZ_CHECK(conn_rx_is_paused(c));
		if (t->is_stuck)
			return; /* the rest is lost, and with it the stream */
		target_pull(t, SIZE_MAX);
		FUZZ_CHECK(!conn_rx_is_paused(c) || t->is_closing);
	}
	target_drain(t);
	FUZZ_CHECK(t->result == CONN_OK || t->is_closing);
}

static void
send_pdu(struct target *t, const uint8_t *bhs, const uint8_t *payload, size_t len, bool good)
{
	size_t ahs = pdu_ahs_bytes(bhs), n = PDU_BHS_BYTES, data;
	uint8_t *wire = malloc(PDU_BHS_BYTES + len + 3 + 8);
	bool digests = t->is_online && sess_params(t->sess)->header_digest == NEG_DIGEST_CRC32C;
	uint8_t bad = good ? 0 : 1;

	if (wire == NULL)
		abort();
	ahs = ahs < len ? ahs : len;
	data = len - ahs;
	memcpy(wire, bhs, PDU_BHS_BYTES);
	if (len > 0)
		memcpy(wire + n, payload, ahs);
	n += ahs;
	if (digests) {
		digest_put(wire + n, digest_crc32c(DIGEST_BEGIN, wire, n));
		wire[n] ^= bad;
		n += DIGEST_BYTES;
	}
	if (data > 0) {
		uint32_t pad = pdu_pad((uint32_t)data);

		memcpy(wire + n, payload + ahs, data);
		memset(wire + n + data, 0, pad);
		n += data + pad;
		if (t->is_online && sess_params(t->sess)->data_digest == NEG_DIGEST_CRC32C) {
			digest_put(wire + n,
			    digest_crc32c(DIGEST_BEGIN, wire + n - data - pad, data + pad));
			wire[n] ^= bad;
			n += DIGEST_BYTES;
		}
	}
	feed(t, wire, n);
	free(wire);
}

/* ---- what the flags fill in ---- */

static struct target_request *
request_of(struct target *t, uint32_t number)
{
	for (unsigned i = 0; i < TARGET_REQUESTS; i++) {
		struct target_request *q = &t->request[(number + i) % TARGET_REQUESTS];

		if (q->req != NULL && q->is_seen)
			return q;
	}
	return NULL;
}

static void
fill_tag(struct target *t, uint8_t *bhs, struct target_request **ret_q)
{
	struct target_request *q = request_of(t, be_get32(bhs + 16));

	switch (pdu_opcode(bhs)) {
	case PDU_DATA_IN:
	case PDU_SCSI_RESPONSE:
	case PDU_R2T:
		if (q != NULL)
			be_put32(bhs + 16, q->itt);
		*ret_q = q;
		return;
	case PDU_NOP_IN:
		if (be_get32(bhs + 20) != PDU_NO_TAG) {
			be_put32(bhs + 16, PDU_NO_TAG);
			return;
		}
		break;
	case PDU_ASYNC_MESSAGE:
	case PDU_REJECT:
		be_put32(bhs + 16, PDU_NO_TAG);
		return;
	}
	be_put32(bhs + 16, t->last_itt);
}

static void
fill_sequence(struct target_request *q, uint8_t *bhs)
{
	uint32_t left;

	if (q == NULL)
		return;
	be_put32(bhs + 36, q->next_sn);
	be_put32(bhs + 40, q->next_offset);
	if (pdu_opcode(bhs) != PDU_R2T)
		return;
	left = q->req->data_len - q->next_offset;
	if (be_get32(bhs + 44) > left)
		be_put32(bhs + 44, left);
	if (be_get32(bhs + 20) == PDU_NO_TAG)
		be_put32(bhs + 20, q->next_sn);
}

/* What the initiator may do now because of this PDU. */
static void
note(struct target *t, struct target_request *q, const uint8_t *bhs, size_t len)
{
	uint32_t exp = be_get32(bhs + 28), max = be_get32(bhs + 32);
	struct target_r2t *r;

	if (pdu_opcode(bhs) == PDU_LOGIN_RESPONSE && !t->is_online)
		t->max_cmd_sn = max;
	else if (!seq_lt(max, exp - 1) && seq_lt(t->max_cmd_sn, max))
		t->max_cmd_sn = max;
	if (q == NULL || (pdu_opcode(bhs) != PDU_DATA_IN && pdu_opcode(bhs) != PDU_R2T))
		return;
	q->next_sn++;
	if (pdu_opcode(bhs) == PDU_DATA_IN) {
		q->next_offset += (uint32_t)len;
		return;
	}
	r = &q->r2t[q->n_r2ts++ % TARGET_R2TS];
	*r = (struct target_r2t){ .ttt = be_get32(bhs + 20), .at = be_get32(bhs + 40) };
	r->end = r->at + be_get32(bhs + 44);
	q->next_offset = r->end;
}

static bool
has_status(const uint8_t *bhs)
{
	switch (pdu_opcode(bhs)) {
	case PDU_DATA_IN:
		return (bhs[1] & 1) != 0;
	case PDU_R2T:
		return false;
	case PDU_NOP_IN:
		return be_get32(bhs + 16) != PDU_NO_TAG;
	}
	return true;
}

static void
play_pdu(struct target *t, const struct pdus_unit *u)
{
	struct target_request *q = NULL;
	uint8_t bhs[PDU_BHS_BYTES];

	memcpy(bhs, u->bhs, sizeof bhs);
	if ((u->what & PDUS_LENGTH) != 0) {
		bhs[4] = 0;
		be_put24(bhs + 5, u->len);
	}
	if ((u->what & PDUS_TAG) != 0)
		fill_tag(t, bhs, &q);
	if ((u->what & PDUS_SEQUENCE) != 0)
		fill_sequence(q, bhs);
	if ((u->what & PDUS_WINDOW) != 0) {
		be_put32(bhs + 28, t->next_cmd_sn);
		be_put32(bhs + 32, t->next_cmd_sn + 63);
	}
	if ((u->what & PDUS_LOGIN) != 0 && pdu_opcode(bhs) == PDU_LOGIN_RESPONSE) {
		memcpy(bhs + 8, t->cfg.isid, sizeof t->cfg.isid);
		be_put16(bhs + 14, TSIH);
		bhs[1] = (uint8_t)((bhs[1] & 0x40) | t->login_flags);
	}
	if ((u->what & PDUS_STAT_SN) != 0) {
		be_put32(bhs + 24, t->stat_sn);
		t->stat_sn += has_status(bhs);
	}
	note(t, q, bhs, u->len);
	send_pdu(t, bhs, u->payload, u->len, (u->what & PDUS_DIGEST) != 0);
}

void
target_play(struct target *t, const struct pdus_unit *unit)
{
	if (!unit->is_pdu)
		target_act(t, unit->what, unit->number);
	else if (sess_conn(t->sess) != NULL && !t->is_closing)
		play_pdu(t, unit);
	if (!t->is_stuck)
		target_pull(t, SIZE_MAX);
	if (t->is_closing)
		target_disconnect(t);
	FUZZ_CHECK(sess_window(t->sess) <= t->cfg.slots);
	FUZZ_CHECK(t->is_online || sess_state(t->sess) != SESS_ONLINE);
}

/* ---- login ---- */

void
target_answer_login(struct target *t, uint8_t flags, const char *keys)
{
	struct pdus_unit u = { .is_pdu = true, .what = PDUS_ALL, .len = (uint16_t)strlen(keys) };
	uint8_t text[1024];

	for (size_t i = 0; i < u.len; i++)
		text[i] = (uint8_t)(keys[i] == '\n' ? '\0' : keys[i]);
	u.bhs[0] = PDU_LOGIN_RESPONSE;
	u.bhs[1] = flags;
	u.payload = text;
	t->login_flags = flags;
	target_play(t, &u);
}

static void
add(char *keys, size_t bytes, const char *more)
{
	FUZZ_CHECK(strlen(keys) + strlen(more) < bytes);
	memcpy(keys + strlen(keys), more, strlen(more) + 1);
}

void
target_log_in(struct target *t)
{
	uint16_t c = t->configuration;
	char keys[512] = "MaxRecvDataSegmentLength=8192\nDefaultTime2Wait=2\n"
			 "DefaultTime2Retain=0\nErrorRecoveryLevel=0\n";
	const size_t n = sizeof keys;

	add(keys, n,
	    (c & TARGET_HEADER_DIGEST) != 0 ? "HeaderDigest=CRC32C\n" : "HeaderDigest=None\n");
	add(keys, n, (c & TARGET_DATA_DIGEST) != 0 ? "DataDigest=CRC32C\n" : "DataDigest=None\n");
	if ((c & TARGET_DISCOVERY) == 0) {
		add(keys, n, "MaxConnections=1\nDataPDUInOrder=Yes\nDataSequenceInOrder=Yes\n");
		add(keys, n, "MaxOutstandingR2T=4\nMaxBurstLength=65536\n");
		/* Where nothing goes unasked there is no first burst (13.14), and it was not
		 * proposed. */
		if ((c & TARGET_INITIAL_R2T) == 0 || (c & TARGET_NO_IMMEDIATE) == 0)
			add(keys, n, "FirstBurstLength=16384\n");
		add(keys, n,
		    (c & TARGET_INITIAL_R2T) != 0 ? "InitialR2T=Yes\n" : "InitialR2T=No\n");
		add(keys, n,
		    (c & TARGET_NO_IMMEDIATE) != 0 ? "ImmediateData=No\n" : "ImmediateData=Yes\n");
		add(keys, n,
		    (c & TARGET_FAST_ABORT) != 0 ? "TaskReporting=FastAbort\n"
						 : "TaskReporting=RFC3720\n");
	}
	target_answer_login(t, 0x81, "AuthMethod=None\nTargetPortalGroupTag=1\n");
	target_answer_login(t, 0x87, keys);
	FUZZ_CHECK(t->is_online);
}
