/*
 * Units that several sessions lead to are one disk: that of the LUN that was there first.  The
 * others are paths to it; their nodes have no device, and say whose they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns_impl.h"
#include "driver/iscsial/unit_rule.h"
#include "sys/log.h"

static uint32_t
session_of(const struct node *n)
{
	return n->path.part[HWPATH_AT_SESSION - 1];
}

/* ---- which disk it is a path to ---- */

static bool
is_same_target(const struct driver *d, const struct node *a, const struct node *b)
{
	const struct wanted *v = wanted_find(d, session_of(a)), *w = wanted_find(d, session_of(b));

	return v != NULL && w != NULL && strcmp(v->target, w->target) == 0;
}

bool
luns_identity(const struct driver *d, const struct node *n, struct identity *ret)
{
	if (n->info == NULL)
		return registry_identity_get(d->reg, n->hw_path, ret) == 0;
	identity_unpack(n->info->id, ret);
	return true;
}

/* It is a disk, or installed as one. */
static bool
is_disk(const struct node *n)
{
	return n->is_installed || n->is_shown || n->is_showing;
}

/* Is `o` a disk, or installed as one, whose unit is this? */
static bool
leads_to(
    const struct driver *d, const struct node *o, const struct node *n, const struct lu_info *info)
{
	struct identity known;
	bool is_known;

	if (o == n || o->kind != TREE_LUN || o->twin[0] != '\0' || !is_disk(o))
		return false;
	/* What stands at its own LUN now is not what it is the disk of. */
	if (o->is_replaced)
		is_known = registry_identity_get(d->reg, o->hw_path, &known) == 0;
	else
		is_known =
		    identity_sketch_meets(&o->sketch, &n->sketch) && luns_identity(d, o, &known);
	return is_known && identity_joins(&known, &info->id, is_same_target(d, o, n));
}

/* It has a device, but so has the other one: whichever is shown is the disk. */
static bool
is_its_turn(const struct node *o, const struct node *n)
{
	return o->is_shown || o->is_showing || !n->is_installed;
}

static void
set_twin(struct node *n, const struct node *o)
{
	n->class_name = "lunpath";
	cut_copy(n->twin, sizeof n->twin, o->name);
	tree_note(
	    n, "another path to disk %s (%s): it gets no device of its own", o->name, o->hw_path);
}

void
luns_find_twin(const struct driver *d, struct node *n, const struct lu_info *info, bool has_disk)
{
	/* Another look has asked for its disk, or that it goes: what comes of that counts. */
	if (n->is_showing)
		return;
	n->twin[0] = '\0';
	tree_note(n, NULL);
	n->is_way = n->is_elsewhere = false;
	if (has_disk || (n->is_shown && n->is_installed) || !info->is_disk ||
	    !identity_has_name(&info->id))
		return;
	for (size_t i = 0; i < d->tree->n; i++) {
		const struct node *o = d->tree->nodes[i];

		if (!leads_to(d, o, n, info) || !is_its_turn(o, n))
			continue;
		set_twin(n, o);
		return;
	}
}

/* ---- joining ---- */

struct joining {
	struct driver *d;
	struct hwpath at; /* of the LUN */
	char disk[32];
	struct lu_info info;
	bool is_shown_for_it; /* the disk was not shown before */
	bool is_elsewhere;    /* the disk is on another worker */
	struct fault why;     /* it is no path, and why */
	void (*done)(void *user);
	void *user;
};

static void
keep_apart(struct node *n, const char *why)
{
	tree_note(n, "%s", why);
	n->state = TREE_UNCLAIMED;
}

static void
finish(struct joining *j, const struct fault *why)
{
	struct node *n = tree_find(j->d->tree, &j->at);

	if (n != NULL)
		n->is_way = !j->is_elsewhere && (why == NULL || !why->is_set);
	if (n != NULL)
		n->is_elsewhere = j->is_elsewhere;
	if (n != NULL && why != NULL && why->is_set) {
		keep_apart(n, why->message);
		log_warn("%s is no path to disk %s: %s", n->hw_path, j->disk, why->message);
	}
	j->done(j->user);
	free(j);
}

