/* The target's codec: PDUs from bytes and bytes from PDUs, RFC 7143, section 11.1 and 11.2, 13.1.
 */
#include <string.h>

#include "base/be.h"
#include "net.h"
#include "target.h"

/* CRC32C, reflected polynomial 82f63b78h, by eight tables of 256. */
static uint32_t table[8][256];

static void
make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = (c & 1) != 0 ? c >> 1 ^ 0x82f63b78 : c >> 1;
		table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

static uint32_t
crc_by_table(uint32_t crc, const uint8_t *p, uint32_t n)
{
	if (table[0][1] == 0)
		make_table();
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v;

		memcpy(&v, p, sizeof v);
		v ^= crc;
		crc = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^ table[5][v >> 16 & 0xff] ^
		      table[4][v >> 24 & 0xff] ^ table[3][v >> 32 & 0xff] ^
		      table[2][v >> 40 & 0xff] ^ table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
	}
	for (; n > 0; p++, n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *p, uint32_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v;

		memcpy(&v, p, sizeof v);
		crc = (uint32_t)__builtin_ia32_crc32di(crc, v);
	}
	for (; n > 0; p++, n--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}
#endif

uint32_t
twire_crc(uint32_t crc, const uint8_t *p, uint32_t n)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc_by_instruction(crc, p, n);
#endif
	return crc_by_table(crc, p, n);
}

static void
put_crc(uint8_t *to, uint32_t crc)
{
	crc = ~crc;
	memcpy(to, &crc, sizeof crc);
}

static bool
has_crc(const uint8_t *at, uint32_t crc)
{
	crc = ~crc;
	return memcmp(at, &crc, sizeof crc) == 0;
}

/* ---- sending ---- */

/* Room for more commands, which is never taken back (4.2.2.1). */
static void
open_window(struct tconn *c)
{
	uint32_t busy = 0, max;

	if (c->t->window_closed_until_us > sim_now(c->t->w))
		return;
	LIST_EACH(node, tmp, &c->tasks)
	busy += LIST_ENTRY(node, struct ttask, link)->state != TTASK_ANSWERED;
	if (busy >= c->t->window)
		return;
	max = c->exp_cmd_sn + (c->t->window - busy) - 1;
	if ((int32_t)(max - c->max_cmd_sn) > 0)
		c->max_cmd_sn = max;
}

void
twire_put(struct tconn *c, uint8_t bhs[48], const uint8_t *data, uint32_t n, bool has_status)
{
	static uint8_t out[48 + 4 + 65536 + 8];
	uint32_t at = 48, pad = (4 - n % 4) % 4;
	bool is_data = bhs[0] == 0x25 && !has_status;
	bool is_full = c->phase == T_FULL && c->is_full;

	if (c->net == NULL)
		return;
	open_window(c);
	be_put24(bhs + 5, n);
	be_put32(bhs + 24, is_data ? 0 : c->stat_sn);
	c->stat_sn += has_status;
	be_put32(bhs + 28, c->exp_cmd_sn);
	be_put32(bhs + 32, c->max_cmd_sn);
	memcpy(out, bhs, 48);
	if (is_full && c->p.header_digest) {
		put_crc(out + 48, twire_crc(~0u, bhs, 48));
		at += 4;
	}
	if (n > 0) {
		memcpy(out + at, data, n);
		memset(out + at + n, 0, pad);
		if (is_full && c->p.data_digest)
			put_crc(out + at + n + pad, twire_crc(~0u, out + at, n + pad));
		at += n + pad + (is_full && c->p.data_digest ? 4 : 0);
	}
	TRACE(c->t->w, "target %u: %x %x, tag %x", c->t->i, bhs[0], bhs[1], be_get32(bhs + 16));
	c->t->w->pdus++;
	net_send(&c->net->down, out, at, is_full && c->p.header_digest && c->p.data_digest);
}

/* ---- receiving ---- */

/* Nothing to be trusted came: with ErrorRecoveryLevel 0 the session starts over. */
static void
spoilt(struct tconn *c, const uint8_t *bhs, bool is_data)
{
	TRACE(c->t->w, "target %u: a digest is wrong", c->t->i);
	if (!c->net->up.is_spoilt)
		tlaw_broken(c, "a wrong digest of %02x", bhs[0]);
	if (is_data && rng_chance(&c->t->rng, 500))
		tctl_reject(c, bhs, 0x02);
	else
		tconn_close(c, true);
}

