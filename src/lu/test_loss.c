/* What a write cache lost. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lu/fake_world.h"
#include "lu/lu_impl.h"
#include "lu/probe.h"
#include "scsi/sense.h"

static void
written(struct world *w, size_t i)
{
	submit(w, 0, i, BLK_WRITE);
	fake_path_good(&w->f, 0);
	expect_end(w, i, 0);
}

static void
flushed(struct world *w, size_t i, int result)
{
	submit(w, 0, i, BLK_FLUSH);
	assert_int_equal(w->f.n, 1);
	fake_path_good(&w->f, 0);
	expect_end(w, i, result);
}

/* The unit says 29/ascq to the next command. */
static void
reset(struct world *w, uint8_t ascq)
{
	submit(w, 0, REQS - 1, BLK_READ);
	fake_path_check(&w->f, 0, SENSE_KEY_UNIT_ATTENTION, 0x29, ascq);
	fake_target_run(&w->t, &w->f);
	fake_path_good(&w->f, 0);
	expect_end(w, REQS - 1, 0);
}

static void
a_cache_lost_with_unflushed_writes_fails_the_next_flush_once(void **state)
{
	static const uint8_t lossy[] = { 0x01, 0x04 };
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof lossy; i++) {
		start(&w, 1);
		written(&w, 0);
		fake_path_pass(&w.f, 7 * SECOND);
		reset(&w, lossy[i]);
		assert_non_null(strstr(w.f.last, "last 7 s"));
		flushed(&w, 1, -EIO);
		flushed(&w, 2, 0);
		/* Nothing was written since. */
		reset(&w, lossy[i]);
		flushed(&w, 3, 0);
		end(&w);
	}
}

static void
a_reset_that_need_not_be_a_power_loss_is_only_said(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	written(&w, 0);
	reset(&w, 0x07);
	assert_int_equal(w.f.said, 0);
	reset(&w, 0x00);
	assert_int_equal(w.f.said, 1);
	flushed(&w, 1, 0);
	written(&w, 2);
	w.f.path.volatile_loss_fails = false;
	reset(&w, 0x01);
	assert_int_equal(w.f.said, 2);
	flushed(&w, 3, 0);
	end(&w);
}

/* A driver that was killed while the target lost power, and one that was not. */
static void
what_was_answered_in_a_life_before_may_be_lost_until_it_is_flushed(void **state)
{
	struct lu_info info = fake_info(0, 0x5000000000000001);
	struct world w;

	(void)state;
	for (unsigned is_flushed = 0; is_flushed < 2; is_flushed++) {
		start(&w, 1);
		lu_take_over(w.u[0], false);
		if (is_flushed)
			flushed(&w, 0, 0);
		reset(&w, 0x01);
		assert_int_equal(strstr(w.f.last, "before this program") != NULL, !is_flushed);
		flushed(&w, 1, is_flushed ? 0 : -EIO);
		flushed(&w, 2, 0);
		end(&w);
	}
	/* Nobody could say what its cache is like; or somebody did, when another unit may have
	 * stood there (tests/sim, seed 5722332). */
	for (unsigned is_sure = 0; is_sure < 2; is_sure++)
		for (unsigned is_off = 0; is_off < 2; is_off++) {
			start(&w, 1);
			info.has_mode = is_off;
			info.mode.is_write_cache_enabled = false;
			info.is_mode_refused = !is_off && is_sure;
			w.u[0]->info.facts = info.facts;
			w.u[0]->is_mode_sure = is_sure;
			lu_take_over(w.u[0], false);
			reset(&w, 0x01);
			flushed(&w, 1, is_sure ? 0 : -EIO);
			end(&w);
		}
}

/* A scan's answer may be of another unit, which stood there a moment before. */
static void
a_flush_is_sent_where_nobody_is_sure_of_the_cache(void **state)
{
	(void)state;
	for (unsigned is_sure = 0; is_sure < 2; is_sure++) {
		struct lu_info info = fake_info(0, 0x5000000000000001);
		struct world w;

		start(&w, 1);
		info.mode.is_write_cache_enabled = false;
		info.nexus = is_sure ? w.f.path.nexus : 0;
		lu_adopt(w.u[0], &info);
		submit(&w, 0, 0, BLK_FLUSH);
		fake_path_turn(&w.f);
		assert_int_equal(w.q[0].done, is_sure);
		fake_target_run(&w.t, &w.f);
		end(&w);
	}
}

