/* What waits, how long, in which order, and what fails alone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lu/fake_unit.h"
#include "lu/lu_impl.h"
#include "scsi/sense.h"

#define SLOTS   16
#define UNITS   4
#define REQS    64
#define SECOND  1000000ull
#define PROMISE (120 * SECOND)

struct world {
	struct fake_path f;
	struct fake_unit units[UNITS];
	struct fake_target t;
	struct lu *u[UNITS];
	struct fake_req q[REQS];
};

static const struct lu_ops ops;

/* The window has SLOTS for requests and one for questions. */
static void
start(struct world *w, size_t n)
{
	char name[16] = "c0t0d0";

	*w = (struct world){ 0 };
	fake_path_init(&w->f, SLOTS + 1);
	for (size_t i = 0; i < n; i++) {
		struct lu_info info = fake_info((uint32_t)i, 0x5000000000000001 + i);

		w->units[i] = (struct fake_unit){ .naa = 0x5000000000000001 + i,
			.blocks = FAKE_BLOCKS,
			.has_mode = true,
			.mode = info.mode };
		name[5] = (char)('0' + i);
		w->u[i] = lu_new(&w->f.path, &info, name, &ops, w);
		fake_path_add(&w->f, w->u[i]);
	}
	w->t = (struct fake_target){ .units = w->units, .n = n };
}

static void
end(struct world *w)
{
	for (size_t i = 0; i < w->t.n; i++) {
		assert_int_equal(w->u[i]->strays, 0);
		lu_close(w->u[i], -ENXIO);
	}
	w->f.is_unsendable = false;
	while (w->f.n > 0)
		fake_path_good(&w->f, 0);
	fake_path_turn(&w->f);
	for (size_t i = 0; i < w->t.n; i++) {
		assert_true(lu_is_idle(w->u[i]));
		lu_free(w->u[i]);
	}
	fake_path_fini(&w->f);
}

/* The i-th request: one block, at block i. */
static void
submit(struct world *w, size_t unit, size_t i, enum blk_op op)
{
	fake_submit(w->u[unit], &w->q[i], op, 512 * i, op == BLK_FLUSH ? 0 : 512, false);
}

static uint32_t
lba(struct world *w, size_t i)
{
	return be_get32(fake_path_req(&w->f, i)->cdb + 2);
}

static bool
is_of(struct world *w, size_t i, size_t unit)
{
	return fake_path_req(&w->f, i)->lun[1] == unit;
}

static void
expect_end(struct world *w, size_t i, int result)
{
	fake_path_turn(&w->f);
	assert_int_equal(w->q[i].done, 1);
	assert_int_equal(w->q[i].r.result, result);
}

static void
relogin(struct world *w, bool is_silent)
{
	fake_path_down(&w->f, is_silent);
	fake_path_up(&w->f, true);
	fake_target_run(&w->t, &w->f);
}

/* ---- waiting is not failing ---- */

enum temporary {
	T_BUSY,
	T_FULL,
	T_NOT_READY,
	T_TRANSITION,
	T_STANDBY,
	T_ABORTED,
	T_DEFERRED,
	T_TIMEOUT,
	T_TMF,
	T_NO_TARGET,
	T_TASK_ABORTED,
	T_ATTENTION,
	TEMPORARIES
};

static void
answer(struct world *w, enum temporary t)
{
	switch (t) {
	case T_BUSY:
		fake_path_status(&w->f, 0, SENSE_STATUS_BUSY);
		break;
	case T_FULL:
		fake_path_status(&w->f, 0, SENSE_STATUS_TASK_SET_FULL);
		break;
	case T_NOT_READY:
		fake_path_check(&w->f, 0, SENSE_KEY_NOT_READY, 0x04, 0x01);
		break;
	case T_TRANSITION:
		fake_path_check(&w->f, 0, SENSE_KEY_NOT_READY, 0x04, 0x0a);
		break;
	case T_STANDBY:
		fake_path_check(&w->f, 0, SENSE_KEY_NOT_READY, 0x04, 0x0b);
		break;
	case T_ABORTED:
		fake_path_check(&w->f, 0, SENSE_KEY_ABORTED_COMMAND, 0x47, 0x03);
		break;
	case T_DEFERRED:
		fake_path_deferred(&w->f, 0, SENSE_KEY_MEDIUM_ERROR, 0x0c, 0x00);
		break;
	case T_TIMEOUT:
		fake_path_result(&w->f, 0, REQ_TIMEOUT);
		break;
	case T_TMF:
		fake_path_result(&w->f, 0, REQ_ABORTED);
		break;
	case T_NO_TARGET:
		fake_path_result(&w->f, 0, REQ_NO_TARGET);
		break;
	case T_TASK_ABORTED:
		fake_path_status(&w->f, 0, SENSE_STATUS_TASK_ABORTED);
		break;
	case T_ATTENTION:
		fake_path_check(&w->f, 0, SENSE_KEY_UNIT_ATTENTION, 0xc0, 0x00);
		break;
	case TEMPORARIES:
		break;
	}
}

