#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/put.h"
#include "export/nbdneg.h"

static const struct nbd_view disk = { .name = "c0t0d1",
	.size_bytes = 1 << 20,
	.block_bytes = 512,
	.max_bytes = 65536,
	.can_trim = true,
	.can_zero = true };

/* ---- requests and answers ---- */

static void
a_request_without_its_magic_is_none(void **state)
{
	uint8_t b[NBD_REQUEST_BYTES] = { 0x25, 0x60, 0x95, 0x13, 0, 1, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8,
		0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4, 0 };
	struct nbd_request r;

	(void)state;
	assert_true(nbd_get_request(b, &r));
	assert_int_equal(r.flags, 1);
	assert_int_equal(r.command, NBD_COMMAND_FLUSH);
	assert_true(r.cookie == 0x0102030405060708ull);
	assert_true(r.offset == 512 && r.length == 1024);
	for (unsigned bit = 0; bit < 32; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(nbd_get_request(b, &r));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void
what_a_disk_cannot_do_is_refused(void **state)
{
	static const struct {
		unsigned command, flags;
		uint64_t offset;
		uint32_t length;
		enum nbd_error error, protected;
	} rows[] = {
		{ NBD_COMMAND_READ, 0, 0, 512, NBD_OK, NBD_OK },
		{ NBD_COMMAND_READ, NBD_COMMAND_FLAG_FUA, 0, 512, NBD_OK, NBD_OK },
		{ NBD_COMMAND_READ, NBD_COMMAND_FLAG_DF, 1, 1, NBD_OK, NBD_OK },
		{ NBD_COMMAND_READ, NBD_COMMAND_FLAG_NO_HOLE, 0, 512, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_READ, 0, 0, 0, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_READ, 0, 0, 65537, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_READ, 0, (1 << 20) - 512, 512, NBD_OK, NBD_OK },
		{ NBD_COMMAND_READ, 0, (1 << 20) - 512, 513, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_READ, 0, 1 << 20, 1, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_READ, 0, UINT64_MAX, 1, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_READ, 0, UINT64_MAX - 511, 512, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_WRITE, NBD_COMMAND_FLAG_FUA, 0, 65536, NBD_OK, NBD_EPERM },
		{ NBD_COMMAND_WRITE, NBD_COMMAND_FLAG_DF, 0, 512, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_WRITE, 0, 1 << 20, 512, NBD_ENOSPC, NBD_EPERM },
		{ NBD_COMMAND_WRITE, 0, (1 << 20) - 1, 2, NBD_ENOSPC, NBD_EPERM },
		{ NBD_COMMAND_FLUSH, 0, 0, 0, NBD_OK, NBD_OK },
		{ NBD_COMMAND_FLUSH, 0, 512, 0, NBD_EINVAL, NBD_EINVAL },
		{ NBD_COMMAND_TRIM, 0, 0, 1 << 20, NBD_OK, NBD_EPERM },
		{ NBD_COMMAND_TRIM, 0, 1, 1 << 20, NBD_EINVAL, NBD_EPERM },
		{ NBD_COMMAND_WRITE_ZEROES, NBD_COMMAND_FLAG_NO_HOLE, 0, 1 << 20, NBD_OK,
		    NBD_EPERM },
		{ NBD_COMMAND_WRITE_ZEROES, 0, 1, 1 << 20, NBD_ENOSPC, NBD_EPERM },
		{ NBD_COMMAND_WRITE_ZEROES, 1 << 4, 0, 512, NBD_EINVAL, NBD_EINVAL }, /* fast */
		{ 5, 0, 0, 512, NBD_EINVAL, NBD_EINVAL },                             /* cache */
		{ 7, 0, 0, 512, NBD_EINVAL, NBD_EINVAL }, /* block status */
		{ 0xffff, 0, 0, 512, NBD_EINVAL, NBD_EINVAL },
	};
	struct nbd_view locked = disk, plain = disk;

	(void)state;
	locked.is_read_only = true;
	plain.can_trim = plain.can_zero = false;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct nbd_request r = { .command = (uint16_t)rows[i].command,
			.flags = (uint16_t)rows[i].flags,
			.offset = rows[i].offset,
			.length = rows[i].length };

		assert_int_equal(nbd_check(&r, &disk), rows[i].error);
		assert_int_equal(nbd_check(&r, &locked), rows[i].protected);
		if (r.command == NBD_COMMAND_TRIM || r.command == NBD_COMMAND_WRITE_ZEROES)
			assert_int_equal(nbd_check(&r, &plain), NBD_EINVAL);
	}
}

static void
flags_say_what_a_disk_can_do(void **state)
{
	struct nbd_view v = disk;

	(void)state;
	assert_int_equal(nbd_flags(&v, false), 0x1 | 0x4 | 0x8 | 0x20 | 0x40 | 0x100);
	assert_int_equal(nbd_flags(&v, true), 0x1 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80 | 0x100);
	v.can_trim = false;
	assert_int_equal(nbd_flags(&v, false), 0x1 | 0x4 | 0x8 | 0x40 | 0x100);
	v.is_read_only = v.can_trim = true;
	assert_int_equal(nbd_flags(&v, false), 0x1 | 0x2 | 0x4 | 0x100);
}

static void
an_answer_has_the_cookie_of_its_request(void **state)
{
	const struct nbd_request read = { .command = NBD_COMMAND_READ,
		.cookie = 0x1122334455667788ull,
		.offset = 0x10000,
		.length = 512 };
	const struct nbd_request write = { .command = NBD_COMMAND_WRITE,
		.cookie = 0x1122334455667788ull };
	static const uint8_t simple[] = { 0x67, 0x44, 0x66, 0x98, 0, 0, 0, 5, 0x11, 0x22, 0x33,
		0x44, 0x55, 0x66, 0x77, 0x88 };
	static const uint8_t data[] = { 0x66, 0x8e, 0x33, 0xef, 0, 1, 0, 1, 0x11, 0x22, 0x33, 0x44,
		0x55, 0x66, 0x77, 0x88, 0, 0, 2, 8, 0, 0, 0, 0, 0, 1, 0, 0 };
	static const uint8_t error[] = { 0x66, 0x8e, 0x33, 0xef, 0, 1, 0x80, 1, 0x11, 0x22, 0x33,
		0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 6, 0, 0, 0, 5, 0, 0 };
	uint8_t b[NBD_ANSWER_BYTES];

	(void)state;
	assert_int_equal(nbd_put_answer(b, &read, NBD_EIO, false), sizeof simple);
	assert_memory_equal(b, simple, sizeof simple);
	assert_int_equal(nbd_put_answer(b, &write, NBD_EIO, true), sizeof simple);
	assert_memory_equal(b, simple, sizeof simple);
	assert_int_equal(nbd_put_answer(b, &read, NBD_OK, true), sizeof data);
	assert_memory_equal(b, data, sizeof data);
	assert_int_equal(nbd_put_answer(b, &read, NBD_EIO, true), sizeof error);
	assert_memory_equal(b, error, sizeof error);
}

static void
no_result_but_zero_is_a_success(void **state)
{
	(void)state;
	assert_int_equal(nbd_error_of(0), NBD_OK);
	assert_int_equal(nbd_error_of(-EROFS), NBD_EPERM);
	assert_int_equal(nbd_error_of(-ENOSPC), NBD_ENOSPC);
	assert_int_equal(nbd_error_of(-EOPNOTSUPP), NBD_ENOTSUP);
	assert_int_equal(nbd_error_of(-ENXIO), NBD_ESHUTDOWN);
	for (int i = -4096; i < 4096; i++)
		if (i != 0)
			assert_int_not_equal(nbd_error_of(i), NBD_OK);
}

/* ---- negotiation ---- */

struct talk {
	struct nbdneg g;
	uint8_t in[2 * NBDNEG_IN_BYTES], out[4096];
	size_t n_in, n_out;
};

/* All that was put into t->in, a byte more each time. */
static void
play(struct talk *t, const struct nbd_view *v)
{
	size_t from = 0, said, n;
	uint8_t out[NBDNEG_OUT_BYTES];

	for (size_t to = 1; to <= t->n_in; to++) {
		while ((n = nbdneg_take(&t->g, v, t->in + from, to - from, out, &said)) > 0) {
			from += n;
			assert_true(from <= to && t->n_out + said <= sizeof t->out);
			memcpy(t->out + t->n_out, out, said);
			t->n_out += said;
		}
	}
}

static void
put_flags(struct talk *t, uint32_t flags)
{
	be_put32(t->in + t->n_in, flags);
	t->n_in += 4;
}

static void
put_option(struct talk *t, uint32_t option, const void *data, uint32_t n, uint32_t said)
{
	memcpy(t->in + t->n_in, "IHAVEOPT", 8);
	be_put32(t->in + t->n_in + 8, option);
	be_put32(t->in + t->n_in + 12, said);
	memcpy(t->in + t->n_in + 16, data, n);
	t->n_in += 16 + n;
}

/* The type of the reply that begins at *at, which is moved behind it. */
static uint32_t
reply(const struct talk *t, size_t *at, uint32_t option)
{
	const uint8_t *p = t->out + *at;

	assert_true(*at + 20 <= t->n_out);
	assert_true(be_get64(p) == 0x0003e889045565a9ull);
	assert_int_equal(be_get32(p + 8), option);
	*at += 20 + be_get32(p + 16);
	assert_true(*at <= t->n_out);
	return be_get32(p + 12);
}

static void
the_old_way_to_have_a_disk_ends_in_it(void **state)
{
	struct talk t = { 0 };

	(void)state;
	put_flags(&t, 3);
	put_option(&t, NBD_OPTION_EXPORT_NAME, "c0t0d1", 6, 6);
	play(&t, &disk);
	assert_int_equal(t.g.state, NBDNEG_OPEN);
	assert_int_equal(t.n_out, 10);
	assert_true(be_get64(t.out) == disk.size_bytes);
	assert_int_equal(be_get16(t.out + 8), nbd_flags(&disk, false));

	t = (struct talk){ 0 };
	put_flags(&t, 1);
	put_option(&t, NBD_OPTION_EXPORT_NAME, "", 0, 0);
	play(&t, &disk);
	assert_int_equal(t.g.state, NBDNEG_OPEN);
	assert_int_equal(t.n_out, 134);

	t = (struct talk){ 0 };
	put_flags(&t, 3);
	put_option(&t, NBD_OPTION_EXPORT_NAME, "c0t0d2", 6, 6);
	play(&t, &disk);
	assert_int_equal(t.g.state, NBDNEG_END);
	assert_int_equal(t.n_out, 0);
}

static void
options_are_answered_in_their_order(void **state)
{
	static const uint8_t info[] = "\0\0\0\6c0t0d1\0\2\0\3\0\1";
	struct talk t = { 0 };
	size_t at = 0, block;

	(void)state;
	put_flags(&t, 3);
	put_option(&t, 5, "", 0, 0);          /* TLS */
	put_option(&t, 10, "\0\0\0\0", 4, 4); /* metadata */
	put_option(&t, 0xdeadbeef, "data", 4, 4);
	put_option(&t, NBD_OPTION_LIST, "", 0, 0);
	put_option(&t, NBD_OPTION_LIST, "x", 1, 1);
	put_option(&t, NBD_OPTION_STRUCTURED_REPLY, "", 0, 0);
	put_option(&t, NBD_OPTION_INFO, info, 16, 16);
	put_option(&t, NBD_OPTION_GO, "\0\0\0\0\0\0", 6, 6);
	put_option(&t, NBD_OPTION_LIST, "", 0, 0); /* it has the disk: this is no option any more */
	play(&t, &disk);
	assert_int_equal(t.g.state, NBDNEG_OPEN);
	assert_true(t.g.is_structured);
	assert_int_equal(reply(&t, &at, 5), (uint32_t)NBD_REPLY_ERR_UNSUP);
	assert_int_equal(reply(&t, &at, 10), (uint32_t)NBD_REPLY_ERR_UNSUP);
	assert_int_equal(reply(&t, &at, 0xdeadbeef), (uint32_t)NBD_REPLY_ERR_UNSUP);
	assert_int_equal(reply(&t, &at, NBD_OPTION_LIST), NBD_REPLY_SERVER);
	assert_memory_equal(t.out + at - 10, "\0\0\0\6c0t0d1", 10);
	assert_int_equal(reply(&t, &at, NBD_OPTION_LIST), NBD_REPLY_ACK);
	assert_int_equal(reply(&t, &at, NBD_OPTION_LIST), (uint32_t)NBD_REPLY_ERR_INVALID);
	assert_int_equal(reply(&t, &at, NBD_OPTION_STRUCTURED_REPLY), NBD_REPLY_ACK);
	assert_int_equal(reply(&t, &at, NBD_OPTION_INFO), NBD_REPLY_INFO);
	assert_int_equal(be_get16(t.out + at - 2), nbd_flags(&disk, true));
	block = at + 20;
	assert_int_equal(reply(&t, &at, NBD_OPTION_INFO), NBD_REPLY_INFO);
	assert_int_equal(be_get16(t.out + block), NBD_INFO_BLOCK_SIZE);
	assert_int_equal(be_get32(t.out + block + 2), 1);
	assert_int_equal(be_get32(t.out + block + 6), 4096);
	assert_int_equal(be_get32(t.out + block + 10), 65536);
	assert_int_equal(reply(&t, &at, NBD_OPTION_INFO), NBD_REPLY_INFO);
	assert_memory_equal(t.out + at - 6, "c0t0d1", 6);
	assert_int_equal(reply(&t, &at, NBD_OPTION_INFO), NBD_REPLY_ACK);
	assert_int_equal(reply(&t, &at, NBD_OPTION_GO), NBD_REPLY_INFO);
	assert_int_equal(reply(&t, &at, NBD_OPTION_GO), NBD_REPLY_INFO);
	assert_int_equal(reply(&t, &at, NBD_OPTION_GO), NBD_REPLY_ACK);
	assert_int_equal(at, t.n_out);
}

static void
an_option_that_makes_no_sense_is_refused_and_the_next_one_heard(void **state)
{
	static const struct {
		const char *data;
		uint32_t n, type;
	} rows[] = {
		{ "", 0, (uint32_t)NBD_REPLY_ERR_INVALID },
		{ "\0\0\0", 3, (uint32_t)NBD_REPLY_ERR_INVALID },
		{ "\0\0\0\7c0t0d1\0\0", 12, (uint32_t)NBD_REPLY_ERR_INVALID },
		{ "\xff\xff\xff\xff", 4, (uint32_t)NBD_REPLY_ERR_INVALID },
		{ "\0\0\0\0\0\1", 6, (uint32_t)NBD_REPLY_ERR_INVALID },
		{ "\0\0\0\0\xff\xff\0\1", 8, (uint32_t)NBD_REPLY_ERR_INVALID },
		{ "\0\0\0\0\0\0x", 7, (uint32_t)NBD_REPLY_ERR_INVALID },
		{ "\0\0\0\3abc\0\0", 9, (uint32_t)NBD_REPLY_ERR_UNKNOWN },
		{ "\0\0\0\7c0t0d1\0\0\0", 13, (uint32_t)NBD_REPLY_ERR_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct talk t = { 0 };
		size_t at = 0;

		put_flags(&t, 3);
		put_option(&t, NBD_OPTION_GO, rows[i].data, rows[i].n, rows[i].n);
		put_option(&t, NBD_OPTION_ABORT, "", 0, 0);
		play(&t, &disk);
		assert_int_equal(reply(&t, &at, NBD_OPTION_GO), rows[i].type);
		assert_int_equal(reply(&t, &at, NBD_OPTION_ABORT), NBD_REPLY_ACK);
		assert_int_equal(at, t.n_out);
		assert_int_equal(t.g.state, NBDNEG_END);
	}
}

static void
an_option_that_is_too_long_is_passed_over(void **state)
{
	static const uint8_t data[NBDNEG_IN_BYTES];
	struct talk t = { 0 };
	size_t at = 0;

	(void)state;
	put_flags(&t, 3);
	put_option(&t, NBD_OPTION_GO, data, NBDNEG_IN_BYTES - 15, NBDNEG_IN_BYTES - 15);
	put_option(&t, NBD_OPTION_ABORT, "", 0, 0);
	play(&t, &disk);
	assert_int_equal(reply(&t, &at, NBD_OPTION_GO), (uint32_t)NBD_REPLY_ERR_TOO_BIG);
	assert_int_equal(reply(&t, &at, NBD_OPTION_ABORT), NBD_REPLY_ACK);

	t = (struct talk){ 0 };
	put_flags(&t, 3);
	put_option(&t, NBD_OPTION_EXPORT_NAME, "", 0, UINT32_MAX);
	play(&t, &disk);
	assert_int_equal(t.g.state, NBDNEG_END);
	assert_int_equal(t.n_out, 0);
}

static void
whoever_speaks_something_else_is_not_answered(void **state)
{
	struct talk t = { 0 };

	(void)state;
	put_flags(&t, 7);
	play(&t, &disk);
	assert_int_equal(t.g.state, NBDNEG_END);

	t = (struct talk){ 0 };
	put_flags(&t, 3);
	put_option(&t, NBD_OPTION_LIST, "", 0, 0);
	t.in[4] = 'J';
	play(&t, &disk);
	assert_int_equal(t.g.state, NBDNEG_END);
	assert_int_equal(t.n_out, 0);
}

static void
a_sealed_disk_is_given_to_nobody(void **state)
{
	struct nbd_view v = disk;
	struct talk t = { 0 };
	size_t at = 0;

	(void)state;
	v.is_sealed = true;
	put_flags(&t, 3);
	put_option(&t, NBD_OPTION_GO, "\0\0\0\0\0\0", 6, 6);
	put_option(&t, NBD_OPTION_EXPORT_NAME, "", 0, 0);
	play(&t, &v);
	assert_int_equal(reply(&t, &at, NBD_OPTION_GO), (uint32_t)NBD_REPLY_ERR_SHUTDOWN);
	assert_int_equal(at, t.n_out);
	assert_int_equal(t.g.state, NBDNEG_END);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_without_its_magic_is_none),
		cmocka_unit_test(what_a_disk_cannot_do_is_refused),
		cmocka_unit_test(flags_say_what_a_disk_can_do),
		cmocka_unit_test(an_answer_has_the_cookie_of_its_request),
		cmocka_unit_test(no_result_but_zero_is_a_success),
		cmocka_unit_test(the_old_way_to_have_a_disk_ends_in_it),
		cmocka_unit_test(options_are_answered_in_their_order),
		cmocka_unit_test(an_option_that_makes_no_sense_is_refused_and_the_next_one_heard),
		cmocka_unit_test(an_option_that_is_too_long_is_passed_over),
		cmocka_unit_test(whoever_speaks_something_else_is_not_answered),
		cmocka_unit_test(a_sealed_disk_is_given_to_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
