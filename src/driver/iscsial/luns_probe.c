/* A look at a session's LUNs: what a probe found becomes nodes with instances, and disks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns_impl.h"
#include "sys/log.h"

/* A turn's work, and the disks that a worker is asked to show at once. */
#define LUNS_TURN_US 5000
#define LUNS_AT_ONCE 64

/* The next look where the registry failed. */
#define LOOK_AGAIN_US 1000000
/* No longer than this between looks: one that took so long waited for the target. */
#define LOOK_REST_US 5000000
/* So long a look waits for those at the same target that come before it. */
#define TURN_US 2000000

void
luns_hide(struct wanted *w, struct node *n)
{
	struct mail_hide *m;

	if (!n->is_shown)
		return;
	n->is_shown = false;
	devfile_detach(w->d, n);
	m = call_alloc(sizeof *m);
	m->lun = n->lun;
	if (!wanted_tell(w, &m->mail, &mail_hide))
		free(m);
}

/*
 * What the probe did not find any more.  A LUN that merely did not answer
 * stays what it was; a disk that is installed or in use keeps its files, for it may come
 * back (a target that is being restarted, say), and waits until then.
 */
static void
drop_missing(struct visit *v, struct wanted *w, const struct probe_result *r)
{
	size_t from, to = luns_range(v->d, v->instance, &from);
	bool *is_there = call_alloc(LIMIT_LUNS * sizeof *is_there);

	for (size_t i = 0; i < r->n; i++)
		if (r->luns[i].number < LIMIT_LUNS)
			is_there[r->luns[i].number] |= r->luns[i].answer != LU_NOBODY;
	for (size_t i = from; i < to; i++) {
		struct node *n = v->d->tree->nodes[i];

		if (n->kind != TREE_LUN || (n->lun < LIMIT_LUNS && is_there[n->lun]))
			continue;
		n->is_away = true;
		if (luns_goes_on(n))
			continue;
		n->state = TREE_NO_HW;
		if (!n->is_installed && !n->is_in_use)
			luns_hide(w, n);
	}
	free(is_there);
}

static void
tell_failures(struct visit *v)
{
	struct wanted *w = wanted_find(v->d, v->instance);
	struct log_limit nobody = { 0 };

	for (size_t i = 0; i < v->result.n_failures; i++)
		log_limited(w != NULL ? &w->failures : &nobody, loop_now(v->d->loop), LOG_LVL_WARN,
		    "%s: %s", v->failures[i].what, v->failures[i].fault.message);
}

static void
look_again(struct agenda_timer *t)
{
	luns_look(LIST_ENTRY(t, struct wanted, look_again));
}

/*
 * The target asks for a look: not while one is under way, and no sooner than after twice the time
 * that the last one took.
 */
void
luns_look(struct wanted *w)
{
	uint64_t now = loop_now_update(w->d->loop);

	w->look_again.expired = look_again;
	w->must_look = w->looks > 0;
	if (w->must_look)
		return;
	if (now >= w->look_after_us)
		luns_probe(w, NULL, NULL);
	else
		agenda_set(loop_agenda(w->d->loop), &w->look_again, w->look_after_us);
}

static void
look_is_over(const struct visit *v)
{
	struct wanted *w = wanted_find(v->d, v->instance);
	uint64_t now = loop_now_update(v->d->loop), rest = 2 * (now - v->began_us);

	if (w == NULL || w->looks == 0 || --w->looks > 0)
		return;
	w->look_after_us = now + (rest < LOOK_REST_US ? rest : LOOK_REST_US);
	if (v->must_again && w->look_after_us < now + LOOK_AGAIN_US)
		w->look_after_us = now + LOOK_AGAIN_US;
	if ((w->must_look || v->must_again) && w->closing == 0 && !v->d->is_stopping)
		luns_look(w);
}

static void
finish(struct visit *v)
{
	size_t from, to = luns_range(v->d, v->instance, &from);

	v->result.failures = v->failures;
	for (size_t i = from; i < to; i++)
		v->result.claimed += v->d->tree->nodes[i]->kind == TREE_LUN &&
				     v->d->tree->nodes[i]->state == TREE_CLAIMED;
	tell_failures(v);
	if (!luns_move(v->d, v->instance, v->done, v->user) && v->done != NULL)
		v->done(v->user, &v->result);
	look_is_over(v);
	if (v->has_freed)
		luns_set_free(v->d, v->instance);
	luns_next_turns(v->d);
	tree_changed(v->d->tree);
	free(v->failures);
	if (v->probe != NULL)
		nexus_drop_probe(&v->probe->base.mail);
	free(v);
}

