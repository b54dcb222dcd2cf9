/*
 * Random schedules: what the network, the target and the owner do comes from a
 * seed, at any moment.  After every step of the clock the laws below hold; and
 * once the world behaves, the session comes online within a bound, works, and closes.
 *
 *   test_session_world [FIRST [COUNT]]   these seeds instead
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

#include "base/cut.h"
#include "ini/fake_owner.h"

#define SECOND 1000000ull
#define STEPS  300
/* The rest of a stuck try, a wait that was planned, the longest Time2Wait of this world. */
#define ONLINE_US (120 * SECOND)

static unsigned long seed_first = 1, seed_count = 300;

static const char *const state_names[] = {
#define SESSION_STATE(id, ...) #id,
#include "ini/session_fsm.def"
};
static struct {
	const char *from, *event, *to;
	unsigned visits;
} rows[] = {
#define SESSION_ROW(from, event, to) { #from, #event, #to, 0 },
#include "ini/session_fsm.def"
};

/* A question that waits for its answer. */
#define QUESTIONS 4096
struct question {
	const char *what;
	uint64_t due_us;
	unsigned answers;
};

static struct world_test {
	struct fake_owner o;
	bool has_chap;
	unsigned right_stamp; /* the question that was answered with yes */
	struct question q[QUESTIONS];
	unsigned n; /* closes that wait are answered together: */
	unsigned closes[QUESTIONS], n_closes;
	/* Tries since the first loss of an outage, or since somebody asked for one. */
	unsigned tries, commands;
	uint64_t tries_us;
} t;

static uint32_t
chance(uint32_t below)
{
	return fake_world_random(&t.o.w, below);
}

/* ---- what is heard and checked ---- */

static void
hear(struct fake_world *w, enum say_level level, const char *sentence)
{
	const char *arrow = strstr(sentence, " -> "), *from = arrow;

	(void)w;
	if (level != SAY_DEBUG || arrow == NULL)
		return;
	while (from[-1] != ' ')
		from--;
	if (strncmp(from, "WAIT -> TRY", 11) == 0 || strncmp(from, "DOWN -> DOWN_TRY", 16) == 0)
		t.tries++;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strncmp(from, rows[i].from, strlen(rows[i].from)) == 0 &&
		    from[strlen(rows[i].from)] == ' ' && strcmp(arrow + 4, rows[i].to) == 0)
			rows[i].visits++;
}

static void
check_questions(void)
{
	uint64_t now = t.o.w.agenda.now_us;

	/* Closes are answered together. */
	if (t.o.closes > 0) {
		t.o.closes = 0;
		for (unsigned i = 0; i < t.n_closes; i++)
			t.q[t.closes[i]].answers++;
		t.n_closes = 0;
	}
	for (unsigned i = 0; i < t.n; i++) {
		if (t.q[i].answers > 1)
			fail_msg("%s was answered %u times", t.q[i].what, t.q[i].answers);
		if (t.q[i].answers == 0 && now > t.q[i].due_us)
			fail_msg("%s was not answered", t.q[i].what);
	}
}

/* After a few quick ones, at most one try in 0.7 seconds. */
static void
check_storm(void)
{
	uint64_t now = t.o.w.agenda.now_us;

	if (t.commands != t.o.w.commands || t.tries == 0) {
		t.commands = t.o.w.commands;
		t.tries = 0;
		t.tries_us = now;
	}
	assert_true(t.tries <= 3 + (now - t.tries_us) / 700000);
}

static void
check(void)
{
	const struct path *p = session_path(t.o.s);
	const struct ini_counts *c = session_counts(t.o.s);
	bool is_online = session_state(t.o.s) == SESSION_ONLINE;

	assert_true(p->is_up == is_online);
	assert_false(is_online && p->is_given_up);
	assert_int_equal(c->unexpected_online + c->unexpected_transient + c->unexpected_offline, 0);
	assert_true(fake_world_lines(&t.o.w) <= 1);
	assert_int_equal(t.o.w.early, 0);
	if (is_online && t.has_chap)
		assert_int_equal(t.right_stamp, t.o.w.query.stamp);
	check_questions();
	check_storm();
}

static void
run(uint64_t us)
{
	uint64_t end = t.o.w.agenda.now_us + us;

	while (fake_world_step(&t.o.w, end - t.o.w.agenda.now_us))
		check();
	check();
}

/* ---- what the owner does ---- */

static unsigned
ask(const char *what, uint64_t within_us)
{
	assert_true(t.n < QUESTIONS);
	t.q[t.n] = (struct question){ what, t.o.w.agenda.now_us + within_us, 0 };
	return t.n++;
}

