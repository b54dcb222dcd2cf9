#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "driver/iscsial/bay.h"
#include "driver/iscsial/fake_unit.h"

/* An exporter that shows nothing; the test says who has a device open. */
struct export
{
	struct blk_dev *dev;
	unsigned openers, changes;
};
static struct export shown;

static int
export_start(struct loop *loop, const char *dir, struct export **ret_ex)
{
	(void)loop;
	(void)dir;
	shown = (struct export){ 0 };
	*ret_ex = &shown;
	return 0;
}

static int
export_add(struct export *ex, struct blk_dev *dev)
{
	ex->dev = dev;
	return 0;
}

static void
export_changed(struct export *ex, struct blk_dev *dev)
{
	assert_ptr_equal(dev, ex->dev);
	ex->changes++;
}

static int
export_remove(struct export *ex, struct blk_dev *dev, bool force)
{
	assert_ptr_equal(dev, ex->dev);
	if (ex->openers > 0 && !force)
		return -EBUSY;
	ex->dev = NULL;
	return 0;
}

static void
export_seal(struct export *ex, struct blk_dev *dev, bool is_sealed)
{
	(void)is_sealed;
	assert_ptr_equal(dev, ex->dev);
}

static unsigned
export_openers(const struct export *ex, const struct blk_dev *dev)
{
	(void)dev;
	return ex->openers;
}

static void
export_stop(struct export *ex)
{
	ex->dev = NULL;
}

static const struct export_ops fake_export = {
	.name = "fake",
	.start = export_start,
	.add = export_add,
	.changed = export_changed,
	.remove = export_remove,
	.seal = export_seal,
	.openers = export_openers,
	.stop = export_stop,
};

struct world {
	struct fake_port f;
	struct fake_unit units[2];
	struct fake_target t;
	struct bay *bay;
	unsigned checked, replaced, changed;
	int result; /* of the last request; 1: not answered */
	struct blk_req r;
	uint8_t buf[512];
};

static void
on_changed(void *user, const struct lun_info *info)
{
	(void)info;
	((struct world *)user)->changed++;
}

static void
on_replaced(void *user, uint32_t lun, const struct fault *why)
{
	assert_int_equal(lun, 1);
	assert_true(why->is_set);
	((struct world *)user)->replaced++;
}

static void
on_checked(void *user)
{
	((struct world *)user)->checked++;
}

static const struct bay_ops bay_ops = {
	.changed = on_changed,
	.replaced = on_replaced,
	.checked = on_checked,
};

static struct lun_info
info_of(const char *designator, uint64_t blocks)
{
	struct lun_info i = { .number = 1, .is_present = true, .is_disk = true, .is_sized = true };

	i.wire[1] = 1;
	i.capacity =
	    (struct capacity){ .blocks = blocks, .bytes = blocks * 512, .block_bytes = 512 };
	strncpy(i.id.designator, designator, sizeof i.id.designator - 1);
	return i;
}

static void
start(struct world *w)
{
	struct lun_info info = info_of("naa.5000000000000001", 100);
	struct fault f = { 0 };

	*w = (struct world){ .units = {
				 { .type = 0x0c }, { .naa = 0x5000000000000001, .blocks = 100 } } };
	w->t = (struct fake_target){ w->units, 2, false };
	fake_port_init(&w->f);
	w->bay = bay_new(&w->f.port, 4, &fake_export, "/nowhere", &bay_ops, w);
	assert_true(bay_show(w->bay, &info, "c0t0d1", &f));
	assert_non_null(shown.dev);
}

static void
end(struct world *w)
{
	bay_stop(w->bay);
	fake_target_run(&w->t, &w->f);
	assert_true(bay_is_idle(w->bay));
	bay_free(w->bay);
	fake_port_fini(&w->f);
}

static void
done(struct blk_req *r)
{
	struct world *w = r->user;

	w->result = r->result;
}

static void
write_block(struct world *w)
{
	w->result = 1;
	w->r =
	    (struct blk_req){ .op = BLK_WRITE, .len = 512, .buf = w->buf, .done = done, .user = w };
	shown.dev->submit(shown.dev, &w->r);
	fake_port_turn(&w->f);
}

