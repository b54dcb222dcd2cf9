/*
 * Which of a unit's paths its requests take.
 *
 * Each path has a grade: it serves, or it does not; it is optimized or not, preferred or not, and
 * has proved itself since it was lost, or not yet.  Requests go over those of the best grade, as
 * the policy spreads them; a path of a worse grade gets none while a better one serves.  A path
 * that is lost again and again has to prove itself for longer each time.
 */
#include <assert.h>

#include "lu/lu_impl.h"

/* Two losses within this make a path that flaps; */
#define FLAP_US 60000000ull
/* it is put aside for this long, twice as long each time, up to that. */
#define ASIDE_US     5000000ull
#define ASIDE_MAX_US 300000000ull
/* Over one that sent a command back for now, none goes for so long, where another can take it. */
#define SPARE_US 100000ull

/* So many requests at the most. */
#define TOGETHER 16

/* A path's grade: the sum of these; less is better. */
enum { NOT_PREFERRED = 1, NOT_OPTIMIZED = 2, NOT_PROVED = 4, NONE = 8 };

static const char *const state_words[] = {
#define PATH_STATE(id, word, text) [PATH_##id] = (word),
#include "lu/path_state.def"
};
static const char *const policy_words[] = {
#define PATH_POLICY(id, word, text) [PATH_POLICY_##id] = (word),
#include "lu/path_policy.def"
};

const char *
path_state_word(enum path_state s)
{
	return state_words[s];
}

const char *
path_policy_word(enum path_policy p)
{
	return policy_words[p];
}

enum path_state
lunpath_shown(const struct lunpath *lp)
{
	switch (lp->state) {
	case LU_UNKNOWN:
	case LU_OTHER:
	case LU_ABSENT:
	case LU_CLOSED:
		return lp->is_out ? PATH_OFFLINE : PATH_FAILED;
	case LU_ASKING:
		return lp->is_out ? PATH_OFFLINE : PATH_CHECKING;
	case LU_SAME:
		break;
	}
	if (lp->is_out)
		return PATH_OFFLINE;
	switch (lp->alua.state) {
	case ALUA_ACTIVE_OPTIMIZED:
	case ALUA_LBA_DEPENDENT:
		return PATH_ACTIVE_OPTIMIZED;
	case ALUA_ACTIVE_NON_OPTIMIZED:
		return PATH_ACTIVE_NON_OPTIMIZED;
	case ALUA_STANDBY:
		return PATH_STANDBY;
	case ALUA_TRANSITIONING:
		return PATH_TRANSITIONING;
	case ALUA_OFFLINE:
		return PATH_OFFLINE;
	default:
		return PATH_UNAVAILABLE;
	}
}

bool
path_state_serves(enum path_state s)
{
	return s == PATH_ACTIVE_OPTIMIZED || s == PATH_ACTIVE_NON_OPTIMIZED;
}

void
lu_rule(struct lu *u, const struct lu_rule *rule)
{
	u->rule = *rule;
	LU_EACH_PATH(u, lp)
	lp->is_chosen = false;
	lu_settle(u);
	hold_pump(u);
}

/* ---- grades ---- */

bool
lunpath_is_preferred(const struct lunpath *lp)
{
	return lp->lu->rule.has_preferred ? lp->is_chosen : lp->path->is_preferred;
}

static bool
has_preferred(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	if (lunpath_is_preferred(lp))
		return true;
	return false;
}

static unsigned
grade(const struct lunpath *lp, bool is_preference)
{
	unsigned g = 0;

	if (!lunpath_serves(lp))
		return NONE;
	if (lp->prove_until_us > agenda_now(lp->path->agenda))
		g += NOT_PROVED;
	if (lp->alua.state == ALUA_ACTIVE_NON_OPTIMIZED)
		g += NOT_OPTIMIZED;
	if (is_preference && !lunpath_is_preferred(lp))
		g += NOT_PREFERRED;
	return g;
}

/* When a grade changes by itself. */
static void
set_timer(struct lu *u)
{
	uint64_t at = UINT64_MAX;

	LU_EACH_PATH(u, lp)
	if (lp->prove_until_us > agenda_now(u->agenda) && lp->prove_until_us < at)
		at = lp->prove_until_us;
	if (at != UINT64_MAX)
		agenda_set(u->agenda, &u->paths_timer, at);
	else
		agenda_clear(u->agenda, &u->paths_timer);
}

void
lu_paths_expired(struct agenda_timer *t)
{
	struct lu *u = LIST_ENTRY(t, struct lu, paths_timer);

	lu_paths_settle(u);
	hold_pump(u);
}

enum path_policy
lu_policy(const struct lu *u)
{
	return u->rule.has_policy ? u->rule.policy : lu_path_after(u, NULL)->path->policy;
}

