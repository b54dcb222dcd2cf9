/*
 * Reads or writes of a file or a block device at a fixed queue depth through io_uring, past the
 * page cache: the load for the whole path (bench/path).  Prints
 *
 *   op,bs,qd,ios,secs,iops,MBps,cpu_us_io
 *
 * usage: bench_file FILE randread|randwrite|seqread|seqwrite BS QD SECS CPU
 */
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct load {
	struct io_uring ring;
	uint8_t **buf;
	unsigned bs, qd;
	bool is_random, is_write;
	uint64_t size, pos, random;
	int fd;
} l;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
submit(uint64_t slot)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&l.ring);
	uint64_t off;

	if (l.is_random) {
		l.random ^= l.random << 13;
		l.random ^= l.random >> 7;
		l.random ^= l.random << 17;
		off = l.random % (l.size / l.bs) * l.bs;
	} else {
		off = l.pos;
		l.pos = l.pos + 2ull * l.bs > l.size ? 0 : l.pos + l.bs;
	}
	if (l.is_write)
		io_uring_prep_write(sqe, l.fd, l.buf[slot], l.bs, off);
	else
		io_uring_prep_read(sqe, l.fd, l.buf[slot], l.bs, off);
	sqe->user_data = slot;
}

static int
run(const char *op, double secs)
{
	double start = now(), cpu_start = cpu(), took;
	uint64_t ios = 0;

	for (unsigned i = 0; i < l.qd; i++)
		submit(i);
	while (now() - start < secs) {
		struct io_uring_cqe *cqe;

		if (io_uring_submit_and_wait(&l.ring, 1) < 0)
			return 1;
		while (io_uring_peek_cqe(&l.ring, &cqe) == 0) {
			if (cqe->res != (int)l.bs) {
				fprintf(stderr, "bench_file: %s\n",
				    cqe->res < 0 ? strerror(-cqe->res) : "short transfer");
				return 1;
			}
			submit(cqe->user_data);
			io_uring_cqe_seen(&l.ring, cqe);
			ios++;
		}
	}
	took = now() - start;
	printf("%s,%u,%u,%llu,%.2f,%.0f,%.1f,%.3f\n", op, l.bs, l.qd, (unsigned long long)ios, took,
	    (double)ios / took, (double)ios * l.bs / took / 1e6,
	    (cpu() - cpu_start) / (double)ios * 1e6);
	return 0;
}

int
main(int argc, char **argv)
{
	off_t size = -1;
	cpu_set_t cpus;

	if (argc != 7) {
		fprintf(stderr, "usage: bench_file FILE OP BS QD SECS CPU\n");
		return 2;
	}
	l.is_random = strncmp(argv[2], "rand", 4) == 0;
	l.is_write = strstr(argv[2], "write") != NULL;
	l.bs = (unsigned)strtoul(argv[3], NULL, 10);
	l.qd = (unsigned)strtoul(argv[4], NULL, 10);
	l.random = 88172645463325252ull;
	l.fd = open(argv[1], (l.is_write ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (l.fd >= 0)
		size = lseek(l.fd, 0, SEEK_END); /* of a block device, too */
	if (size < 0) {
		perror(argv[1]);
		return 1;
	}
	l.size = (uint64_t)size;
	CPU_ZERO(&cpus);
	CPU_SET(strtoul(argv[6], NULL, 10), &cpus);
	(void)sched_setaffinity(
	    0, sizeof cpus, &cpus); /* a hint: the rows are comparable without */
	l.buf = calloc(l.qd, sizeof *l.buf);
	for (unsigned i = 0; i < l.qd; i++) {
		l.buf[i] = aligned_alloc(4096, l.bs < 4096 ? 4096 : l.bs);
		memset(l.buf[i], (int)i + 1, l.bs);
	}
	if (io_uring_queue_init(l.qd * 2, &l.ring, 0) != 0) {
		fprintf(stderr, "bench_file: no io_uring here\n");
		return 1;
	}
	return run(argv[2], strtod(argv[5], NULL));
}