static void
the_same_unit_passes_the_check(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	bay_check(w.bay);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.checked, 1);
	assert_int_equal(w.replaced, 0);
	write_block(&w);
	fake_port_good(&w.f, 0);
	assert_int_equal(w.result, 0);
	end(&w);
}

static void
another_unit_gets_no_io(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].naa = 0x5000000000000002;
	bay_check(w.bay);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.checked, 1);
	assert_int_equal(w.replaced, 1);
	write_block(&w);
	assert_int_equal(w.f.n, 0);
	assert_int_equal(w.result, -EIO);
	end(&w);
}

static void
the_old_unit_that_comes_back_runs_again(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].naa = 0x5000000000000002;
	bay_check(w.bay);
	fake_target_run(&w.t, &w.f);
	w.units[1].naa = 0x5000000000000001;
	bay_check(w.bay);
	fake_target_run(&w.t, &w.f);
	write_block(&w);
	fake_port_good(&w.f, 0);
	assert_int_equal(w.result, 0);
	end(&w);
}

static void
a_unit_that_is_missing_is_waited_for(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].is_absent = true;
	bay_check(w.bay);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.checked, 1);
	assert_int_equal(w.replaced, 0);
	write_block(&w);
	assert_int_equal(w.f.n, 0);
	assert_int_equal(w.result, 1);
	w.units[1].is_absent = false;
	bay_check(w.bay);
	while (w.result == 1 && w.f.n > 0 && fake_port_req(&w.f, 0)->is_probe)
		(void)fake_target_answer(&w.t, &w.f);
	fake_port_turn(&w.f);
	fake_port_good(&w.f, 0);
	assert_int_equal(w.result, 0);
	end(&w);
}

static void
a_unit_that_grew_is_told(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.units[1].blocks = 200;
	bay_check(w.bay);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.changed, 1);
	assert_int_equal(shown.changes, 1);
	assert_int_equal(shown.dev->size_bytes, 200 * 512);
	end(&w);
}

static void
a_lost_connection_leaves_the_check_to_the_next_login(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	bay_check(w.bay);
	fake_port_req(&w.f, 0)->result = REQ_OFFLINE;
	fake_port_answer(&w.f, 0);
	bay_uncheck(w.bay);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.checked, 0);
	assert_int_equal(w.replaced, 0);
	end(&w);
}

static void
a_scan_swaps_no_unit_under_its_opener(void **state)
{
	struct lun_info other = info_of("naa.5000000000000002", 100);
	struct fault f = { 0 };
	struct world w;

	(void)state;
	start(&w);
	shown.openers = 1;
	assert_false(bay_show(w.bay, &other, "c0t0d1", &f));
	assert_int_equal(f.code, FAULT_BUSY);
	write_block(&w);
	assert_int_equal(w.result, -EIO);
	shown.openers = 0;
	assert_true(bay_show(w.bay, &other, "c0t0d1", &f));
	write_block(&w);
	fake_port_good(&w.f, 0);
	assert_int_equal(w.result, 0);
	end(&w);
}

static void
a_hidden_disk_is_freed_when_its_last_command_is_back(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	write_block(&w);
	bay_hide(w.bay, 1);
	assert_int_equal(bay_count(w.bay), 0);
	assert_false(bay_is_idle(w.bay));
	fake_port_good(&w.f, 0);
	fake_port_turn(&w.f);
	assert_int_equal(w.result, 0);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_unit_passes_the_check),
		cmocka_unit_test(another_unit_gets_no_io),
		cmocka_unit_test(the_old_unit_that_comes_back_runs_again),
		cmocka_unit_test(a_unit_that_is_missing_is_waited_for),
		cmocka_unit_test(a_unit_that_grew_is_told),
		cmocka_unit_test(a_lost_connection_leaves_the_check_to_the_next_login),
		cmocka_unit_test(a_scan_swaps_no_unit_under_its_opener),
		cmocka_unit_test(a_hidden_disk_is_freed_when_its_last_command_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
