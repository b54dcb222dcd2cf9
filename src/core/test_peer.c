#include "core/test_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

uint32_t
peer_get32(const uint8_t *bhs, unsigned byte)
{
	return (uint32_t)bhs[byte] << 24 | (uint32_t)bhs[byte + 1] << 16 |
	       (uint32_t)bhs[byte + 2] << 8 | bhs[byte + 3];
}

void
peer_put24(uint8_t *bhs, unsigned byte, uint32_t v)
{
	bhs[byte] = (uint8_t)(v >> 16);
	bhs[byte + 1] = (uint8_t)(v >> 8);
	bhs[byte + 2] = (uint8_t)v;
}

void
peer_put32(uint8_t *bhs, unsigned byte, uint32_t v)
{
	bhs[byte] = (uint8_t)(v >> 24);
	peer_put24(bhs, byte + 1, v);
}

/* CRC32C bit by bit, RFC 3720, appendix B.4. */
static uint32_t
crc(const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = (c & 1) != 0 ? c >> 1 ^ 0x82f63b78 : c >> 1;
	}
	return ~c;
}

static void
crc_put(uint8_t *p, uint32_t c)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(c >> 8 * i);
}

uint8_t peer_pattern[1 << 20];

static void
make_pattern(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof peer_pattern; i++) {
		x = x * 1103515245 + 12345;
		peer_pattern[i] = (uint8_t)(x >> 16);
	}
}

struct peer *
peer_new(const struct sess_cfg *cfg)
{
	struct peer *p = calloc(1, sizeof *p);

	p->in = malloc(PEER_BYTES);
	p->sess = sess_new(cfg);
	p->stat_sn = 1000;
	p->window = 64;
	p->now = 1000000;
	assert_non_null(p->sess);
	if (peer_pattern[0] == 0)
		make_pattern();
	return p;
}

void
peer_free(struct peer *p)
{
	sess_disconnected(p->sess, p->now);
	peer_drain(p);
	sess_free(p->sess);
	free(p->in);
	free(p);
}

void
peer_drain(struct peer *p)
{
	struct sess_event ev;

	while (sess_next(p->sess, &ev)) {
		if (ev.kind == SESS_EV_REQ) {
			p->done[p->n_done++ % 2048] = ev.req;
			continue;
		}
		if (ev.kind == SESS_EV_TEXT) {
			assert_true(p->text_len + ev.text.len <= sizeof p->text);
			memcpy(p->text + p->text_len, ev.text.bytes, ev.text.len);
			p->text_len += ev.text.len;
		}
		p->event[p->events++ % 64] = ev;
	}
}

static void
keep(struct peer *p, unsigned way, const uint8_t *bytes, size_t n)
{
	if (p->stream[way] == NULL)
		return;
	assert_true(p->stream_len[way] + n <= PEER_BYTES);
	memcpy(p->stream[way] + p->stream_len[way], bytes, n);
	p->stream_len[way] += n;
}

void
peer_pull(struct peer *p)
{
	const struct iovec *iov;
	size_t n;

	if (sess_conn(p->sess) == NULL)
		return;
	if (p->in_at == p->in_len)
		p->in_at = p->in_len = 0;
	while ((n = conn_tx_peek(sess_conn(p->sess), &iov, p->now)) > 0) {
		size_t took = 0;

		for (size_t i = 0; i < n; i++) {
			size_t want = iov[i].iov_len;

			/* A socket takes less than it is given now and then. */
			if (p->chunk > 0 && took + want > p->chunk * 3)
				want = p->chunk * 3 - took;
			assert_true(p->in_len + want <= PEER_BYTES);
			memcpy(p->in + p->in_len, iov[i].iov_base, want);
			keep(p, 1, iov[i].iov_base, want);
			p->in_len += want;
			took += want;
			if (want < iov[i].iov_len)
				break;
		}
		conn_tx_done(sess_conn(p->sess), took);
	}
	peer_drain(p);
}

