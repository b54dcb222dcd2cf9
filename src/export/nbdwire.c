#include "export/nbdwire.h"

#include <assert.h>
#include <errno.h>

#include "base/put.h"

#define REQUEST_MAGIC 0x25609513u
#define SIMPLE_MAGIC  0x67446698u
#define CHUNK_MAGIC   0x668e33efu
/* The last chunk of an answer. */
#define CHUNK_DONE 1

static const struct {
	uint16_t number, flags;
	bool is_write;
} commands[] = {
#define COMMAND(id, number, flags, is_write, text) { (number), (flags), (is_write) },
#include "export/nbd.def"
};

uint16_t
nbd_flags(const struct nbd_view *v, bool is_structured)
{
	unsigned flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_CAN_MULTI_CONN;

	if (v->is_read_only)
		flags |= NBD_FLAG_READ_ONLY;
	else
		flags |= NBD_FLAG_SEND_FUA;
	if (v->can_trim && !v->is_read_only)
		flags |= NBD_FLAG_SEND_TRIM;
	if (v->can_zero && !v->is_read_only)
		flags |= NBD_FLAG_SEND_WRITE_ZEROES;
	if (is_structured)
		flags |= NBD_FLAG_SEND_DF;
	return (uint16_t)flags;
}

bool
nbd_get_request(const uint8_t *p, struct nbd_request *ret)
{
	if (be_get32(p) != REQUEST_MAGIC)
		return false;
	*ret = (struct nbd_request){ .flags = be_get16(p + 4),
		.command = be_get16(p + 6),
		.cookie = be_get64(p + 8),
		.offset = be_get64(p + 16),
		.length = be_get32(p + 24) };
	return true;
}

bool
nbd_has_data(const struct nbd_request *r)
{
	return r->command == NBD_COMMAND_WRITE;
}

static bool
is_within(const struct nbd_request *r, const struct nbd_view *v)
{
	return r->offset <= v->size_bytes && r->length <= v->size_bytes - r->offset;
}

enum nbd_error
nbd_check(const struct nbd_request *r, const struct nbd_view *v)
{
	size_t i, n = sizeof commands / sizeof commands[0];

	for (i = 0; i < n && commands[i].number != r->command; i++)
		;
	if (i == n || (r->flags & ~commands[i].flags) != 0)
		return NBD_EINVAL;
	if (r->command == NBD_COMMAND_FLUSH)
		return r->offset == 0 && r->length == 0 ? NBD_OK : NBD_EINVAL;
	if (commands[i].is_write && v->is_read_only)
		return NBD_EPERM;
	if ((r->command == NBD_COMMAND_TRIM && !v->can_trim) ||
	    (r->command == NBD_COMMAND_WRITE_ZEROES && !v->can_zero) || r->length == 0)
		return NBD_EINVAL;
	if (!is_within(r, v))
		return commands[i].is_write && r->command != NBD_COMMAND_TRIM ? NBD_ENOSPC
									      : NBD_EINVAL;
	if ((r->command == NBD_COMMAND_READ || r->command == NBD_COMMAND_WRITE) &&
	    r->length > v->max_bytes)
		return NBD_EINVAL;
	return NBD_OK;
}

enum nbd_error
nbd_error_of(int result)
{
	switch (-result) {
	case 0:
		return NBD_OK;
#define RESULT(number, id) \
	case number:       \
		return NBD_##id;
#include "export/nbd.def"
	default:
		return NBD_EIO;
	}
}

/* Reads alone are answered in chunks, which is as the protocol wants it; the rest may be simple. */
size_t
nbd_put_answer(uint8_t *p, const struct nbd_request *r, enum nbd_error error, bool is_structured)
{
	if (!is_structured || r->command != NBD_COMMAND_READ) {
		be_put32(p, SIMPLE_MAGIC);
		be_put32(p + 4, error);
		be_put64(p + 8, r->cookie);
		return 16;
	}
	be_put32(p, CHUNK_MAGIC);
	be_put16(p + 4, CHUNK_DONE);
	be_put16(p + 6, error == NBD_OK ? NBD_CHUNK_OFFSET_DATA : NBD_CHUNK_ERROR);
	be_put64(p + 8, r->cookie);
	if (error == NBD_OK) {
		be_put32(p + 16, 8 + r->length);
		be_put64(p + 20, r->offset);
		return 28;
	}
	be_put32(p + 16, 6);
	be_put32(p + 20, error);
	be_put16(p + 24, 0); /* no text */
	return 26;
}