/* What is told to the owner, for a life that comes: by loss(), and what it knew when each flush was
 * answered. */
static unsigned losses, answers_while_due;
static bool is_loss_due;

static void
on_loss(void *user, struct lu *u, bool is_due)
{
	(void)user, (void)u;
	losses += is_due;
	is_loss_due = is_due;
}

static void
on_answer(struct blk_req *r)
{
	assert_int_equal(r->result, -EIO);
	answers_while_due += is_loss_due;
}

static const struct lu_ops told_ops = { .loss = on_loss };

static void
a_life_that_comes_knows_of_a_loss_until_a_flush_has_said_so(void **state)
{
	struct world w;
	struct blk_req last;

	(void)state;
	losses = answers_while_due = 0;
	is_loss_due = false;
	start(&w, 1);
	w.u[0]->ops = &told_ops;
	written(&w, 0);
	reset(&w, 0x01);
	assert_true(is_loss_due);
	reset(&w, 0x01);
	assert_int_equal(losses, 1);
	end(&w);

	/* The next life: before its first loss it has one to tell. */
	is_loss_due = false;
	start(&w, 1);
	w.u[0]->ops = &told_ops;
	lu_take_over(w.u[0], true);
	assert_non_null(strstr(w.f.last, "no flush has said so"));
	assert_true(is_loss_due);
	last = (struct blk_req){ .op = BLK_FLUSH, .done = on_answer };
	lu_blk(w.u[0])->submit(lu_blk(w.u[0]), &last);
	fake_path_good(&w.f, 0);
	fake_path_turn(&w.f);
	assert_int_equal(answers_while_due, 1);
	assert_false(is_loss_due);
	flushed(&w, 1, 0);
	end(&w);
}

static void
lose_again(struct blk_req *r)
{
	assert_int_equal(r->result, -EIO);
	lu_loss_sense(r->user,
	    &(struct sense){ .key = SENSE_KEY_MEDIUM_ERROR, .asc = 0x0c, .is_deferred = true });
}

/* Another one, while the answer that tells of the first is on its way. */
static void
a_loss_behind_a_loss_stays_due(void **state)
{
	struct blk_req flush;
	struct world w;

	(void)state;
	is_loss_due = false;
	start(&w, 1);
	w.u[0]->ops = &told_ops;
	written(&w, 0);
	reset(&w, 0x01);
	flush = (struct blk_req){ .op = BLK_FLUSH, .done = lose_again, .user = w.u[0] };
	lu_blk(w.u[0])->submit(lu_blk(w.u[0]), &flush);
	fake_path_good(&w.f, 0);
	fake_path_turn(&w.f);
	assert_true(is_loss_due);
	flushed(&w, 1, -EIO);
	assert_false(is_loss_due);
	end(&w);
}

static void
what_was_flushed_or_had_no_cache_is_not_lost(void **state)
{
	struct lu_info info = fake_info(0, 0x5000000000000001);
	struct world w;

	(void)state;
	start(&w, 1);
	written(&w, 0);
	flushed(&w, 1, 0);
	reset(&w, 0x01);
	flushed(&w, 2, 0);
	fake_submit(w.u[0], &w.q[3], BLK_WRITE, 0, 512, true); /* FUA */
	fake_path_good(&w.f, 0);
	reset(&w, 0x01);
	flushed(&w, 4, 0);
	info.mode.is_write_cache_enabled = false;
	w.units[0].mode = info.mode;
	info.doubts = w.f.path.doubts;
	lu_adopt(w.u[0], &info);
	written(&w, 5);
	reset(&w, 0x01);
	submit(&w, 0, 6, BLK_FLUSH);
	expect_end(&w, 6, 0);
	end(&w);
}

static void
a_write_answered_after_the_flush_was_sent_is_still_in_the_cache(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	written(&w, 0);
	submit(&w, 0, 1, BLK_FLUSH);
	submit(&w, 0, 2, BLK_WRITE);
	fake_path_good(&w.f, 1);
	fake_path_good(&w.f, 0);
	expect_end(&w, 1, 0);
	reset(&w, 0x04);
	flushed(&w, 3, -EIO);
	end(&w);
}

static void
a_loss_told_to_a_question_counts_too(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	written(&w, 0);
	w.units[0].attentions = 1;
	w.units[0].ascq = 0x01;
	relogin(&w, true);
	assert_int_equal(w.units[0].attentions, 0);
	flushed(&w, 1, -EIO);
	end(&w);
}

