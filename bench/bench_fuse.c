/*
 * What the way through a FUSE file costs, without a target: a disk in memory
 * that answers in the same turn, read and written with O_DIRECT.  One thread
 * serves, one asks; with a queue by Linux AIO, alone by pread.
 *
 * CPU is user and system time of each thread for an operation; "calls" are the
 * serving thread's reads of /dev/fuse, its answers (one call each) and its turns
 * (one epoll_wait each).
 */
#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/worker.h"
#include "export/fuse.h"
#include "export/memdev.h"

#define SIZE      (256ull << 20)
#define DEPTH_MAX 128

struct bench {
	struct worker *worker;
	struct export *ex;
	struct memdev *m;
	char base[64], dir[80], file[96];
	int fd;
	int err;
	sem_t told; /* the exporter has started, or stopped */
	/* Of the serving thread, as sample() found them. */
	double cpu_us;
	struct fuse_counts counts;
	unsigned long turns;
};

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double
thread_cpu_us(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static void
sample(void *arg)
{
	struct bench *b = arg;

	b->cpu_us = thread_cpu_us();
	b->counts = fuse_counts(b->ex);
	b->turns = b->m->turns;
}

static void
started(void *user, int err)
{
	struct bench *b = user;

	b->err = err;
	sem_post(&b->told);
}

static void
stopped(void *user)
{
	sem_post(&((struct bench *)user)->told);
}

/* Nobody takes its mount away. */
static void
gone(void *user, struct blk_dev *dev, const char *why)
{
	(void)user, (void)dev;
	fprintf(stderr, "bench_fuse: %s\n", why);
	exit(1);
}

static void
let_go(void *user, struct blk_dev *dev)
{
	(void)user, (void)dev;
}

/* So that what a successor would need is kept, as in the driver. */
static void
hold(void *user, const struct export_held *held)
{
	(void)user, (void)held;
}

static void
drop(void *user)
{
	(void)user;
}

static const struct export_events told_events = {
	.hold = hold,
	.drop = drop,
	.started = started,
	.gone = gone,
	.let_go = let_go,
	.stopped = stopped,
};

static void
start(void *arg)
{
	struct bench *b = arg;
	struct loop *l = worker_loop(b->worker);

	b->m = memdev_new(l, "d", SIZE, 512);
	b->err = b->m == NULL ? -ENOMEM : fuse_export.start(l, b->dir, &told_events, b, &b->ex);
	if (b->err == 0)
		b->err = fuse_export.add(b->ex, &b->m->dev);
	if (b->err != 0)
		sem_post(&b->told);
}

static void
stop(void *arg)
{
	struct bench *b = arg;

	if (b->ex != NULL)
		fuse_export.stop(b->ex);
	else
		sem_post(&b->told);
	memdev_free(b->m);
}

static uint64_t
next_offset(uint64_t *x, size_t len)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x % (SIZE / len) * len;
}

static int
run_alone(const struct bench *b, bool is_write, size_t len, unsigned long ops, uint8_t *mem)
{
	uint64_t x = 88172645463325252ull;

	for (unsigned long i = 0; i < ops; i++) {
		off_t off = (off_t)next_offset(&x, len);
		ssize_t n = is_write ? pwrite(b->fd, mem, len, off) : pread(b->fd, mem, len, off);

		if (n != (ssize_t)len)
			return -1;
	}
	return 0;
}

static int
submit(aio_context_t ctx, struct iocb **batch, unsigned n)
{
	return syscall(SYS_io_submit, ctx, n, batch) == n ? 0 : -1;
}

static int
run_queue(const struct bench *b, unsigned depth, bool is_write, size_t len, unsigned long ops,
    uint8_t *mem)
{
	static struct iocb cbs[DEPTH_MAX];
	struct iocb *batch[DEPTH_MAX];
	struct io_event events[DEPTH_MAX];
	unsigned long sent = 0, got = 0;
	uint64_t x = 88172645463325252ull;
	aio_context_t ctx = 0;
	unsigned n = depth;
	int err = syscall(SYS_io_setup, depth, &ctx) < 0 ? -1 : 0;

	memset(cbs, 0, sizeof cbs);
	for (unsigned i = 0; i < depth; i++) {
		cbs[i].aio_fildes = (uint32_t)b->fd;
		cbs[i].aio_lio_opcode = is_write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		cbs[i].aio_buf = (uintptr_t)(mem + i * len);
		cbs[i].aio_nbytes = len;
		batch[i] = &cbs[i];
	}
	while (err == 0 && got < ops) {
		long found;

		for (unsigned i = 0; i < n; i++)
			batch[i]->aio_offset = (int64_t)next_offset(&x, len);
		if (n > 0)
			err = submit(ctx, batch, n);
		sent += n;
		found = err == 0 ? syscall(SYS_io_getevents, ctx, 1, depth, events, NULL) : -1;
		if (found < 0)
			err = -1;
		n = 0;
		for (long i = 0; i < found; i++) {
			if (events[i].res != (int64_t)len)
				err = -1;
			if (sent + n < ops)
				batch[n++] = (struct iocb *)(uintptr_t)events[i].obj;
		}
		got += found > 0 ? (unsigned long)found : 0;
	}
	syscall(SYS_io_destroy, ctx);
	return err;
}

