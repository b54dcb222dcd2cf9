/*
 * Disks that have several paths: a session leads to a unit that another session shows as a disk.
 * The unit is that other one's; what goes over this one is ended here when this one is closed.
 * On the worker that both are on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsial/disks_impl.h"
#include "sys/log.h"

struct way {
	struct list link;    /* disks.ways of the session that it leads over */
	struct list of_disk; /* disk.ways */
	struct disk *disk;
	struct nexus *x; /* that session */
	struct lunpath *lp;
};

static struct disk *
disk_named(const struct disks *d, const char *name)
{
	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		if (k->is_exported && strcmp(lu_blk(k->lu)->name, name) == 0)
			return k;
	}
	return NULL;
}

/* ---- the end of a way ---- */

static void
way_free(struct way *w)
{
	list_remove(&w->link);
	list_remove(&w->of_disk);
	free(w);
}

static void
leave(struct way *w)
{
	lu_leave(w->disk->lu, w->lp, session_dead_us(nexus_session(w->x)));
	way_free(w);
}

/* The unit at this LUN of the session is not that disk's any more, as far as is known. */
static void
leave_lun(struct disks *d, uint32_t lun, const struct disk *but)
{
	LIST_EACH(node, tmp, &d->ways)
	{
		struct way *w = LIST_ENTRY(node, struct way, link);

		if (lunpath_number(w->lp) != lun || w->disk == but)
			continue;
		lunpath_stop(w->lp);
		if (lunpath_is_idle(w->lp))
			leave(w);
	}
}

void
disks_ways_close(struct disks *d)
{
	LIST_EACH(node, tmp, &d->ways)
	lunpath_stop(LIST_ENTRY(node, struct way, link)->lp);
}

bool
disks_ways_are_idle(const struct disks *d)
{
	LIST_EACH(node, tmp, &d->ways)
	if (!lunpath_is_idle(LIST_ENTRY(node, struct way, link)->lp))
		return false;
	return true;
}

void
disks_ways_leave(struct disks *d)
{
	LIST_EACH(node, tmp, &d->ways)
	leave(LIST_ENTRY(node, struct way, link));
}

void
disks_ways_forget(struct disk *k)
{
	LIST_EACH(node, tmp, &k->ways)
	way_free(LIST_ENTRY(node, struct way, of_disk));
}

/* ---- its beginning ---- */

static bool
is_there(const struct disk *k, const struct nexus *x, uint32_t lun)
{
	LIST_EACH(node, tmp, &k->ways)
	{
		const struct way *w = LIST_ENTRY(node, struct way, of_disk);

		if (w->x == x && lunpath_number(w->lp) == lun)
			return lunpath_state(w->lp) != LU_CLOSED;
	}
	return false;
}

static void
prefer(struct lunpath *lp, int prefers)
{
	if (prefers >= 0)
		lunpath_prefer(lp, prefers > 0);
}

static void
join(struct disk *k, struct nexus *x, const struct lu_info *info, int prefers, struct fault *why)
{
	struct disks *d = nexus_user(x);
	bool is_same_target = strcmp(nexus_cfg(x)->target, nexus_cfg(k->owner->x)->target) == 0;
	const char *name = lu_blk(k->lu)->name;
	struct identity known;
	struct lunpath *lp;
	struct way *w;

	leave_lun(d, info->number, k);
	if (is_there(k, x, info->number))
		return;
	identity_unpack(lu_info(k->lu)->id, &known);
	if (!identity_joins(&known, &info->id, is_same_target)) {
		fault_set(
		    why, FAULT_OFFLINE, "scan again", "it is not surely the unit of disk %s", name);
		return;
	}
	if (!lu_fits(k->lu, info)) {
		fault_set(why, FAULT_OFFLINE,
		    "look at the target: two units must not have one name; where it was resized, "
		    "scan again",
		    "it calls itself what disk %s does, but its size is another one: it is not "
		    "used",
		    name);
		return;
	}
	if (!lu_has_room(k->lu)) {
		fault_set(why, FAULT_INTERNAL, "remove paths that are not needed",
		    "disk %s has as many paths as it may have (%u)", name, LIMIT_UNIT_PATHS);
		return;
	}
	lp = lu_join(k->lu, session_path(nexus_session(x)), info);
	if (lp == NULL) {
		fault_set(why, FAULT_INTERNAL, "scan again when there is more",
		    "there is no memory for another path of disk %s", name);
		return;
	}
	session_add_path(nexus_session(x), lp);
	w = call_alloc(sizeof *w);
	w->disk = k;
	w->x = x;
	w->lp = lp;
	if (d->is_out)
		lunpath_fail(lp);
	prefer(lp, prefers);
	list_push_back(&d->ways, &w->link);
	list_push_back(&k->ways, &w->of_disk);
}

