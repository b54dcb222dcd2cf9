/* Units that are to be shown: new ones, another one at an old place, one that has a disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "driver/iscsial/disks_impl.h"

static void
answer_show(struct disks *d, struct mail_show *q)
{
	for (size_t i = 0; i < q->n; i++) {
		const struct disk *k = disks_find(d, q->rows[i].info.number);

		q->rows[i].is_read_only = k != NULL && filters_refuse_writes(&k->filters);
		q->rows[i].is_same = k != NULL && lu_state(k->lu) == LU_SAME;
	}
	mail_answer(&q->base.mail);
}

/* What waits for the exporter is answered: shown, or not for this reason. */
void
disks_end_shows(struct disks *d, const struct fault *why)
{
	struct list *node;

	while ((node = list_pop(&d->shows)) != NULL) {
		struct mail_show *q = LIST_ENTRY(node, struct mail_show, link);

		for (size_t i = 0; i < q->n && why->is_set; i++)
			if (!q->rows[i].fault.is_set)
				q->rows[i].fault = *why;
		answer_show(d, q);
	}
}

static void
show_new(struct disks *d, struct mail_show_row *row)
{
	struct session *s = nexus_session(d->x);
	struct disk *k;
	bool is_taken, had_loss;
	int err;

	if (!disks_start(d, &row->fault))
		return;
	is_taken = disks_held_admit(d, row);
	had_loss = is_taken && d->ops->had_loss(d->export, row->name);
	k = call_alloc(sizeof *k);
	k->owner = d;
	list_init(&k->ways);
	k->lu = lu_new(session_path(s), &row->info, row->name, &disks_lu_ops, k);
	if (k->lu != NULL)
		disks_filters_begin(k);
	err = k->lu != NULL ? d->ops->add(d->export, &k->filters.dev) : -ENOMEM;
	if (err == 0) {
		k->is_exported = true;
		list_push_back(&d->all, &k->link);
		if (d->is_out)
			lunpath_fail(lu_first_path(k->lu));
		if (is_taken)
			session_take_over_unit(s, k->lu, had_loss);
		else
			session_add_unit(s, k->lu);
		disks_join_known(k, row);
		return;
	}
	if (err == -ENOMEM)
		stat_add(nexus_cfg(d->x)->stats,
		    k->lu == NULL ? STAT_SWD_CONNECTION_io_alloc : STAT_SWD_CONNECTION_io_streams);
	if (k->lu != NULL) {
		disks_close(k);
		filters_fini(&k->filters);
	}
	lu_free(k->lu);
	free(k);
	fault_set(&row->fault, FAULT_INTERNAL, "look at the driver's log",
	    "disk %s cannot be shown: %s", row->name, strerror(-err));
}

/*
 * A scan accepts another unit at the old place, but not under the feet of
 * somebody who has the old one open.
 */
static void
show_again(struct disk *k, struct mail_show_row *row)
{
	struct disks *d = k->owner;

	struct identity known;
	bool is_other, is_open;

	identity_unpack(lu_info(k->lu)->id, &known);
	is_other = identity_compare(&known, &row->info.id) == IDENTITY_OTHER;
	if (!row->is_anothers && (!is_other || !row->may_adopt))
		return;
	is_open = d->ops->openers(d->export, &k->filters.dev) > 0;
	if (is_open && is_other) {
		fault_set(&row->fault, FAULT_BUSY, "close it, then scan again",
		    "disk %s is another unit now, but the old one is still in use", row->name);
	} else if (is_open) {
		row->is_anothers = false;
	} else if (row->is_anothers) {
		disks_take_away(k);
	} else if (!lu_adopt(k->lu, &row->info)) {
		fault_set(&row->fault, FAULT_INTERNAL, "free some memory, then scan again",
		    "disk %s is another unit now, and there is no memory for it", row->name);
	} else {
		row->is_adopted = true;
		lu_rule(k->lu, &row->rule);
	}
}

void
disks_take_show(void *owner, struct mail *m)
{
	struct nexus *x = owner;
	struct disks *d = nexus_user(x);
	struct mail_show *q = LIST_ENTRY(m, struct mail_show, base.mail);
	enum session_state state = session_state(nexus_session(x));

	disks_sweep(d);
	for (size_t i = 0; i < q->n; i++) {
		struct disk *k = disks_find(d, q->rows[i].info.number);

		if (nexus_is_closing(x) || state == SESSION_CLOSED || state == SESSION_LOGOUT)
			fault_set(&q->rows[i].fault, FAULT_OFFLINE, "", "the session was closed");
		else if (k != NULL)
			show_again(k, &q->rows[i]);
		else if (!q->rows[i].is_anothers)
			show_new(d, &q->rows[i]);
		q->rows[i].export = d->ops;
		q->rows[i].is_export_set = d->is_ops_set;
	}
	/* They are there when the exporter is. */
	if (d->export != NULL && !d->is_up && !d->is_stopping)
		list_push_back(&d->shows, &q->link);
	else
		answer_show(d, q);
}

void
disks_refuse_show(struct mail *m)
{
	struct mail_show *q = LIST_ENTRY(m, struct mail_show, base.mail);

	for (size_t i = 0; i < q->n; i++)
		fault_set(&q->rows[i].fault, FAULT_OFFLINE, "", "the session was closed");
}

void
disks_drop_show(struct mail *m)
{
	struct mail_show *q = LIST_ENTRY(m, struct mail_show, base.mail);

	free(q->rows);
	free(q);
}