static void
ponged(void *user, const struct session_ping *ping)
{
	(void)ping;
	((struct question *)user)->answers++;
}

static void
probed(void *user, struct probe_result *r)
{
	(void)r;
	((struct question *)user)->answers++;
}

static void
close_it(void)
{
	/* A probe ends in the turn after its connection. */
	t.closes[t.n_closes++] = ask("a close", SESSION_LOGOUT_US + 100000);
	session_close(t.o.s);
}

static struct settings *
random_settings(void)
{
	static const uint32_t replacement_ms[] = { 0, 5000, 20000, 120000 };
	struct settings *s = fake_settings();
	struct chapcfg_values v = { .initiator_name = s->initiator_name,
		.secret = "0123456789abcdef",
		.method = "CHAP_BI" };

	s->timers.ms[TIMER_replacement] = replacement_ms[chance(4)];
	s->timers.ms[TIMER_nop_interval] = chance(2) == 0 ? 1000 : 5000;
	s->timers.ms[TIMER_nop] = chance(2) == 0 ? 500 : 5000;
	if (chance(8) == 0)
		cut_copy(
		    s->initiator_name, sizeof s->initiator_name, "iqn.2026-11.org.openisw:other");
	s->has_chap = t.has_chap;
	if (t.has_chap) {
		s->offer.auth_method = (struct neg_list){ 1, { NEG_AUTH_CHAP } };
		chapcfg_init(&s->chap, &v, &fake_chap_ops, NULL);
	}
	return s;
}

static void
owner_step(void)
{
	bool is_now;
	unsigned i;

	switch (chance(14)) {
	case 0:
	case 1:
	case 2:
		is_now = chance(4) == 0;
		t.o.w.is_overridden |= is_now;
		t.tries = 0;
		session_open(t.o.s, chance(4) > 0, is_now);
		break;
	case 3:
		if (chance(2) == 0)
			close_it();
		break;
	case 4:
		i = ask("a ping", SESSION_PING_US + 1000);
		assert_true(session_ping(t.o.s, chance(5000), ponged, &t.q[i]));
		break;
	case 5:
		fake_probe_us = chance(2) == 0 ? 1000 : 50 * SECOND;
		t.o.unit[0].asks = chance(2) == 0;
		i = ask("a probe", SESSION_PROBE_US + 1000);
		assert_true(session_probe(t.o.s, probed, &t.q[i]));
		break;
	case 6:
		session_settings(t.o.s, random_settings());
		break;
	case 7:
		session_path(t.o.s)->ops->notice(session_path(t.o.s), lu_first_path(&t.o.unit[0]),
		    chance(2) == 0 ? PATH_UNITS_CHANGED : PATH_LUNS_CHANGED);
		break;
	default:
		fake_lu_asked(&t.o.unit[0]);
		t.o.is_slow = chance(2) == 0;
		if (chance(3) == 0)
			fake_owner_keep(&t.o);
		fake_lu_io(&t.o.unit[chance(2)], 1 + chance(3));
		break;
	}
}

/* ---- what the world does ---- */

static void
answer_query(bool ok, bool is_current)
{
	struct login_run *r = t.o.w.asks;
	struct fault none = { 0 };

	if (r == NULL)
		return;
	if (is_current)
		t.o.w.asks = NULL;
	if (is_current && ok)
		t.right_stamp = t.o.w.query.stamp;
	login_run_verified(r, t.o.w.query.stamp - !is_current, ok, false, &none);
}

static void
target_step(void)
{
	struct fake_world *w = &t.o.w;

	switch (chance(20)) {
	case 0:
		w->login = (enum fake_login)chance(FAKE_LOGIN_SILENT + 1);
		w->status[0] = (uint8_t)(2 + chance(2));
		w->status[1] = (uint8_t)chance(12);
		break;
	case 1:
		w->redirect_for_good = chance(2) == 0;
		cut_copy(w->redirect_to, sizeof w->redirect_to,
		    chance(3) == 0 ? "192.0.2.1" : "192.0.2.7:3261");
		cut_copy(w->redirect_from, sizeof w->redirect_from,
		    chance(3) == 0 ? "192.0.2.7" : "192.0.2.1");
		break;
	case 2:
		w->logout = (enum fake_logout)chance(FAKE_LOGOUT_DROP + 1);
		break;
	case 3:
		w->is_silent = chance(3) == 0;
		break;
	case 4:
		w->is_commandless = chance(3) == 0;
		break;
	case 5:
		w->tpgt = 1;
		w->time2wait = chance(3);
		w->time2retain = chance(30);
		w->window = chance(64);
		break;
	case 6:
		fake_world_async(
		    w, (uint8_t)chance(7), 0, (uint16_t)chance(20), (uint16_t)chance(20), 0x3f0e);
		break;
	case 7:
		answer_query(chance(3) > 0, true);
		break;
	case 8:
		answer_query(true, false);
		break;
	case 9:
		(void)session_renew(t.o.s);
		break;
	default:
		answer_query(true, true);
		w->login = FAKE_LOGIN_OK;
		break;
	}
}