/* The scan is over when the files of every disk that is installed are there. */
static void
restored(void *user, const struct devfile_result *r)
{
	struct visit *v = user;

	if (r != NULL && r->fault.is_set)
		log_err("%s", r->fault.message);
	if (--v->restoring == 0)
		finish(v);
}

static void
joined(void *user)
{
	restored(user, NULL);
}

static void adopt(struct visit *v);

/* The disk that it had is not gone. */
static void
is_no_way(struct node *n, const struct lu_info *info)
{
	n->twin[0] = '\0';
	tree_describe_lun(n, info);
}

/* The worker has a disk, or not. */
static void
row_shown(struct visit *v, const struct wanted *w, const struct mail_show_row *row)
{
	struct node *node = luns_find(v->d, v->instance, row->info.number);

	if (node == NULL)
		return;
	node->is_showing = false;
	if (node->twin[0] != '\0' && (row->fault.is_set || !row->is_anothers))
		is_no_way(node, &row->info);
	if (row->fault.is_set) {
		luns_fail(v, node->hw_path, &row->fault);
		tree_note(node, "%s", row->fault.message);
		/* Another unit came, and somebody still has the old one open. */
		if (row->fault.code == FAULT_BUSY) {
			node->is_replaced = true;
			node->state = TREE_UNCLAIMED;
		}
		return;
	}
	if (w == NULL || wanted_is_closed(w) || w->closing > 0)
		return;
	v->has_freed |= row->is_anothers || row->is_adopted;
	if (row->is_anothers) {
		node->is_shown = false;
		devfile_detach(v->d, node);
		v->restoring += luns_join(v->d, node, joined, v);
		return;
	}
	node->is_shown = true;
	node->is_same = row->is_same;
	node->export = row->export;
	node->is_export_set = row->is_export_set;
	node->is_read_only = row->is_read_only;
	luns_join_known(v->d, node);
	if (node->is_installed) {
		v->restoring++;
		devfile_restore(v->d, node, restored, v);
	}
}

/* The worker has taken some disks: those that are installed get their device files back. */
static void
shown(struct question *q)
{
	struct mail_show *show = LIST_ENTRY(q, struct mail_show, base);
	struct visit *v = q->user;
	const struct wanted *w = wanted_find(v->d, v->instance);

	for (size_t i = 0; i < show->n; i++)
		row_shown(v, w, &show->rows[i]);
	disks_drop_show(&q->mail);
	adopt(v);
}

static void
add_row(struct visit *v, struct mail_show *show, struct node *n, const struct lu_info *info,
    enum standing standing)
{
	struct mail_show_row *row = &show->rows[show->n++];

	n->is_showing = true;
	row->info = *info;
	row->is_anothers = n->twin[0] != '\0';
	row->may_adopt = !n->is_installed && !row->is_anothers;
	row->is_remembered = standing == STANDING_RIGHT;
	cut_copy(row->name, sizeof row->name, n->name);
	luns_known_ways(v->d, n, row);
}

static void
adopt_one(struct visit *v, const struct lu_info *info, struct mail_show *show)
{
	enum standing standing = STANDING_UNKNOWN;
	struct node *node;
	char what[32];

	(void)snprintf(what, sizeof what, "LUN %u", info->number);
	if (info->fault.is_set)
		luns_fail(v, what, &info->fault);
	if (info->answer != LU_SOMEBODY)
		return;
	node = luns_claim(v, info, &standing);
	if (node == NULL || standing == STANDING_UNKNOWN)
		return;
	if (node->twin[0] != '\0' && node->is_shown)
		add_row(v, show, node, info, standing);
	else if (node->twin[0] != '\0')
		v->restoring += luns_join(v->d, node, joined, v);
	else if (standing != STANDING_WRONG && info->is_disk && info->is_sized &&
		 node->state == TREE_CLAIMED)
		add_row(v, show, node, info, standing);
}

/* As many as one turn has time for, with one wait for the disk; those that are to be shown. */
static struct mail_show *
adopt_some(struct visit *v)
{
	const struct probe_result *r = &v->probe->result;
	struct mail_show *show = question_new(sizeof *show, shown, v);
	uint64_t until = loop_now_update(v->d->loop) + LUNS_TURN_US;
	size_t left = r->n - v->next;
	bool in_one = registry_begin(v->d->reg) == 0;

	show->rows = call_alloc((left < LUNS_AT_ONCE ? left : LUNS_AT_ONCE) * sizeof *show->rows);
	do
		adopt_one(v, &r->luns[v->next++], show);
	while (v->next < r->n && show->n < LUNS_AT_ONCE && loop_now_update(v->d->loop) < until);
	if (in_one && registry_commit(v->d->reg) != 0)
		log_err("the hardware paths of session %u are not kept: %s", v->instance,
		    registry_error(v->d->reg)->message);
	return show;
}

