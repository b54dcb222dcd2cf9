/*
 * A session with a real unit over a target that executes commands late, moves between
 * portal groups, is another unit for a while, and drops connections at any moment:
 * nothing old lands on what is newer, nothing moves on another unit, every request is
 * answered, and once the world behaves all of them with success.
 *
 *   test_session_units [FIRST [COUNT]]   these seeds instead
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "ini/fake_disk.h"
#include "ini/fake_world.h"
#include "ini/session.h"
#include "lu/fake_path.h"

#define SECOND 1000000ull
#define NAA    0x5000000000000001ull
#define STEPS  200

static unsigned long seed_first = 1, seed_count = 150;

/* One request a slot at a time. */
struct slot {
	struct blk_req r;
	bool is_busy;
	uint64_t version, least; /* of a write; the least that a read may see */
	uint8_t data[512];
};

static struct units_test {
	struct fake_world w;
	struct fake_disk disk;
	struct session *s;
	struct lu *u;
	struct slot slot[FAKE_DISK_SLOTS];
	uint64_t version;
	unsigned closes, submitted, answered, failed, late;
} t;

static uint32_t
chance(uint32_t below)
{
	return fake_world_random(&t.w, below);
}

/* ---- the exporter ---- */

static void
done(struct blk_req *r)
{
	struct slot *s = LIST_ENTRY(r, struct slot, r);
	unsigned i = (unsigned)(s - t.slot);

	assert_true(s->is_busy);
	s->is_busy = false;
	t.answered++;
	if (r->result != 0) {
		t.failed++;
		return;
	}
	if (r->op == BLK_WRITE)
		t.disk.answered[i] = s->version;
	if (r->op == BLK_READ)
		assert_true(be_get64(s->data) >= s->least);
}

static void
submit(unsigned i, enum blk_op op)
{
	struct slot *s = &t.slot[i];

	if (s->is_busy)
		return;
	s->is_busy = true;
	s->least = t.disk.answered[i];
	s->version = ++t.version;
	memset(&s->r, 0, sizeof s->r);
	s->r.op = op;
	s->r.offset = i * 512;
	s->r.len = 512;
	s->r.buf = s->data;
	s->r.done = done;
	if (op == BLK_FLUSH) {
		s->r.offset = s->r.len = 0;
		s->r.buf = NULL;
	}
	if (op == BLK_WRITE)
		be_put64(s->data, s->version);
	t.submitted++;
	lu_blk(t.u)->submit(lu_blk(t.u), &s->r);
}

/* ---- the owner ---- */

static void
moved(void *user, const struct session_view *v)
{
	(void)user;
	(void)v;
}

static void
redirected(void *user, const struct settings_redirect *r)
{
	(void)user;
	(void)r;
}

static void
luns_changed(void *user)
{
	(void)user;
}

static void
placed(void *user, const struct fence_place *list, size_t n)
{
	(void)user;
	(void)list;
	(void)n;
	session_kept(t.s);
}

static void
closed(void *user)
{
	(void)user;
	t.closes++;
}

static void
unit_moved(void *user, struct lu *u, enum lu_state from, const struct fault *why)
{
	(void)user;
	(void)u;
	(void)from;
	(void)why;
}

static void
unit_changed(void *user, struct lu *u)
{
	(void)user;
	(void)u;
}

static const struct session_ops session_ops = { moved, redirected, luns_changed, placed, closed };
static const struct lu_ops unit_ops = { unit_moved, unit_changed };

static void
run(uint64_t us)
{
	uint64_t end = t.w.agenda.now_us + us;

	while (fake_world_step(&t.w, end - t.w.agenda.now_us)) {
		const struct path *p = session_path(t.s);

		assert_true(p->is_up == (session_state(t.s) == SESSION_ONLINE));
		assert_true(p->dead_nexus <= p->nexus);
	}
}

static void
begin(uint64_t seed)
{
	struct session_cfg cfg = { .world = &t.w.world,
		.instance = 3,
		.target = "iqn.2026-11.org.openisw:tgt",
		.at = { .host = "192.0.2.1", .port = 3260, .tpgt = -1 },
		.isid = { 0x80, 1, 2, 3, 0, 3 },
		.ops = &session_ops };
	struct lu_info info = fake_info(0, NAA);

	memset(&t, 0, sizeof t);
	fake_world_init(&t.w, seed);
	fake_disk_init(&t.disk, &t.w, NAA);
	t.s = session_new(&cfg, fake_settings());
	info.nexus = 0;
	t.u = lu_new(session_path(t.s), &info, "c3t0d0", &unit_ops, NULL);
	session_add_unit(t.s, t.u);
	session_open(t.s, true, true);
	run(SECOND);
	assert_int_equal(session_state(t.s), SESSION_ONLINE);
	assert_int_equal(lu_state(t.u), LU_SAME);
}