static bool
is_single(const struct lu *u)
{
	enum path_policy p = lu_policy(u);

	return p == PATH_POLICY_FAILOVER || p == PATH_POLICY_FIXED;
}

/* The one that all go over: the one that they went over, where it is as good as any. */
static void
keep_one(struct lu *u)
{
	for (unsigned i = 1; i < u->n_group && u->current != u->group[0]; i++)
		if (u->group[i] == u->current)
			u->group[0] = u->current;
	u->n_group = 1;
}

static void
go_over(struct lu *u, struct lunpath *lp)
{
	bool is_first = u->current == NULL;

	u->current = lp;
	if (is_first || lu_path_after(u, lu_path_after(u, NULL)) == NULL)
		return;
	u->failovers++;
	u->failover_us = agenda_now(u->agenda);
	lunpath_say(
	    lp, SAY_NOTE, "I/O goes over this path now (%s)", path_state_word(lunpath_shown(lp)));
}

void
lu_paths_settle(struct lu *u)
{
	bool is_preference = has_preferred(u), is_current = false;
	unsigned best = NONE;

	u->n_group = 0;
	u->chosen = NULL;
	LU_EACH_PATH(u, lp)
	{
		unsigned g = grade(lp, is_preference);

		if (g < best) {
			best = g;
			u->n_group = 0;
		}
		if (g == best && g != NONE)
			u->group[u->n_group++] = lp;
	}
	if (u->n_group > 1 && is_single(u))
		keep_one(u);
	for (unsigned i = 0; i < u->n_group; i++)
		is_current |= u->group[i] == u->current;
	if (u->n_group > 0 && !is_current)
		go_over(u, u->group[0]);
	u->only = u->n_group == 1 ? u->group[0] : NULL;
	set_timer(u);
}

/* ---- losses ---- */

/* So long it has to prove itself because of how often it was lost. */
static uint64_t
aside_us(const struct lunpath *lp)
{
	uint64_t us = lp->flaps > 0 ? ASIDE_US << (lp->flaps - 1) : 0;

	return us < ASIDE_MAX_US ? us : ASIDE_MAX_US;
}

static uint64_t
failback_us(const struct lunpath *lp)
{
	return lp->lu->rule.has_failback ? lp->lu->rule.failback_us : lp->path->failback_us;
}

static void
must_prove_for(struct lunpath *lp, uint64_t us)
{
	uint64_t now = agenda_now(lp->path->agenda);

	us = failback_us(lp) > us ? failback_us(lp) : us;
	lp->prove_until_us = us < UINT64_MAX - now ? now + us : UINT64_MAX;
}

void
lunpath_was_lost(struct lunpath *lp)
{
	uint64_t now = agenda_now(lp->path->agenda);
	bool is_again = lp->lost_us != 0 && now - lp->lost_us < FLAP_US;

	lp->flaps = is_again ? lp->flaps + (lp->flaps < 8) : 0;
	lp->lost_us = now;
	lp->losses++;
	lp->must_prove = true;
}

void
lunpath_is_back(struct lunpath *lp)
{
	uint64_t us = aside_us(lp);

	if (!lp->must_prove)
		return;
	lp->must_prove = false;
	if (!lunpath_has_mate(lp))
		return; /* where there is no other, it need not */
	if (us > failback_us(lp))
		lunpath_say(lp, SAY_WARN,
		    "this path was lost %u times in short order: it is put aside for %llu s",
		    lp->flaps + 1, (unsigned long long)(us / 1000000));
	must_prove_for(lp, us);
}

void
lunpath_was_late(struct lunpath *lp)
{
	if (!lunpath_has_mate(lp) || lp->prove_until_us > agenda_now(lp->path->agenda))
		return;
	lunpath_was_lost(lp);
	lp->must_prove = false;
	if (lp->flaps == 0)
		lp->flaps = 1;
	lunpath_say(lp, SAY_WARN,
	    "a command was not answered in time over this path: it is put aside for %llu s",
	    (unsigned long long)(aside_us(lp) / 1000000));
	must_prove_for(lp, aside_us(lp));
	lu_paths_settle(lp->lu);
}

void
lunpath_prefer(struct lunpath *lp, bool is_preferred)
{
	lp->lu->rule.has_preferred = true;
	lp->is_chosen = is_preferred;
	lunpath_limits(lp);
}

void
lunpath_restore(struct lunpath *lp)
{
	lp->is_out = false;
	lp->prove_until_us = 0;
	lp->flaps = 0;
	lu_settle(lp->lu);
	hold_review(lp->lu);
	hold_pump(lp->lu);
}

