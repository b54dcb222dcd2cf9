#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "driver/iscsial/tree.h"
#include "export/loopuse.h"

static void
the_virtual_node_is_always_there(void **state)
{
	struct hwpath hba = hwpath_hba();
	struct tree *t = tree_new();

	(void)state;
	assert_int_equal(t->n, 1);
	assert_string_equal(tree_find(t, &hba)->description, "iSCSI Virtual Node");
	assert_int_equal(tree_find(t, &hba)->state, TREE_CLAIMED);
	tree_free(t);
}

static void
nodes_come_out_in_depth_first_order(void **state)
{
	static const char *const want[] = { "255/0", "255/0/0.0", "255/0/0.0.0", "255/0/0.0.0.0",
		"255/0/0.0.2", "255/0/0.0.10", "255/0/1.0" };
	struct hwpath p[] = { hwpath_bus(1, 0), hwpath_target(0, 0, 10), hwpath_lun(0, 0, 0, 0),
		hwpath_bus(0, 0), hwpath_target(0, 0, 2), hwpath_target(0, 0, 0),
		hwpath_bus(1, 0) };
	struct tree *t = tree_new();

	(void)state;
	for (size_t i = 0; i < sizeof p / sizeof *p; i++)
		tree_add(t, &p[i]);
	assert_int_equal(t->n, sizeof want / sizeof *want);
	for (size_t i = 0; i < t->n; i++)
		assert_string_equal(t->nodes[i]->hw_path, want[i]);
	tree_free(t);
}

static void
a_lun_knows_its_number_and_its_name(void **state)
{
	struct hwpath p = hwpath_lun(3, 1, 15, 7);
	struct node *n;
	struct tree *t = tree_new();

	(void)state;
	n = tree_add(t, &p);
	assert_int_equal(n->lun, 255);
	assert_null(tree_find_name(t, ""));
	tree_name_lun(t, n, 12);
	assert_string_equal(n->name, "c12t15d7");
	assert_ptr_equal(tree_find_name(t, "c12t15d7"), n);
	assert_null(tree_find_name(t, "c12t15d6"));
	/* Its bus has another instance now; then it is gone. */
	tree_name_lun(t, n, 13);
	assert_null(tree_find_name(t, "c12t15d7"));
	assert_ptr_equal(tree_find_name(t, "c13t15d7"), n);
	tree_remove(t, 1, t->n);
	assert_null(tree_find_name(t, "c13t15d7"));
	tree_free(t);
}

static void
a_block_device_has_one_lun_at_most(void **state)
{
	const int ublk = LOOPUSE_UBLK | 3, far = 3 + TREE_LOOP_LISTS;
	struct tree *t = tree_new();
	struct node *n[4];

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		n[i] = tree_add(t, (const struct hwpath[]){ hwpath_lun(0, 0, 0, i) });
	tree_set_loop(t, n[0], 3);
	tree_set_loop(t, n[1], far);
	tree_set_loop(t, n[2], ublk);
	assert_ptr_equal(tree_other_of_loop(t, n[3], 3), n[0]);
	assert_ptr_equal(tree_other_of_loop(t, n[3], far), n[1]);
	assert_ptr_equal(tree_other_of_loop(t, n[3], ublk), n[2]);
	assert_null(tree_other_of_loop(t, n[0], 3));
	assert_null(tree_other_of_loop(t, n[3], 4));
	/* Another number, none, and a LUN that is not there any more. */
	tree_set_loop(t, n[0], 4);
	assert_null(tree_other_of_loop(t, n[3], 3));
	assert_ptr_equal(tree_other_of_loop(t, n[3], 4), n[0]);
	tree_set_loop(t, n[1], TREE_NO_LOOP);
	tree_set_loop(t, n[1], TREE_NO_LOOP);
	assert_null(tree_other_of_loop(t, n[3], far));
	tree_remove(t, tree_lower(t, &n[2]->path), tree_lower(t, &n[2]->path) + 1);
	assert_null(tree_other_of_loop(t, n[3], ublk));
	tree_free(t);
}

static void
device_types_get_their_class_and_driver(void **state)
{
	static const struct {
		uint8_t type;
		const char *class_name, *driver;
	} want[] = { { 0x00, "disk", "sdisk" }, { 0x01, "tape", "stape" },
		{ 0x08, "autoch", "schgr" }, { 0x0c, "ctl", "sctl" }, { 0x02, "unknown", "" } };
	struct hwpath p = hwpath_lun(0, 0, 0, 1);
	struct lu_info info = { .answer = LU_SOMEBODY };
	struct node *n;
	struct tree *t = tree_new();

	(void)state;
	n = tree_add(t, &p);
	memcpy(info.inquiry.vendor, "IET", 4);
	memcpy(info.inquiry.product, "VIRTUAL-DISK", 13);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		info.inquiry.type = want[i].type;
		tree_describe_lun(n, &info);
		assert_string_equal(n->class_name, want[i].class_name);
		assert_string_equal(n->driver, want[i].driver);
		assert_string_equal(n->description, "IET     VIRTUAL-DISK");
		assert_string_equal(
		    registry_class_name(tree_registry_class(want[i].type)), want[i].class_name);
	}
	tree_free(t);
}

static void
what_has_no_device_says_why(void **state)
{
	struct hwpath p = hwpath_lun(0, 0, 0, 1);
	struct lu_info info = { .answer = LU_SOMEBODY, .inquiry.type = INQUIRY_TYPE_TAPE };
	struct tree *t = tree_new();
	struct node *n = tree_add(t, &p);
	char why[TREE_WHY_BYTES];

	(void)state;
	tree_why_no_device(n, why);
	assert_string_equal(why, "it is not there now");
	tree_describe_lun(n, &info);
	n->state = TREE_CLAIMED;
	tree_why_no_device(n, why);
	assert_non_null(strstr(why, "only disks get device files"));
	info.is_disk = true;
	fault_set(&info.fault, FAULT_OFFLINE, "look there", "it is reserved");
	tree_describe_lun(n, &info);
	tree_why_no_device(n, why);
	assert_string_equal(why, "it is reserved; look there");
	n->is_shown = true;
	tree_why_no_device(n, why);
	assert_string_equal(why, "");
	n->is_replaced = true;
	tree_why_no_device(n, why);
	assert_non_null(strstr(why, "not the unit that it was"));
	tree_free(t);
}

static void
a_removed_range_leaves_the_rest(void **state)
{
	struct hwpath p[] = { hwpath_bus(0, 0), hwpath_bus(1, 0), hwpath_lun(1, 0, 0, 0),
		hwpath_bus(2, 0) };
	struct hwpath from = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, 1 } },
		      to = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, 2 } };
	struct tree *t = tree_new();

	(void)state;
	for (size_t i = 0; i < sizeof p / sizeof *p; i++)
		tree_add(t, &p[i]);
	tree_remove(t, tree_lower(t, &from), tree_lower(t, &to));
	assert_int_equal(t->n, 3);
	assert_non_null(tree_find(t, &p[0]));
	assert_null(tree_find(t, &p[2]));
	assert_non_null(tree_find(t, &p[3]));
	tree_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_virtual_node_is_always_there),
		cmocka_unit_test(nodes_come_out_in_depth_first_order),
		cmocka_unit_test(a_lun_knows_its_number_and_its_name),
		cmocka_unit_test(a_block_device_has_one_lun_at_most),
		cmocka_unit_test(device_types_get_their_class_and_driver),
		cmocka_unit_test(what_has_no_device_says_why),
		cmocka_unit_test(a_removed_range_leaves_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