static void
network_step(void)
{
	static const int errors[] = { 0, -ECONNRESET, -ETIMEDOUT };
	struct fake_world *w = &t.o.w;

	switch (chance(8)) {
	case 0:
		w->dial = (enum fake_dial)chance(FAKE_NEVER_ANSWERS + 1);
		break;
	case 1:
		w->dial_us = chance(3) == 0 ? chance(15000000) : 1000;
		break;
	case 2:
		w->answer_us = chance(3) == 0 ? chance(3000000) : 200;
		break;
	case 3:
	case 4:
		w->dial = FAKE_CONNECTS;
		w->answer_us = 200;
		break;
	default:
		fake_world_drop(w, errors[chance(3)]);
		break;
	}
}

static void
step(void)
{
	static const uint32_t pauses_us[] = { 0, 100, 1000, 100000, 1000000, 1000000, 10000000,
		60000000 };

	switch (chance(4)) {
	case 0:
		owner_step();
		break;
	case 1:
		target_step();
		break;
	case 2:
		network_step();
		break;
	default:
		run(chance(pauses_us[chance(8)] + 1));
		break;
	}
	run(0);
}

/* ---- once the world behaves ---- */

static void
behave(void)
{
	struct fake_world *w = &t.o.w;

	w->dial = FAKE_CONNECTS;
	w->dial_us = 1000;
	w->answer_us = 200;
	w->login = FAKE_LOGIN_OK;
	w->logout = FAKE_LOGOUT_OK;
	w->is_silent = w->is_commandless = false;
	w->window = 64;
	w->time2wait = 2;
}

static void
come_online(void)
{
	uint64_t end = t.o.w.agenda.now_us + ONLINE_US;

	session_open(t.o.s, true, false);
	while (session_state(t.o.s) != SESSION_ONLINE) {
		answer_query(true, true);
		if (!fake_world_step(&t.o.w, end - t.o.w.agenda.now_us))
			fail_msg(
			    "it did not come online, but is %s", state_names[session_state(t.o.s)]);
		check();
	}
}

static void
liveness(void)
{
	unsigned before, done = t.o.unit[0].done;

	behave();
	if (t.n_closes > 0)
		run(SESSION_LOGOUT_US + 200000);
	/* An old connection may end yet: nothing on it was ever answered. */
	come_online();
	fake_world_drop(&t.o.w, 0);
	run(0);
	come_online();
	fake_lu_io(&t.o.unit[0], 1);
	run(SECOND);
	assert_true(t.o.unit[0].done > done);
	assert_int_equal(session_state(t.o.s), SESSION_ONLINE);
	before = t.o.w.logouts;
	close_it();
	run(SECOND);
	assert_int_equal(session_state(t.o.s), SESSION_CLOSED);
	assert_int_equal(t.o.w.logouts, before + 1);
	assert_int_equal(t.n_closes, 0);
	run(40 * SECOND);
}

static void
play(uint64_t seed)
{
	memset(&t, 0, sizeof t);
	t.has_chap = seed % 3 == 0;
	fake_owner_init_with(&t.o, seed, 2, fake_settings());
	t.o.w.hear = hear;
	t.o.w.wants_chap = t.has_chap;
	session_settings(t.o.s, random_settings());
	for (int i = 0; i < STEPS; i++)
		step();
	liveness();
	fake_owner_fini(&t.o);
}

static void
laws_hold_in_every_world(void **state)
{
	(void)state;
	for (unsigned long seed = seed_first; seed < seed_first + seed_count; seed++) {
		/* The last one that is printed is the one to look at. */
		if (getenv("WORLD_SEEDS") != NULL)
			printf("seed %lu\n", seed);
		play(seed);
	}
}

static void
every_row_of_the_machine_was_visited(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].visits == 0)
			fail_msg("never: %s + %s -> %s", rows[i].from, rows[i].event, rows[i].to);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(laws_hold_in_every_world),
		cmocka_unit_test(every_row_of_the_machine_was_visited),
	};

	if (argc > 1)
		seed_first = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed_count = strtoul(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