static void
full_feature(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	if (c->is_impostor)
		tlaw_broken(c, "opcode %02x, and has not proved who it is", bhs[0]);
	if (c->is_discovery && (bhs[0] & 0x3f) != 0x00 && (bhs[0] & 0x3f) != 0x04 &&
	    (bhs[0] & 0x3f) != 0x06)
		tlaw_broken(c, "opcode %02x in a discovery session", bhs[0]);
	switch (bhs[0] & 0x3f) {
	case 0x00:
		tctl_nop(c, bhs, data, n);
		break;
	case 0x01:
		ttask_command(c, bhs, data, n);
		break;
	case 0x02:
		tctl_tmf(c, bhs);
		break;
	case 0x04:
		tlist_text(c, bhs, data, n);
		break;
	case 0x05:
		ttask_data_out(c, bhs, data, n);
		break;
	case 0x06:
		tctl_logout(c, bhs);
		break;
	default:
		tlaw_broken(c, "opcode %02x", bhs[0]);
	}
}

static void
take_pdu(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	struct target *t = c->t;

	TRACE(t->w, "target %u: got %x %x, tag %x", t->i, bhs[0], bhs[1], be_get32(bhs + 16));
	t->w->pdus++;
	if (c->phase != T_FULL) {
		if ((bhs[0] & 0x3f) != 0x03)
			tlaw_broken(c, "opcode %02x in a login", bhs[0]);
		tlogin_in(c, bhs, data, n);
		return;
	}
	if (c->is_deaf)
		return;
	tlaw_check(c, bhs, n);
	if (t->rejects > 0 && (bhs[0] & 0x3f) != 0x05) {
		t->rejects--;
		c->exp_cmd_sn += (bhs[0] & 0x40) == 0;
		tctl_reject(c, bhs, (bhs[0] & 0x40) != 0 ? 0x06 : 0x0a);
		return;
	}
	full_feature(c, bhs, data, n);
}

/* How long the PDU is whose first 48 bytes are here. */
static uint32_t
pdu_bytes(const struct tconn *c, const uint8_t *bhs, uint32_t *ret_head)
{
	bool is_full = c->phase == T_FULL;
	uint32_t n = be_get24(bhs + 5), head = 48u + 4u * bhs[4];

	head += is_full && c->p.header_digest ? 4 : 0;
	*ret_head = head;
	return head + (n + 3) / 4 * 4 + (is_full && c->p.data_digest && n > 0 ? 4 : 0);
}

static bool
is_zero(const uint8_t *p, uint32_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

static void
take_whole(struct tconn *c, const uint8_t *p, uint32_t head)
{
	uint32_t n = be_get24(p + 5), padded = (n + 3) / 4 * 4;
	bool is_full = c->phase == T_FULL;

	if (is_full && c->p.data_digest && n > 0 &&
	    !has_crc(p + head + padded, twire_crc(~0u, p + head, padded))) {
		spoilt(c, p, true);
		return;
	}
	if (!is_zero(p + head + n, padded - n))
		tlaw_broken(c, "padding is not zero");
	take_pdu(c, p, p + head, n);
}

/* Can the header be believed?  Else the connection is over. */
static bool
check_header(struct tconn *c, const uint8_t *p, uint32_t head)
{
	if (c->phase == T_FULL && c->p.header_digest) {
		if (!has_crc(p + head - 4, twire_crc(~0u, p, head - 4))) {
			spoilt(c, p, false);
			return false;
		}
	}
	if (p[4] != 0)
		tlaw_broken(c, "additional header segments");
	if (be_get24(p + 5) > 16384)
		tlaw_broken(c, "a data segment of %u bytes", be_get24(p + 5));
	return true;
}

uint32_t
tconn_bytes(struct tconn *c, const uint8_t *bytes, uint32_t n)
{
	uint32_t at = 0;

	while (at < n && c->net != NULL) {
		uint32_t want = 48, head = 48, some;

		if (c->have >= 48)
			want = pdu_bytes(c, c->in, &head);
		if (c->have < 48 || c->have < head)
			want = c->have < 48 ? 48 : head;
		some = want - c->have < n - at ? want - c->have : n - at;
		memcpy(c->in + c->have, bytes + at, some);
		c->have += some;
		at += some;
		if (c->have < want)
			break;
		want = pdu_bytes(c, c->in, &head);
		if (c->have < head)
			continue;
		if (c->have == head && !check_header(c, c->in, head))
			break;
		if (c->have < want)
			continue;
		c->have = 0;
		take_whole(c, c->in, head);
	}
	return n;
}