static void
finish(void)
{
	lu_close(t.u, -EIO);
	session_close(t.s);
	run(6 * SECOND);
	assert_int_equal(t.closes, 1);
	assert_true(lu_is_idle(t.u));
	session_remove_unit(t.s, t.u);
	lu_free(t.u);
	session_free(t.s);
	fake_disk_fini(&t.disk);
	fake_world_fini(&t.w);
	assert_int_equal(t.submitted, t.answered);
}

/* ---- the world ---- */

static void
drop(void)
{
	static const int errors[] = { 0, -ECONNRESET, -ETIMEDOUT };

	fake_world_drop(&t.w, errors[chance(3)]);
	run(0);
	/* Only while we are away the target may put another unit there. */
	if (fake_world_lines(&t.w) == 0 && list_empty(&t.disk.held))
		t.disk.is_other = chance(4) == 0;
	t.w.tpgt = chance(2) == 0 ? 1 + chance(3) : t.w.tpgt;
}

static void
target_step(void)
{
	switch (chance(8)) {
	case 0:
		t.disk.holds = chance(2) == 0;
		break;
	case 1:
		t.disk.busy = chance(3);
		break;
	case 2:
		t.disk.attentions = chance(3);
		break;
	case 3:
		t.w.is_silent = chance(4) == 0;
		break;
	case 4:
		t.w.time2retain = chance(25);
		t.w.time2wait = chance(3);
		break;
	case 5:
		t.w.window = 1 + chance(32);
		break;
	case 6:
		t.w.dial = chance(4) == 0 ? FAKE_REFUSES : FAKE_CONNECTS;
		break;
	default:
		drop();
		break;
	}
}

static void
step(void)
{
	static const uint32_t pauses_us[] = { 100, 1000, 1000000, 5000000, 20000000 };

	switch (chance(4)) {
	case 0:
		target_step();
		break;
	case 1:
		run(chance(pauses_us[chance(5)]));
		break;
	default:
		submit(chance(FAKE_DISK_SLOTS), chance(10) == 0  ? BLK_FLUSH
						: chance(2) == 0 ? BLK_WRITE
								 : BLK_READ);
		break;
	}
}

static void
behave(void)
{
	t.w.dial = FAKE_CONNECTS;
	t.w.is_silent = t.disk.holds = false;
	t.disk.busy = t.disk.attentions = 0;
	t.w.time2wait = 0;
	t.w.window = 64;
}

static void
play(uint64_t seed)
{
	unsigned failed;

	begin(seed);
	for (int i = 0; i < STEPS; i++)
		step();
	behave();
	fake_world_drop(&t.w, 0);
	run(0);
	if (fake_world_lines(&t.w) == 0)
		t.disk.is_other = false;
	/* Longer than the promise, a retry, and every fence. */
	run(200 * SECOND);
	assert_int_equal(session_state(t.s), SESSION_ONLINE);
	assert_int_equal(lu_state(t.u), LU_SAME);
	assert_int_equal(t.submitted, t.answered);
	failed = t.failed;
	for (unsigned i = 0; i < FAKE_DISK_SLOTS; i++)
		submit(i, BLK_WRITE);
	run(5 * SECOND);
	for (unsigned i = 0; i < FAKE_DISK_SLOTS; i++)
		submit(i, BLK_READ);
	run(5 * SECOND);
	assert_int_equal(t.submitted, t.answered);
	assert_int_equal(t.failed, failed);
	finish();
}

static void
nothing_old_lands_on_what_is_newer_and_every_request_is_answered(void **state)
{
	(void)state;
	for (unsigned long seed = seed_first; seed < seed_first + seed_count; seed++) {
		if (getenv("WORLD_SEEDS") != NULL)
			printf("seed %lu\n", seed);
		play(seed);
		if (getenv("WORLD_SEEDS") != NULL)
			printf("# requests %u failed %u reads %u writes %u late %u killed %u "
			       "logins %u\n",
			    t.submitted, t.failed, t.disk.reads, t.disk.writes,
			    t.disk.executed_late, t.disk.killed, t.w.logins);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_old_lands_on_what_is_newer_and_every_request_is_answered),
	};

	if (argc > 1)
		seed_first = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed_count = strtoul(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
