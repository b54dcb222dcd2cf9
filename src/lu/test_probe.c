#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lu/fake_unit.h"
#include "lu/probe.h"

struct world {
	struct fake_path f;
	struct fake_target t;
	struct probe_result r; /* luns owned */
	unsigned done;
};

static void
probed(void *user, struct probe_result *r)
{
	struct world *w = user;

	w->r = *r;
	r->luns = NULL;
	w->done++;
}

static void
start(struct world *w, struct fake_unit *units, size_t n)
{
	*w = (struct world){ .t = { units, n } };
	fake_path_init(&w->f, 8);
}

static void
end(struct world *w)
{
	free(w->r.luns);
	fake_path_fini(&w->f);
}

static void
every_lun_is_described(void **state)
{
	struct fake_unit units[] = { { .type = 0x0c },
		{ .serial = "S1", .naa = 0x5000000000000001, .blocks = 100 }, { .is_absent = true },
		{ .type = 1 } };
	struct world w;

	(void)state;
	start(&w, units, 4);
	probe_start(&w.f.path, false, probed, &w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.done, 1);
	assert_false(w.r.fault.is_set);
	assert_int_equal(w.r.n, 3);
	assert_false(w.r.luns[0].is_disk);
	assert_true(w.r.luns[1].is_disk && w.r.luns[1].is_sized);
	assert_int_equal(w.r.luns[1].capacity.bytes, 51200);
	assert_string_equal(w.r.luns[1].id.serial, "S1");
	assert_string_equal(w.r.luns[1].id.designators, "naa.5000000000000001");
	assert_string_equal(w.r.luns[1].inquiry.vendor, "FAKE");
	assert_int_equal(w.r.luns[2].number, 3);
	assert_string_equal(inquiry_class(w.r.luns[2].inquiry.type), "tape");
	end(&w);
}

static void
a_long_list_of_luns_is_asked_for_again_with_room(void **state)
{
	static struct fake_unit units[512];
	struct world w;

	(void)state;
	/* 512 LUNs and the header do not fit the first 4096 bytes. */
	for (size_t i = 0; i < 512; i++)
		units[i].type = 0x0c;
	start(&w, units, 512);
	probe_start(&w.f.path, false, probed, &w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.r.report_luns, 2);
	assert_int_equal(w.r.n, 512);
	assert_int_equal(w.r.unclaimed, 0);
	free(w.r.luns);
	w.r.luns = NULL;
	/* One addressing mode is the primary one; the guide shows no other. */
	assert_non_null(probe_start(&w.f.path, true, probed, &w));
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.r.n + w.r.unclaimed, 512);
	assert_int_equal(w.r.n, 256);
	assert_int_equal(w.r.n_out, PROBE_OUT_MAX);
	assert_int_equal(w.r.out[0].why, LUNS_OUT_NOT_PRIMARY);
	end(&w);
}

static void
a_target_without_report_luns_has_lun_0(void **state)
{
	struct fake_unit units[] = { { .blocks = 8 } };
	struct world w;

	(void)state;
	start(&w, units, 1);
	w.t.has_no_report_luns = true;
	probe_start(&w.f.path, false, probed, &w);
	fake_target_run(&w.t, &w.f);
	assert_false(w.r.fault.is_set);
	assert_int_equal(w.r.n, 1);
	assert_int_equal(w.r.report_luns_failed, 1);
	assert_true(w.r.luns[0].is_sized);
	end(&w);
}

static void
an_old_disk_tells_its_size_in_ten_bytes(void **state)
{
	struct fake_unit units[] = { { .blocks = 8, .has_no_capacity_16 = true } };
	struct world w;

	(void)state;
	start(&w, units, 1);
	probe_start(&w.f.path, false, probed, &w);
	fake_target_run(&w.t, &w.f);
	assert_true(w.r.luns[0].is_sized);
	assert_int_equal(w.r.luns[0].capacity.bytes, 4096);
	assert_false(w.r.luns[0].fault.is_set);
	end(&w);
}

static void
unit_attentions_are_got_over(void **state)
{
	struct fake_unit units[] = { { .blocks = 8, .attentions = 5 } };
	struct world w;

	(void)state;
	start(&w, units, 1);
	probe_start(&w.f.path, false, probed, &w);
	fake_target_run(&w.t, &w.f);
	assert_true(w.r.luns[0].is_sized);
	assert_int_equal(units[0].attentions, 0);
	end(&w);
}

static void
a_lost_connection_says_so_and_nothing_else_is_believed(void **state)
{
	struct fake_unit units[] = { { .blocks = 8 }, { .blocks = 8 } };
	struct world w;

	(void)state;
	start(&w, units, 2);
	probe_start(&w.f.path, false, probed, &w);
	assert_true(fake_target_answer(&w.t, &w.f)); /* REPORT LUNS */
	while (w.f.n > 0) {
		fake_path_req(&w.f, 0)->result = REQ_LOST;
		fake_path_answer(&w.f, 0);
	}
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.done, 1);
	assert_true(w.r.fault.is_set);
	end(&w);
}

static void
an_abandoned_probe_is_silent_and_leaves_when_its_commands_are_back(void **state)
{
	struct fake_unit units[] = { { .blocks = 8 }, { .blocks = 8 } };
	struct probe *p;
	struct world w;

	(void)state;
	start(&w, units, 2);
	p = probe_start(&w.f.path, false, probed, &w);
	assert_true(fake_target_answer(&w.t, &w.f));
	probe_abandon(p);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.done, 0);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_lun_is_described),
		cmocka_unit_test(a_long_list_of_luns_is_asked_for_again_with_room),
		cmocka_unit_test(a_target_without_report_luns_has_lun_0),
		cmocka_unit_test(an_old_disk_tells_its_size_in_ten_bytes),
		cmocka_unit_test(unit_attentions_are_got_over),
		cmocka_unit_test(a_lost_connection_says_so_and_nothing_else_is_believed),
		cmocka_unit_test(
		    an_abandoned_probe_is_silent_and_leaves_when_its_commands_are_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