bool
peer_next(struct peer *p, struct peer_pdu *ret_pdu)
{
	const uint8_t *b;
	size_t left, head, body;

	peer_pull(p);
	b = p->in + p->in_at;
	left = p->in_len - p->in_at;
	if (left == 0)
		return false;
	head = 48 + (p->header_digest ? 4 : 0);
	assert_true(left >= head);
	ret_pdu->len = (uint32_t)b[5] << 16 | (uint32_t)b[6] << 8 | b[7];
	body = (ret_pdu->len + 3) / 4 * 4;
	assert_int_equal(b[4], 0);
	if (p->header_digest) {
		uint8_t want[4];

		crc_put(want, crc(b, 48));
		assert_memory_equal(b + 48, want, 4);
	}
	assert_true(left >= head + body);
	if (p->data_digest && body > 0) {
		uint8_t want[4];

		crc_put(want, crc(b + head, body));
		assert_memory_equal(b + head + body, want, 4);
		body += 4;
	}
	memcpy(ret_pdu->bhs, b, 48);
	ret_pdu->data = b + head;
	p->in_at += head + body;
	return true;
}

struct peer_pdu
peer_expect(struct peer *p, uint8_t opcode)
{
	struct peer_pdu pdu = { .len = 0 };

	assert_true(peer_next(p, &pdu));
	assert_int_equal(pdu.bhs[0] & 0x3f, opcode);
	/* Commands that are not immediate move the target's ExpCmdSN. */
	if ((pdu.bhs[0] & 0x40) == 0 && opcode <= 0x04 && opcode != 0x03)
		p->exp_cmd_sn = peer_get32(pdu.bhs, 24) + 1;
	return pdu;
}

void
peer_expect_nothing(struct peer *p)
{
	struct peer_pdu pdu;

	assert_false(peer_next(p, &pdu));
}

void
peer_bytes(struct peer *p, const uint8_t *bytes, size_t n)
{
	while (n > 0 && sess_conn(p->sess) != NULL && p->result == CONN_OK) {
		struct conn *c = sess_conn(p->sess);
		size_t some = p->chunk > 0 && n > p->chunk ? p->chunk : n, used = some, want;
		uint8_t *to;

		want = p->direct ? conn_rx_want(c, &to) : 0;
		if (want > 0) {
			if (used > want)
				used = want;
			memcpy(to, bytes, used);
			p->result = conn_rx_direct(c, used, p->now);
		} else
			p->result = conn_rx(c, bytes, some, p->now, &used);
		keep(p, 0, bytes, used);
		bytes += used;
		n -= used;
		peer_drain(p);
		if (used == 0 && conn_rx_is_paused(c))
			peer_pull(p);
	}
}

void
peer_send(struct peer *p, uint8_t *bhs, const void *data, uint32_t len)
{
	uint32_t pad = -len & 3u;
	size_t at = 48;
	uint8_t *wire = malloc(48u + 4 + len + pad + 4);

	peer_put24(bhs, 5, len);
	peer_put32(bhs, 28, p->exp_cmd_sn);
	peer_put32(bhs, 32, p->exp_cmd_sn + p->window - 1);
	memcpy(wire, bhs, 48);
	if (p->header_digest) {
		crc_put(wire + at, crc(wire, 48) ^ (p->corrupt == 'H' ? 1u : 0));
		at += 4;
	}
	if (len > 0) {
		memcpy(wire + at, data, len);
		memset(wire + at + len, 0, pad);
		if (p->data_digest) {
			uint32_t c = crc(wire + at, len + pad);

			crc_put(wire + at + len + pad, c ^ (p->corrupt == 'D' ? 1u : 0));
			at += 4;
		}
		at += len + pad;
	}
	p->corrupt = 0;
	peer_bytes(p, wire, at);
	free(wire);
}

void
peer_answer(struct peer *p, uint8_t *bhs, const void *data, uint32_t len)
{
	peer_put32(bhs, 24, p->stat_sn++);
	peer_send(p, bhs, data, len);
}

static uint32_t
login_text(char *out, const char *keys)
{
	uint32_t n = (uint32_t)strlen(keys);

	memcpy(out, keys, n + 1);
	for (uint32_t i = 0; i < n; i++)
		if (out[i] == '\n')
			out[i] = '\0';
	return n;
}

static void
login_answer(struct peer *p, const struct peer_pdu *req, uint8_t flags, const char *keys)
{
	uint8_t bhs[48] = { 0x23, flags };
	char text[1024];
	uint32_t n = login_text(text, keys);

	memcpy(bhs + 8, req->bhs + 8, 12);
	bhs[14] = 0;
	bhs[15] = 7; /* TSIH */
	peer_answer(p, bhs, text, n);
}

