/* Whether an earlier run's block device is found when sysfs says so, or cannot be asked. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/loopadopt.h"
#include "export/loopjob.h"
#include "sys/sysfs.h"

/* ---- this test's own sysfs: a directory, or an error ---- */

static char root[] = "/tmp/openisw-loopadopt-XXXXXX";
static int fails; /* an errno */

int
sysfs_keep(int number)
{
	(void)number;
	return 0;
}

DIR *
sysfs_dir(const char *format, ...)
{
	(void)format;
	errno = fails;
	return fails != 0 ? NULL : opendir(root);
}

bool
sysfs_line(char *ret, size_t cap, const char *format, ...)
{
	(void)cap, (void)format;
	ret[0] = '\0';
	return false;
}

/* ---- */

static void
what_cannot_be_known_is_not_taken_for_none(void **state)
{
	int fd = open(root, O_RDONLY);

	(void)state;
	fails = EPERM;
	assert_int_equal(loopadopt_find("/nonexistent", fd), -EPERM);
	fails = 0;
	assert_int_equal(loopadopt_find("/nonexistent", fd), -ENXIO);
	assert_int_equal(loopadopt_find("/nonexistent", -1), -EBADF);
	close(fd);
}

static void
no_second_block_device_is_made_then(void **state)
{
	struct loopdev_job job = { .what = LOOPDEV_ATTACH,
		.block_bytes = 512,
		.may_adopt = true,
		.has_fd = true,
		.number = -1 };

	(void)state;
	if (access("/dev/loop-control", R_OK | W_OK) != 0)
		skip();
	snprintf(job.file, sizeof job.file, "%s/disk", root);
	job.fd = open(job.file, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(job.fd, 1 << 20), 0);
	fails = EACCES;
	loopjob_run(&job);
	assert_int_equal(job.result, -EACCES);
	assert_int_equal(job.number, -1);
	assert_string_equal(job.path, "");
	assert_non_null(strstr(job.why, "so none is made"));
	close(job.fd);
	unlink(job.file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_known_is_not_taken_for_none),
		cmocka_unit_test(no_second_block_device_is_made_then),
	};
	int failed;

	if (mkdtemp(root) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(root) == 0 ? failed : 1;
}