/* Answered so until `until`; how often it was sent. */
static unsigned
keep_answering(struct world *w, enum temporary t, uint64_t until)
{
	unsigned sent = 0;

	while (w->f.agenda.now_us < until && w->q[0].done == 0) {
		fake_target_run(&w->t, &w->f);
		for (; w->f.n > 0; sent++)
			answer(w, t);
		fake_path_pass(&w->f, 10000);
	}
	return sent;
}

static void
what_passes_within_the_promise_is_waited_for(void **state)
{
	static const enum blk_op op[] = { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_WRITE_ZEROES };
	struct world w;

	(void)state;
	for (enum temporary t = 0; t < TEMPORARIES; t++)
		for (size_t i = 0; i < sizeof op / sizeof *op; i++) {
			unsigned sent;

			start(&w, 1);
			submit(&w, 0, 0, op[i]);
			sent = keep_answering(&w, t, w.f.agenda.now_us + 90 * SECOND);
			/* With pauses: no more than one in two seconds at the end. */
			assert_true(sent >= 40 && sent < 80);
			assert_int_equal(w.q[0].done, 0);
			fake_path_pass(&w.f, 2 * SECOND);
			assert_int_equal(w.f.n, 1);
			fake_path_good(&w.f, 0);
			/* A flush tells of the deferred error. */
			expect_end(&w, 0, t == T_DEFERRED && op[i] == BLK_FLUSH ? -EIO : 0);
			end(&w);
		}
}

static void
what_does_not_pass_fails_at_the_end_of_the_promise(void **state)
{
	struct world w;

	(void)state;
	for (enum temporary t = 0; t < TEMPORARIES; t++) {
		uint64_t began;

		start(&w, 1);
		submit(&w, 0, 0, BLK_WRITE);
		began = w.f.agenda.now_us;
		(void)keep_answering(&w, t, began + 10 * PROMISE);
		assert_int_equal(w.q[0].r.result, -EIO);
		assert_true(w.f.agenda.now_us - began >= PROMISE);
		assert_true(w.f.agenda.now_us - began < PROMISE + 3 * SECOND);
		end(&w);
	}
}

static void
what_is_permanent_fails_at_once(void **state)
{
	static const struct {
		uint8_t key, asc, ascq;
		int error;
	} bad[] = { { 3, 0x11, 0, -EIO }, { 4, 0x44, 0, -EIO }, { 7, 0x27, 0, -EROFS },
		{ 7, 0x27, 7, -ENOSPC }, { 5, 0x24, 0, -EIO }, { 0xe, 0x1d, 0, -EIO },
		{ 2, 0x04, 0x03, -EIO }, { 2, 0x3a, 0, -EIO } };
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		start(&w, 1);
		submit(&w, 0, 0, BLK_WRITE);
		fake_path_check(&w.f, 0, bad[i].key, bad[i].asc, bad[i].ascq);
		expect_end(&w, 0, bad[i].error);
		end(&w);
	}
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_status(&w.f, 0, SENSE_STATUS_RESERVATION_CONFLICT);
	expect_end(&w, 0, -EIO);
	end(&w);
}