static bool
is_open(struct nexus *x)
{
	return !nexus_is_closing(x) && session_state(nexus_session(x)) != SESSION_CLOSED;
}

void
disks_join_known(struct disk *k, const struct mail_show_row *row)
{
	lu_rule(k->lu, &row->rule);
	prefer(lu_first_path(k->lu), row->prefers);
	for (size_t i = 0; i < row->n_ways; i++) {
		const struct mail_show_way *known = &row->ways[i];
		struct nexus *x = nexus_find(nexus_iothread(k->owner->x), known->instance);
		struct lu_info info = row->info;
		struct fault why = { 0 };

		/* A session on another thread is brought here, and joins then. */
		if (x != NULL && is_open(x) && lu_info_elsewhere(&info, known->lun))
			join(k, x, &info, known->prefers, &why);
		if (why.is_set)
			log_warn("session %u is no path to disk %s: %s", known->instance, row->name,
			    why.message);
	}
}

void
disks_take_join(void *owner, struct mail *m)
{
	struct mail_join *q = LIST_ENTRY(m, struct mail_join, base.mail);
	struct disk *k = disk_named(nexus_user(owner), q->name);
	struct nexus *x = nexus_find(nexus_iothread(owner), q->instance);

	if (k == NULL || nexus_is_closing(owner))
		fault_set(&q->fault, FAULT_OFFLINE, "scan again", "disk %s is not shown", q->name);
	else if (x == NULL)
		q->is_elsewhere = true;
	else if (!is_open(x))
		fault_set(&q->fault, FAULT_OFFLINE, "scan again", "the session was closed");
	else
		join(k, x, &q->info, q->prefers, &q->fault);
	mail_answer(m);
}

/* The path of the disk over this session, or NULL. */
static struct lunpath *
path_over(const struct disk *k, uint32_t instance)
{
	if (nexus_cfg(k->owner->x)->instance == instance)
		return lu_first_path(k->lu);
	LIST_EACH(node, tmp, &k->ways)
	{
		const struct way *w = LIST_ENTRY(node, struct way, of_disk);

		if (nexus_cfg(w->x)->instance == instance)
			return w->lp;
	}
	return NULL;
}

void
disks_take_rule(void *owner, struct mail *m)
{
	struct mail_rule *q = LIST_ENTRY(m, struct mail_rule, mail);
	struct disk *k = disk_named(nexus_user(owner), q->name);

	if (k != NULL)
		lu_rule(k->lu, &q->rule);
	for (size_t i = 0; k != NULL && i < q->n; i++) {
		struct lunpath *lp = path_over(k, q->paths[i].instance);

		if (lp != NULL)
			prefer(lp, q->paths[i].prefers);
	}
	free(q);
}

void
disks_refuse_join(struct mail *m)
{
	fault_set(&LIST_ENTRY(m, struct mail_join, base.mail)->fault, FAULT_OFFLINE, "scan again",
	    "the session of the disk was closed");
}

/* ---- for people ---- */

static const struct nexus *
nexus_of(const struct disk *k, const struct lunpath *lp)
{
	LIST_EACH(node, tmp, &k->ways)
	if (LIST_ENTRY(node, struct way, of_disk)->lp == lp)
		return LIST_ENTRY(node, struct way, of_disk)->x;
	return k->owner->x;
}

