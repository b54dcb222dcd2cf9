/* A mount of the fuse exporter that is taken away, by others or by its stop. */
#include <sys/mount.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/calltest.h"
#include "export/fuseint.h"
#include "export/fusetest.h"

#define MIB (1u << 20)

static void
stop_unmounts_and_ends_what_is_outstanding(void **state)
{
	struct fusetest t;
	struct memdev *m;
	struct calltest r, w, partial;
	char dir[80], buf[512];
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	snprintf(dir, sizeof dir, "%s", t.dir);
	assert_true(fusetest_is_mounted(dir));
	fd = fusetest_open(&t, "d", O_RDWR);
	fusetest_hold(&t, m);
	calltest_begin(&r, fd, false, 0);
	/* It reads its edges; what comes then is a request that did not pass. */
	calltest_begin(&partial, fd, true, 100001);
	fusetest_await(&t, m, BLK_READ, 2);
	calltest_begin(&w, fd, true, 16384);
	fusetest_await(&t, m, BLK_WRITE, 1);
	fusetest_stop(&t);
	pthread_join(r.thread, NULL);
	pthread_join(w.thread, NULL);
	pthread_join(partial.thread, NULL);
	assert_true(r.n < 0 && w.n < 0 && partial.n < 0);
	assert_int_equal(pread(fd, buf, 512, 0), -1);
	close(fd);
	assert_false(fusetest_is_mounted(dir));
	assert_int_equal(access(dir, F_OK), -1); /* it was ours, and is gone */
	/* The device still has their memory; that it answers now does no harm. */
	assert_true(m->queued > 0);
	fusetest_release(&t, m);
	fusetest_end(&t);
}

/* The connection is cut first: the exporter may be faster to take the mount away then. */
static void
cut_mount(const char *dir)
{
	assert_true(umount2(dir, MNT_FORCE | MNT_DETACH) == 0 || errno == EINVAL);
}

/* Write and read through the file, opened anew. */
static void
use_file(const struct fusetest *t, int fill)
{
	char buf[512], got[512];
	int fd = fusetest_open(t, "d", O_RDWR);

	memset(buf, fill, sizeof buf);
	assert_int_equal(pwrite(fd, buf, sizeof buf, 0), sizeof buf);
	assert_int_equal(pread(fd, got, sizeof got, 0), sizeof got);
	assert_memory_equal(buf, got, sizeof buf);
	close(fd);
}

static void
a_mount_that_is_cut_with_requests_under_way_is_made_again(void **state)
{
	struct fusetest t;
	struct memdev *m;
	struct calltest r;
	char byte;
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	fusetest_hold(&t, m);
	calltest_begin(&r, fd, false, 0);
	fusetest_await(&t, m, BLK_READ, 1);
	cut_mount(t.dir);
	pthread_join(r.thread, NULL);
	assert_true(r.n < 0);
	fusetest_await_count(&t.x, &t.x.back, 1);
	assert_int_equal(t.x.back_new, 1);
	assert_int_equal(t.x.gone, 1);
	/* Who had it open has nothing; who opens it again has the disk. */
	assert_int_equal(pread(fd, &byte, 1, 0), -1);
	close(fd);
	fusetest_release(&t, m);
	assert_int_equal(fusetest_openers(&t, m), 0);
	use_file(&t, 0x71);
	fusetest_stop(&t);
	assert_false(fusetest_is_mounted(t.dir));
	fusetest_end(&t);
}

/* How many of the next requests libfuse finds no memory for. */
static _Atomic int lacking;

void
fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf)
{
	void (*real)(struct fuse_session *, const struct fuse_buf *) =
	    (void (*)(struct fuse_session *, const struct fuse_buf *))dlsym(
		RTLD_NEXT, "fuse_session_process_buf");
	struct fuse_out_header out = { .len = sizeof out, .error = -ENOMEM };

	if (lacking == 0) {
		real(se, buf);
		return;
	}
	lacking--;
	out.unique = ((const struct fuse_in_header *)buf->mem)->unique;
	assert_int_equal(write(fuse_session_fd(se), &out, sizeof out), sizeof out);
}

static void
a_connection_whose_first_request_finds_no_memory_is_made_anew(void **state)
{
	struct fusetest t;

	(void)state;
	lacking = 2;
	fusetest_start(&t);
	(void)fusetest_add(&t, "d", MIB, 512);
	fusetest_await_count(&t.x, &t.x.back, 2);
	assert_int_equal(lacking, 0);
	use_file(&t, 0x72);
	fusetest_stop(&t);
	assert_false(fusetest_is_mounted(t.dir));
	fusetest_end(&t);
}

static void
a_mount_that_is_taken_away_while_a_file_is_open_comes_back_and_the_file_goes_on(void **state)
{
	struct fusetest t;
	struct memdev *m;
	char buf[512] = { 0x17 };
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(umount2(t.dir, MNT_DETACH), 0);
		fusetest_await_count(&t.x, &t.x.back, i);
		assert_int_equal(t.x.gone, i);
		assert_true(fusetest_is_mounted(t.dir));
		assert_int_equal(pwrite(fd, buf, sizeof buf, 512), sizeof buf);
		use_file(&t, (int)i);
	}
	assert_int_equal(t.x.back_new, 0);
	assert_int_equal(fusetest_openers(&t, m), 1);
	close(fd);
	fusetest_end(&t);
}

static void
a_mount_that_is_taken_away_unused_comes_back(void **state)
{
	struct fusetest t;

	(void)state;
	fusetest_start(&t);
	fusetest_add(&t, "d", MIB, 512);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(umount2(t.dir, MNT_DETACH), 0);
		/* New or not: another name space may have it still. */
		fusetest_await_count(&t.x, &t.x.back, i);
		use_file(&t, (int)i);
	}
	fusetest_end(&t);
}

static void
stop_is_heard_whatever_the_mount_is_doing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct fusetest t;
		int fd = -1;

		fusetest_start(&t);
		fusetest_add(&t, "d", MIB, 512);
		if (i % 2 == 0)
			fd = fusetest_open(&t, "d", O_RDONLY);
		if (i % 4 < 2)
			assert_int_equal(umount2(t.dir, MNT_DETACH), 0);
		else
			cut_mount(t.dir);
		if (i % 3 == 0)
			fusetest_await_count(&t.x, &t.x.gone, 1);
		fusetest_stop(&t);
		assert_false(fusetest_is_mounted(t.dir));
		if (fd >= 0)
			close(fd);
		fusetest_end(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_unmounts_and_ends_what_is_outstanding),
		cmocka_unit_test(a_mount_that_is_cut_with_requests_under_way_is_made_again),
		cmocka_unit_test(a_connection_whose_first_request_finds_no_memory_is_made_anew),
		cmocka_unit_test(
		    a_mount_that_is_taken_away_while_a_file_is_open_comes_back_and_the_file_goes_on),
		cmocka_unit_test(a_mount_that_is_taken_away_unused_comes_back),
		cmocka_unit_test(stop_is_heard_whatever_the_mount_is_doing),
	};

	return fusetest_main("fuselife", tests, sizeof tests / sizeof tests[0]);
}