static void
an_outage_within_the_promise_fails_nothing_and_keeps_the_order(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	for (size_t i = 0; i < 2 * SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	assert_int_equal(w.f.n, SLOTS);
	fake_path_good(&w.f, 3);
	fake_path_down(&w.f, true);
	submit(&w, 0, 2 * SLOTS, BLK_WRITE);
	fake_path_pass(&w.f, PROMISE - SECOND);
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	/* The oldest first, lost ones and those that never left alike. */
	for (size_t i = 0; i <= 2 * SLOTS; i++) {
		if (i == 3)
			continue;
		assert_int_equal(lba(&w, 0), i);
		fake_path_good(&w.f, 0);
	}
	fake_path_turn(&w.f);
	for (size_t i = 0; i <= 2 * SLOTS; i++)
		expect_end(&w, i, 0);
	assert_int_equal(lu_counts(w.u[0]).failed_offline, 0);
	end(&w);
}

static void
the_promise_counts_from_when_a_request_first_could_not_go_on(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_pass(&w.f, 20 * SECOND); /* under way: that is the target's time */
	fake_path_down(&w.f, true);
	fake_path_pass(&w.f, 60 * SECOND);
	submit(&w, 0, 1, BLK_WRITE);
	/* Logins in between that get no work done begin nothing anew. */
	fake_path_up(&w.f, true);
	fake_path_pass(&w.f, 30 * SECOND);
	fake_path_down(&w.f, true);
	fake_path_pass(&w.f, 29 * SECOND);
	assert_int_equal(w.q[0].done, 0);
	fake_path_pass(&w.f, 2 * SECOND);
	expect_end(&w, 0, -EIO);
	assert_int_equal(lu_counts(w.u[0]).failed_offline, 1);
	fake_path_pass(&w.f, 58 * SECOND);
	assert_int_equal(w.q[1].done, 0);
	fake_path_pass(&w.f, 2 * SECOND);
	expect_end(&w, 1, -EIO);
	end(&w);
}

static void
waiting_for_a_slot_does_not_count(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	for (size_t i = 0; i <= SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	fake_path_pass(&w.f, 2 * PROMISE);
	for (size_t i = 0; i <= SLOTS; i++)
		fake_path_good(&w.f, 0);
	fake_path_turn(&w.f);
	for (size_t i = 0; i <= SLOTS; i++)
		expect_end(&w, i, 0);
	end(&w);
}

static void
for_ever_is_for_ever(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	w.f.path.replacement_us = UINT64_MAX;
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_down(&w.f, true);
	fake_path_pass(&w.f, 1000 * PROMISE);
	assert_int_equal(w.q[0].done, 0);
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	end(&w);
}

static void
a_path_given_up_fails_what_waits_and_what_comes(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_down(&w.f, true);
	submit(&w, 0, 1, BLK_WRITE);
	fake_path_give_up(&w.f);
	submit(&w, 0, 2, BLK_WRITE);
	for (size_t i = 0; i < 3; i++)
		expect_end(&w, i, -EIO);
	assert_int_equal(lu_counts(w.u[0]).failed_offline, 3);
	fake_path_up(&w.f, true);
	fake_target_run(&w.t, &w.f);
	submit(&w, 0, 3, BLK_WRITE);
	fake_path_good(&w.f, 0);
	expect_end(&w, 3, 0);
	end(&w);
}

static void
a_flush_has_the_whole_promise_and_a_write_its_time_limit(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	submit(&w, 0, 1, BLK_FLUSH);
	submit(&w, 0, 2, BLK_WRITE_ZEROES);
	assert_int_equal(fake_path_req(&w.f, 0)->timeout_ms, 30000);
	assert_int_equal(fake_path_req(&w.f, 1)->timeout_ms, 120000);
	assert_int_equal(fake_path_req(&w.f, 2)->timeout_ms, 120000);
	w.f.path.replacement_us = SECOND;
	submit(&w, 0, 3, BLK_FLUSH);
	assert_int_equal(fake_path_req(&w.f, 3)->timeout_ms, 60000);
	end(&w);
}

static void
a_late_command_that_has_not_left_is_taken_back(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_status(&w.f, 0, SENSE_STATUS_BUSY);
	fake_path_pass(&w.f, SECOND);
	assert_int_equal(w.f.n, 1);
	w.f.is_unsendable = true;
	fake_path_pass(&w.f, PROMISE);
	assert_int_equal(w.f.withdrawn, 1);
	fake_path_result(&w.f, 0, REQ_UNSENT);
	expect_end(&w, 0, -EIO);
	assert_int_equal(lu_state(w.u[0]), LU_SAME);
	end(&w);
}

static void
what_has_not_left_is_taken_back_when_the_unit_is_doubted(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	w.f.is_unsendable = true;
	submit(&w, 0, 0, BLK_WRITE);
	lu_doubt(w.u[0]);
	assert_int_equal(w.f.withdrawn, 1);
	fake_path_result(&w.f, 0, REQ_UNSENT);
	w.units[0].naa = 0x5000000000000099;
	fake_target_run(&w.t, &w.f);
	expect_end(&w, 0, -EIO);
	end(&w);
}

static void
a_pause_of_one_request_does_not_hold_others(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	for (unsigned i = 0; i < 8; i++) {
		fake_path_check(&w.f, 0, SENSE_KEY_ABORTED_COMMAND, 0x4b, 0x00);
		submit(&w, 0, 1, BLK_WRITE);
		assert_int_equal(lba(&w, 0), 1);
		fake_path_good(&w.f, 0);
		expect_end(&w, 1, 0);
		fake_path_pass(&w.f, 2 * SECOND);
	}
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	end(&w);
}

static void
a_full_queue_is_cut_and_grows_back(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	for (size_t i = 0; i < 4; i++)
		submit(&w, 0, i, BLK_READ);
	fake_path_status(&w.f, 0, SENSE_STATUS_TASK_SET_FULL);
	submit(&w, 0, 4, BLK_READ);
	assert_int_equal(w.f.n, 3); /* that is all that the unit takes now */
	fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 3);
	fake_path_pass(&w.f, SECOND);
	assert_int_equal(w.f.n, 3);
	while (w.f.n > 0)
		fake_path_good(&w.f, 0);
	/* Five good answers since: one more than three is tried. */
	for (size_t i = 10; i < 20; i++)
		submit(&w, 0, i, BLK_READ);
	assert_int_equal(w.f.n, 4);
	for (size_t i = 0; i < 10; i++)
		fake_path_good(&w.f, 0);
	end(&w);
}

/* ---- a poisoned command falls alone ---- */

/* Connections that end whenever block `poison` is among what is sent, until `n` requests are done.
 */
static unsigned
play_poison(struct world *w, uint32_t poison, size_t n)
{
	unsigned losses = 0;

	for (;;) {
		size_t done = 0, bad = w->f.n;

		for (size_t i = 0; i < w->f.n; i++)
			if (!fake_is_question(w->f.out[i]) && lba(w, i) == poison)
				bad = i;
		if (bad < w->f.n) {
			losses++;
			relogin(w, false);
		} else if (w->f.n > 0) {
			fake_path_good(&w->f, 0);
		}
		fake_path_turn(&w->f);
		for (size_t i = 0; i < n; i++)
			done += w->q[i].done;
		if (done == n)
			return losses;
		assert_true(losses < 100);
	}
}

static void
a_command_that_ends_connections_fails_alone_after_five_tries(void **state)
{
	struct world w;

	(void)state;
	for (size_t poison = 0; poison < 3 * SLOTS; poison += 7) {
		start(&w, 3);
		for (size_t i = 0; i < 3 * SLOTS; i++)
			submit(&w, i % 3, i, BLK_WRITE);
		assert_int_equal(play_poison(&w, (uint32_t)poison, 3 * SLOTS), 5);
		for (size_t i = 0; i < 3 * SLOTS; i++)
			expect_end(&w, i, i == poison ? -EIO : 0);
		end(&w);
	}
}

static void
losses_that_are_silence_cost_no_try(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	for (unsigned i = 0; i < 50; i++) {
		relogin(&w, true);
		assert_int_equal(w.f.n, 1);
	}
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	end(&w);
}

static void
a_suspect_flies_alone_in_the_whole_session(void **state)
{
	struct world w;

	(void)state;
	start(&w, 2);
	submit(&w, 0, 0, BLK_WRITE);
	submit(&w, 1, 1, BLK_WRITE);
	relogin(&w, false);
	assert_int_equal(w.f.n, 2);
	relogin(&w, false);
	/* Both are suspects now. */
	assert_int_equal(w.f.n, 1);
	assert_non_null(w.f.path.on_trial);
	submit(&w, 0, 2, BLK_WRITE);
	submit(&w, 1, 3, BLK_WRITE);
	assert_int_equal(w.f.n, 1);
	fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 1);
	fake_path_good(&w.f, 0);
	assert_null(w.f.path.on_trial);
	assert_int_equal(w.f.n, 2);
	fake_path_good(&w.f, 0);
	fake_path_good(&w.f, 0);
	fake_path_turn(&w.f);
	for (size_t i = 0; i < 4; i++)
		expect_end(&w, i, 0);
	end(&w);
}

