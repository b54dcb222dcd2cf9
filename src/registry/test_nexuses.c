/* Where sessions may have left nexuses. */
#include "registry/test_fixture.h"

static void
expect_nexuses(uint32_t instance, size_t n, int32_t tpgt0, uint32_t retain0)
{
	struct registry_nexus *list;
	size_t got;

	assert_int_equal(
	    registry_nexus_list(r, "iqn.2001-01.com.EXAMPLE:t", instance, &list, &got), 0);
	assert_int_equal(got, n);
	if (n > 0) {
		assert_int_equal(list[0].tpgt, tpgt0);
		assert_int_equal(list[0].retain_s, retain0);
	}
	free(list);
}

/* Sessions have their own; what a session left that is no more is everybody's, and no login's. */
static void
nexuses_are_of_a_session_until_it_is_no_more(void **state)
{
	const struct registry_nexus first[2] = { { "iqn.a", 1, 22 }, { "iqn.a", 2, 30 } };
	const struct registry_nexus second = { "iqn.b", -1, 7 };
	const struct registry_address a = address("192.0.2.1", 3260, 1);
	const struct registry_address b = address("192.0.2.2", 3260, 2);
	uint32_t one, two;

	(void)state;
	assert_int_equal(registry_session_instance(r, "iqn.2001-01.com.example:t", &a, &one), 0);
	assert_int_equal(registry_session_instance(r, "iqn.2001-01.com.example:t", &b, &two), 0);
	expect_nexuses(one, 0, 0, 0);
	assert_int_equal(registry_nexus_set(r, "iqn.2001-01.com.example:t", one, first, 2), 0);
	assert_int_equal(registry_nexus_set(r, "iqn.2001-01.com.example:t", two, &second, 1), 0);
	reopen();
	expect_nexuses(one, 2, 1, 22);
	expect_nexuses(two, 1, -1, 7);
	assert_int_equal(registry_nexus_set(r, "iqn.2001-01.com.example:t", one, first + 1, 1), 0);
	expect_nexuses(one, 1, 2, 30);
	expect_nexuses(two, 1, -1, 7);
	assert_int_equal(registry_session_remove(r, one), 0);
	expect_nexuses(two, 2, -1, 30);
	/* What another session left is not lost with what this one has to say. */
	assert_int_equal(registry_nexus_set(r, "iqn.2001-01.com.example:t", two, NULL, 0), 0);
	expect_nexuses(two, 1, -1, 30);
	expect_nexuses(one, 1, 2, 30);
	assert_int_equal(registry_nexus_clear(r, "iqn.2001-01.com.EXAMPLE:t"), 0);
	expect_nexuses(two, 0, 0, 0);
	expect_nexuses(one, 0, 0, 0);
}

static void
what_is_no_nexus_is_refused(void **state)
{
	const struct registry_nexus bad[] = { { "iqn.a", -2, 22 }, { "iqn.a", 65536, 22 },
		{ "iqn.a", 1, 131071 } };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_true(registry_nexus_set(r, "iqn.2001-01.com.example:t", 0, &bad[i], 1) < 0);
	expect_nexuses(0, 0, 0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		OPENED(nexuses_are_of_a_session_until_it_is_no_more),
		OPENED(what_is_no_nexus_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