static int
measure(
    struct bench *b, const char *name, unsigned depth, bool is_write, size_t len, unsigned long ops)
{
	uint8_t *mem = NULL;
	struct bench before;
	double at, took, cpu, n = (double)ops;
	int err;

	if (posix_memalign((void **)&mem, 4096, depth * len) != 0)
		return -1;
	memset(mem, 1, depth * len);
	worker_call(b->worker, sample, b);
	before = *b;
	at = seconds();
	cpu = thread_cpu_us();
	err = depth == 1 ? run_alone(b, is_write, len, ops, mem)
			 : run_queue(b, depth, is_write, len, ops, mem);
	cpu = thread_cpu_us() - cpu;
	took = seconds() - at;
	worker_call(b->worker, sample, b);
	free(mem);
	if (err < 0) {
		fprintf(stderr, "%s: failed: %s\n", name, strerror(errno));
		return err;
	}
	printf("%-14s %4u %9.0f/s %8.1f us %8.2f us %8.2f us %6.2f %6.2f %6.2f\n", name, depth,
	    n / took, took / n * 1e6 * depth, (b->cpu_us - before.cpu_us) / n, cpu / n,
	    (double)(b->counts.receives - before.counts.receives) / n,
	    (double)(b->counts.requests - before.counts.requests) / n,
	    (double)(b->turns - before.turns) / n);
	return 0;
}

static int
measure_all(struct bench *b, unsigned long ops)
{
	static const struct {
		const char *name;
		unsigned depth;
		bool is_write;
		size_t len;
		unsigned divisor;
	} rows[] = {
		{ "read 4 KiB", 1, false, 4096, 1 },
		{ "read 4 KiB", 32, false, 4096, 1 },
		{ "read 4 KiB", 128, false, 4096, 1 },
		{ "write 4 KiB", 1, true, 4096, 1 },
		{ "write 4 KiB", 32, true, 4096, 1 },
		{ "read 1 MiB", 1, false, 1 << 20, 100 },
		{ "write 1 MiB", 8, true, 1 << 20, 100 },
	};
	int err = 0;

	printf("%-14s %4s %11s %11s %11s %11s %6s %6s %6s\n", "operation", "deep", "rate",
	    "latency", "server CPU", "caller CPU", "recv", "answer", "turns");
	for (unsigned i = 0; err == 0 && i < sizeof rows / sizeof rows[0]; i++)
		err = measure(b, rows[i].name, rows[i].depth, rows[i].is_write, rows[i].len,
		    ops / rows[i].divisor);
	return err;
}

static void
await(struct bench *b)
{
	while (sem_wait(&b->told) < 0)
		continue;
}

int
main(int argc, char **argv)
{
	struct bench b = { .base = "/tmp/openisw-bench-XXXXXX", .fd = -1 };
	unsigned long ops = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	int err = 1;

	if (ops < 100 || mkdtemp(b.base) == NULL) {
		fprintf(stderr, "usage: bench_fuse [operations, at least 100]\n");
		return 2;
	}
	snprintf(b.dir, sizeof b.dir, "%s/disk", b.base);
	snprintf(b.file, sizeof b.file, "%s/d", b.dir);
	b.worker = worker_new("export", -1);
	if (b.worker == NULL)
		return 1;
	sem_init(&b.told, 0, 0);
	worker_call(b.worker, start, &b);
	await(&b);
	if (b.err != 0)
		b.ex = NULL;
	if (b.err == 0)
		b.fd = open(b.file, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (b.fd < 0)
		fprintf(stderr, "no FUSE file here: %s\n", strerror(b.err != 0 ? -b.err : errno));
	else
		err = measure_all(&b, ops) < 0;
	if (b.fd >= 0)
		close(b.fd);
	worker_call(b.worker, stop, &b);
	await(&b);
	worker_free(b.worker);
	rmdir(b.base);
	return err;
}