static void
an_answer_against_the_protocol_is_tried_five_times(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_READ);
	for (unsigned i = 0; i < RETRY_TRIES; i++) {
		assert_int_equal(w.f.n, 1);
		fake_path_result(&w.f, 0, REQ_VIOLATION);
		fake_path_pass(&w.f, 3 * SECOND);
	}
	expect_end(&w, 0, -EIO);
	end(&w);
}

/* ---- fences ---- */

/* The old nexus is alive after this login. */
static void
move_elsewhere(struct world *w)
{
	fake_path_down(&w->f, true);
	fake_path_up(&w->f, false);
	fake_target_run(&w->t, &w->f);
}

static void
nothing_newer_lands_where_an_old_write_may(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	move_elsewhere(&w);
	assert_int_equal(w.f.n, 1); /* itself: at once */
	fake_path_good(&w.f, 0);
	expect_end(&w, 0, 0);
	fake_submit(w.u[0], &w.q[1], BLK_WRITE, 0, 512, false);
	fake_submit(w.u[0], &w.q[2], BLK_READ, 0, 512, false);
	fake_submit(w.u[0], &w.q[3], BLK_WRITE, 512, 512, false);
	fake_submit(w.u[0], &w.q[4], BLK_WRITE_ZEROES, 0, 4096, false);
	assert_int_equal(w.f.n, 2); /* the read, and the write beside */
	while (w.f.n > 0)
		fake_path_good(&w.f, 0);
	fake_path_pass(&w.f, 23 * SECOND);
	assert_int_equal(w.f.n, 0);
	w.f.path.dead_nexus = 1;
	lu_path_fenced(w.u[0]);
	assert_int_equal(w.f.n, 2);
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[0], CDB_WRITE_10);
	fake_path_good(&w.f, 0);
	fake_path_good(&w.f, 0);
	expect_end(&w, 1, 0);
	expect_end(&w, 4, 0);
	end(&w);
}

