#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lu/fake_unit.h"
#include "lu/probe.h"
#include "scsi/sense.h"

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

/* The target says it once, and a scan hears it: the units would not. */
static void
what_a_scan_hears_of_changes_is_told_to_the_units(void **state)
{
	struct fake_unit units[] = { { .blocks = 8, .attentions = 1, .ascq = 7 }, { .blocks = 8 } };
	struct world w;

	(void)state;
	start(&w, units, 2);
	probe_start(&w.f.path, false, probed, &w);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.f.units_changed, 1);
	/* Who was asked before that is to be asked again. */
	assert_int_equal(w.f.path.doubts, 1);
	assert_int_equal(w.r.luns[0].doubts, 1);
	free(w.r.luns);
	w.r.luns = NULL;
	probe_start(&w.f.path, false, probed, &w);
	fake_path_check(&w.f, 0, SENSE_KEY_UNIT_ATTENTION, 0x3f, 0x0e); /* REPORT LUNS */
	fake_target_run(&w.t, &w.f);
	assert_int_equal(w.f.units_changed, 2);
	assert_int_equal(w.f.luns_changed, 1);
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
without_lun_0_the_well_known_unit_lists_the_luns(void **state)
{
	struct fake_unit units[] = { { .is_absent = true },
		{ .naa = 0x5000000000000001, .blocks = 8 } };
	struct world w;

	(void)state;
	start(&w, units, 2);
	w.t.has_no_lun_0 = true;
	probe_start(&w.f.path, false, probed, &w);
	fake_target_run(&w.t, &w.f);
	assert_false(w.r.fault.is_set);
	assert_int_equal(w.r.n, 1);
	assert_int_equal(w.r.luns[0].number, 1);
	assert_int_equal(w.r.luns[0].answer, LU_SOMEBODY);
	assert_int_equal(w.r.report_luns, 2);
	end(&w);
}

static void
a_lun_that_does_not_say_who_it_is_has_a_fault_and_others_have_none(void **state)
{
	struct fake_unit units[] = { { .blocks = 8,
					 .bad = FAKE_CHECK,
					 .bad_opcode = 0x12,
					 .bad_page = -1,
					 .bad_key = SENSE_KEY_HARDWARE_ERROR,
					 .bad_asc = 0x44,
					 .bad_times = 1 },
		{ .blocks = 8 } };
	struct world w;

	(void)state;
	start(&w, units, 2);
	probe_start(&w.f.path, false, probed, &w);
	fake_target_run(&w.t, &w.f);
	assert_false(w.r.fault.is_set);
	assert_int_equal(w.r.luns[0].answer, LU_NO_ANSWER);
	assert_true(w.r.luns[0].fault.is_set);
	assert_int_equal(w.r.luns[1].answer, LU_SOMEBODY);
	assert_false(w.r.luns[1].fault.is_set);
	assert_int_equal(w.r.inquiries, 2);
	assert_int_equal(w.r.inquiries_failed, 1);
	assert_int_equal(w.r.bad_inquiry.status, SENSE_STATUS_CHECK_CONDITION);
	end(&w);
}

static void
a_busy_target_is_waited_for_and_counted(void **state)
{
	struct fake_unit units[] = { { .blocks = 8,
	    .bad = FAKE_BUSY,
	    .bad_opcode = 0x12,
	    .bad_page = -1,
	    .bad_times = 3 } };
	struct world w;

	(void)state;
	start(&w, units, 1);
	probe_start(&w.f.path, false, probed, &w);
	for (unsigned i = 0; i < 200 && w.done == 0; i++) {
		fake_target_run(&w.t, &w.f);
		fake_path_pass(&w.f, 100000);
	}
	assert_int_equal(w.r.luns[0].answer, LU_SOMEBODY);
	assert_int_equal(w.r.inquiries_failed, 3);
	assert_int_equal(w.r.bad_inquiry.status, SENSE_STATUS_BUSY);
	end(&w);
}

static void
a_probe_that_is_ended_says_why_when_its_commands_are_back(void **state)
{
	struct fake_unit units[] = { { .blocks = 8 }, { .blocks = 8 } };
	struct fault why = { 0 };
	struct probe *p;
	struct world w;

	(void)state;
	for (unsigned answered = 0; answered < 12; answered++) {
		start(&w, units, 2);
		p = probe_start(&w.f.path, false, probed, &w);
		for (unsigned i = 0; i < answered; i++)
			assert_true(fake_target_answer(&w.t, &w.f));
		fault_set(&why, FAULT_TIMEOUT, "", "it took too long");
		probe_end(p, &why);
		assert_int_equal(w.done, 0);
		fake_target_run(&w.t, &w.f);
		assert_int_equal(w.done, 1);
		assert_int_equal(w.r.fault.code, FAULT_TIMEOUT);
		end(&w);
	}
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
		cmocka_unit_test(what_a_scan_hears_of_changes_is_told_to_the_units),
		cmocka_unit_test(a_lost_connection_says_so_and_nothing_else_is_believed),
		cmocka_unit_test(without_lun_0_the_well_known_unit_lists_the_luns),
		cmocka_unit_test(
		    a_lun_that_does_not_say_who_it_is_has_a_fault_and_others_have_none),
		cmocka_unit_test(a_busy_target_is_waited_for_and_counted),
		cmocka_unit_test(a_probe_that_is_ended_says_why_when_its_commands_are_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