void
lunpath_fail(struct lunpath *lp)
{
	if (lp->is_out)
		return;
	lp->is_out = true;
	lu_settle(lp->lu);
	hold_stop(lp);
	hold_pump(lp->lu);
}

bool
lunpath_is_spare(const struct lunpath *lp)
{
	LU_EACH_PATH(lp->lu, other)
	if (other != lp && lunpath_serves(other) && other->path->is_up)
		return true;
	return !lunpath_serves(lp);
}

/* ---- one for a request ---- */

static bool
is_spared(const struct lunpath *lp)
{
	return lp->spare_until_us > agenda_now(lp->path->agenda);
}

bool
lunpath_spare(struct lunpath *lp)
{
	const struct lu *u = lp->lu;

	lp->spare_until_us = agenda_now(u->agenda) + SPARE_US;
	for (unsigned i = 0; i < u->n_group; i++)
		if (u->group[i] != lp && !is_spared(u->group[i]))
			return true;
	return false;
}

static struct lunpath *
next_in_turn(struct lu *u)
{
	for (unsigned i = 0; i < u->n_group; i++) {
		struct lunpath *lp = u->group[u->turn++ % u->n_group];

		if (lunpath_has_room(lp) && lp->path->on_trial == NULL && !is_spared(lp))
			return lp;
	}
	return NULL;
}

/* How long it is expected to take there. */
static uint64_t
cost(const struct lu *u, const struct lunpath *lp)
{
	if (lu_policy(u) == PATH_POLICY_LATENCY)
		return (lp->average_us + 1) * (lp->share.busy + 1);
	return lp->share.busy;
}

/* Another one is better whatever it costs. */
static bool
is_last(const struct lunpath *lp)
{
	return lp->path->on_trial != NULL || is_spared(lp);
}

static struct lunpath *
cheapest(struct lu *u)
{
	struct lunpath *found = NULL;

	for (unsigned i = 0; i < u->n_group; i++) {
		struct lunpath *lp = u->group[i];

		if (!lunpath_has_room(lp))
			continue;
		/* Its trial is waited for. */
		if (lp->path->on_trial == lp && !lp->is_flying)
			return lp;
		if (is_last(lp) && found != NULL)
			continue;
		if (found == NULL || is_last(found) || cost(u, lp) < cost(u, found))
			found = lp;
	}
	return found;
}

/* What comes in one turn goes over one path, so that it is sent at once; but not all of it. */
static bool
stays(const struct lu *u)
{
	return u->chosen != NULL && u->chosen_n < TOGETHER &&
	       u->chosen_us == agenda_now(u->agenda) && lunpath_has_room(u->chosen) &&
	       !is_last(u->chosen);
}

struct lunpath *
lu_choose(struct lu *u)
{
	struct lunpath *lp = u->only;

	if (lp != NULL)
		return lunpath_has_room(lp) ? lp : NULL;
	if (stays(u)) {
		u->chosen_n++;
		return u->chosen;
	}
	if (u->n_group > 1 && lu_policy(u) == PATH_POLICY_ROUND_ROBIN)
		lp = next_in_turn(u);
	if (lp == NULL)
		lp = cheapest(u);
	u->chosen = lp;
	u->chosen_us = agenda_now(u->agenda);
	u->chosen_n = 1;
	return lp;
}

/* ---- for displays ---- */

void
lunpath_view(const struct lunpath *lp, struct lunpath_view *ret_view)
{
	const struct lu *u = lp->lu;
	uint64_t now = agenda_now(u->agenda);
	struct lunpath_view v = { .number = lp->number,
		.state = lunpath_shown(lp),
		.is_preferred = lunpath_is_preferred(lp),
		.alua = lp->alua,
		.commands = lp->commands,
		.errors = lp->errors,
		.busy = lp->share.busy,
		.average_us = lp->average_us,
		.losses = lp->losses,
		.why = *fault_kept(lp->why) };

	for (unsigned i = 0; i < u->n_group; i++)
		v.is_used |= u->group[i] == lp;
	if (lp->prove_until_us == UINT64_MAX)
		v.aside_us = UINT64_MAX;
	else if (lp->prove_until_us > now)
		v.aside_us = lp->prove_until_us - now;
	*ret_view = v;
}

struct lu_paths_view
lu_paths_view(const struct lu *u)
{
	struct lu_paths_view v = { .policy = lu_policy(u),
		.is_policy_own = u->rule.has_policy,
		.failovers = u->failovers };

	LU_EACH_PATH(u, lp)
	{
		v.n++;
		v.serving += lunpath_serves(lp);
	}
	if (u->failover_us != 0)
		v.failover_us = agenda_now(u->agenda) - u->failover_us + 1;
	return v;
}
