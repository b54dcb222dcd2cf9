/* What an administrator configures: chance, within what fits together. */
#include "conf.h"

#include <stdio.h>

#include "tchap.h"

/* Limits that fit each other, as timers_check() wants them. */
static void
choose_timers(struct owner *o, struct timers *t)
{
	static const uint32_t promises[] = { 10000, 20000, 40000, 120000 };
	struct rng *r = &o->rng;
	struct fault why;

	t->ms[TIMER_replacement] = rng_chance(r, 50) ? 0 : promises[rng_below(r, 4)];
	t->ms[TIMER_login] = 2000 + rng_below(r, 4000);
	t->ms[TIMER_command] = 2000 + rng_below(r, 3000);
	t->ms[TIMER_abort] = 500 + rng_below(r, 2000);
	t->ms[TIMER_reset] = 500 + rng_below(r, 2000);
	t->ms[TIMER_nop_interval] = rng_chance(r, 100) ? 0 : 500 + rng_below(r, 500);
	t->ms[TIMER_nop] = 300 + rng_below(r, 700);
	t->ms[TIMER_time2wait_max] = rng_below(r, 4) * 2000;
	if (!timers_check(t, &why))
		sim_fail(o->w, "simulator", "timers: %s", why.message);
}

/* What takes its time by design may take so long: a promise without an end counts ten minutes. */
static uint32_t
longer_ms(uint32_t longest, uint32_t promise)
{
	if (promise == 0)
		promise = 600000;
	promise = promise < 60000 ? 60000 : promise;
	return promise > longest ? promise : longest;
}

static void
choose_auth(struct owner *o)
{
	static const char *const lists[] = { "", "MD5", "SHA-256,MD5", "SHA3-256,SHA-1,SHA-256" };
	struct rng *r = &o->rng;

	o->kept.auth.is_wanted = rng_chance(r, 400);
	o->kept.auth.is_needed = rng_chance(r, 500);
	o->kept.auth.is_mutual = rng_chance(r, 600);
	o->kept.auth.is_asked = rng_chance(r, 300);
	(void)snprintf(o->kept.auth.algorithms, sizeof o->kept.auth.algorithms, "%s",
	    lists[o->kept.auth.is_asked ? 0 : rng_below(r, 4)]);
}

void
conf_auth(const struct owner *o, struct settings *s)
{
	static const struct chap_ops hashes = { tchap_hash, NULL };
	char secret[32], own[32];
	struct chapcfg_values v = { .method = o->kept.auth.is_mutual ? "CHAP_BI" : "CHAP_UNI",
		.initiator_name = s->initiator_name,
		.secret = secret,
		.algorithms = o->kept.auth.algorithms,
		.target_secret = o->kept.auth.is_asked ? NULL : own };

	s->has_chap = o->kept.auth.is_wanted;
	if (!s->has_chap)
		return;
	tchap_secret(secret, o->i, false);
	tchap_own_secret(own, o->i);
	s->offer.auth_method =
	    (struct neg_list){ o->kept.auth.is_needed ? 1 : 2, { NEG_AUTH_CHAP, NEG_AUTH_NONE } };
	s->is_chap_default = o->kept.auth.algorithms[0] == '\0';
	chapcfg_init(&s->chap, &v, &hashes, NULL);
}

/* How the paths of a unit are used. */
static void
choose_paths(struct rng *r, struct settings *s)
{
	static const uint32_t failbacks[] = { 0, 0, 1000, 10000, TIMERS_MANUAL_MS };

	s->timers.ms[TIMER_failback] = failbacks[rng_below(r, 5)];
	s->choices.way[CHOICE_path_policy] = (uint8_t)rng_below(r, 5);
	s->choices.way[CHOICE_path_preferred] =
	    rng_chance(r, 200) ? CHOICE_path_preferred_yes : CHOICE_path_preferred_no;
	s->choices.way[CHOICE_explicit_alua] =
	    rng_chance(r, 700) ? CHOICE_explicit_alua_needed : CHOICE_explicit_alua_never;
	s->choices.way[CHOICE_fences] =
	    rng_chance(r, 250) ? CHOICE_fences_strict : CHOICE_fences_relaxed;
}

struct settings *
conf_choose(struct owner *o)
{
	struct settings *s = settings_new();
	struct neg_offer *f = &s->offer;
	struct rng *r = &o->rng;

	(void)snprintf(s->initiator_name, sizeof s->initiator_name,
	    "iqn.2026-11.org.openisw:host%u", o->renames);
	choose_timers(o, &s->timers);
	o->timers = s->timers;
	o->longest_ms = longer_ms(o->longest_ms, s->timers.ms[TIMER_replacement]);
	f->initial_r2t = rng_chance(r, 300);
	f->immediate_data = !rng_chance(r, 300);
	f->max_recv_dsl = (uint32_t)rng_span(r, 512, 65536);
	f->max_burst = (uint32_t)rng_span(r, 512, 32768);
	f->first_burst = (uint32_t)rng_span(r, 512, 16384);
	if (f->first_burst > f->max_burst)
		f->first_burst = f->max_burst;
	f->max_outstanding_r2t = 1 + rng_below(r, LIMIT_R2T);
	f->time2wait = rng_chance(r, 300) ? rng_below(r, 4) : 0;
	f->time2retain = rng_below(r, 20);
	if (rng_chance(r, 500)) {
		f->header_digest = (struct neg_list){ 2, { NEG_DIGEST_CRC32C, NEG_DIGEST_NONE } };
		f->data_digest = f->header_digest;
	}
	s->choices.way[CHOICE_volatile_loss] =
	    rng_chance(r, 200) ? CHOICE_volatile_loss_warn : CHOICE_volatile_loss_fail;
	if (o->w->is_array)
		choose_paths(r, s);
	choose_auth(o);
	conf_auth(o, s);
	return s;
}
