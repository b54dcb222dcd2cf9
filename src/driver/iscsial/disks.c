#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsial/disks_impl.h"
#include "sys/log.h"

static struct disk *
find(const struct disks *d, uint32_t lun)
{
	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		if (k->is_exported && lu_info(k->lu)->number == lun)
			return k;
	}
	return NULL;
}

/* ---- notes ---- */

static void
tell(struct disk *k)
{
	struct mail_unit *n = k->note;

	k->is_due = !mail_is_home(&n->mail);
	if (k->is_due)
		return;
	n->lun = lu_info(k->lu)->number;
	n->state = lu_state(k->lu);
	n->why = *lu_why(k->lu);
	n->info = *lu_info(k->lu);
	n->is_changed = k->is_changed;
	n->is_gone = k->is_gone;
	n->is_back = k->is_back;
	n->is_new = k->is_new;
	n->is_let_go = k->is_let_go;
	memcpy(n->why_gone, k->why_gone, sizeof n->why_gone);
	k->is_changed = k->is_gone = k->is_back = k->is_new = k->is_let_go = false;
	mail_ask(&n->mail, &mail_unit, nexus_wanted(k->owner->x), nexus_address(k->owner->x));
}

void
disks_unit_back(void *owner, struct mail *m)
{
	struct mail_unit *n = LIST_ENTRY(m, struct mail_unit, mail);

	(void)owner;
	if (n->disk == NULL)
		free(n);
	else if (n->disk->is_due)
		tell(n->disk);
}

static void
moved(void *user, struct lu *u, enum lu_state from, const struct fault *why)
{
	(void)u;
	(void)from;
	(void)why; /* the note has what is true when it leaves */
	tell(user);
}

static void
changed(void *user, struct lu *u)
{
	struct disk *k = user;

	k->is_changed = true;
	if (k->is_exported)
		k->owner->ops->changed(k->owner->export, lu_blk(u));
	tell(k);
}

static void
loss(void *user, struct lu *u, bool is_due)
{
	const struct disk *k = user;

	if (k->is_exported)
		k->owner->cfg->export->loss(k->owner->export, lu_blk(u), is_due);
}

static const struct lu_ops lu_ops = { .moved = moved, .changed = changed, .loss = loss };

/* ---- the end of a disk ---- */

static void
disk_free(struct disk *k)
{
	k->owner->failed_before += lu_counts(k->lu).failed_offline;
	list_remove(&k->link);
	session_remove_unit(nexus_session(k->owner->x), k->lu);
	lu_free(k->lu);
	k->note->disk = NULL;
	if (mail_is_home(&k->note->mail))
		free(k->note);
	free(k);
}

/* Disks that were hidden and whose last command has come back. */
static void
sweep(struct disks *d)
{
	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		if (!k->is_exported && lu_is_idle(k->lu))
			disk_free(k);
	}
}

void
disks_take_hide(void *owner, struct mail *m)
{
	struct disks *d = nexus_user(owner);
	struct disk *k = find(d, LIST_ENTRY(m, struct mail_hide, mail)->lun);
	int err;

	free(m);
	/* Whoever has it open waits for the unit to come back. */
	if (k == NULL || d->ops->openers(d->export, lu_blk(k->lu)) > 0)
		return;
	err = d->ops->remove(d->export, lu_blk(k->lu), true);
	if (err != 0)
		log_warn(
		    "disk %s could not be taken away: %s", lu_blk(k->lu)->name, strerror(-err));
	k->is_exported = false;
	lu_close(k->lu, -ENXIO);
	sweep(d);
}

/* ---- showing ---- */

static void
set_start_fault(const struct disks *d, int err, struct fault *ret_fault)
{
	if (err == -ENOMEM)
		stat_add(nexus_cfg(d->x)->stats, STAT_SWD_CONNECTION_io_streams);
	if (err == -EPIPE) {
		fault_set(ret_fault, FAULT_INTERNAL,
		    "start iscsi_driverd anew when its disks are not in use",
		    "disks cannot be shown at %s: the process that mounts them has ended", d->dir);
		return;
	}
	fault_set(ret_fault, FAULT_INTERNAL,
	    err == -ENOENT || err == -ENODEV || err == -EPERM || err == -EACCES
		? "make /dev/fuse available and usable for the driver's user (fusermount3)"
	    : err == -EMFILE ? "raise the driver's limit of open files"
			     : "look at the system's log",
	    "disks cannot be shown at %s: %s", d->dir, strerror(-err));
}

/* What waits for the exporter is answered: shown, or not for this reason. */
static void
end_shows(struct disks *d, const struct fault *why)
{
	struct list *node;

	while ((node = list_pop(&d->shows)) != NULL) {
		struct mail_show *q = LIST_ENTRY(node, struct mail_show, link);

		for (size_t i = 0; i < q->n && why->is_set; i++)
			if (!q->rows[i].fault.is_set)
				q->rows[i].fault = *why;
		mail_answer(&q->base.mail);
	}
}