static void
forget(void *user, struct probe_result *r)
{
	(void)user;
	(void)r;
}

static void
a_loss_told_to_a_scan_counts_for_the_unit_that_is_meant(void **state)
{
	struct world w;

	(void)state;
	for (unsigned at = 0; at < 2; at++) { /* only the first is ours */
		start(&w, 2);
		written(&w, 0);
		w.units[at].attentions = 1;
		w.units[at].ascq = 0x01;
		assert_non_null(probe_start(&w.f.path, false, forget, NULL));
		fake_target_run(&w.t, &w.f);
		assert_int_equal(w.units[at].attentions, 0);
		flushed(&w, 1, at == 0 ? -EIO : 0);
		flushed(&w, 2, 0);
		end(&w);
	}
}

static void
a_loss_that_was_overheard_counts_in_each_form_of_the_lun(void **state)
{
	static const uint8_t forms[][LUNS_WIRE_BYTES] = { { 0 }, { 0x40 }, { 0, 1 } };
	struct sense s = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = 0x01 };
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		start(&w, 1);
		written(&w, 0);
		lunpath_overheard(lu_first_path(w.u[0]), forms[i], &s);
		flushed(&w, 1, i < 2 ? -EIO : 0);
		end(&w);
	}
}

/* By a scan over another path, before that was one to the unit. */
static void
a_loss_that_was_heard_before_concerns_what_had_been_answered_by_then(void **state)
{
	static const uint8_t lun[LUNS_WIRE_BYTES] = { 0 };
	struct sense s = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = 0x01 };
	struct world w;
	uint64_t heard_us;

	(void)state;
	for (unsigned how = 0; how < 4; how++) {
		start(&w, 1);
		if (how == 3)
			lu_take_over(w.u[0], false);
		heard_us = agenda_now(w.u[0]->agenda);
		if (how > 0) {
			fake_path_pass(&w.f, SECOND);
			written(&w, 0);
		}
		if (how == 2)
			heard_us = agenda_now(w.u[0]->agenda);
		fake_path_pass(&w.f, SECOND);
		lunpath_told(lu_first_path(w.u[0]), lun, &s, heard_us);
		flushed(&w, 1, how < 2 ? 0 : -EIO);
		/* It is told once more, to another path. */
		written(&w, 2);
		lunpath_told(lu_first_path(w.u[0]), lun, &s, heard_us);
		flushed(&w, 3, 0);
		end(&w);
	}
}

static void
a_deferred_error_fails_the_next_flush_not_the_command_at_hand(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_READ);
	fake_path_deferred(&w.f, 0, SENSE_KEY_MEDIUM_ERROR, 0x0c, 0x02);
	assert_int_equal(w.q[0].done, 0);
	assert_int_equal(w.f.said, 1);
	fake_path_pass(&w.f, SECOND);
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	flushed(&w, 1, -EIO);
	flushed(&w, 2, 0);
	submit(&w, 0, 3, BLK_READ);
	fake_path_deferred(&w.f, 0, SENSE_KEY_RECOVERED_ERROR, 0x0c, 0x01);
	fake_path_pass(&w.f, SECOND);
	fake_path_good(&w.f, 0);
	expect_end(&w, 3, 0);
	flushed(&w, 4, 0);
	end(&w);
}

static void
fua_by_a_flush_writes_again_when_the_cache_was_lost_in_between(void **state)
{
	struct lu_info info = fake_info(0, 0x5000000000000001);
	struct world w;

	(void)state;
	start(&w, 1);
	info.mode.has_fua = false;
	w.units[0].mode = info.mode;
	lu_adopt(w.u[0], &info);
	fake_submit(w.u[0], &w.q[0], BLK_WRITE, 0, 512, true);
	fake_path_good(&w.f, 0);
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[0], CDB_SYNC_CACHE_10);
	fake_path_check(&w.f, 0, SENSE_KEY_UNIT_ATTENTION, 0x29, 0x01);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[0], CDB_SYNC_CACHE_10);
	fake_path_good(&w.f, 0);
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[0], CDB_WRITE_10);
	fake_path_good(&w.f, 0);
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	end(&w);
}

/* Two commands; the first is answered. */
static void
half_zeroed(struct world *w)
{
	start(w, 1);
	w->u[0]->info.limits.write_same_max = 1;
	fake_submit(w->u[0], &w->q[0], BLK_WRITE_ZEROES, 0, 1024, false);
	fake_path_good(&w->f, 0);
}

