#include "export/nbdneg.h"

#include <assert.h>

#include "base/cursor.h"
#include "base/put.h"

#define GREETING_MAGIC 0x4e42444d41474943ull /* "NBDMAGIC" */
#define OPTION_MAGIC   0x49484156454f5054ull /* "IHAVEOPT" */
#define REPLY_MAGIC    0x0003e889045565a9ull
/* Of both sides: every option is answered; EXPORT_NAME without zeros. */
#define FIXED_NEWSTYLE 1u
#define NO_ZEROES      2u
#define OPTION_BYTES   16u
#define ZEROES         124u
/* The most useful length of a request that is not of whole pages' size. */
#define PREFERRED_BYTES 4096u

static void
put_be64(struct put *w, uint64_t v)
{
	put_be32(w, (uint32_t)(v >> 32));
	put_be32(w, (uint32_t)v);
}

size_t
nbdneg_greet(uint8_t out[NBDNEG_OUT_BYTES])
{
	be_put64(out, GREETING_MAGIC);
	be_put64(out + 8, OPTION_MAGIC);
	be_put16(out + 16, FIXED_NEWSTYLE | NO_ZEROES);
	return NBDNEG_GREETING;
}

static void
reply(struct put *w, uint32_t option, enum nbd_reply type, uint32_t length)
{
	put_be64(w, REPLY_MAGIC);
	put_be32(w, option);
	put_be32(w, (uint32_t)type);
	put_be32(w, length);
}

/* A client that names none means the only one. */
static bool
is_ours(const struct nbd_view *v, const uint8_t *name, size_t n)
{
	return n == 0 || (n == strlen(v->name) && memcmp(name, v->name, n) == 0);
}

/* ---- options ---- */

static void
take_export_name(struct nbdneg *g, const struct nbd_view *v, struct cursor *data, struct put *w)
{
	static const uint8_t zeroes[ZEROES];
	size_t n = cursor_left(data);

	/* It has no other way to be told. */
	if (!is_ours(v, cursor_bytes(data, n), n) || v->is_sealed) {
		g->state = NBDNEG_END;
		return;
	}
	put_be64(w, v->size_bytes);
	put_be16(w, nbd_flags(v, g->is_structured));
	if (!g->has_no_zeroes)
		put_bytes(w, zeroes, sizeof zeroes);
	g->state = NBDNEG_OPEN;
}

static void
take_list(const struct nbd_view *v, const struct cursor *data, struct put *w)
{
	uint32_t n = (uint32_t)strlen(v->name);

	if (cursor_left(data) > 0) {
		reply(w, NBD_OPTION_LIST, NBD_REPLY_ERR_INVALID, 0);
		return;
	}
	reply(w, NBD_OPTION_LIST, NBD_REPLY_SERVER, 4 + n);
	put_be32(w, n);
	put_str(w, v->name);
	reply(w, NBD_OPTION_LIST, NBD_REPLY_ACK, 0);
}

static void
say_name(const struct nbd_view *v, uint32_t option, struct put *w)
{
	reply(w, option, NBD_REPLY_INFO, 2 + (uint32_t)strlen(v->name));
	put_be16(w, NBD_INFO_NAME);
	put_str(w, v->name);
}

/*
 * Whether it was asked for or not: a client that knows keeps to it.  The least is a byte, for what
 * is not of whole blocks is done, too, as it is in a disk's file: who is told of blocks refuses to
 * his own users what he could have (nbdfuse, a file whose writes end anywhere).
 */
static void
say_block_size(const struct nbd_view *v, uint32_t option, struct put *w)
{
	uint32_t preferred = v->block_bytes > PREFERRED_BYTES ? v->block_bytes : PREFERRED_BYTES;

	reply(w, option, NBD_REPLY_INFO, 14);
	put_be16(w, NBD_INFO_BLOCK_SIZE);
	put_be32(w, 1);
	put_be32(w, preferred);
	put_be32(w, v->max_bytes);
}

/* INFO and GO: a name, and what the client wants to know. */
static void
take_info(
    struct nbdneg *g, const struct nbd_view *v, uint32_t option, struct cursor *data, struct put *w)
{
	uint32_t len = cursor_be32(data);
	const uint8_t *name = cursor_bytes(data, len);
	uint16_t asked = cursor_be16(data);
	bool wants_name = false;

