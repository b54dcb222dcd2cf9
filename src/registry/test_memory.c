/* Whichever allocation fails, SQLite's too: the call says so or has done it, and the next one
 * works. */
#include "base/list.h"
#include "base/test_malloc.h"
#include "registry/copy.h"
#include "registry/test_fixture.h"

static void
changed(void *user, struct registry_change *change)
{
	++*(size_t *)user;
	registry_change_free(change);
}

static int
set(struct registry *copy, const char *value)
{
	const struct registry_scope global = { .level = REGISTRY_GLOBAL };

	return registry_set(copy, &global, REGISTRY_KEY_debug_level, value);
}

static void
one_allocation_that_fails_spoils_nothing_else(void **state)
{
	const struct registry_address a = { .address = "192.0.2.1", .port = 3260, .tpgt = 1 };
	struct registry *copy;
	size_t told, before;
	int n = 0, err;

	(void)state;
	do {
		told = 0;
		assert_int_equal(registry_copy(r, changed, &told, &copy), 0);
		assert_int_equal(set(copy, "3"), 0);
		before = told;
		has_failed = false;
		fails_at = ++n;
		err = set(copy, "4");
		fails_at = 0;
		assert_true(err == 0 || (has_failed && err == -ENOMEM));
		if (told - before != (size_t)(err == 0))
			fail_msg("allocation %d: %d, and %zu changes", n, err, told - before);
		for (int i = 0; i < 3; i++) {
			err = registry_discovery_add(copy, &a);
			if (err != 0)
				fail_msg("allocation %d: %s", n, registry_error(copy)->message);
			assert_int_equal(registry_discovery_remove(copy, &a), 0);
			assert_int_equal(set(copy, i == 1 ? "5" : "6"), 0);
		}
		registry_close(copy);
	} while (has_failed);
	assert_true(n > 20);
}

static bool
has(struct registry *copy, const char *value)
{
	char *got = NULL;
	int err = registry_get(copy, NULL, REGISTRY_KEY_debug_level, &got);
	bool is = err == 0 && strcmp(got, value) == 0;

	assert_int_equal(err, 0);
	free(got);
	return is;
}

/* A call in a transaction of the caller's that fails has done nothing, or all is refused. */
static void
a_call_that_fails_is_no_part_of_its_transaction(void **state)
{
	const struct registry_address a = { .address = "192.0.2.1", .port = 3260, .tpgt = 1 };
	struct registry *copy;
	size_t told;
	int n = 0, err, end;

	(void)state;
	do {
		told = 0;
		assert_int_equal(registry_copy(r, changed, &told, &copy), 0);
		assert_int_equal(set(copy, "3"), 0);
		assert_int_equal(registry_begin(copy), 0);
		assert_int_equal(registry_discovery_add(copy, &a), 0);
		has_failed = false;
		fails_at = ++n;
		err = set(copy, "4");
		fails_at = 0;
		end = registry_commit(copy);
		assert_true(err == 0 || (has_failed && err == -ENOMEM));
		if (!has(copy, err == 0 && end == 0 ? "4" : "3"))
			fail_msg("allocation %d: %d, and the commit %d", n, err, end);
		err = registry_discovery_remove(copy, &a);
		assert_int_equal(err, end == 0 ? 0 : -ENOENT);
		registry_close(copy);
	} while (has_failed);
	assert_true(n > 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    one_allocation_that_fails_spoils_nothing_else, start, stop),
		cmocka_unit_test_setup_teardown(
		    a_call_that_fails_is_no_part_of_its_transaction, start, stop),
	};

	registry_wipe_memory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
