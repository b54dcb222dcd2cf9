/* The operations as a client sees them: a driver of our own in a temporary root, without targets.
 */
#include <sys/stat.h>

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "driver/process/driver.h"
#include "ipc/client.h"

struct world {
	char root[32];
	struct driver d;
	pthread_t thread;
	struct ipc_client *c;
	json_t *result;
	struct ipc_error e;
};

static void *
run(void *arg)
{
	struct world *w = arg;

	return loop_run(w->d.loop) == 0 ? w : NULL;
}

static int
start(void **state)
{
	static struct world w;
	struct driver_cfg cfg = { .workers = 1, .export = "null" };
	struct fault f = { 0 };

	w = (struct world){ .root = "/tmp/oisw.XXXXXX" };
	assert_non_null(mkdtemp(w.root));
	assert_int_equal(paths_init(&w.d.paths, w.root), 0);
	if (!driver_init(&w.d, &cfg, &f))
		fail_msg("%s", f.message);
	assert_int_equal(pthread_create(&w.thread, NULL, run, &w), 0);
	assert_int_equal(ipc_connect(w.d.paths.dev_iscsi, &w.c, &w.e), 0);
	*state = &w;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
forget(struct world *w)
{
	json_decref(w->result);
	w->result = NULL;
	ipc_error_fini(&w->e);
}

static int
end(void **state)
{
	struct world *w = *state;
	void *ended;

	forget(w);
	assert_int_equal(
	    ipc_request(w->c, IPC_OP_driver_stop, NULL, NULL, NULL, &w->result, &w->e), 0);
	assert_int_equal(pthread_join(w->thread, &ended), 0);
	assert_ptr_equal(ended, w);
	forget(w);
	ipc_client_free(w->c);
	driver_fini(&w->d);
	paths_fini(&w->d.paths);
	return nftw(w->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* NULL: the answer was an error, in w->e. */
static const json_t *
ask(struct world *w, enum ipc_op op, json_t *args)
{
	forget(w);
	if (ipc_request(w->c, op, args, NULL, NULL, &w->result, &w->e) != 0)
		w->result = NULL;
	return w->result;
}

static void
expect_error(struct world *w, enum ipc_op op, json_t *args, enum ipc_error_code code)
{
	if (ask(w, op, args) != NULL)
		fail_msg("it went well");
	if (w->e.code != code)
		fail_msg("%s: %s", ipc_error_name(w->e.code), w->e.message);
	assert_true(strlen(w->e.message) > 10);
	assert_true(strlen(w->e.next) > 5);
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "(none)";
}

static void
both_drivers_tell_their_name_and_version(void **state)
{
	struct world *w = *state;

	assert_string_equal(text(ask(w, IPC_OP_driver_version, NULL), "name"), "iscsi");
	assert_string_equal(
	    text(ask(w, IPC_OP_driver_version, json_pack("{s:s}", "device", "isw")), "version"),
	    OPENISW_VERSION);
	expect_error(
	    w, IPC_OP_driver_version, json_pack("{s:s}", "device", "sda"), IPC_ERR_INVALID);
}

static void
a_new_name_is_checked_folded_and_kept(void **state)
{
	static const char *const bad[] = { "", "host", "iqn.host", "iqn.2001-04.com.example:a b",
		"eui.0200", "naa.xyz" };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_error(
		    w, IPC_OP_initiator_set, json_pack("{s:s}", "name", bad[i]), IPC_ERR_INVALID);
	assert_non_null(ask(w, IPC_OP_initiator_set,
	    json_pack("{s:s, s:s}", "name", "IQN.2001-04.com.Example:Host", "alias", "my host")));
	assert_non_null(ask(w, IPC_OP_initiator_get, NULL));
	assert_string_equal(text(w->result, "name"), "iqn.2001-04.com.example:host");
	assert_string_equal(text(w->result, "alias"), "my host");
	/* Without an alias the old one stays; an empty one removes it. */
	assert_non_null(ask(
	    w, IPC_OP_initiator_set, json_pack("{s:s}", "name", "iqn.2001-04.com.example:host")));
	assert_string_equal(text(w->result, "alias"), "my host");
	assert_non_null(ask(w, IPC_OP_initiator_set,
	    json_pack("{s:s, s:s}", "name", "iqn.2001-04.com.example:host", "alias", "")));
	assert_string_equal(text(w->result, "alias"), "");
	expect_error(w, IPC_OP_initiator_set,
	    json_pack("{s:s, s:s}", "name", "iqn.2001-04.com.example:host", "alias", "a\x1b[1m"),
	    IPC_ERR_INVALID);
}

static void
digests_have_their_defaults(void **state)
{
	struct world *w = *state;
	const json_t *o = ask(w, IPC_OP_initiator_get, NULL), *list;

	list = json_object_get(o, "header_digest");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_array_get(list, 0)), "None");
	assert_string_equal(json_string_value(json_array_get(list, 1)), "CRC32C");
	assert_true(json_is_true(json_object_get(o, "data_digest_is_default")));
}

static void
an_address_with_more_in_it_is_told_how_to_be_written(void **state)
{
	static const char *const rows[][2] = {
		{ "10.0.0.1:3261", "write -I 10.0.0.1 -P 3261" },
		{ "[2001:db8::1]:3260", "write -I 2001:db8::1 -P 3260" },
		{ "nas.example:860,7", "write -I nas.example -P 860 -M 7" },
		{ "iscsi://10.0.0.1", "write -I 10.0.0.1 -P 3260" },
		{ "10.0.0.1,2", "write -I 10.0.0.1 -P 3260 -M 2" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		expect_error(w, IPC_OP_discovery_add, json_pack("{s:s}", "address", rows[i][0]),
		    IPC_ERR_INVALID);
		assert_string_equal(w->e.next, rows[i][1]);
	}
}

static void
a_targets_address_is_added_by_hand_once_under_its_folded_name(void **state)
{
	static const char name[] = "iqn.2001-04.com.example:behind-nat";
	struct world *w = *state;
	const json_t *target;

	expect_error(w, IPC_OP_target_add,
	    json_pack("{s:s, s:s}", "name", "disk", "address", "::1"), IPC_ERR_INVALID);
	expect_error(w, IPC_OP_target_add, json_pack("{s:s, s:s}", "name", name, "address", "::g"),
	    IPC_ERR_INVALID);
	assert_non_null(ask(w, IPC_OP_target_add,
	    json_pack("{s:s, s:s, s:i}", "name", "iqn.2001-04.com.EXAMPLE:behind-NAT", "address",
		"192.0.2.7", "port", 5001)));
	assert_string_equal(text(w->result, "name"), name);
	expect_error(w, IPC_OP_target_add,
	    json_pack("{s:s, s:s, s:i}", "name", name, "address", "192.0.2.7", "port", 5001),
	    IPC_ERR_EXISTS);
	assert_non_null(ask(w, IPC_OP_target_list, json_pack("{s:s}", "name", name)));
	target = json_array_get(json_object_get(w->result, "targets"), 0);
	assert_string_equal(text(target, "source"), "static");
	assert_non_null(ask(w, IPC_OP_target_remove, json_pack("{s:s}", "name", name)));
}

static void
discovery_addresses_are_checked_added_once_and_removed(void **state)
{
	struct world *w = *state;

	expect_error(
	    w, IPC_OP_discovery_add, json_pack("{s:s}", "address", "192.0.2.256"), IPC_ERR_INVALID);
	expect_error(w, IPC_OP_discovery_add, json_pack("{s:s, s:i}", "address", "::1", "port", 0),
	    IPC_ERR_INVALID);
	expect_error(w, IPC_OP_discovery_add,
	    json_pack("{s:s, s:i}", "address", "::1", "tpgt", 65536), IPC_ERR_INVALID);
	assert_non_null(
	    ask(w, IPC_OP_discovery_add, json_pack("{s:s}", "address", "[2001:DB8::1]")));
	assert_string_equal(text(w->result, "address"), "2001:db8::1");
	assert_int_equal(json_integer_value(json_object_get(w->result, "port")), 3260);
	assert_int_equal(json_integer_value(json_object_get(w->result, "tpgt")), 1);
	expect_error(w, IPC_OP_discovery_add, json_pack("{s:s}", "address", "2001:db8:0::1"),
	    IPC_ERR_EXISTS);
	expect_error(w, IPC_OP_discovery_remove,
	    json_pack("{s:s, s:i}", "address", "2001:db8::1", "tpgt", 2), IPC_ERR_NOTFOUND);
	assert_non_null(
	    ask(w, IPC_OP_discovery_remove, json_pack("{s:s}", "address", "2001:db8::1")));
	assert_non_null(ask(w, IPC_OP_discovery_list, NULL));
	assert_int_equal(json_array_size(json_object_get(w->result, "targets")), 0);
}

static void
a_scan_without_daemons_names_the_one_that_is_missing(void **state)
{
	struct world *w = *state;
	const json_t *failure;

	assert_non_null(
	    ask(w, IPC_OP_discovery_add, json_pack("{s:s}", "address", "array.example")));
	assert_non_null(ask(w, IPC_OP_scan, NULL));
	failure = json_array_get(json_object_get(w->result, "failures"), 0);
	assert_non_null(strstr(text(failure, "error"), "iscsi_resolvd is not running"));
	assert_non_null(
	    ask(w, IPC_OP_discovery_remove, json_pack("{s:s}", "address", "array.example")));
	assert_non_null(ask(w, IPC_OP_discovery_add, json_pack("{s:s}", "address", "127.0.0.1")));
	assert_non_null(ask(w, IPC_OP_scan, NULL));
	failure = json_array_get(json_object_get(w->result, "failures"), 0);
	assert_non_null(strstr(text(failure, "error"), "iswd is not running"));
	assert_non_null(ask(w, IPC_OP_discovery_list, NULL));
	failure = json_array_get(json_object_get(w->result, "targets"), 0);
	assert_true(json_is_false(json_object_get(json_object_get(failure, "last_scan"), "ok")));
}

static void
what_does_not_exist_is_not_found(void **state)
{
	struct world *w = *state;

	expect_error(w, IPC_OP_target_list, json_pack("{s:s}", "name", "iqn.2001-04.com.example:x"),
	    IPC_ERR_NOTFOUND);
	expect_error(w, IPC_OP_target_remove,
	    json_pack("{s:s}", "name", "iqn.2001-04.com.example:x"), IPC_ERR_NOTFOUND);
	expect_error(w, IPC_OP_session_list, json_pack("{s:i}", "instance", 0), IPC_ERR_NOTFOUND);
	expect_error(
	    w, IPC_OP_session_logout, json_pack("{s:i}", "instance", -1), IPC_ERR_NOTFOUND);
	expect_error(w, IPC_OP_session_nop, json_pack("{s:I}", "instance", (json_int_t)1 << 40),
	    IPC_ERR_NOTFOUND);
	expect_error(
	    w, IPC_OP_device_remove, json_pack("{s:s}", "name", "c9t9d9"), IPC_ERR_NOTFOUND);
}

static void
hardware_paths_are_checked(void **state)
{
	struct world *w = *state;

	expect_error(
	    w, IPC_OP_device_install, json_pack("{s:s}", "hw_path", "0/1/2"), IPC_ERR_INVALID);
	expect_error(
	    w, IPC_OP_device_remove, json_pack("{s:s}", "hw_path", "255/x"), IPC_ERR_INVALID);
	expect_error(w, IPC_OP_device_remove, NULL, IPC_ERR_INVALID);
	assert_non_null(ask(w, IPC_OP_device_install, json_pack("{s:s}", "hw_path", "255")));
	assert_int_equal(json_array_size(json_object_get(w->result, "devices")), 0);
}

static void
the_tree_has_its_virtual_node(void **state)
{
	struct world *w = *state;
	const json_t *nodes = json_object_get(ask(w, IPC_OP_io_tree, NULL), "nodes");

	assert_int_equal(json_array_size(nodes), 1);
	assert_string_equal(text(json_array_get(nodes, 0), "hw_path"), "255/0");
	assert_string_equal(text(json_array_get(nodes, 0), "sw_state"), "CLAIMED");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_drivers_tell_their_name_and_version),
		cmocka_unit_test(a_new_name_is_checked_folded_and_kept),
		cmocka_unit_test(digests_have_their_defaults),
		cmocka_unit_test(a_targets_address_is_added_by_hand_once_under_its_folded_name),
		cmocka_unit_test(an_address_with_more_in_it_is_told_how_to_be_written),
		cmocka_unit_test(discovery_addresses_are_checked_added_once_and_removed),
		cmocka_unit_test(a_scan_without_daemons_names_the_one_that_is_missing),
		cmocka_unit_test(what_does_not_exist_is_not_found),
		cmocka_unit_test(hardware_paths_are_checked),
		cmocka_unit_test(the_tree_has_its_virtual_node),
	};

	return cmocka_run_group_tests(tests, start, end);
}
