/* What sessions, and units that are shown, tell of themselves. */
#include <stdio.h>

#include "driver/diag/diag.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns_impl.h"
#include "driver/iscsial/registrants.h"
#include "sys/log.h"

static void
online(struct wanted *w)
{
	/* Units that are shown say themselves when they are the same. */
	if (!w->is_probed && !w->is_probing && w->openings == 0)
		luns_probe(w, NULL, NULL);
	tree_changed(w->d->tree);
}

void
luns_gone(struct driver *d, uint32_t instance)
{
	size_t from, to = luns_range(d, instance, &from);
	struct wanted *w = wanted_find(d, instance);

	/* What has another path that works is there. */
	for (size_t i = from; i < to; i++)
		if (!d->tree->nodes[i]->is_shown || !d->tree->nodes[i]->is_same)
			d->tree->nodes[i]->state = TREE_NO_HW;
	if (w != NULL)
		w->is_probed = false; /* what is not shown does not say itself that it is back */
}

static void
offline(struct wanted *w)
{
	size_t from, to = luns_range(w->d, w->instance, &from);

	luns_gone(w->d, w->instance);
	for (size_t i = from; i < to; i++) {
		struct node *n = w->d->tree->nodes[i];

		if (wanted_is_closed(w) && n->kind == TREE_LUN) {
			devfile_detach(w->d, n);
			n->is_shown = n->is_in_use = n->is_same = false;
			n->is_way = n->is_elsewhere = false;
			n->state = TREE_NO_HW;
		}
	}
	if (wanted_is_closed(w))
		luns_set_free(w->d, w->instance);
	luns_next_turns(w->d);
	agenda_defer(loop_agenda(w->d->loop), &w->settle);
}

static void
settle_later(struct agenda_work *work)
{
	const struct wanted *w = LIST_ENTRY(work, struct wanted, settle);

	luns_settle(w->d, w->instance);
}

const struct wanted_ops luns_ops = { luns_is_known, luns_worker, online, offline, luns_look,
	settle_later };

/* It is the right unit (again). */
static void
is_same(struct driver *d, struct node *n)
{
	bool was_away = n->is_replaced || n->state == TREE_NO_HW;

	n->is_replaced = n->is_absent = false;
	n->state = TREE_CLAIMED;
	if (was_away && n->is_installed && n->is_shown)
		devfile_restore(d, n, NULL, NULL);
}

void
luns_tell_changed(struct wanted *w, const struct node *n, const struct lu_info *info)
{
	const struct diag_ctx about = { (int32_t)w->instance, w->target, w->about, w->d->diag,
		n->name };
	const struct lu_kept *was = n->info;

	if (was == NULL || !was->is_sized || !info->is_sized)
		return;
	if (info->capacity.bytes > was->capacity.bytes)
		diag_OPENISW_LOG_UNIT_GREW(
		    &about, n->name, was->capacity.bytes, info->capacity.bytes);
	else if (info->capacity.bytes < was->capacity.bytes)
		diag_OPENISW_LOG_UNIT_SHRUNK(
		    &about, n->name, was->capacity.bytes, info->capacity.bytes);
	if (!was->has_mode || !info->has_mode)
		return;
	if (info->mode.is_write_protected && !was->mode.is_write_protected)
		diag_OPENISW_LOG_UNIT_PROTECTED(&about, n->name);
	else if (!info->mode.is_write_protected && was->mode.is_write_protected)
		diag_OPENISW_LOG_UNIT_WRITABLE(&about, n->name);
}

static void
has_changed(struct wanted *w, struct node *n, const struct lu_info *info)
{
	luns_tell_changed(w, n, info);
	tree_describe_lun(n, info);
	devfile_change(w->d, n);
}

/* What a unit that is shown says about itself; told as an event where it is news. */
static void
take_state(struct wanted *w, struct node *n, const struct mail_unit *u)
{
	const struct diag_ctx about = { (int32_t)w->instance, w->target, w->about, w->d->diag,
		n->name };

	n->is_same = u->state == LU_SAME;
	switch (u->state) {
	case LU_SAME:
		if (n->is_replaced || n->is_absent)
			diag_OPENISW_LOG_UNIT_BACK(&about, n->name);
		/* What stood at its place meanwhile is not what it is. */
		if (n->is_replaced && u->info.is_sized)
			tree_describe_lun(n, &u->info);
		if (n->is_away)
			luns_note_away(n);
		is_same(w->d, n);
		registrants_came(w->d, n);
		break;
	case LU_OTHER:
		if (!n->is_replaced)
			diag_OPENISW_LOG_UNIT_OTHER(&about, n->name, u->why.message);
		n->is_replaced = true;
		n->is_absent = false;
		n->state = TREE_UNCLAIMED;
		break;
	case LU_ABSENT:
		if (!n->is_absent)
			diag_OPENISW_LOG_UNIT_ABSENT(&about, n->name);
		n->is_absent = true;
		n->state = TREE_NO_HW;
		break;
	case LU_UNKNOWN:
		/* Its last path is gone, and its session had been given up before. */
		if (w->view.state == SESSION_DOWN || w->view.state == SESSION_DOWN_TRY)
			n->state = TREE_NO_HW;
		break;
	case LU_ASKING:
	case LU_CLOSED:
		break;
	}
}

/* A disk whose file is gone is not shown; the exporter mends it. */
static void
take_file(struct wanted *w, struct node *n, const struct mail_unit *u)
{
	if (wanted_is_closed(w) || w->closing > 0)
		return;
	if (u->is_gone) {
		log_warn("disk %s: %s; it is mounted again", n->name, u->why_gone);
		n->is_shown = false;
	}
	if (u->is_back) {
		log_note("disk %s: its file is there again", n->name);
		n->is_shown = true;
		if (u->is_new)
			devfile_renew(w->d, n);
	}
	if (u->is_let_go)
		devfile_check(w->d, n);
}

void
luns_take_unit(void *owner, struct mail *m)
{
	struct wanted *w = owner;
	const struct mail_unit *u = LIST_ENTRY(m, struct mail_unit, mail);
	struct node *n = luns_find(w->d, w->instance, u->lun);

	if (n != NULL)
		n->is_read_only = u->is_read_only;
	if (n != NULL && u->is_changed && u->info.is_sized)
		has_changed(w, n, &u->info);
	if (n != NULL)
		take_file(w, n, u);
	if (n != NULL)
		take_state(w, n, u);
	agenda_defer(loop_agenda(w->d->loop), &w->settle);
	mail_answer(m);
}
