/*
 * Whole worlds by chance: a few units over one path, a user of each, a target and a
 * network that do what they may (sim.h).  After every event the rules are
 * checked; at the end everything is well again, and all must go on.
 *
 * usage: test_lu_world [SEED [COUNT]], or LU_SEED in the environment: that world, or so many from
 * it on.
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
#include "lu/sim.h"

#define WORLDS 3000
#define EVENTS 1200
#define SECOND 1000000ull

static uint64_t first_seed = 1;
static unsigned worlds = WORLDS;

void
sim_trace(const struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->is_traced)
		return;
	(void)printf(
	    "%5llu %12.3f ms  ", (unsigned long long)s->tick, (double)s->agenda.now_us / 1000);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)printf("\n");
}

const char *
sim_state_name(enum lu_state s)
{
	static const char *const names[] = {
#define LU_STATE(id, text) [LU_##id] = text,
#include "lu/lu_fsm.def"
	};

	return names[s];
}

void
sim_fail(struct sim *s, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	print_error("seed %llu, event %llu: %s\n", (unsigned long long)s->seed,
	    (unsigned long long)s->tick, text);
	fail();
	abort(); /* fail() does not return */
}

/* ---- the path's owner ---- */

static struct sim_path *
of(struct path *p)
{
	return LIST_ENTRY(p, struct sim_path, path);
}

static void
notice(struct path *p, struct lunpath *from, enum path_notice what)
{
	struct sim *s = of(p)->s;

	for (unsigned i = 0; what == PATH_UNITS_CHANGED && i < SIM_PLACES; i++)
		if (sim_way(s, i, of(p)->i) != from)
			lunpath_doubt(sim_way(s, i, of(p)->i));
}

static void
overheard(struct path *p, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		(void)lunpath_overheard(sim_way(of(p)->s, i, of(p)->i), lun, s);
}

static void
worked(struct path *p)
{
	(void)p;
}

static void
say(struct path *p, enum say_level level, const char *sentence)
{
	(void)level;
	sim_trace(of(p)->s, "%s", sentence);
}

static const struct path_ops path_ops = {
	.submit = sim_submit,
	.withdraw = sim_withdraw,
	.notice = notice,
	.overheard = overheard,
	.learned = worked,
	.worked = worked,
	.say = say,
};

static void
moved(void *user, struct lu *u, enum lu_state from, const struct fault *why)
{
	sim_trace(user, "unit %u: %s -> %s (%s)", lu_info(u)->number, sim_state_name(from),
	    sim_state_name(lu_state(u)), why != NULL ? why->message : "");
}

static const struct lu_ops lu_ops = { .moved = moved };

/* ---- users ---- */

static void
done(struct blk_req *r)
{
	sim_book_end(r->user, LIST_ENTRY(r, struct sim_req, r));
}

static void
submit(struct sim *s, struct sim_req *q, unsigned place, enum blk_op op, unsigned first, unsigned n)
{
	*q = (struct sim_req){ .is_out = true,
		.place = place,
		.first = first,
		.n = n,
		.start = ++s->tick,
		.since_us = s->agenda.now_us,
		.is_poison = !s->is_healed && sim_chance(s, s->p_poison) };
	if (q->is_poison && s->has_slow_poison)
		q->fuse_us = sim_random(s, SIM_FUSE_US);
	q->r = (struct blk_req){ .op = op,
		.fua = op == BLK_WRITE && sim_chance(s, 200),
		.offset = op == BLK_FLUSH ? 0 : 512ull * first,
		.len = op == BLK_FLUSH ? 0 : 512ull * n,
		.buf = q->buf,
		.done = done,
		.user = s };
	if (op != BLK_READ && op != BLK_FLUSH)
		q->write = sim_book_write(s, q);
	q->was_other = lu_state(s->u[place]) == LU_OTHER;
	sim_trace(s, "submit unit %u op %d block %u+%u write %u order %llu%s", place, op, first, n,
	    q->write, (unsigned long long)s->u[place]->order, q->is_poison ? " poison" : "");
	lu_blk(s->u[place])->submit(lu_blk(s->u[place]), &q->r);
}