static void
take_all_off(struct disks *d)
{
	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		lu_close(k->lu, -ENXIO);
		k->is_exported = false;
	}
}

/* The exporter started, or could not: then no disk is shown. */
static void
export_started(void *user, int err)
{
	struct disks *d = user;
	struct fault why = { 0 };

	d->is_up = err == 0;
	disks_held_started(d, err);
	if (err < 0) {
		d->export = NULL;
		set_start_fault(d, err, &why);
		take_all_off(d);
	}
	end_shows(d, &why);
}

static struct disk *
disk_of(const struct disks *d, const struct blk_dev *dev)
{
	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		if (k->is_exported && lu_blk(k->lu) == dev)
			return k;
	}
	return NULL;
}

static void
export_gone(void *user, struct blk_dev *dev, const char *why)
{
	struct disk *k = disk_of(user, dev);

	if (k == NULL)
		return;
	k->is_gone = true;
	k->is_back = false;
	cut_copy(k->why_gone, sizeof k->why_gone, why);
	tell(k);
}

static void
export_back(void *user, struct blk_dev *dev, bool is_new)
{
	struct disk *k = disk_of(user, dev);

	if (k == NULL)
		return;
	k->is_back = true;
	k->is_new = k->is_new || is_new;
	tell(k);
}

static void
export_let_go(void *user, struct blk_dev *dev)
{
	struct disk *k = disk_of(user, dev);

	if (k == NULL)
		return;
	k->is_let_go = true;
	tell(k);
}

static void
export_stopped(void *user)
{
	struct disks *d = user;

	d->export = NULL;
	d->is_up = d->is_stopping = false;
}

static const struct export_events export_events = {
	.started = export_started,
	.gone = export_gone,
	.back = export_back,
	.let_go = export_let_go,
	.hold = disks_hold,
	.drop = disks_drop,
	.stopped = export_stopped,
};

void
disks_use(struct disks *d, const struct export_ops *ops)
{
	d->ops = ops;
	(void)snprintf(d->dir, sizeof d->dir, "%s/%u",
	    ops == export_find("nbd") ? d->cfg->sockets : d->cfg->dir,
	    nexus_cfg(d->x)->instance); /* paths_init() sees to it that this fits */
}

static void
choose(struct disks *d)
{
	unsigned way = session_choice(nexus_session(d->x), CHOICE_exporter);

	d->is_ops_set = way != CHOICE_exporter_auto;
	disks_use(d, way == CHOICE_exporter_fuse  ? export_find("fuse")
		     : way == CHOICE_exporter_nbd ? export_find("nbd")
						  : d->cfg->export);
}

static bool
start_export(struct disks *d, struct fault *ret_fault)
{
	int err;

	if (d->export != NULL)
		return true;
	choose(d);
	err =
	    d->ops->start(nexus_iothread(d->x)->thread.loop, d->dir, &export_events, d, &d->export);
	if (err == 0)
		return true;
	d->export = NULL;
	set_start_fault(d, err, ret_fault);
	return false;
}

static void
show_new(struct disks *d, struct mail_show_row *row)
{
	struct session *s = nexus_session(d->x);
	struct disk *k;
	bool is_taken, had_loss;
	int err;

	if (!start_export(d, &row->fault))
		return;
	is_taken = disks_held_admit(d, row);
	had_loss = is_taken && d->cfg->export->had_loss(d->export, row->name);
	k = call_alloc(sizeof *k);
	k->owner = d;
	k->lu = lu_new(session_path(s), &row->info, row->name, &lu_ops, k);
	err = k->lu != NULL ? d->ops->add(d->export, lu_blk(k->lu)) : -ENOMEM;
	if (err == 0) {
		k->is_exported = true;
		k->note = call_alloc(sizeof *k->note);
		k->note->disk = k;
		list_push_back(&d->all, &k->link);
		if (is_taken)
			session_take_over_unit(s, k->lu, had_loss);
		else
			session_add_unit(s, k->lu);
		return;
	}
	if (err == -ENOMEM)
		stat_add(nexus_cfg(d->x)->stats,
		    k->lu == NULL ? STAT_SWD_CONNECTION_io_alloc : STAT_SWD_CONNECTION_io_streams);
	if (k->lu != NULL)
		lu_close(k->lu, -ENXIO);
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
	const struct disks *d = k->owner;

	if (identity_compare(&lu_info(k->lu)->id, &row->info.id) != IDENTITY_OTHER ||
	    !row->may_adopt)
		return;
	if (d->ops->openers(d->export, lu_blk(k->lu)) == 0)
		lu_adopt(k->lu, &row->info);
	else
		fault_set(&row->fault, FAULT_BUSY, "close it, then scan again",
		    "disk %s is another unit now, but the old one is still in use", row->name);
}