static void
files_made(void *user, const struct devfile_result *r)
{
	struct joining *j = user;

	if (r != NULL && r->fault.is_set)
		log_err("%s", r->fault.message);
	finish(j, &j->why);
}

/* A disk that was shown for it gets its files now: who looks at them finds a path. */
static void
joined_or_not(struct joining *j)
{
	struct node *o = tree_find_name(j->d->tree, j->disk);

	if (j->is_shown_for_it && o != NULL && o->is_installed && o->is_shown)
		devfile_restore(j->d, o, files_made, j);
	else
		finish(j, &j->why);
}

static void
answered(struct question *a)
{
	struct mail_join *q = LIST_ENTRY(a, struct mail_join, base);
	struct joining *j = a->user;

	j->is_elsewhere = q->is_elsewhere;
	j->why = q->fault;
	free(q);
	joined_or_not(j);
}

static void
ask(struct joining *j, const struct node *o)
{
	struct mail_join *q = question_new(sizeof *q, answered, j);
	struct wanted *w = wanted_find(j->d, session_of(o));

	cut_copy(q->name, sizeof q->name, o->name);
	q->instance = j->at.part[HWPATH_AT_SESSION - 1];
	q->info = j->info;
	q->prefers = unit_rule_prefers(j->d, &j->info.id, q->instance);
	if (w != NULL && wanted_ask(w, &q->base, &mail_join))
		return;
	disks_refuse_join(&q->base.mail);
	j->why = q->fault;
	free(q);
	joined_or_not(j);
}

/* ---- a disk whose own session is away ---- */

static void
shown(struct question *a)
{
	struct mail_show *show = LIST_ENTRY(a, struct mail_show, base);
	struct mail_show_row *row = &show->rows[0];
	struct joining *j = a->user;
	struct node *o = tree_find_name(j->d->tree, j->disk);

	if (o != NULL)
		o->is_showing = false;
	if (o == NULL || row->fault.is_set) {
		finish(j, &row->fault);
	} else {
		o->is_shown = true;
		o->export = row->export;
		o->is_export_set = row->is_export_set;
		o->is_read_only = row->is_read_only;
		tree_describe_lun(o, &row->info);
		luns_join_known(j->d, o);
		j->is_shown_for_it = true;
		ask(j, o);
	}
	disks_drop_show(&show->base.mail);
}

/* As the other path tells of it; its own is asked as soon as it is there. */
static bool
show(struct joining *j, struct node *o)
{
	struct wanted *w = wanted_find(j->d, session_of(o));
	struct mail_show *q = question_new(sizeof *q, shown, j);
	struct mail_show_row *row;

	q->rows = call_alloc(sizeof *q->rows);
	q->n = 1;
	row = &q->rows[0];
	row->info = j->info;
	row->is_remembered = true;
	cut_copy(row->name, sizeof row->name, o->name);
	luns_known_ways(j->d, o, row);
	o->is_showing = lu_info_elsewhere(&row->info, o->lun) && w != NULL && w->closing == 0 &&
			wanted_ask(w, &q->base, &mail_show);
	if (!o->is_showing)
		disks_drop_show(&q->base.mail);
	return o->is_showing;
}

static struct joining *
joining_new(struct driver *d, const struct node *n, void (*done)(void *user), void *user)
{
	struct joining *j = call_alloc(sizeof *j);

	j->d = d;
	j->at = n->path;
	cut_copy(j->disk, sizeof j->disk, n->twin);
	j->done = done;
	j->user = user;
	return j;
}