	for (unsigned i = 0; i < asked && !data->failed; i++)
		wants_name |= cursor_be16(data) == NBD_INFO_NAME;
	if (data->failed || cursor_left(data) > 0) {
		reply(w, option, NBD_REPLY_ERR_INVALID, 0);
	} else if (!is_ours(v, name, len)) {
		reply(w, option, NBD_REPLY_ERR_UNKNOWN, 0);
	} else if (v->is_sealed) {
		reply(w, option, NBD_REPLY_ERR_SHUTDOWN, 0);
	} else {
		reply(w, option, NBD_REPLY_INFO, 12);
		put_be16(w, NBD_INFO_EXPORT);
		put_be64(w, v->size_bytes);
		put_be16(w, nbd_flags(v, g->is_structured));
		say_block_size(v, option, w);
		if (wants_name)
			say_name(v, option, w);
		reply(w, option, NBD_REPLY_ACK, 0);
		if (option == NBD_OPTION_GO)
			g->state = NBDNEG_OPEN;
	}
}

static void
take_option(
    struct nbdneg *g, const struct nbd_view *v, uint32_t option, struct cursor *data, struct put *w)
{
	switch (option) {
	case NBD_OPTION_EXPORT_NAME:
		take_export_name(g, v, data, w);
		break;
	case NBD_OPTION_ABORT:
		reply(w, option, NBD_REPLY_ACK, 0);
		g->state = NBDNEG_END;
		break;
	case NBD_OPTION_LIST:
		take_list(v, data, w);
		break;
	case NBD_OPTION_INFO:
	case NBD_OPTION_GO:
		take_info(g, v, option, data, w);
		break;
	case NBD_OPTION_STRUCTURED_REPLY:
		g->is_structured |= cursor_left(data) == 0;
		reply(w, option, cursor_left(data) == 0 ? NBD_REPLY_ACK : NBD_REPLY_ERR_INVALID, 0);
		break;
	default:
		reply(w, option, NBD_REPLY_ERR_UNSUP, 0);
	}
}

/* ---- messages ---- */

static size_t
take_flags(struct nbdneg *g, const uint8_t *in, size_t n)
{
	uint32_t flags;

	if (n < 4)
		return 0;
	flags = be_get32(in);
	g->has_no_zeroes = (flags & NO_ZEROES) != 0;
	g->state = (flags & ~(FIXED_NEWSTYLE | NO_ZEROES)) == 0 ? NBDNEG_OPTION : NBDNEG_END;
	return 4;
}

static size_t
pass_over(struct nbdneg *g, size_t n)
{
	uint32_t passed = n < g->skip ? (uint32_t)n : g->skip;

	g->skip -= passed;
	return passed;
}

size_t
nbdneg_take(struct nbdneg *g, const struct nbd_view *v, const uint8_t *in, size_t n,
    uint8_t out[NBDNEG_OUT_BYTES], size_t *ret_n)
{
	struct put w = put_over(out, NBDNEG_OUT_BYTES);
	uint32_t option, len;
	struct cursor data;

	*ret_n = 0;
	if (g->state >= NBDNEG_OPEN)
		return 0;
	if (g->state == NBDNEG_FLAGS)
		return take_flags(g, in, n);
	if (g->skip > 0)
		return pass_over(g, n);
	if (n < OPTION_BYTES)
		return 0;
	if (be_get64(in) != OPTION_MAGIC) {
		g->state = NBDNEG_END;
		return OPTION_BYTES;
	}
	option = be_get32(in + 8);
	len = be_get32(in + 12);
	if (len > NBDNEG_IN_BYTES - OPTION_BYTES) {
		reply(&w, option, NBD_REPLY_ERR_TOO_BIG, 0);
		if (option == NBD_OPTION_EXPORT_NAME)
			g->state = NBDNEG_END; /* which no reply may be to */
		else
			*ret_n = put_len(&w);
		g->skip = len;
		return OPTION_BYTES;
	}
	if (n < OPTION_BYTES + len)
		return 0;
	data = cursor_over(in + OPTION_BYTES, len);
	take_option(g, v, option, &data, &w);
	assert(!w.overflow);
	*ret_n = put_len(&w);
	return OPTION_BYTES + len;
}
