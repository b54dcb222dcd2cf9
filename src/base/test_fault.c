#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fault.h"

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

static bool has_no_memory;

void *
__wrap_malloc(size_t n)
{
	return has_no_memory ? NULL : __real_malloc(n);
}

static void
a_fault_is_kept_until_there_is_none(void **state)
{
	const struct fault *kept = NULL;
	struct fault why = { 0 };

	(void)state;
	assert_false(fault_kept(kept)->is_set);
	fault_set(&why, FAULT_OFFLINE, "wait", "it is away");
	fault_keep(&kept, &why);
	fault_clear(&why);
	assert_true(fault_kept(kept)->is_set && kept->code == FAULT_OFFLINE);
	assert_string_equal(kept->message, "it is away");
	assert_string_equal(kept->next, "wait");
	fault_keep(&kept, kept);
	assert_string_equal(kept->message, "it is away");
	fault_set(&why, FAULT_BUSY, "", "it is in use");
	fault_keep(&kept, &why);
	assert_string_equal(kept->message, "it is in use");
	fault_keep(&kept, fault_kept(NULL));
	assert_null(kept);
	fault_keep(&kept, &why);
	fault_keep(&kept, NULL);
	assert_null(kept);
}

static void
without_memory_it_is_still_told_that_something_is_wrong(void **state)
{
	const struct fault *kept = NULL;
	struct fault why = { 0 };

	(void)state;
	fault_set(&why, FAULT_OFFLINE, "", "it is away");
	for (int before = 0; before < 2; before++) {
		if (before)
			fault_keep(&kept, &why);
		has_no_memory = true;
		fault_keep(&kept, &why);
		fault_keep(&kept, &why);
		has_no_memory = false;
		assert_true(fault_kept(kept)->is_set);
		assert_non_null(strstr(kept->message, "no memory"));
		fault_keep(&kept, before ? &why : NULL);
		assert_int_equal(fault_kept(kept)->is_set, before);
	}
	assert_string_equal(kept->message, "it is away");
	fault_keep(&kept, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_is_kept_until_there_is_none),
		cmocka_unit_test(without_memory_it_is_still_told_that_something_is_wrong),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