static void
the_shadow_stays_when_its_write_fails_by_its_deadline(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_down(&w.f, true);
	fake_path_pass(&w.f, PROMISE);
	expect_end(&w, 0, -EIO);
	fake_path_up(&w.f, false);
	fake_target_run(&w.t, &w.f);
	submit(&w, 0, 0, BLK_WRITE);
	assert_int_equal(w.f.n, 0);
	w.f.path.dead_nexus = 1;
	lu_path_fenced(w.u[0]);
	assert_int_equal(w.f.n, 1);
	end(&w);
}

static void
a_login_that_ends_the_old_nexus_leaves_no_shadow(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_submit(w.u[0], &w.q[1], BLK_WRITE, 0, 512, false);
	relogin(&w, true);
	assert_int_equal(w.f.n, 2);
	end(&w);
}

static void
a_command_that_the_target_no_longer_has_casts_no_shadow(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	submit(&w, 0, 0, BLK_WRITE);
	fake_path_result(&w.f, 0, REQ_TIMEOUT);
	fake_submit(w.u[0], &w.q[1], BLK_WRITE, 0, 512, false);
	assert_int_equal(w.f.n, 1);
	end(&w);
}

/* ---- what a cache lost ---- */

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

/* ---- slots ---- */

static void
a_stalled_unit_leaves_room_for_its_neighbours(void **state)
{
	struct world w;
	size_t stalled;

	(void)state;
	start(&w, 3);
	for (size_t i = 0; i < 2 * SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	stalled = w.f.n;
	assert_true(stalled > SLOTS / 3 && stalled < SLOTS);
	/* It says nothing for 35 s; the others go on meanwhile. */
	for (size_t turn = 0; turn < 35; turn++) {
		for (size_t k = 1; k < 3; k++)
			submit(&w, k, 2 * SLOTS + k, BLK_READ);
		assert_int_equal(w.f.n, stalled + 2);
		assert_true(is_of(&w, stalled, 1) && is_of(&w, stalled + 1, 2));
		fake_path_good(&w.f, stalled);
		fake_path_good(&w.f, stalled);
		fake_path_pass(&w.f, SECOND);
	}
	/* There is always one more for a question. */
	lu_doubt(w.u[1]);
	assert_int_equal(w.f.n, stalled + 1);
	fake_target_run(&w.t, &w.f);
	end(&w);
}

static void
a_unit_alone_has_all_slots_but_one(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	for (size_t i = 0; i < 2 * SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	assert_int_equal(w.f.n, SLOTS);
	pool_window(w.f.path.pool, 4);
	for (size_t i = 0; i < SLOTS - 3; i++)
		fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 3);
	fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 3);
	pool_window(w.f.path.pool, 8);
	assert_int_equal(w.f.n, 7);
	end(&w);
}

