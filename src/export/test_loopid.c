/* A loop device is known again by its file, not by its number. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "export/looptest.h"

#define MIB (1u << 20)

/* Put a plain file on this number, as another program would. */
static int
take_number(struct looptest *f, int number, char *ret_node, size_t size)
{
	char file[96];
	int fd, status;

	snprintf(file, sizeof file, "%s/plain", f->t.base);
	snprintf(ret_node, size, "/dev/loop%d", number);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, MIB), 0);
	close(fd);
	status = looptest_spawn((char *[]){ "losetup", ret_node, file, NULL });
	unlink(file);
	return status;
}

static void
a_number_that_is_anothers_by_now_is_not_touched(void **state)
{
	struct looptest f;
	struct memdev *m;
	char node[32];
	bool is_plain;

	(void)state;
	looptest_begin(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	for (unsigned forced = 0; forced < 2; forced++) {
		looptest_attach(&f, m);
		assert_int_equal(looptest_run(&f, LOOPDEV_CHECK), 0);
		assert_int_equal(
		    looptest_spawn((char *[]){ "losetup", "-d", f.job.path, NULL }), 0);
		assert_int_equal(looptest_run(&f, LOOPDEV_CHECK), -ENXIO);
		/* Where that fails, somebody else was faster, and it is his. */
		is_plain = take_number(&f, f.job.number, node, sizeof node) == 0;
		f.job.is_forced = forced;
		assert_int_equal(looptest_run(&f, LOOPDEV_CHECK), -ENXIO);
		assert_int_equal(looptest_run(&f, LOOPDEV_CHANGE), -ENXIO);
		assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -ENXIO);
		/* The other one has it still. */
		if (is_plain)
			assert_int_equal(
			    looptest_spawn((char *[]){ "losetup", "-d", node, NULL }), 0);
	}
	/* The same name on another inode is another file. */
	looptest_attach(&f, m);
	f.job.id.inode++;
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -ENXIO);
	f.job.id.inode--;
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	looptest_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_that_is_anothers_by_now_is_not_touched),
	};

	return looptest_main("loopid", tests, sizeof tests / sizeof tests[0]);
}
