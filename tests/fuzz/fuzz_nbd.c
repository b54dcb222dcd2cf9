/*
 * A disk that speaks NBD: bytes from a client, in parts, over a socket, and the device answers when
 * it likes.
 *
 * Nothing outside the device is asked for (memdev asserts that), every request has at most one
 * answer, the connection ends when the client has hung up and the device has answered, and nothing
 * stays open.
 *
 * Covers: src/export/nbdwire.c src/export/nbdneg.c src/export/nbdconn.c src/export/nbdio.c
 * Covers: src/export/nbdpool.c
 */
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/memdev.h"
#include "export/nbdint.h"
#include "turns.h"

#define INPUT_MAX 65536
#define DISK      (256u << 10)
#define PATIENCE  20000

static struct memdev *dev;

static void
on_started(void *user, int err)
{
	(void)user;
	FUZZ_CHECK(err == 0);
}

static void
on_let_go(void *user, struct blk_dev *d)
{
	(void)user;
	FUZZ_CHECK(d == &dev->dev);
}

static const struct export_events events = { .started = on_started, .let_go = on_let_go };

static void
on_submit(struct memdev *m, const struct blk_req *r)
{
	FUZZ_CHECK(r->offset <= m->dev.size_bytes && r->len <= m->dev.size_bytes - r->offset);
	FUZZ_CHECK(!m->dev.read_only || r->op == BLK_READ);
}

static struct export *
make(void)
{
	struct export *ex;
	char dir[256];

	(void)snprintf(dir, sizeof dir, "%s", fuzz_path("1"));
	fuzz_quiet();
	dev = memdev_new(turns_loop(), "c0t0d0", DISK, 512);
	if (dev == NULL || nbd_export.start(turns_loop(), dir, &events, NULL, &ex) != 0 ||
	    nbd_export.add(ex, &dev->dev) != 0)
		abort();
	dev->on_submit = on_submit;
	return ex;
}

static bool
has_client(const struct export *ex)
{
	return !list_empty(&LIST_ENTRY(ex->disks.next, struct nbd_disk, link)->conns);
}

/* The input, in parts; what is said is read, or not.  Then the client is gone. */
static void
talk(int fd, const uint8_t *p, size_t n, size_t part, bool is_reading)
{
	static char out[65536];
	size_t sent = 0;
	bool ended = false;

	for (unsigned i = 0; i < PATIENCE && !ended && sent < n; i++) {
		size_t some = part < n - sent ? part : n - sent;
		ssize_t took = send(fd, p + sent, some, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (took > 0)
			sent += (size_t)took;
		turns_make(1);
		if (is_reading)
			(void)turns_read(fd, out, sizeof out, &ended);
		else if (took < 0)
			break; /* it waits for us to read */
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct export *ex;
	struct cursor in = cursor_over(data, size < INPUT_MAX ? size : INPUT_MAX);
	uint8_t how = cursor_u8(&in);
	size_t part = 1 + cursor_u8(&in) * 16u, n;
	unsigned before;
	uint8_t *bytes;
	char path[256];
	int fd;

	if (ex == NULL)
		ex = make();
	before = turns_descriptors();
	bytes = fuzz_rest(&in, &n);
	dev->dev.read_only = (how & 1) != 0;
	dev->reorder_seed = (how & 2) != 0 ? how : 0;
	dev->hold = (how & 4) != 0;
	dev->dev.can_discard = dev->dev.can_write_zeroes = (how & 8) == 0;
	(void)snprintf(path, sizeof path, "%s/c0t0d0", fuzz_path("1"));
	fd = sock_connect(path, SOCK_STREAM | SOCK_NONBLOCK);
	if (fd < 0)
		abort();
	talk(fd, bytes, n, part, (how & 16) == 0);
	(void)close(fd); /* whatever was not read */
	turns_make(4);
	memdev_release(dev); /* what was written is flushed before its client has gone */
	for (unsigned i = 0; i < PATIENCE && (has_client(ex) || dev->queued > 0); i++)
		turns_make(1);
	FUZZ_CHECK(!has_client(ex) && dev->queued == 0);
	FUZZ_CHECK(nbd_export.openers(ex, &dev->dev) == 0);
	FUZZ_CHECK(turns_descriptors() == before);
	free(bytes);
	return 0;
}
