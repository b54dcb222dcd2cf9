#include "export/split.h"

#include <assert.h>
#include <errno.h>

static void piece_done(struct blk_req *r);

static bool
is_cut(const struct split *s)
{
	return s->op == BLK_READ || s->op == BLK_WRITE;
}

/* Send the next piece in a free request. */
static void
send_piece(struct split *s, struct blk_req *r)
{
	uint64_t left = s->len - s->sent;

	*r = (struct blk_req){
		.op = s->op,
		.fua = s->fua,
		.offset = s->offset + s->sent,
		.len = is_cut(s) && left > s->piece_bytes ? s->piece_bytes : left,
		.buf = is_cut(s) ? s->buf + s->sent : NULL,
		.done = piece_done,
		.user = s,
	};
	s->sent += r->len;
	s->running++;
	(*s->dev)->submit(*s->dev, r);
}

void
split_submit(struct split *s)
{
	const struct blk_dev *d = *s->dev;

	assert(d != NULL && (s->len > 0 || !is_cut(s)));
	s->result = 0;
	s->sent = 0;
	s->running = 0;
	s->piece_bytes = d->max_io_bytes - d->max_io_bytes % d->block_bytes;
	assert(s->piece_bytes > 0);
	for (unsigned i = 0; i == 0 || (i < SPLIT_PIECES && s->sent < s->len); i++)
		send_piece(s, &s->pieces[i]);
}

static void
piece_done(struct blk_req *r)
{
	struct split *s = r->user;

	s->running--;
	if (s->result == 0)
		s->result = r->result;
	if (s->result == 0 && s->sent < s->len) {
		if (*s->dev != NULL) {
			send_piece(s, r);
			return;
		}
		s->result = -ENXIO;
	}
	if (s->running == 0)
		s->done(s);
}