bool
luns_join(struct driver *d, struct node *n, void (*done)(void *user), void *user)
{
	struct node *o = tree_find_name(d->tree, n->twin);
	struct joining *j;

	if (o == NULL || (session_of(o) == session_of(n) && !o->is_away)) {
		n->state = TREE_UNCLAIMED; /* the target shows one unit twice */
		return false;
	}
	j = joining_new(d, n, done, user);
	lu_kept_get(n->info, &j->info);
	if (o->is_shown || o->is_showing) {
		ask(j, o);
		return true;
	}
	if (n->info->is_sized && show(j, o))
		return true;
	keep_apart(n, "another path to a disk that is not shown now");
	free(j);
	return false;
}

/* ---- what is known from before ---- */

/* Nobody waits for it. */
static void
joined(void *user)
{
	(void)user;
}

/* Is this LUN, which has no disk of its own, known to be the unit `id` of o's, too? */
static bool
is_way(
    const struct driver *d, const struct node *n, const struct node *o, const struct identity *id)
{
	struct identity known;

	return n != o && n->kind == TREE_LUN && !n->is_shown && !n->is_showing &&
	       session_of(n) != session_of(o) && identity_sketch_meets(&n->sketch, &o->sketch) &&
	       luns_identity(d, n, &known) && identity_joins(&known, id, is_same_target(d, n, o));
}

void
luns_known_ways(const struct driver *d, const struct node *o, struct mail_show_row *row)
{
	const size_t room = sizeof row->ways / sizeof row->ways[0];

	unit_rule_read(d, &row->info.id, &row->rule);
	row->prefers = unit_rule_prefers(d, &row->info.id, session_of(o));
	for (size_t i = 0; i < d->tree->n && row->n_ways < room; i++) {
		const struct node *n = d->tree->nodes[i];

		if (is_way(d, n, o, &row->info.id))
			row->ways[row->n_ways++] = (struct mail_show_way){ session_of(n), n->lun,
				unit_rule_prefers(d, &row->info.id, session_of(n)) };
	}
}

void
luns_join_known(struct driver *d, const struct node *o)
{
	struct lu_info info;
	struct joining *j;

	if (o->info == NULL)
		return;
	lu_kept_get(o->info, &info);
	for (size_t i = 0; i < d->tree->n; i++) {
		struct node *n = d->tree->nodes[i];

		if (n->info != NULL || !is_way(d, n, o, &info.id))
			continue;
		set_twin(n, o);
		j = joining_new(d, n, joined, NULL);
		j->info = info;
		if (lu_info_elsewhere(&j->info, n->lun))
			ask(j, o);
		else
			free(j);
	}
}

/* ---- workers ---- */

/* A session that is wanted already and leads to the unit of this LUN, too, which is a disk; NULL:
 * none. */
static const struct wanted *
another_way(const struct driver *d, const struct node *n)
{
	struct identity mine, other;

	if (n->kind != TREE_LUN || !luns_identity(d, n, &mine))
		return NULL;
	for (size_t i = 0; i < d->tree->n; i++) {
		const struct node *o = d->tree->nodes[i];
		const struct wanted *w;

		if (o->kind != TREE_LUN || session_of(o) == session_of(n) ||
		    (!is_disk(o) && !is_disk(n)) ||
		    !identity_sketch_meets(&o->sketch, &n->sketch) ||
		    !luns_identity(d, o, &other) || !identity_joins(&mine, &other, false))
			continue;
		w = wanted_find(d, session_of(o));
		if (w != NULL)
			return w;
	}
	return NULL;
}

unsigned
luns_worker(const struct driver *d, uint32_t instance, unsigned worker)
{
	size_t from, to = luns_range(d, instance, &from);

	for (size_t k = from; k < to; k++) {
		const struct wanted *w = another_way(d, d->tree->nodes[k]);

		if (w != NULL)
			return w->worker;
	}
	return worker;
}

/* A session that begins anew on another worker, and who waits for the look at its LUNs. */
struct move {
	struct driver *d;
	unsigned to;
	luns_done *done; /* or NULL */
	void *user;
};

static void
end_move(struct move *m, const struct fault *why)
{
	const struct luns_result result = { .fault = *why };

	if (m->done != NULL)
		m->done(m->user, &result);
	free(m);
}