/* All that were found have their nodes. */
static void
adopted(struct visit *v, struct wanted *w)
{
	drop_missing(v, w, &v->probe->result);
	luns_settle(v->d, v->instance);
	restored(v, NULL);
}

static void
adopt(struct visit *v)
{
	struct wanted *w = wanted_find(v->d, v->instance);
	struct mail_show *show;

	if (w == NULL || w->closing > 0) {
		fault_set(&v->result.fault, FAULT_OFFLINE, "scan again", "the session was closed");
		restored(v, NULL);
		return;
	}
	if (v->next == v->probe->result.n) {
		adopted(v, w);
		return;
	}
	show = adopt_some(v);
	if (show->n > 0 && wanted_ask(w, &show->base, &mail_show))
		return; /* shown() goes on */
	for (size_t i = 0; i < show->n; i++)
		luns_find(v->d, v->instance, show->rows[i].info.number)->is_showing = false;
	disks_drop_show(&show->base.mail);
	agenda_defer(loop_agenda(v->d->loop), &v->more);
}

static void
adopt_more(struct agenda_work *w)
{
	adopt(LIST_ENTRY(w, struct visit, more));
}

/*
 * Where a unit has several paths, the device is that of the first session, whoever answered first:
 * names are the same on hosts that are set up alike.
 */
static bool
is_its_turn(const struct visit *v)
{
	const struct wanted *w = wanted_find(v->d, v->instance), *s = NULL;

	if (w == NULL || w->closing > 0 || v->d->is_stopping)
		return true;
	while ((s = wanted_of_target(v->d, w->target, s)) != NULL)
		if (s->instance < w->instance && (s->looks > 0 || s->openings > 0))
			return false;
	return true;
}

static void
stop_waiting(struct visit *v)
{
	list_remove(&v->waiting);
	agenda_clear(loop_agenda(v->d->loop), &v->turn);
	adopt(v);
}

static void
waited_long_enough(struct agenda_timer *t)
{
	stop_waiting(LIST_ENTRY(t, struct visit, turn));
}

void
luns_next_turns(struct driver *d)
{
	LIST_EACH(node, tmp, &d->visits)
	if (is_its_turn(LIST_ENTRY(node, struct visit, waiting)))
		agenda_set(loop_agenda(d->loop), &LIST_ENTRY(node, struct visit, waiting)->turn,
		    loop_now_update(d->loop));
}

static void
probed(struct question *q)
{
	struct visit *v = q->user;
	struct wanted *w = wanted_find(v->d, v->instance);
	struct probe_result *r;

	v->probe = LIST_ENTRY(q, struct mail_probe, base);
	r = &v->probe->result;
	if (w != NULL) {
		w->is_probing = false;
		luns_account(w, r);
	}
	if (!r->fault.is_set && (w == NULL || w->closing > 0))
		fault_set(&r->fault, FAULT_OFFLINE, "scan again", "the session was closed");
	if (r->fault.is_set) {
		if (w != NULL)
			w->is_probed = false; /* what was to be learnt is learnt when it is back */
		v->result.fault = r->fault;
		finish(v);
		return;
	}
	w->is_probed = true;
	v->result.unclaimed = r->unclaimed;
	v->result.probe = r;
	v->restoring = 1;
	if (is_its_turn(v)) {
		adopt(v);
		return;
	}
	list_push_back(&v->d->visits, &v->waiting);
	v->turn.expired = waited_long_enough;
	agenda_set(loop_agenda(v->d->loop), &v->turn, loop_now_update(v->d->loop) + TURN_US);
}

static void
no_nexus(void *arg)
{
	probed(arg);
}

void
luns_probe(struct wanted *w, luns_done *done, void *user)
{
	struct visit *v = call_alloc(sizeof *v);
	struct mail_probe *q = question_new(sizeof *q, probed, v);

	v->d = w->d;
	v->instance = w->instance;
	v->began_us = loop_now_update(w->d->loop);
	w->looks++;
	list_init(&v->waiting);
	agenda_work_init(&v->more, adopt_more);
	v->done = done;
	v->user = user;
	w->is_probing = true;
	if (wanted_ask(w, &q->base, &mail_probe))
		return;
	nexus_refuse_probe(&q->base.mail);
	call_post(w->d->loop, no_nexus, &q->base);
}