void
disks_path_moved(void *user, struct lu *u, struct lunpath *lp, enum path_state from)
{
	const struct disk *k = user;
	struct diag_ctx about = *nexus_about(nexus_of(k, lp));
	struct lu_paths_view v = lu_paths_view(u);

	about.unit = lu_blk(u)->name;
	diag_OPENISW_LOG_PATH_STATE(
	    &about, lu_blk(u)->name, path_state_word(lunpath_shown(lp)), path_state_word(from));
	/* The one whose loss would be an outage. */
	if (path_state_serves(from) && v.serving == 1)
		diag_OPENISW_LOG_LAST_PATH(&about, lu_blk(u)->name, v.n);
}

static void
show(struct mail_paths *q, const struct disk *k, const struct nexus *x, const struct lunpath *lp)
{
	struct mail_paths_row *r = &q->rows[q->n++];
	struct lunpath_view v;

	lunpath_view(lp, &v);
	cut_copy(r->name, sizeof r->name, lu_blk(k->lu)->name);
	r->instance = nexus_cfg(x)->instance;
	r->view = v;
	r->unit = lu_paths_view(k->lu);
}

void
disks_take_paths(void *owner, struct mail *m)
{
	const struct disks *d = nexus_user(owner);
	struct mail_paths *q = LIST_ENTRY(m, struct mail_paths, base.mail);
	size_t n = 0;

	LIST_EACH(node, tmp, &d->all)
	{
		const struct disk *k = LIST_ENTRY(node, struct disk, link);

		n++;
		LIST_EACH(way, next, &k->ways)
		n++;
	}
	q->rows = call_alloc((n > 0 ? n : 1) * sizeof *q->rows);
	LIST_EACH(node, tmp, &d->all)
	{
		const struct disk *k = LIST_ENTRY(node, struct disk, link);

		if (!k->is_exported)
			continue;
		show(q, k, owner, lu_first_path(k->lu));
		LIST_EACH(way, next, &k->ways)
		{
			const struct way *w = LIST_ENTRY(way, struct way, of_disk);

			show(q, k, w->x, w->lp);
		}
	}
	mail_answer(m);
}

void
disks_refuse_paths(struct mail *m)
{
	(void)m; /* it has none */
}

void
disks_drop_paths(struct mail *m)
{
	struct mail_paths *q = LIST_ENTRY(m, struct mail_paths, base.mail);

	free(q->rows);
	free(q);
}

static void
set_out(struct lunpath *lp, bool is_out)
{
	if (is_out)
		lunpath_fail(lp);
	else
		lunpath_restore(lp);
}

/* Each of the session's paths to units, one after the other. */
static struct lunpath *
next_path(const struct disks *d, struct list **at, bool *is_way)
{
	const struct list *head = *is_way ? &d->ways : &d->all;

	*at = *at == NULL ? head->next : (*at)->next;
	if (*at == head && *is_way)
		return NULL;
	if (*at == head) {
		*is_way = true;
		*at = NULL;
		return next_path(d, at, is_way);
	}
	return *is_way ? LIST_ENTRY(*at, struct way, link)->lp
		       : lu_first_path(LIST_ENTRY(*at, struct disk, link)->lu);
}

void
disks_take_path(void *owner, struct mail *m)
{
	struct disks *d = nexus_user(owner);
	struct mail_path *q = LIST_ENTRY(m, struct mail_path, base.mail);
	struct list *at = NULL;
	bool is_way = false;

	for (struct lunpath *lp; (lp = next_path(d, &at, &is_way)) != NULL;) {
		q->n++;
		if (q->is_out && !q->is_forced && !lunpath_is_spare(lp))
			fault_set(&q->fault, FAULT_BUSY, "use --force",
			    "disk %s has no other path that serves now",
			    lu_blk(lunpath_lu(lp))->name);
	}
	at = NULL;
	is_way = false;
	for (struct lunpath *lp; !q->fault.is_set && (lp = next_path(d, &at, &is_way)) != NULL;)
		set_out(lp, q->is_out);
	if (!q->fault.is_set)
		d->is_out = q->is_out;
	mail_answer(m);
}

void
disks_refuse_path(struct mail *m)
{
	fault_set(&LIST_ENTRY(m, struct mail_path, base.mail)->fault, FAULT_OFFLINE, "scan again",
	    "the session was closed");
}