static void
submit_something(struct sim *s)
{
	static const enum blk_op ops[] = { BLK_READ, BLK_READ, BLK_READ, BLK_WRITE, BLK_WRITE,
		BLK_WRITE, BLK_WRITE, BLK_FLUSH, BLK_WRITE_ZEROES };
	unsigned place = (unsigned)sim_random(s, SIM_PLACES);
	enum blk_op op = ops[sim_random(s, sizeof ops / sizeof *ops)];
	unsigned n = 1 + (unsigned)sim_random(s, 3);
	struct sim_req *q = &s->reqs[place][sim_random(s, SIM_REQS)];

	if (!q->is_out && s->n_writes < SIM_WRITES - 100)
		submit(s, q, place, op, (unsigned)sim_random(s, SIM_BLOCKS - n + 1), n);
}

/* ---- events ---- */

static uint64_t
next_us(const struct sim *s)
{
	uint64_t agenda = agenda_next_us(&s->agenda), fuse = sim_fuse_us(s);

	return agenda < fuse ? agenda : fuse;
}

static void
pass(struct sim *s, uint64_t us)
{
	uint64_t end = s->agenda.now_us + us;

	for (uint64_t next; (next = next_us(s)) <= end;) {
		if (next > s->agenda.now_us)
			s->agenda.now_us = next;
		sim_fire(s);
		agenda_run(&s->agenda);
	}
	s->agenda.now_us = end;
	sim_late(s);
	agenda_run(&s->agenda);
}

static void
some_time(struct sim *s)
{
	if (sim_chance(s, s->p_short))
		pass(s, sim_random(s, 20000));
	else if (sim_chance(s, 900))
		pass(s, sim_random(s, 2 * SECOND));
	else
		pass(s, sim_random(s, 20 * SECOND));
}

static void
path_event(struct sim *s)
{
	struct sim_path *w = &s->path[sim_random(s, s->n_paths)];
	struct path *p = &w->path;

	if (p->dead_nexus + p->is_up < p->nexus && (p->is_up || s->n_paths > 1) &&
	    sim_chance(s, s->p_fence))
		sim_fence(s, w);
	else if (p->is_up && sim_chance(s, s->p_loss))
		sim_lose(s, w, s->only_poison_ends || sim_chance(s, 500));
	else if (!p->is_up && sim_chance(s, s->p_login))
		sim_login(s, w, !sim_chance(s, s->p_move));
	if (!p->is_up && !p->is_given_up && s->agenda.now_us - w->down_us >= p->replacement_us) {
		p->is_given_up = true;
		for (unsigned i = 0; i < SIM_PLACES; i++)
			lunpath_given_up(sim_way(s, i, w->i));
		agenda_run(&s->agenda);
	}
}

/* Its port is something else, or a person does something about it. */
static void
access_event(struct sim *s)
{
	static const enum alua_state states[] = { ALUA_ACTIVE_OPTIMIZED, ALUA_ACTIVE_NON_OPTIMIZED,
		ALUA_STANDBY, ALUA_TRANSITIONING, ALUA_UNAVAILABLE };
	struct sim_path *w = &s->path[sim_random(s, s->n_paths)];

	if (s->n_paths < 2 || !sim_chance(s, s->p_access))
		return;
	sim_access(s, w, states[sim_random(s, sizeof states / sizeof *states)]);
	if (sim_chance(s, 300))
		lunpath_fail(sim_way(s, (unsigned)sim_random(s, SIM_PLACES), w->i));
	if (sim_chance(s, 500))
		lunpath_restore(sim_way(s, (unsigned)sim_random(s, SIM_PLACES), w->i));
}

static void
target_event(struct sim *s)
{
	unsigned place = (unsigned)sim_random(s, SIM_PLACES);

	if (sim_chance(s, s->p_change)) {
		if (s->at[place] != place)
			sim_swap(s, place, place);
		else
			sim_swap(s, place,
			    (unsigned)(SIM_PLACES + sim_random(s, SIM_DISKS - SIM_PLACES + 1)));
	}
	if (sim_chance(s, s->p_reset))
		sim_reset(s);
	if (sim_chance(s, s->p_stall))
		s->is_stalled[place] = !s->is_stalled[place];
	if (sim_chance(s, s->p_change)) {
		s->window = 1 + (unsigned)sim_random(s, 8);
		for (unsigned i = 0; i < s->n_paths; i++)
			pool_window(s->path[i].path.pool, s->window);
	}
	if (sim_chance(s, s->p_change))
		lunpath_doubt(sim_way(s, place, (unsigned)sim_random(s, s->n_paths)));
}

static void
event(struct sim *s)
{
	s->tick++;
	switch (sim_random(s, 8)) {
	case 0:
	case 1:
		submit_something(s);
		break;
	case 2:
		some_time(s);
		break;
	case 3:
		path_event(s);
		target_event(s);
		access_event(s);
		break;
	default:
		(void)sim_step(s);
		break;
	}
	agenda_run(&s->agenda); /* the end of the turn */
	sim_book_check(s);
}

