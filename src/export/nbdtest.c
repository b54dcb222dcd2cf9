#include "export/nbdtest.h"

#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/be.h"

/* Turns until something must have come. */
#define PATIENCE 20000

struct turning {
	struct agenda_work work;
	struct loop *loop;
	unsigned left;
};

static void
turn(struct agenda_work *w)
{
	struct turning *t = LIST_ENTRY(w, struct turning, work);

	if (--t->left == 0)
		loop_stop(t->loop);
	else
		agenda_defer(loop_agenda(t->loop), w);
}

void
nbdtest_turns(struct nbdtest *t, unsigned n)
{
	struct turning turning = { .loop = t->loop, .left = n };

	agenda_work_init(&turning.work, turn);
	agenda_defer(loop_agenda(t->loop), &turning.work);
	assert_int_equal(loop_run(t->loop), 0);
}

static void
on_started(void *user, int err)
{
	(void)user;
	assert_int_equal(err, 0);
}

static void
on_let_go(void *user, struct blk_dev *dev)
{
	struct nbdtest *t = user;

	assert_ptr_equal(dev, &t->m->dev);
	t->let_go++;
}

static void
on_stopped(void *user)
{
	((struct nbdtest *)user)->is_stopped = true;
}

static const struct export_events events = {
	.started = on_started, .let_go = on_let_go, .stopped = on_stopped
};

void
nbdtest_begin(struct nbdtest *t, uint32_t block_bytes)
{
	const char *tmp = getenv("TMPDIR");

	*t = (struct nbdtest){ .loop = loop_new() };
	assert_non_null(t->loop);
	(void)snprintf(t->base, sizeof t->base, "%s/nbd.XXXXXX", tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(t->base));
	(void)snprintf(t->dir, sizeof t->dir, "%s/7", t->base);
	assert_int_equal(nbd_export.start(t->loop, t->dir, &events, t, &t->ex), 0);
	t->m = memdev_new(t->loop, "c0t0d0", NBDTEST_BYTES, block_bytes);
	assert_non_null(t->m);
	assert_int_equal(nbd_export.add(t->ex, &t->m->dev), 0);
}

void
nbdtest_stop(struct nbdtest *t)
{
	nbd_export.stop(t->ex);
	t->ex = NULL;
	for (unsigned i = 0; i < PATIENCE && !t->is_stopped; i++)
		nbdtest_turns(t, 1);
	assert_true(t->is_stopped);
}

void
nbdtest_end(struct nbdtest *t)
{
	if (t->ex != NULL)
		nbdtest_stop(t);
	assert_int_equal(rmdir(t->base), 0); /* nothing was left there */
	memdev_free(t->m);
	loop_free(t->loop);
}

/* ---- clients ---- */

int
nbdtest_connect(struct nbdtest *t, const char *name)
{
	uint8_t greeting[NBDNEG_GREETING];
	char path[128];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", t->dir, name);
	fd = sock_connect(path, SOCK_STREAM | SOCK_NONBLOCK);
	assert_true(fd >= 0);
	if (!nbdtest_receive(t, fd, greeting, sizeof greeting)) {
		close(fd);
		return -1;
	}
	assert_memory_equal(greeting, "NBDMAGICIHAVEOPT\0\3", sizeof greeting);
	return fd;
}

void
nbdtest_send(struct nbdtest *t, int fd, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (unsigned i = 0; n > 0; i++) {
		ssize_t some = send(fd, p, n, MSG_NOSIGNAL);

		assert_true(i < PATIENCE);
		if (some < 0 && errno == EPIPE)
			return; /* what is said of that is what is received */
		assert_true(some > 0 || errno == EAGAIN);
		nbdtest_turns(t, 1);
		p += some > 0 ? some : 0;
		n -= some > 0 ? (size_t)some : 0;
	}
}

