/* Who asks and who is asked; that disks are mounted so tests/siege/user.py sees. */
#include <sys/stat.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/fusermount.h"

static char base[] = "/tmp/openisw-fusermount-XXXXXX";

static int
mount_at(const char *below)
{
	char path[512];

	(void)snprintf(path, sizeof path, "%s%s", base, below);
	return fusermount_mount(path, "ro");
}

static void
only_directories_right_below_the_base_are_mounted_on(void **state)
{
	char deep[256] = "/";

	(void)state;
	assert_false(fusermount_is_there());
	assert_int_equal(fusermount_start(base), 0);
	assert_true(fusermount_is_there());
	assert_int_equal(fusermount_mount("/etc", "ro"), -EINVAL);
	assert_int_equal(mount_at("x/1"), -EINVAL);
	assert_int_equal(mount_at("/../etc"), -EINVAL);
	assert_int_equal(mount_at("/1/2"), -EINVAL);
	assert_int_equal(mount_at("/-u"), -EINVAL);
	assert_int_equal(mount_at("/"), -EINVAL);
	memset(deep + 1, '1', sizeof deep - 2);
	assert_int_equal(mount_at(deep), -EINVAL);
}

static void
what_fusermount_refuses_is_an_error(void **state)
{
	(void)state;
	/* There is no such directory, or no such program. */
	assert_true(mount_at("/1") < 0);
	assert_true(mount_at("/1") < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_directories_right_below_the_base_are_mounted_on),
		cmocka_unit_test(what_fusermount_refuses_is_an_error),
	};
	int ret;

	if (mkdtemp(base) == NULL)
		return 2;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(base);
	return ret;
}