static void
opened(void *user, struct wanted *w, const struct fault *why)
{
	struct move *m = user;
	struct fault f = *why;

	if (w == NULL && !f.is_set)
		fault_set(&f, FAULT_OFFLINE, "scan again", "the session was closed");
	if (f.is_set) {
		end_move(m, &f);
		return;
	}
	luns_probe(w, m->done, m->user);
	free(m);
}

static void
moved(void *user, struct driver *d, uint32_t instance)
{
	struct wanted *w = wanted_find(d, instance);
	struct move *m = user;
	struct fault why = { 0 };

	if (w == NULL) {
		fault_set(&why, FAULT_OFFLINE, "scan again", "the session was closed");
		end_move(m, &why);
		return;
	}
	if (!w->has_nexus)
		w->worker = m->to;
	wanted_open(w, false, opened, m);
}

/* Does it have to stay where it is: a disk of its own, or one that it is a path to? */
static bool
holds(const struct driver *d, const struct node *n)
{
	const struct node *o = n->is_way ? tree_find_name(d->tree, n->twin) : n;

	return o != NULL && (o->is_shown || o->is_showing);
}

/* The worker of the disk that this is a path to, if it is not the session's. */
static bool
is_drawn(const struct driver *d, const struct node *n, unsigned *ret_to)
{
	const struct node *o = n->is_elsewhere ? tree_find_name(d->tree, n->twin) : NULL;
	const struct wanted *w = o != NULL ? wanted_find(d, session_of(o)) : NULL;

	if (w != NULL)
		*ret_to = w->worker;
	return w != NULL;
}

/* Its disks are on several threads: it is a path to those of one. */
static void
stay(const struct driver *d, struct wanted *w, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct node *n = d->tree->nodes[i];
		char why[TREE_NOTE_BYTES];

		if (!n->is_elsewhere)
			continue;
		n->is_elsewhere = false;
		(void)snprintf(why, sizeof why,
		    "another path to disk %s, which is on another thread than what session %u "
		    "leads to besides: iscsi_driverd --workers 1 has one thread",
		    n->twin, w->instance); /* shortened where it must be */
		keep_apart(n, why);
		log_limited(
		    &w->failures, loop_now(d->loop), LOG_LVL_WARN, "%s: %s", n->hw_path, why);
	}
}

bool
luns_move(struct driver *d, uint32_t instance, luns_done *done, void *user)
{
	struct wanted *w = wanted_find(d, instance);
	size_t from, to = luns_range(d, instance, &from);
	bool must_stay = false, is_away = false;
	unsigned worker;
	struct move *m;

	if (w == NULL || w->closing > 0 || d->is_stopping)
		return false;
	for (size_t i = from; i < to; i++) {
		must_stay |= holds(d, d->tree->nodes[i]);
		is_away |= is_drawn(d, d->tree->nodes[i], &worker);
	}
	if (must_stay)
		w->moves = 0;
	if (!is_away)
		return false;
	if (must_stay || ++w->moves > d->n_iothreads) {
		stay(d, w, from, to);
		return false;
	}
	log_note("session %u begins anew beside the others that lead to its units", instance);
	m = call_alloc(sizeof *m);
	*m = (struct move){ d, worker, done, user };
	wanted_close(w, true, moved, m);
	return true;
}

void
luns_set_free(struct driver *d, uint32_t instance)
{
	size_t from, to = luns_range(d, instance, &from);

	for (size_t i = 0; i < d->tree->n; i++) {
		const struct node *n = d->tree->nodes[i];
		struct wanted *w = n->twin[0] != '\0' ? wanted_find(d, session_of(n)) : NULL;

		for (size_t k = from; w != NULL && k < to; k++)
			if (strcmp(d->tree->nodes[k]->name, n->twin) == 0 && wanted_is_online(w)) {
				luns_look(w);
				break;
			}
	}
}
