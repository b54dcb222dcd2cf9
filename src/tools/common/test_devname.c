#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/common/devname.h"

static void
a_device_is_named_by_itself_or_by_its_files(void **state)
{
	(void)state;
	assert_string_equal(devname_find("c1t0d2", "/"), "c1t0d2");
	assert_string_equal(devname_find("/dev/dsk/c1t0d2", "/"), "c1t0d2");
	assert_string_equal(devname_find("/dev/rdsk/c12t15d7", "/"), "c12t15d7");
	assert_string_equal(devname_find("/tmp/r/dev/rdsk/c1t0d2", "/tmp/r"), "c1t0d2");
	assert_string_equal(devname_find("/tmp/r/dev/rdsk/c1t0d2", "/tmp/r/"), "c1t0d2");
	assert_string_equal(devname_find("/dev/rdsk/c1t0d2", "/tmp/r"), "c1t0d2");
}

static void
other_files_name_no_device(void **state)
{
	static const char *const words[] = { "", "c1t0", "c1t0d", "c1t0d2x", "x1t0d2", "c1t0d2/",
		"/c1t0d2", "/dev/c1t0d2", "/dev/sda", "/etc/passwd", "/dev/dsk/../dsk/c1t0d2",
		"/tmp/rdev/dsk/c1t0d2", "/other/dev/dsk/c1t0d2", "c11111111111t0d0" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_null(devname_find(words[i], "/tmp/r"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_named_by_itself_or_by_its_files),
		cmocka_unit_test(other_files_name_no_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
