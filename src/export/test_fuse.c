/* The fuse exporter, through the kernel: what a caller of a disk's file sees. */
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fusetest.h"

#define MIB  (1u << 20)
#define SIZE (16ull * MIB)

static void
fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 13);
}

static uint8_t *
aligned(size_t n, unsigned seed)
{
	void *p = NULL;

	assert_int_equal(posix_memalign(&p, 4096, n), 0);
	fill(p, n, seed);
	return p;
}

/* Write n bytes, compare them with the device, read them back. */
static void
round_trip(int fd, struct memdev *m, off_t off, size_t n, unsigned seed)
{
	uint8_t *data = aligned(n, seed), *got = aligned(n, seed + 1);

	assert_int_equal(pwrite(fd, data, n, off), n);
	assert_memory_equal(m->mem + off, data, n);
	assert_int_equal(pread(fd, got, n, off), n);
	assert_memory_equal(got, data, n);
	free(data);
	free(got);
}

static void
aligned_unaligned_and_large_access_is_exact(void **state)
{
	static const struct {
		off_t off;
		size_t n;
	} cases[] = { { 0, 512 }, { 4096, 4096 }, { 0, 1 }, { 4095, 2 }, { 1, 4096 }, { 511, 513 },
		{ MIB - 3, 7 }, { 12345, 100000 }, { 0, 8 * MIB }, { 4097, 8 * MIB + 17 },
		{ SIZE - 1, 1 }, { SIZE - 4096, 4096 }, { SIZE - 5000, 5000 } };
	struct fusetest t;

	(void)state;
	fusetest_start(&t);
	for (uint32_t block = 512; block <= 4096; block *= 8) {
		struct memdev *m =
		    fusetest_add(&t, block == 512 ? "c0t0d0" : "c0t0d1", SIZE, block);
		int fd = fusetest_open(&t, m->dev.name, O_RDWR);
		uint8_t *model = aligned(SIZE, 77);

		memcpy(m->mem, model, SIZE);
		for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			round_trip(fd, m, cases[i].off, cases[i].n, i);
			fill(model + cases[i].off, cases[i].n, i);
			assert_memory_equal(m->mem, model, SIZE); /* and nothing beside it */
		}
		free(model);
		close(fd);
		assert_true(m->largest_bytes <= m->dev.max_io_bytes);
	}
	fusetest_end(&t);
}

static void
direct_access_works_and_large_requests_arrive_large(void **state)
{
	struct fusetest t;
	struct memdev *m;
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", SIZE, 512);
	fd = fusetest_open(&t, "d", O_RDWR | O_DIRECT);
	round_trip(fd, m, 4096, 8 * MIB, 3);
	assert_int_equal(m->largest_bytes, MIB);
	assert_int_equal(m->submitted[BLK_WRITE], 8);
	round_trip(fd, m, 512, 512, 4);
	close(fd);
	fusetest_end(&t);
}

static void
a_device_that_takes_little_gets_little(void **state)
{
	struct fusetest t;
	struct memdev *m;
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", SIZE, 512);
	m->dev.max_io_bytes = 40000; /* no multiple of a block */
	m->reorder_seed = 5;
	fd = fusetest_open(&t, "d", O_RDWR);
	round_trip(fd, m, 100, 3 * MIB, 3);
	assert_int_equal(m->largest_bytes, 40000 / 512 * 512);
	close(fd);
	fusetest_end(&t);
}