/* ---- a world ---- */

/* A world of little but poison and stalled units, in which there is time for all its tries. */
static void
poison(struct sim *s)
{
	s->only_poison_ends = s->has_slow_poison = true;
	s->p_fault = s->p_change = s->p_reset = 0;
	s->p_loss = 5;
	s->p_poison = 5 + (unsigned)sim_random(s, 50);
	s->p_stall = (unsigned)sim_random(s, 200);
	s->p_move = 0;
	s->p_login = 900;
	s->p_short = 300;
}

static void
begin_paths(struct sim *s)
{
	uint64_t replacement_us = (10 + sim_random(s, 110)) * SECOND;
	unsigned policy = (unsigned)sim_random(s, 5);

	for (unsigned i = 0; i < s->n_paths; i++) {
		s->path[i].s = s;
		s->path[i].i = i;
		s->path[i].path = (struct path){ .ops = &path_ops,
			.agenda = &s->agenda,
			.pool = pool_new(s->window),
			.replacement_us = replacement_us,
			.command_ms = 30000,
			.volatile_loss_fails = true,
			.is_up = true,
			.nexus = 1,
			.policy = (enum path_policy)policy,
			.may_set_groups = sim_chance(s, 700),
			.is_strict = s->is_strict,
			.failback_us = sim_random(s, 3) * 5 * SECOND,
			.is_preferred = i == 1 && sim_chance(s, 300) };
	}
}

static void
begin_units(struct sim *s)
{
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		struct lu_info info = fake_info(i, s->disks[i].naa);

		info.capacity.blocks = SIM_BLOCKS;
		info.capacity.bytes = info.id.size_bytes = SIM_BLOCKS * 512;
		info.mode.is_write_cache_enabled = s->is_cached;
		info.mode.has_fua = s->has_fua;
		s->at[i] = i;
		s->u[i] = lu_new(&s->path[0].path, &info, "c0t0d0", &lu_ops, s);
		if (s->n_paths > 1 && lu_join(s->u[i], &s->path[1].path, &info) == NULL)
			sim_fail(s, "unit %u has no second path", i);
	}
}

static void
begin(struct sim *s, uint64_t seed)
{
	memset(s, 0, sizeof *s);
	s->seed = seed;
	s->is_traced = getenv("LU_TRACE") != NULL;
	s->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (unsigned i = 0; i < 8; i++)
		(void)sim_random(s, 2);
	s->window = 8 + (unsigned)sim_random(s, 9);
	agenda_init(&s->agenda, SECOND);
	s->scratch.path.agenda = &s->agenda;
	s->n_paths = sim_chance(s, 500) ? 1 : SIM_PATHS;
	s->is_strict = sim_chance(s, 300);
	begin_paths(s);
	s->is_cached = sim_chance(s, 700);
	s->has_fua = sim_chance(s, 500);
	s->only_poison_ends = sim_chance(s, 500);
	s->p_fault = sim_chance(s, 300) ? 0 : (unsigned)sim_random(s, 200);
	s->p_loss = sim_chance(s, 300) ? 5 : (unsigned)sim_random(s, 200);
	s->p_change = sim_chance(s, 400) ? 0 : (unsigned)sim_random(s, 150);
	s->p_reset = sim_chance(s, 600) ? 0 : (unsigned)sim_random(s, 60);
	s->p_poison = sim_chance(s, 700) ? 0 : (unsigned)sim_random(s, 15);
	s->has_slow_poison = sim_chance(s, 500);
	s->p_ghost = sim_chance(s, 500) ? 30 : 3;
	s->p_fence = sim_chance(s, 500) ? 100 : 10;
	s->p_move = sim_chance(s, 500) ? 200 : 900;
	s->p_stall = s->p_change;
	s->p_login = 150;
	s->p_short = 900;
	s->p_access = sim_chance(s, 300) ? 0 : (unsigned)sim_random(s, 200);
	if (sim_chance(s, 200))
		poison(s);
	for (unsigned i = 0; i < SIM_DISKS; i++)
		s->disks[i].naa = UINT64_C(0x5000000000000001) + i;
	begin_units(s);
}

static bool
is_busy(const struct sim *s)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		for (size_t k = 0; k < SIM_REQS; k++)
			if (s->reqs[i][k].is_out)
				return true;
	return false;
}

