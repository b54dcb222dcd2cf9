#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/ops.h"

static char why[512];

static int
check(enum ipc_op op, const char *args)
{
	json_t *object = args != NULL ? json_loads(args, JSON_DECODE_ANY, NULL) : NULL;
	int err;

	why[0] = '\0';
	err = ipc_args_check(op, object, why, sizeof why);
	json_decref(object);
	return err;
}

static void
every_operation_is_found_by_its_name(void **state)
{
	(void)state;
	for (enum ipc_op op = 0; op < IPC_OPS; op++) {
		enum ipc_op found = IPC_OPS;

		assert_int_equal(ipc_op_find(ipc_op_row(op)->name, &found), 0);
		assert_int_equal(found, op);
	}
}

static void
an_operation_that_is_not_there_is_not_found(void **state)
{
	enum ipc_op op = IPC_OP_scan;

	(void)state;
	assert_int_equal(ipc_op_find("driver.explode", &op), -ENOENT);
	assert_int_equal(ipc_op_find("", &op), -ENOENT);
	assert_int_equal(op, IPC_OP_scan);
}

static void
error_codes_have_the_words_of_the_protocol(void **state)
{
	enum ipc_error_code code;

	(void)state;
	assert_string_equal(ipc_error_name(IPC_ERR_NOTRUNNING), "NOTRUNNING");
	assert_int_equal(ipc_error_find("UNKNOWN_OP", &code), 0);
	assert_int_equal(code, IPC_ERR_UNKNOWN_OP);
	assert_int_equal(ipc_error_find("ODD", &code), -ENOENT);
}

static void
good_arguments_are_accepted(void **state)
{
	(void)state;
	assert_int_equal(check(IPC_OP_discovery_add, "{\"address\":\"::1\",\"port\":3260}"), 0);
	assert_int_equal(check(IPC_OP_discovery_add, "{\"address\":\"a\",\"tpgt\":null}"), 0);
	assert_int_equal(check(IPC_OP_scan, NULL), 0);
	assert_int_equal(check(IPC_OP_driver_stop, "{\"force\":true}"), 0);
}

static void
a_missing_argument_is_named(void **state)
{
	(void)state;
	assert_int_equal(check(IPC_OP_discovery_add, NULL), -EINVAL);
	assert_non_null(strstr(why, "\"address\""));
	assert_int_equal(check(IPC_OP_discovery_add, "{\"address\":null}"), -EINVAL);
	assert_non_null(strstr(why, "\"address\""));
}

static void
an_argument_of_the_wrong_type_is_named(void **state)
{
	(void)state;
	assert_int_equal(
	    check(IPC_OP_discovery_add, "{\"address\":\"a\",\"port\":\"1\"}"), -EINVAL);
	assert_non_null(strstr(why, "\"port\" of discovery.add must be a whole number"));
	assert_int_equal(check(IPC_OP_discovery_add, "{\"address\":7}"), -EINVAL);
	assert_int_equal(check(IPC_OP_session_nop, "{\"instance\":1.5}"), -EINVAL);
	assert_int_equal(check(IPC_OP_driver_stop, "{\"force\":1}"), -EINVAL);
	assert_int_equal(check(IPC_OP_driver_stop, "[]"), -EINVAL);
}

static void
an_unknown_argument_is_refused_by_name_with_those_there_are(void **state)
{
	(void)state;
	assert_int_equal(check(IPC_OP_session_logout, "{\"instance\":0,\"forse\":true}"), -EINVAL);
	assert_string_equal(
	    why, "session.logout has no argument \"forse\"; it has instance, force");
	assert_int_equal(check(IPC_OP_driver_status, "{\"x\":1}"), -EINVAL);
	assert_string_equal(why, "driver.status has no argument \"x\"; it takes none");
}

static void
a_request_is_described_without_its_secrets(void **state)
{
	char text[200], small[16];
	json_t *args = json_pack("{s:s, s:s, s:s, s:i}", "method", "CHAP_BI", "secret", "hush",
	    "target_secret", "", "port", 5);

	(void)state;
	ipc_op_describe(IPC_OP_auth_set, args, text, sizeof text);
	assert_string_equal(
	    text, "auth.set method=CHAP_BI secret=(not told) target_secret=default port=5");
	ipc_op_describe(IPC_OP_auth_set, args, small, sizeof small);
	assert_string_equal(small, "auth.set method");
	ipc_op_describe(IPC_OP_driver_status, NULL, text, sizeof text);
	assert_string_equal(text, "driver.status");
	json_decref(args);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_is_found_by_its_name),
		cmocka_unit_test(an_operation_that_is_not_there_is_not_found),
		cmocka_unit_test(error_codes_have_the_words_of_the_protocol),
		cmocka_unit_test(good_arguments_are_accepted),
		cmocka_unit_test(a_missing_argument_is_named),
		cmocka_unit_test(an_argument_of_the_wrong_type_is_named),
		cmocka_unit_test(an_unknown_argument_is_refused_by_name_with_those_there_are),
		cmocka_unit_test(a_request_is_described_without_its_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
