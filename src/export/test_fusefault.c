/* The fuse exporter when a device fails, goes, or does not answer. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/calltest.h"
#include "export/fusetest.h"

#define MIB (1u << 20)

static void
errors_of_the_device_reach_the_caller(void **state)
{
	static const int errors[] = { EIO, ENOSPC, EROFS, ENXIO, ESHUTDOWN };
	struct fusetest t;
	struct memdev *m;
	char buf[4096] = { 0 };
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		m->fail[BLK_READ] = m->fail[BLK_WRITE] = -errors[i];
		assert_int_equal(pread(fd, buf, 4096, 0), -1);
		assert_int_equal(errno, errors[i]);
		assert_int_equal(pwrite(fd, buf, 4096, 0), -1);
		assert_int_equal(errno, errors[i]);
		assert_int_equal(pwrite(fd, buf, 1, 0), -1);
		assert_int_equal(errno, errors[i]);
	}
	m->fail[BLK_READ] = m->fail[BLK_WRITE] = 0;
	/* One bad block: never a short read in silence. */
	m->bad_from = 2048;
	m->bad_to = 2049;
	assert_int_equal(pread(fd, buf, 4096, 0), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(pread(fd, buf, 2048, 0), 2048);
	close(fd);
	fusetest_end(&t);
}

static void
a_device_that_is_open_is_removed_only_by_force_and_then_gives_enxio(void **state)
{
	struct fusetest t;
	struct memdev *m, *again;
	struct calltest held;
	struct stat st;
	char buf[512];
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	assert_int_equal(fusetest_openers(&t, m), 1);
	assert_int_equal(fusetest_remove(&t, m, false), -EBUSY);
	fusetest_hold(&t, m);
	calltest_begin(&held, fd, true, 8192);
	fusetest_await(&t, m, BLK_WRITE, 1);

	assert_int_equal(fusetest_remove(&t, m, true), 0);
	assert_int_equal(pread(fd, buf, 512, 0), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(pwrite(fd, buf, 512, 0), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(stat(fusetest_path(&t, "d"), &st), -1);
	assert_int_equal(errno, ENOENT);
	/* What the device has is answered when it answers, and not before. */
	assert_int_equal(pthread_tryjoin_np(held.thread, NULL), EBUSY);
	fusetest_release(&t, m);
	pthread_join(held.thread, NULL);
	assert_int_equal(held.n, sizeof held.buf);
	assert_int_equal(fsync(fd), -1); /* the kernel lets it wait for writes under way */
	assert_int_equal(errno, ENXIO);

	/* A new device of that name is another file. */
	again = fusetest_add(&t, "d", 2 * MIB, 512);
	assert_int_equal(stat(fusetest_path(&t, "d"), &st), 0);
	assert_int_equal(st.st_size, 2 * MIB);
	assert_int_equal(pread(fd, buf, 512, 0), -1);
	assert_int_equal(errno, ENXIO);
	close(fd);
	assert_int_equal(fusetest_openers(&t, again), 0);
	assert_int_equal(fusetest_remove(&t, again, false), 0);
	fusetest_end(&t);
}

static void
a_killed_writer_waits_until_the_device_has_answered(void **state)
{
	struct fusetest t;
	struct memdev *m;
	pid_t pid;
	int fd, status;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	fusetest_hold(&t, m);
	pid = fork();
	if (pid == 0) {
		static char buf[4096] = { 0x3c };

		_exit(pwrite(fd, buf, sizeof buf, 0) == sizeof buf ? 0 : 1);
	}
	fusetest_await(&t, m, BLK_WRITE, 1);
	kill(pid, SIGKILL);
	/* The kernel has sent an INTERRUPT, and reads go on beside it. */
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	fusetest_release(&t, m);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(m->mem[0], 0x3c);
	assert_int_equal(m->answered[BLK_WRITE], 1);
	close(fd);
	fusetest_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_of_the_device_reach_the_caller),
		cmocka_unit_test(
		    a_device_that_is_open_is_removed_only_by_force_and_then_gives_enxio),
		cmocka_unit_test(a_killed_writer_waits_until_the_device_has_answered),
	};

	return fusetest_main("fusefault", tests, sizeof tests / sizeof tests[0]);
}