void
disks_take_show(void *owner, struct mail *m)
{
	struct nexus *x = owner;
	struct disks *d = nexus_user(x);
	struct mail_show *q = LIST_ENTRY(m, struct mail_show, base.mail);
	enum session_state state = session_state(nexus_session(x));

	sweep(d);
	for (size_t i = 0; i < q->n; i++) {
		struct disk *k = find(d, q->rows[i].info.number);

		if (nexus_is_closing(x) || state == SESSION_CLOSED || state == SESSION_LOGOUT)
			fault_set(&q->rows[i].fault, FAULT_OFFLINE, "", "the session was closed");
		else if (k != NULL)
			show_again(k, &q->rows[i]);
		else
			show_new(d, &q->rows[i]);
		q->rows[i].export = d->ops;
		q->rows[i].is_export_set = d->is_ops_set;
	}
	/* They are there when the exporter is. */
	if (d->export != NULL && !d->is_up && !d->is_stopping)
		list_push_back(&d->shows, &q->link);
	else
		mail_answer(m);
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

/* ---- openers ---- */

void
disks_take_openers(void *owner, struct mail *m)
{
	struct disks *d = nexus_user(owner);
	struct mail_openers *q = LIST_ENTRY(m, struct mail_openers, base.mail);

	for (size_t i = 0; i < q->n; i++) {
		const struct disk *k = find(d, q->rows[i].lun);

		if (k == NULL) {
			q->rows[i].openers = disks_held_openers(d, q->rows[i].name);
			continue;
		}
		q->rows[i].openers = d->ops->openers(d->export, lu_blk(k->lu));
		if (d->ops->users != NULL)
			q->rows[i].n_users =
			    d->ops->users(d->export, lu_blk(k->lu), q->rows[i].users, MAIL_USERS);
		if (q->seal != OPENERS_COUNT)
			d->ops->seal(d->export, lu_blk(k->lu), q->seal == OPENERS_SEAL);
	}
	mail_answer(m);
}

void
disks_refuse_openers(struct mail *m)
{
	(void)m; /* nobody has what is not there: zeros */
}

void
disks_drop_openers(struct mail *m)
{
	struct mail_openers *q = LIST_ENTRY(m, struct mail_openers, base.mail);

	free(q->rows);
	free(q);
}

/* ---- the session's ---- */

static void *
begin(struct nexus *x, const void *cfg)
{
	struct disks *d = call_alloc(sizeof *d);

	d->x = x;
	d->cfg = cfg;
	list_init(&d->all);
	list_init(&d->shows);
	choose(d);
	disks_held_begin(d, &export_events);
	return d;
}

static void
close_all(void *user)
{
	struct disks *d = user;
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "scan again", "the session was closed");
	end_shows(d, &why);
	take_all_off(d);
	if (d->export == NULL || d->is_stopping)
		return;
	d->is_stopping = true;
	d->ops->stop(d->export);
}

static bool
is_idle(const void *user)
{
	const struct disks *d = user;

	if (d->export != NULL)
		return false;
	LIST_EACH(node, tmp, &d->all)
	if (!lu_is_idle(LIST_ENTRY(node, struct disk, link)->lu))
		return false;
	return true;
}

static void
empty(void *user)
{
	sweep(user);
}

static void
end(void *user)
{
	disks_held_end(user);
	free(user);
}

static struct nexus_lun_counts *
counts(const void *user, size_t *ret_n)
{
	const struct disks *d = user;
	struct nexus_lun_counts *list;
	size_t n = 0;

	LIST_EACH(node, tmp, &d->all)
	n += LIST_ENTRY(node, struct disk, link)->is_exported;
	*ret_n = 0;
	if (n == 0)
		return NULL;
	list = call_alloc(n * sizeof *list);
	LIST_EACH(node, tmp, &d->all)
	{
		const struct disk *k = LIST_ENTRY(node, struct disk, link);
		struct nexus_lun_counts *l;

		if (!k->is_exported)
			continue;
		l = &list[(*ret_n)++];
		l->lun = lu_info(k->lu)->number;
		cut_copy(l->name, sizeof l->name, lu_blk(k->lu)->name);
		l->counts = lu_counts(k->lu);
		l->latency = *lu_latency(k->lu);
	}
	return list;
}

static uint64_t
failed(const void *user)
{
	const struct disks *d = user;
	uint64_t n = d->failed_before;

	LIST_EACH(node, tmp, &d->all)
	n += lu_counts(LIST_ENTRY(node, struct disk, link)->lu).failed_offline;
	return n;
}

static void
clear(void *user)
{
	struct disks *d = user;

	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		d->failed_before += lu_counts(k->lu).failed_offline;
		lu_clear_counts(k->lu);
	}
}

const struct nexus_ops disks_ops = {
	.begin = begin,
	.close = close_all,
	.is_idle = is_idle,
	.empty = empty,
	.end = end,
	.counts = counts,
	.failed = failed,
	.clear = clear,
};