static void
the_end_of_the_device_is_a_disks(void **state)
{
	struct fusetest t;
	uint8_t buf[8192] = { 0 };
	struct stat st;
	int fd;

	(void)state;
	fusetest_start(&t);
	fusetest_add(&t, "d", SIZE, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	assert_int_equal(pread(fd, buf, 8192, SIZE - 4096), 4096);
	assert_int_equal(pread(fd, buf, 8192, SIZE), 0);
	assert_int_equal(pread(fd, buf, 8192, SIZE + 12345), 0);
	assert_int_equal(pwrite(fd, buf, 8192, SIZE - 4096), 4096);
	assert_int_equal(pwrite(fd, buf, 1, SIZE), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(lseek(fd, 0, SEEK_END), SIZE);
	assert_int_equal(lseek(fd, -10, SEEK_END), SIZE - 10);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_int_equal(st.st_blksize, 4096);
	close(fd);
	fusetest_end(&t);
}

static void
truncating_fails_without_effect_and_o_trunc_is_ignored(void **state)
{
	struct fusetest t;
	struct stat st;
	int fd;

	(void)state;
	fusetest_start(&t);
	fusetest_add(&t, "d", SIZE, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ftruncate(fd, SIZE * 2), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(truncate(fusetest_path(&t, "d"), 4096), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	fd = fusetest_open(&t, "d", O_RDWR | O_TRUNC | O_CREAT);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_int_equal(fchmod(fd, 0666), -1);
	assert_int_equal(errno, EPERM);
	close(fd);
	fusetest_end(&t);
}

struct syncing {
	int fd, result;
};

static void *
sync_run(void *arg)
{
	struct syncing *s = arg;

	s->result = fsync(s->fd) < 0 ? -errno : 0;
	return NULL;
}

static void
fsync_is_a_flush_and_waits_for_it(void **state)
{
	struct fusetest t;
	struct memdev *m;
	struct syncing s;
	pthread_t thread;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", SIZE, 512);
	s.fd = fusetest_open(&t, "d", O_RDWR);
	assert_int_equal(fdatasync(s.fd), 0);
	assert_int_equal(m->answered[BLK_FLUSH], 1);

	fusetest_hold(&t, m);
	s.result = 1;
	pthread_create(&thread, NULL, sync_run, &s);
	fusetest_await(&t, m, BLK_FLUSH, 2);
	assert_int_equal(pthread_tryjoin_np(thread, NULL), EBUSY);
	fusetest_release(&t, m);
	pthread_join(thread, NULL);
	assert_int_equal(s.result, 0);

	m->fail[BLK_FLUSH] = -EIO;
	assert_int_equal(fsync(s.fd), -1);
	assert_int_equal(errno, EIO);
	/* An errno that would tell the kernel never to ask again. */
	m->fail[BLK_FLUSH] = -ENOSYS;
	assert_int_equal(fsync(s.fd), -1);
	assert_int_equal(errno, EIO);
	m->fail[BLK_FLUSH] = 0;
	assert_int_equal(fsync(s.fd), 0);
	assert_int_equal(m->answered[BLK_FLUSH], 5);
	close(s.fd);
	fusetest_end(&t);
}

static void
o_sync_writes_ask_for_stable_storage(void **state)
{
	struct fusetest t;
	struct memdev *m;
	uint8_t *buf = aligned(8192, 1);
	struct iovec iov = { buf, 4096 };
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", SIZE, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	assert_int_equal(pwrite(fd, buf, 4096, 0), 4096);
	assert_int_equal(m->fua_count, 0);
	assert_int_equal(pwritev2(fd, &iov, 1, 0, RWF_DSYNC), 4096);
	assert_true(m->fua_count == 1 || m->submitted[BLK_FLUSH] == 1);
	close(fd);
	fd = fusetest_open(&t, "d", O_RDWR | O_DSYNC);
	assert_int_equal(pwrite(fd, buf, 100, 100), 100);
	assert_true(m->fua_count == 2 || m->submitted[BLK_FLUSH] == 2);
	close(fd);
	fd = fusetest_open(&t, "d", O_RDWR | O_SYNC | O_DIRECT);
	assert_int_equal(pwrite(fd, buf, 4096, 0), 4096);
	assert_true(m->fua_count == 3 || m->submitted[BLK_FLUSH] == 3);
	close(fd);
	free(buf);
	fusetest_end(&t);
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	while (n > 0)
		if (p[--n] != 0)
			return false;
	return true;
}

static void
holes_and_zero_ranges_read_back_as_zeros(void **state)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	static const struct {
		off_t off, n;
	} cases[] = { { 0, 4096 }, { 100, 50 }, { 511, 2 }, { 4000, 10000 }, { 512, 513 } };
	struct fusetest t;
	struct memdev *m;
	uint8_t *model = aligned(MIB, 9);
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			fill(model, MIB, 9);
			memcpy(m->mem, model, MIB);
			assert_int_equal(fallocate(fd, modes[k], cases[i].off, cases[i].n), 0);
			memset(model + cases[i].off, 0, (size_t)cases[i].n);
			assert_memory_equal(m->mem, model, MIB);
		}
	}
	assert_int_equal(m->submitted[BLK_DISCARD], 0);
	/* Cut off at the end; nothing behind it, nothing to allocate. */
	assert_int_equal(fallocate(fd, modes[0], MIB - 1024, 4096), 0);
	assert_true(is_zero(m->mem + MIB - 1024, 1024));
	assert_int_equal(fallocate(fd, modes[1], MIB - 1024, 4096), -1);
	assert_int_equal(fallocate(fd, modes[0], MIB, 4096), -1);
	assert_int_equal(fallocate(fd, 0, 0, 4096), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	/* A device that cannot says so each time; others of the mount still can. */
	m->dev.can_write_zeroes = false;
	assert_int_equal(fallocate(fd, modes[0], 0, 4096), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	m->dev.can_write_zeroes = true;
	assert_int_equal(fallocate(fd, modes[0], 0, 4096), 0);
	close(fd);
	free(model);
	fusetest_end(&t);
}

/* The errno of another process that opens it for writing; its own may, see loopjob.c. */
static int
open_elsewhere(const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(open(path, O_RDWR) < 0 ? errno : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

struct sealing {
	struct fusetest *t;
	struct memdev *m;
	bool is_sealed;
};

static void
seal_there(void *arg)
{
	struct sealing *s = arg;

	export_find("fuse")->seal(s->t->ex, &s->m->dev, s->is_sealed);
}

static void
a_sealed_device_gets_no_more_openers(void **state)
{
	struct fusetest t;
	struct sealing s = { .t = &t };
	char buf[512];
	int fd;

	(void)state;
	fusetest_start(&t);
	s.m = fusetest_add(&t, "d", SIZE, 512);
	fd = fusetest_open(&t, "d", O_RDONLY);
	s.is_sealed = true;
	fusetest_call(&t, seal_there, &s);
	assert_int_equal(open_elsewhere(fusetest_path(&t, "d")), EBUSY);
	assert_int_equal(fusetest_openers(&t, s.m), 1);
	/* Whoever has it goes on. */
	assert_int_equal(pread(fd, buf, 512, 0), 512);
	s.is_sealed = false;
	fusetest_call(&t, seal_there, &s);
	assert_int_equal(open_elsewhere(fusetest_path(&t, "d")), 0);
	close(fd);
	fusetest_end(&t);
}

static void
a_read_only_device_is_not_written(void **state)
{
	struct fusetest t;
	struct memdev *m;
	struct stat st;
	char buf[512];
	int fd, before;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", SIZE, 512);
	before = fusetest_open(&t, "d", O_RDWR);
	m->dev.read_only = true;
	assert_int_equal(stat(fusetest_path(&t, "d"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(open_elsewhere(fusetest_path(&t, "d")), EROFS);
	fd = fusetest_open(&t, "d", O_RDONLY);
	assert_int_equal(pread(fd, buf, 512, 0), 512);
	assert_int_equal(fsync(fd), 0);
	/* One that was open for writing before. */
	assert_int_equal(pwrite(before, buf, 512, 0), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(fallocate(before, FALLOC_FL_ZERO_RANGE, 0, 512), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(m->submitted[BLK_WRITE] + m->submitted[BLK_WRITE_ZEROES], 0);
	close(fd);
	close(before);
	fusetest_end(&t);
}

static void
several_devices_are_files_of_one_directory(void **state)
{
	struct fusetest t;
	unsigned seen = 0;
	struct statvfs sv;
	struct stat st;
	struct dirent *e;
	DIR *d;

	(void)state;
	fusetest_start(&t);
	fusetest_add(&t, "c1t0d0", SIZE, 512);
	fusetest_add(&t, "c1t0d1", 2 * SIZE, 4096);
	fusetest_add(
	    &t, "c1t0d2", 3ull << 40, 4096); /* 3 TiB: no memory is used before it is touched */
	d = opendir(t.dir);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		seen += strncmp(e->d_name, "c1t0d", 5) == 0;
	closedir(d);
	assert_int_equal(seen, 3);
	assert_int_equal(stat(fusetest_path(&t, "c1t0d2"), &st), 0);
	assert_int_equal(st.st_size, 3ull << 40);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(stat(fusetest_path(&t, "c1t0d3"), &st), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(open(fusetest_path(&t, "new"), O_CREAT | O_RDWR, 0600), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(unlink(fusetest_path(&t, "c1t0d0")), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(statvfs(fusetest_path(&t, "c1t0d1"), &sv), 0);
	assert_int_equal(sv.f_bsize, 4096);
	assert_int_equal(statvfs(fusetest_path(&t, "c1t0d0"), &sv), 0);
	assert_int_equal(sv.f_bsize, 512);
	int fd = fusetest_open(&t, "c1t0d2", O_RDWR);
	round_trip(fd, t.devs[2].m, (3ll << 40) - 8192, 8192, 6);
	round_trip(fd, t.devs[2].m, (2ll << 40) + 1, 5, 6);
	close(fd);
	fusetest_end(&t);
}

static void
openers_see_a_new_size(void **state)
{
	struct fusetest t;
	struct memdev *m;
	struct stat st;
	char buf[512] = { 1 };
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", SIZE, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	m->dev.size_bytes = SIZE / 2;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE / 2);
	assert_int_equal(pwrite(fd, buf, 512, SIZE / 2), -1);
	m->dev.size_bytes = SIZE;
	assert_int_equal(pwrite(fd, buf, 512, SIZE / 2), 512);
	assert_int_equal(lseek(fd, 0, SEEK_END), SIZE);
	assert_int_equal(fusetest_openers(&t, m), 1);
	close(fd);
	fusetest_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligned_unaligned_and_large_access_is_exact),
		cmocka_unit_test(direct_access_works_and_large_requests_arrive_large),
		cmocka_unit_test(a_device_that_takes_little_gets_little),
		cmocka_unit_test(the_end_of_the_device_is_a_disks),
		cmocka_unit_test(truncating_fails_without_effect_and_o_trunc_is_ignored),
		cmocka_unit_test(fsync_is_a_flush_and_waits_for_it),
		cmocka_unit_test(o_sync_writes_ask_for_stable_storage),
		cmocka_unit_test(holes_and_zero_ranges_read_back_as_zeros),
		cmocka_unit_test(a_sealed_device_gets_no_more_openers),
		cmocka_unit_test(a_read_only_device_is_not_written),
		cmocka_unit_test(several_devices_are_files_of_one_directory),
		cmocka_unit_test(openers_see_a_new_size),
	};
	const char *obstacle = fusetest_obstacle();

	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