bool
nbdtest_receive(struct nbdtest *t, int fd, void *buf, size_t n)
{
	uint8_t *p = buf;

	for (unsigned i = 0; n > 0; i++) {
		ssize_t some = recv(fd, p, n, 0);

		assert_true(i < PATIENCE);
		if (some == 0 || (some < 0 && errno == ECONNRESET))
			return false;
		assert_true(some > 0 || errno == EAGAIN);
		if (some < 0)
			nbdtest_turns(t, 1);
		p += some > 0 ? some : 0;
		n -= some > 0 ? (size_t)some : 0;
	}
	return true;
}

bool
nbdtest_is_ended(struct nbdtest *t, int fd)
{
	uint8_t byte;

	return !nbdtest_receive(t, fd, &byte, 1);
}

void
nbdtest_flags(struct nbdtest *t, int fd, uint32_t flags)
{
	uint8_t b[4];

	be_put32(b, flags);
	nbdtest_send(t, fd, b, sizeof b);
}

void
nbdtest_option(struct nbdtest *t, int fd, uint32_t option, const void *data, size_t n)
{
	uint8_t b[16];

	memcpy(b, "IHAVEOPT", 8);
	be_put32(b + 8, option);
	be_put32(b + 12, (uint32_t)n);
	nbdtest_send(t, fd, b, sizeof b);
	nbdtest_send(t, fd, data, n);
}

uint32_t
nbdtest_reply(struct nbdtest *t, int fd, uint32_t option, uint8_t *buf, uint32_t *ret_n)
{
	uint8_t b[20];

	assert_true(nbdtest_receive(t, fd, b, sizeof b));
	assert_true(be_get64(b) == 0x0003e889045565a9ull);
	assert_int_equal(be_get32(b + 8), option);
	*ret_n = be_get32(b + 16);
	assert_true(*ret_n <= 512);
	assert_true(nbdtest_receive(t, fd, buf, *ret_n));
	return be_get32(b + 12);
}

int
nbdtest_open(struct nbdtest *t, bool is_structured)
{
	static const uint8_t go[] = { 0, 0, 0, 0, 0, 0 };
	int fd = nbdtest_connect(t, "c0t0d0");
	uint8_t buf[512];
	uint32_t n, type;

	assert_true(fd >= 0);
	nbdtest_flags(t, fd, 3);
	if (is_structured) {
		nbdtest_option(t, fd, NBD_OPTION_STRUCTURED_REPLY, "", 0);
		type = nbdtest_reply(t, fd, NBD_OPTION_STRUCTURED_REPLY, buf, &n);
		assert_int_equal(type, NBD_REPLY_ACK);
	}
	nbdtest_option(t, fd, NBD_OPTION_GO, go, sizeof go);
	while ((type = nbdtest_reply(t, fd, NBD_OPTION_GO, buf, &n)) == NBD_REPLY_INFO)
		;
	assert_int_equal(type, NBD_REPLY_ACK);
	return fd;
}

void
nbdtest_request(struct nbdtest *t, int fd, unsigned command, unsigned flags, uint64_t cookie,
    uint64_t offset, uint32_t length)
{
	uint8_t b[NBD_REQUEST_BYTES];

	be_put32(b, 0x25609513);
	be_put16(b + 4, (uint16_t)flags);
	be_put16(b + 6, (uint16_t)command);
	be_put64(b + 8, cookie);
	be_put64(b + 16, offset);
	be_put32(b + 24, length);
	nbdtest_send(t, fd, b, sizeof b);
}

uint32_t
nbdtest_answer(struct nbdtest *t, int fd, uint64_t cookie)
{
	uint8_t b[16];

	assert_true(nbdtest_receive(t, fd, b, sizeof b));
	assert_int_equal(be_get32(b), 0x67446698);
	assert_true(be_get64(b + 8) == cookie);
	return be_get32(b + 4);
}

struct nbd_conn *
nbdtest_conn(struct nbdtest *t)
{
	struct nbd_disk *disk = LIST_ENTRY(t->ex->disks.next, struct nbd_disk, link);

	if (list_empty(&t->ex->disks) || list_empty(&disk->conns))
		return NULL;
	return LIST_ENTRY(disk->conns.next, struct nbd_conn, link);
}