static void
slots_are_shared_fairly_by_those_that_want_them(void **state)
{
	unsigned had[2] = { 0 };
	struct world w;

	(void)state;
	start(&w, 2);
	for (size_t i = 0; i < 32; i++)
		submit(&w, 0, i, BLK_WRITE);
	for (size_t i = 32; i < 64; i++)
		submit(&w, 1, i, BLK_WRITE);
	/* What was borrowed is given back as commands complete. */
	for (size_t i = 0; i < SLOTS; i++)
		fake_path_good(&w.f, 0);
	for (size_t i = 0; i < w.f.n; i++)
		had[fake_path_req(&w.f, i)->lun[1]]++;
	assert_int_equal(had[0] + had[1], SLOTS);
	assert_true(had[0] >= SLOTS / 2 - 2 && had[1] >= SLOTS / 2 - 2);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_passes_within_the_promise_is_waited_for),
		cmocka_unit_test(what_does_not_pass_fails_at_the_end_of_the_promise),
		cmocka_unit_test(what_is_permanent_fails_at_once),
		cmocka_unit_test(an_outage_within_the_promise_fails_nothing_and_keeps_the_order),
		cmocka_unit_test(the_promise_counts_from_when_a_request_first_could_not_go_on),
		cmocka_unit_test(waiting_for_a_slot_does_not_count),
		cmocka_unit_test(for_ever_is_for_ever),
		cmocka_unit_test(a_path_given_up_fails_what_waits_and_what_comes),
		cmocka_unit_test(a_flush_has_the_whole_promise_and_a_write_its_time_limit),
		cmocka_unit_test(a_late_command_that_has_not_left_is_taken_back),
		cmocka_unit_test(what_has_not_left_is_taken_back_when_the_unit_is_doubted),
		cmocka_unit_test(a_pause_of_one_request_does_not_hold_others),
		cmocka_unit_test(a_full_queue_is_cut_and_grows_back),
		cmocka_unit_test(a_command_that_ends_connections_fails_alone_after_five_tries),
		cmocka_unit_test(losses_that_are_silence_cost_no_try),
		cmocka_unit_test(a_suspect_flies_alone_in_the_whole_session),
		cmocka_unit_test(an_answer_against_the_protocol_is_tried_five_times),
		cmocka_unit_test(nothing_newer_lands_where_an_old_write_may),
		cmocka_unit_test(the_shadow_stays_when_its_write_fails_by_its_deadline),
		cmocka_unit_test(a_login_that_ends_the_old_nexus_leaves_no_shadow),
		cmocka_unit_test(a_command_that_the_target_no_longer_has_casts_no_shadow),
		cmocka_unit_test(a_cache_lost_with_unflushed_writes_fails_the_next_flush_once),
		cmocka_unit_test(a_reset_that_need_not_be_a_power_loss_is_only_said),
		cmocka_unit_test(what_was_flushed_or_had_no_cache_is_not_lost),
		cmocka_unit_test(a_write_answered_after_the_flush_was_sent_is_still_in_the_cache),
		cmocka_unit_test(a_loss_told_to_a_question_counts_too),
		cmocka_unit_test(a_deferred_error_fails_the_next_flush_not_the_command_at_hand),
		cmocka_unit_test(fua_by_a_flush_writes_again_when_the_cache_was_lost_in_between),
		cmocka_unit_test(a_stalled_unit_leaves_room_for_its_neighbours),
		cmocka_unit_test(a_unit_alone_has_all_slots_but_one),
		cmocka_unit_test(slots_are_shared_fairly_by_those_that_want_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