void
peer_login(struct peer *p, const char *keys)
{
	struct peer_pdu pdu;

	p->result = CONN_OK;
	p->in_at = p->in_len = 0;
	p->header_digest = p->data_digest = false;
	assert_int_equal(sess_connected(p->sess, p->now), 0);
	pdu = peer_expect(p, 0x03);
	assert_int_equal(pdu.bhs[1], 0x81); /* T, security to operational */
	p->exp_cmd_sn = peer_get32(pdu.bhs, 24);
	login_answer(p, &pdu, 0x81, "AuthMethod=None\nTargetPortalGroupTag=1\n");
	pdu = peer_expect(p, 0x03);
	assert_int_equal(pdu.bhs[1], 0x87);
	login_answer(p, &pdu, 0x87, keys);
	assert_int_equal(p->result, CONN_OK);
	(void)peer_last(p, SESS_EV_ONLINE);
	p->header_digest = sess_params(p->sess)->header_digest == NEG_DIGEST_CRC32C;
	p->data_digest = sess_params(p->sess)->data_digest == NEG_DIGEST_CRC32C;
}

const struct sess_event *
peer_last(struct peer *p, enum sess_event_kind kind)
{
	assert_true(p->events > 0);
	assert_int_equal(p->event[(p->events - 1) % 64].kind, kind);
	return &p->event[(p->events - 1) % 64];
}

void
peer_tick(struct peer *p, uint64_t us)
{
	p->now += us;
	sess_tick(p->sess, p->now);
	peer_drain(p);
}

void
peer_status(struct peer *p, uint32_t itt, uint8_t status)
{
	uint8_t bhs[48] = { 0x21, 0x80, 0, status };

	peer_put32(bhs, 16, itt);
	peer_answer(p, bhs, NULL, 0);
}

void
peer_data_in(struct peer *p, uint32_t itt, uint32_t sn, uint32_t offset, const uint8_t *data,
    uint32_t len, bool has_status)
{
	uint8_t bhs[48] = { 0x25, has_status ? 0x81 : 0 };

	peer_put32(bhs, 16, itt);
	peer_put32(bhs, 20, 0xffffffff);
	peer_put32(bhs, 36, sn);
	peer_put32(bhs, 40, offset);
	if (has_status)
		peer_answer(p, bhs, data, len);
	else
		peer_send(p, bhs, data, len);
}

void
peer_r2t(struct peer *p, uint32_t itt, uint32_t ttt, uint32_t sn, uint32_t offset, uint32_t len)
{
	uint8_t bhs[48] = { 0x31, 0x80 };

	peer_put32(bhs, 16, itt);
	peer_put32(bhs, 20, ttt);
	peer_put32(bhs, 24, p->stat_sn);
	peer_put32(bhs, 36, sn);
	peer_put32(bhs, 40, offset);
	peer_put32(bhs, 44, len);
	peer_send(p, bhs, NULL, 0);
}

struct sess_cfg
peer_config(void)
{
	struct sess_cfg cfg = {
		.login = { .initiator_name = "iqn.2026-11.org.openisw:test",
		    .target_name = "iqn.2026-11.org.openisw:tgt",
		    .expected_tpgt = -1 },
		.isid = { 0x80, 1, 2, 3, 4, 5 },
		.slots = 8,
	};

	neg_offer_default(&cfg.login.offer);
	return cfg;
}

struct peer *
peer_online(const char *keys)
{
	struct sess_cfg cfg = peer_config();
	struct peer *p = peer_new(&cfg);

	peer_login(p, keys);
	return p;
}

struct req *
peer_request(struct peer *p, enum req_dir dir, uint32_t len)
{
	struct req *r = calloc(1, sizeof *r);

	r->dir = dir;
	r->data_len = len;
	r->attr = REQ_SIMPLE;
	r->lun[1] = 3;
	r->cdb[0] = dir == REQ_WRITE ? 0x2a : 0x28;
	if (len > 0) {
		r->data = malloc(len);
		if (dir == REQ_WRITE)
			memcpy(r->data, peer_pattern, len);
		else
			memset(r->data, 0, len);
	}
	sess_submit(p->sess, r, p->now);
	return r;
}

void
peer_request_free(struct req *r)
{
	free(r->data);
	free(r);
}

void
peer_assert_done(struct peer *p, const struct req *r, enum req_result result)
{
	assert_true(p->n_done > 0);
	assert_ptr_equal(p->done[(p->n_done - 1) % 2048], r);
	assert_int_equal(r->result, result);
}

void
peer_assert_broken(struct peer *p, enum conn_result why)
{
	assert_int_equal(p->result, why);
	assert_int_equal(peer_last(p, SESS_EV_CLOSE)->close.why, why);
	peer_expect_nothing(p);
}
