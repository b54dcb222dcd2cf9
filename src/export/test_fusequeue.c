/* More requests than the fuse exporter takes at once. */
#include <sys/syscall.h>

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "export/fusetest.h"

#define MIB (1u << 20)

/* More megabytes than the exporter takes at once, and fewer requests than the kernel lets wait. */
#define MANY 200

/* Queue MANY reads of 1 MiB, all into the same memory. */
static void
submit_many(aio_context_t ctx, int fd, uint8_t *mem)
{
	static struct iocb cbs[MANY];
	struct iocb *ptrs[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		memset(&cbs[i], 0, sizeof cbs[i]);
		cbs[i].aio_fildes = (uint32_t)fd;
		cbs[i].aio_lio_opcode = IOCB_CMD_PREAD;
		cbs[i].aio_buf = (uintptr_t)mem;
		cbs[i].aio_nbytes = MIB;
		ptrs[i] = &cbs[i];
	}
	assert_int_equal(syscall(SYS_io_submit, ctx, MANY, ptrs), MANY);
}

struct neighbour {
	struct fusetest *t;
	struct fusetest_ex x;
	struct memdev *m;
	char dir[80];
	int err;
};

static void
neighbour_start(void *arg)
{
	struct neighbour *n = arg;

	n->m = memdev_new(worker_loop(n->t->worker), "d", MIB, 512);
	n->err = export_find("fuse")->start(
	    worker_loop(n->t->worker), n->dir, &fusetest_events, &n->x, &n->x.ex);
	if (n->err == 0)
		n->err = export_find("fuse")->add(n->x.ex, &n->m->dev);
}

static void
neighbour_stop(void *arg)
{
	struct neighbour *n = arg;

	export_find("fuse")->stop(n->x.ex);
	memdev_free(n->m);
}

static void
a_queue_beyond_the_limit_waits_and_a_neighbour_goes_on(void **state)
{
	static uint8_t mem[MIB] __attribute__((aligned(4096)));
	struct io_event events[MANY];
	aio_context_t ctx = 0;
	struct fusetest t;
	struct neighbour n = { .t = &t };
	struct memdev *m;
	char path[96];
	int fd, fd2;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	for (unsigned i = 0; i < MIB; i++)
		m->mem[i] = (uint8_t)(i >> 8);
	snprintf(n.dir, sizeof n.dir, "%s/two", t.base);
	fusetest_ex_init(&n.x);
	fusetest_call(&t, neighbour_start, &n);
	assert_int_equal(n.err, 0);
	assert_int_equal(fusetest_await_start(&n.x), 0);
	fd = fusetest_open(&t, "d", O_RDONLY | O_DIRECT);
	fusetest_hold(&t, m);
	assert_int_equal(syscall(SYS_io_setup, MANY, &ctx), 0);
	submit_many(ctx, fd, mem);
	fusetest_await(&t, m, BLK_READ, LIMIT_FUSE_BUSY_BYTES / MIB);

	snprintf(path, sizeof path, "%s/d", n.dir);
	fd2 = open(path, O_RDWR);
	assert_true(fd2 >= 0);
	assert_int_equal(pwrite(fd2, mem, 4096, 0), 4096);
	assert_int_equal(fsync(fd2), 0);
	close(fd2);
	assert_true(m->queued <= LIMIT_FUSE_BUSY_BYTES / MIB);

	fusetest_release(&t, m);
	assert_int_equal(syscall(SYS_io_getevents, ctx, MANY, MANY, events, NULL), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(events[i].res, MIB);
	}
	assert_memory_equal(mem, m->mem, MIB);
	syscall(SYS_io_destroy, ctx);
	close(fd);
	fusetest_call(&t, neighbour_stop, &n);
	fusetest_await_stop(&n.x);
	fusetest_ex_fini(&n.x);
	fusetest_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_beyond_the_limit_waits_and_a_neighbour_goes_on),
	};

	return fusetest_main("fusequeue", tests, sizeof tests / sizeof tests[0]);
}
