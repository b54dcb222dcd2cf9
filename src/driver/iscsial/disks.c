#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsial/disks_impl.h"
#include "sys/log.h"

struct disk *
disks_find(const struct disks *d, uint32_t lun)
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

void
disks_tell(struct disk *k)
{
	struct mail_unit *n;

	k->is_due = k->note != NULL;
	if (k->is_due)
		return;
	n = k->note = call_alloc(sizeof *n);
	n->disk = k;
	n->lun = lu_info(k->lu)->number;
	n->state = lu_state(k->lu);
	n->why = *lu_why(k->lu);
	lu_kept_get(lu_info(k->lu), &n->info);
	n->is_changed = k->is_changed;
	n->is_read_only = filters_refuse_writes(&k->filters);
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
	struct disk *k = n->disk;

	(void)owner;
	free(n);
	if (k == NULL)
		return;
	k->note = NULL;
	if (k->is_due)
		disks_tell(k);
}

static void
moved(void *user, struct lu *u, enum lu_state from, const struct fault *why)
{
	(void)u, (void)from, (void)why; /* the note has what is true when it leaves */
	disks_tell(user);
}

static void
changed(void *user, struct lu *u)
{
	struct disk *k = user;

	(void)u;
	k->is_changed = true;
	filters_changed(&k->filters);
	if (k->is_exported)
		k->owner->ops->changed(k->owner->export, &k->filters.dev);
	disks_tell(k);
}

static void
loss(void *user, struct lu *u, bool is_due)
{
	struct disk *k = user;

	(void)u;
	if (k->is_exported)
		k->owner->ops->loss(k->owner->export, &k->filters.dev, is_due);
}

const struct lu_ops disks_lu_ops = {
	.moved = moved, .changed = changed, .path_moved = disks_path_moved, .loss = loss
};

/* ---- the end of a disk ---- */

void
disks_close(struct disk *k)
{
	lu_close(k->lu, -ENXIO);
	filters_close(&k->filters);
}

static bool
disk_is_idle(const struct disk *k)
{
	return lu_is_idle(k->lu) && filters_are_idle(&k->filters);
}

static void
disk_free(struct disk *k)
{
	k->owner->failed_before += lu_counts(k->lu).failed_offline;
	list_remove(&k->link);
	session_remove_unit(nexus_session(k->owner->x), k->lu);
	disks_ways_forget(k);
	filters_fini(&k->filters);
	lu_free(k->lu);
	if (k->note != NULL)
		k->note->disk = NULL;
	free(k);
}

void
disks_sweep(struct disks *d)
{
	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		if (!k->is_exported && disk_is_idle(k))
			disk_free(k);
	}
}

void
disks_take_away(struct disk *k)
{
	struct disks *d = k->owner;
	int err = d->ops->remove(d->export, &k->filters.dev, true);

	if (err != 0)
		log_warn(
		    "disk %s could not be taken away: %s", lu_blk(k->lu)->name, strerror(-err));
	k->is_exported = false;
	disks_close(k);
	disks_sweep(d);
}

void
disks_take_hide(void *owner, struct mail *m)
{
	struct disks *d = nexus_user(owner);
	struct disk *k = disks_find(d, LIST_ENTRY(m, struct mail_hide, mail)->lun);

	free(m);
	/* Whoever has it open waits for the unit to come back. */
	if (k != NULL && d->ops->openers(d->export, &k->filters.dev) == 0)
		disks_take_away(k);
}

/* ---- showing ---- */

static void
take_all_off(struct disks *d)
{
	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		disks_close(k);
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
		disks_start_fault(d, err, &why);
		take_all_off(d);
	}
	disks_end_shows(d, &why);
}

static struct disk *
disk_of(const struct disks *d, const struct blk_dev *dev)
{
	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		if (k->is_exported && &k->filters.dev == dev)
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
	disks_tell(k);
}

static void
export_back(void *user, struct blk_dev *dev, bool is_new)
{
	struct disk *k = disk_of(user, dev);

	if (k == NULL)
		return;
	k->is_back = true;
	k->is_new = k->is_new || is_new;
	disks_tell(k);
}

static void
export_let_go(void *user, struct blk_dev *dev)
{
	struct disk *k = disk_of(user, dev);

	if (k == NULL)
		return;
	k->is_let_go = true;
	disks_tell(k);
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
	.hold_socket = disks_hold_socket,
	.drop_socket = disks_drop_socket,
	.take_socket = disks_take_socket,
	.stopped = export_stopped,
};

static void
choose(struct disks *d)
{
	unsigned way = session_choice(nexus_session(d->x), CHOICE_exporter);

	d->is_ops_set = way != CHOICE_exporter_auto;
	disks_use(d, way == CHOICE_exporter_fuse   ? export_find("fuse")
		     : way == CHOICE_exporter_ublk ? export_find("ublk")
		     : way == CHOICE_exporter_nbd  ? export_find("nbd")
						   : d->cfg->export);
}

bool
disks_start(struct disks *d, struct fault *ret_fault)
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
	disks_start_fault(d, err, ret_fault);
	return false;
}

/* ---- openers ---- */

void
disks_take_openers(void *owner, struct mail *m)
{
	struct disks *d = nexus_user(owner);
	struct mail_openers *q = LIST_ENTRY(m, struct mail_openers, base.mail);

	for (size_t i = 0; i < q->n; i++) {
		struct disk *k = disks_find(d, q->rows[i].lun);

		if (k == NULL) {
			q->rows[i].openers = disks_held_openers(d, q->rows[i].name);
			continue;
		}
		q->rows[i].openers = d->ops->openers(d->export, &k->filters.dev);
		if (d->ops->users != NULL)
			q->rows[i].n_users =
			    d->ops->users(d->export, &k->filters.dev, q->rows[i].users, MAIL_USERS);
		if (q->seal != OPENERS_COUNT)
			d->ops->seal(d->export, &k->filters.dev, q->seal == OPENERS_SEAL);
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
	list_init(&d->ways);
	list_init(&d->shows);
	choose(d);
	disks_held_begin(d, &export_events);
	return d;
}

static void
close_all(void *user)
{
	struct fault why = { 0 };
	struct disks *d = user;

	fault_set(&why, FAULT_OFFLINE, "scan again", "the session was closed");
	disks_end_shows(d, &why);
	take_all_off(d);
	disks_ways_close(d);
	disks_held_end(d);
	if (d->export == NULL || d->is_stopping)
		return;
	d->is_stopping = true;
	d->ops->stop(d->export);
}

static bool
is_idle(const void *user)
{
	const struct disks *d = user;

	if (d->export != NULL || d->passing > 0 || !disks_ways_are_idle(d))
		return false;
	LIST_EACH(node, tmp, &d->all)
	if (!disk_is_idle(LIST_ENTRY(node, struct disk, link)))
		return false;
	return true;
}

static void
empty(void *user)
{
	disks_ways_leave(user);
	disks_sweep(user);
}

static void
end(void *user)
{
	struct disks *d = user;

	disks_held_end(d);
	free(d->dir);
	free(d);
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
		l->filters = filters_report(&k->filters);
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
		filters_clear(&k->filters);
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
	.configured = disks_filters_configured,
};
