#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "export/null_impl.h"

static struct blk_dev
a_dev(const char *name)
{
	struct blk_dev d = { .size_bytes = 4096, .block_bytes = 512, .max_io_bytes = 65536 };

	strncpy(d.name, name, sizeof d.name - 1);
	return d;
}

static void
exporters_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(export_find("null"), &null_export);
	assert_non_null(export_find("fuse"));
	assert_null(export_find("floppy"));
}

struct told {
	bool is_started, is_stopped;
};

static void
on_started(void *user, int err)
{
	assert_int_equal(err, 0);
	((struct told *)user)->is_started = true;
}

static void
on_stopped(void *user)
{
	((struct told *)user)->is_stopped = true;
}

static const struct export_events events = { .started = on_started, .stopped = on_stopped };

/* By name; NULL: the exporter has no such device. */
static struct null_entry *
entry(const struct export *ex, const char *name)
{
	LIST_EACH(n, tmp, &ex->entries)
	{
		struct null_entry *e = LIST_ENTRY(n, struct null_entry, link);

		if (strcmp(e->dev->name, name) == 0)
			return e;
	}
	return NULL;
}

static void
devices_come_and_go(void **state)
{
	const struct export_ops *ops = export_find("null");
	struct blk_dev a = a_dev("a"), b = a_dev("b"), again = a_dev("a");
	struct told told = { false, false };
	struct export *ex;

	(void)state;
	assert_int_equal(ops->start(NULL, "/nowhere", &events, &told, &ex), 0);
	assert_true(told.is_started);
	assert_int_equal(ops->add(ex, &a), 0);
	assert_int_equal(ops->add(ex, &b), 0);
	assert_int_equal(ops->add(ex, &again), -EEXIST);
	assert_ptr_equal(entry(ex, "a")->dev, &a);
	assert_ptr_equal(entry(ex, "b")->dev, &b);
	ops->changed(ex, &b);
	assert_int_equal(entry(ex, "b")->changes, 1);
	entry(ex, "a")->openers = 2;
	assert_int_equal(ops->openers(ex, &a), 2);
	assert_int_equal(ops->remove(ex, &a, false), -EBUSY);
	assert_int_equal(ops->remove(ex, &a, true), 0);
	assert_null(entry(ex, "a"));
	assert_int_equal(ops->add(ex, &again), 0);
	ops->stop(ex);
	assert_true(told.is_stopped);
}

static void
a_device_no_file_could_be_is_refused(void **state)
{
	static const char *const names[] = { "", ".", "..", "a/b" };
	struct blk_dev d;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		d = a_dev(names[i]);
		assert_int_equal(export_check_dev(&d), -EINVAL);
	}
	d = a_dev("d");
	assert_int_equal(export_check_dev(&d), 0);
	memset(d.name, 'x', sizeof d.name);
	assert_int_equal(export_check_dev(&d), -EINVAL);
	d = a_dev("d");
	d.block_bytes = 520;
	assert_int_equal(export_check_dev(&d), -EINVAL);
	d.block_bytes = 256;
	assert_int_equal(export_check_dev(&d), -EINVAL);
	d.block_bytes = 0;
	assert_int_equal(export_check_dev(&d), -EINVAL);
	d.block_bytes = 4096;
	d.max_io_bytes = 2048;
	assert_int_equal(export_check_dev(&d), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exporters_are_found_by_name),
		cmocka_unit_test(devices_come_and_go),
		cmocka_unit_test(a_device_no_file_could_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