/* Nobody was told yet that it is written, so no flush would tell.  Found by tests/sim, seed 26172.
 */
static void
zeros_that_were_half_written_when_the_cache_was_lost_are_written_again(void **state)
{
	struct world w;

	(void)state;
	half_zeroed(&w);
	assert_int_equal(be_get64(fake_path_req(&w.f, 0)->cdb + 2), 1);
	fake_path_check(&w.f, 0, SENSE_KEY_UNIT_ATTENTION, 0x29, 0x01);
	fake_target_run(&w.t, &w.f);
	assert_int_equal(be_get64(fake_path_req(&w.f, 0)->cdb + 2), 1);
	fake_path_good(&w.f, 0);
	for (uint64_t lba = 0; lba < 2; lba++) {
		assert_int_equal(w.q[0].done, 0);
		assert_int_equal(be_get64(fake_path_req(&w.f, 0)->cdb + 2), lba);
		fake_path_good(&w.f, 0);
	}
	expect_end(&w, 0, 0);
	flushed(&w, 1, 0);
	end(&w);
}

/* The same, where another session has heard of it before it was a path to the unit.  Found by
 * tests/sim, seed 9097051. */
static void
zeros_that_were_half_written_before_a_loss_was_told_are_written_again(void **state)
{
	static const uint8_t lun[LUNS_WIRE_BYTES];
	const struct sense s = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = 0x01 };
	struct world w;

	(void)state;
	half_zeroed(&w);
	lunpath_told(lu_first_path(w.u[0]), lun, &s, agenda_now(w.u[0]->agenda));
	fake_path_good(&w.f, 0);
	for (uint64_t lba = 0; lba < 2; lba++) {
		fake_path_turn(&w.f);
		assert_int_equal(w.q[0].done, 0);
		assert_int_equal(be_get64(fake_path_req(&w.f, 0)->cdb + 2), lba);
		fake_path_good(&w.f, 0);
	}
	expect_end(&w, 0, 0);
	end(&w);
}

static void
a_write_that_was_under_way_when_the_cache_was_lost_is_written_again(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	submit(&w, 0, 1, BLK_READ);
	fake_path_check(&w.f, 1, SENSE_KEY_UNIT_ATTENTION, 0x29, 0x04);
	fake_path_good(&w.f, 0);
	fake_path_turn(&w.f);
	assert_int_equal(w.q[0].done, 0);
	fake_target_run(&w.t, &w.f);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w.f.n, 2 - i);
		fake_path_good(&w.f, 0);
	}
	expect_end(&w, 0, 0);
	expect_end(&w, 1, 0);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cache_lost_with_unflushed_writes_fails_the_next_flush_once),
		cmocka_unit_test(a_reset_that_need_not_be_a_power_loss_is_only_said),
		cmocka_unit_test(
		    zeros_that_were_half_written_when_the_cache_was_lost_are_written_again),
		cmocka_unit_test(
		    zeros_that_were_half_written_before_a_loss_was_told_are_written_again),
		cmocka_unit_test(
		    a_write_that_was_under_way_when_the_cache_was_lost_is_written_again),
		cmocka_unit_test(
		    what_was_answered_in_a_life_before_may_be_lost_until_it_is_flushed),
		cmocka_unit_test(a_flush_is_sent_where_nobody_is_sure_of_the_cache),
		cmocka_unit_test(a_life_that_comes_knows_of_a_loss_until_a_flush_has_said_so),
		cmocka_unit_test(a_loss_behind_a_loss_stays_due),
		cmocka_unit_test(what_was_flushed_or_had_no_cache_is_not_lost),
		cmocka_unit_test(a_write_answered_after_the_flush_was_sent_is_still_in_the_cache),
		cmocka_unit_test(a_loss_told_to_a_question_counts_too),
		cmocka_unit_test(a_loss_told_to_a_scan_counts_for_the_unit_that_is_meant),
		cmocka_unit_test(a_loss_that_was_overheard_counts_in_each_form_of_the_lun),
		cmocka_unit_test(
		    a_loss_that_was_heard_before_concerns_what_had_been_answered_by_then),
		cmocka_unit_test(a_deferred_error_fails_the_next_flush_not_the_command_at_hand),
		cmocka_unit_test(fua_by_a_flush_writes_again_when_the_cache_was_lost_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