/* Run without faults until no request is out and all units are the same. */
static void
settle(struct sim *s, uint64_t limit_us)
{
	uint64_t end = s->agenda.now_us + limit_us;
	bool is_same = false;

	while (is_busy(s) || !is_same) {
		s->tick++;
		for (; sim_step(s); s->tick++)
			agenda_run(&s->agenda);
		pass(s, 10000);
		sim_book_check(s);
		is_same = true;
		for (unsigned i = 0; i < SIM_PLACES; i++)
			is_same = is_same && lu_state(s->u[i]) == LU_SAME;
		if (s->agenda.now_us > end)
			sim_fail(s, "it does not go on although all is well");
		for (unsigned i = 0; i < s->n_paths; i++)
			if (!s->path[i].path.is_up)
				sim_login(s, &s->path[i], true);
	}
}

static void
heal_path(struct sim *s, struct sim_path *w)
{
	pool_window(w->path.pool, s->window);
	w->access = ALUA_ACTIVE_OPTIMIZED;
	if (!w->path.is_up)
		sim_login(s, w, true);
	sim_fence(s, w);
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		w->change[i] = w->is_mute[i] ? 0x0e : w->change[i];
		w->is_mute[i] = false;
		lunpath_restore(sim_way(s, i, w->i));
	}
}

static void
heal(struct sim *s)
{
	s->is_healed = true;
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		s->is_stalled[i] = false;
		if (s->at[i] != i)
			sim_swap(s, i, i);
		for (size_t k = 0; k < SIM_REQS; k++)
			s->reqs[i][k].is_poison = false;
	}
	for (size_t i = 0; i < SIM_CMDS; i++)
		if (s->cmds[i].stage == SIM_FUSE)
			s->cmds[i].stage = SIM_THERE;
	s->window = 8;
	for (unsigned i = 0; i < s->n_paths; i++)
		heal_path(s, &s->path[i]);
	settle(s, s->path[0].path.replacement_us + 90 * SECOND);
}

/* What is read in the end, all over; and a unit that is well does all it should. */
static void
read_all(struct sim *s)
{
	for (unsigned turn = 0; turn < 3; turn++) {
		static const enum blk_op ops[] = { BLK_READ, BLK_WRITE, BLK_FLUSH };

		for (unsigned i = 0; i < SIM_PLACES; i++)
			for (unsigned b = 0; b < SIM_BLOCKS; b++) {
				submit(s, &s->reqs[i][b % SIM_REQS], i, ops[turn], b, 1);
				if (b % SIM_REQS == SIM_REQS - 1 || b == SIM_BLOCKS - 1)
					settle(s, 60 * SECOND);
			}
	}
	settle(s, 60 * SECOND);
}

static bool
is_idle(const struct sim *s)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (!lu_is_idle(s->u[i]))
			return false;
	return true;
}

static void
end(struct sim *s)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		lu_close(s->u[i], -ENXIO);
	for (unsigned k = 0; k < 1000 && (k == 0 || !is_idle(s)); k++) {
		pass(s, 10000);
		while (sim_step(s))
			continue;
	}
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		if (!lu_is_idle(s->u[i]))
			sim_fail(s, "unit %u is not idle in the end", i);
		lu_free(s->u[i]);
	}
	for (unsigned i = 0; i < s->n_paths; i++)
		pool_free(s->path[i].path.pool);
	if (agenda_next_us(&s->agenda) != UINT64_MAX)
		sim_fail(s, "something is left to be done");
}

static void
every_world_keeps_the_rules(void **state)
{
	static struct sim s;
	uint64_t ended = 0, failed = 0, swaps = 0, ghosts = 0;

	(void)state;
	for (unsigned i = 0; i < worlds; i++) {
		begin(&s, first_seed + i);
		for (unsigned k = 0; k < EVENTS; k++)
			event(&s);
		heal(&s);
		read_all(&s);
		end(&s);
		ended += s.ended;
		failed += s.failed;
		swaps += s.swaps;
		ghosts += s.ghosts;
	}
	print_message("%u worlds, %llu requests, %llu failed, %llu swaps, %llu late executions\n",
	    worlds, (unsigned long long)ended, (unsigned long long)failed,
	    (unsigned long long)swaps, (unsigned long long)ghosts);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_world_keeps_the_rules) };
	const char *seed = argc > 1 ? argv[1] : getenv("LU_SEED");

	if (seed != NULL) {
		first_seed = strtoull(seed, NULL, 0);
		worlds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
