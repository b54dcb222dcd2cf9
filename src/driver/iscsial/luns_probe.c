/* A look at a session's LUNs: what a probe found becomes nodes with instances, and disks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/diag/diag.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns_impl.h"
#include "sys/log.h"

#define LUNS_FAILURES_MAX 256
/* A turn's work, and the disks that a worker is asked to show at once. */
#define LUNS_TURN_US 5000
#define LUNS_AT_ONCE 64

/* One probe of one session, from the question to the disks that are shown. */
struct visit {
	struct driver *d;
	uint32_t instance;
	luns_done *done;
	void *user;
	struct mail_probe *probe; /* its answer */
	struct luns_result result;
	uint64_t began_us;
	size_t next;                   /* of the probe's LUNs */
	struct agenda_work more;       /* goes on with them */
	struct luns_failure *failures; /* NULL or LUNS_FAILURES_MAX, owned */
	size_t restoring;              /* disks whose device files are being made, and one */
};

/* ---- words about failures ---- */

static void
fail(struct visit *v, const char *what, const struct fault *why)
{
	struct luns_failure *f;

	if (v->failures == NULL)
		v->failures = call_alloc(LUNS_FAILURES_MAX * sizeof *v->failures);
	if (v->result.n_failures == LUNS_FAILURES_MAX)
		return; /* beyond the limit nobody reads on */
	f = &v->failures[v->result.n_failures++];
	cut_copy(f->what, sizeof f->what, what);
	f->fault = *why;
}

/* The registry's last failure. */
static void
fail_registry(struct visit *v, const char *what)
{
	struct fault why = { 0 };

	settings_fault(v->d->reg, &why);
	fail(v, what, &why);
}

/* ---- what a probe found becomes nodes ---- */

/* A bus or target above a LUN. */
static struct node *
claim_above(struct visit *v, const struct hwpath *path, enum registry_class class)
{
	struct node *n = tree_find(v->d->tree, path);
	struct fault why = { 0 };
	char text[HWPATH_TEXT_BYTES];
	uint32_t instance;
	int err;

	if (n != NULL && n->state == TREE_CLAIMED)
		return n;
	hwpath_print(text, path);
	/*
	 * The first bus of a session has its number, and each further one its own, so that
	 * names of disks follow from the order of sessions and not from who answered first.
	 */
	err = registry_io_instance_as(v->d->reg, class, text,
	    class == REGISTRY_CLASS_ext_bus
		? (int64_t)path->part[HWPATH_AT_BUS - 1] * LIMIT_SESSIONS + v->instance
		: -1,
	    &instance);
	if (err == -EUSERS) {
		fault_set(&why, FAULT_INTERNAL, "remove targets that are not needed any more",
		    "all instances of %s are taken", registry_class_name(class));
		fail(v, text, &why);
		return NULL;
	}
	if (err != 0) {
		fail_registry(v, text);
		return NULL;
	}
	n = tree_add(v->d->tree, path);
	n->instance = instance;
	n->state = TREE_CLAIMED;
	return n;
}

/* A unit at its place, held against what the registry remembers. */
enum standing {
	STANDING_RIGHT,   /* it is the one that is remembered */
	STANDING_ASSUMED, /* none is remembered, but one is installed */
	STANDING_NEW,     /* nobody has an old one installed, if there was one */
	STANDING_WRONG,   /* another one, and the old one is installed */
	STANDING_UNKNOWN, /* that cannot be told now: nothing changes */
};

static enum standing
compare(struct visit *v, const struct node *n, const struct lu_info *info)
{
	struct identity known;
	struct fault why = { 0 };
	int err = registry_identity_get(v->d->reg, n->hw_path, &known);

	if (err == -ENOENT)
		return n->is_installed ? STANDING_ASSUMED : STANDING_NEW;
	if (err != 0) {
		fail_registry(v, n->hw_path);
		return STANDING_UNKNOWN;
	}
	switch (identity_compare(&known, &info->id)) {
	case IDENTITY_SAME:
	case IDENTITY_ALIKE:
		return STANDING_RIGHT;
	case IDENTITY_UNCERTAIN:
		fault_set(&why, FAULT_OFFLINE, "look at the unit on the target, and scan again",
		    "it cannot be told whether LUN %u is still %s: it is not touched", info->number,
		    identity_name(&known));
		fail(v, n->hw_path, &why);
		return STANDING_UNKNOWN;
	case IDENTITY_OTHER:
		break;
	}
	if (!n->is_installed)
		return STANDING_NEW;
	fault_set(&why, FAULT_OFFLINE,
	    "restore the unit on the target; or remove the device (rmsf) and scan again",
	    "LUN %u is not the unit that %s was installed for: it was %s, now there is %s; "
	    "it gets no I/O",
	    info->number, n->name, identity_name(&known), identity_name(&info->id));
	fail(v, n->hw_path, &why);
	return STANDING_WRONG;
}

/* What is the right one from now on is written down, where it is not there yet. */
static void
remember(struct visit *v, const struct node *n, const struct lu_info *info, enum standing standing)
{
	struct identity known, now = info->id;
	bool is_known = registry_identity_get(v->d->reg, n->hw_path, &known) == 0;

	if (is_known && standing == STANDING_RIGHT)
		identity_keep(&now, &known);
	if (is_known && memcmp(&known, &now, sizeof known) == 0)
		return;
	if (registry_identity_set(v->d->reg, n->hw_path, &now) != 0)
		fail_registry(v, n->hw_path);
}

/* Another way to a unit that has a device already: it is shown in the tree only. */
static void
find_twin(const struct driver *d, struct node *n, const struct lu_info *info)
{
	n->twin[0] = n->note[0] = '\0';
	if (n->is_installed || n->is_shown || !info->is_disk || !identity_has_name(&info->id))
		return;
	for (size_t i = 0; i < d->tree->n; i++) {
		const struct node *o = d->tree->nodes[i];

		if (o == n || o->kind != TREE_LUN || o->info == NULL || o->twin[0] != '\0' ||
		    o->is_replaced || (!o->is_installed && !o->is_shown && !o->is_showing) ||
		    !identity_sketch_meets(&o->sketch, &n->sketch) ||
		    identity_compare(&o->info->id, &info->id) != IDENTITY_SAME)
			continue;
		cut_copy(n->twin, sizeof n->twin, o->name);
		(void)snprintf(n->note, sizeof n->note,
		    "another path to disk %s (%s): it gets no device of its own", o->name,
		    o->hw_path); /* shortened where it must be */
		return;
	}
}

/* The node of a LUN that is there, and where it stands; NULL when it could not have one. */
static struct node *
claim(struct visit *v, const struct lu_info *info, enum standing *ret_standing)
{
	struct wanted *w = wanted_find(v->d, v->instance);
	struct luns_path at;
	struct hwpath bus, target, path;
	struct node *b, *n;
	uint32_t instance;

	if (!luns_path(info->number, &at))
		return NULL;
	bus = hwpath_bus(v->instance, at.bus);
	target = hwpath_target(v->instance, at.bus, at.target);
	path = hwpath_lun(v->instance, at.bus, at.target, at.lun);
	b = claim_above(v, &bus, REGISTRY_CLASS_ext_bus);
	if (b == NULL || claim_above(v, &target, REGISTRY_CLASS_target) == NULL)
		return NULL;
	n = tree_add(v->d->tree, &path);
	if (registry_io_instance(
		v->d->reg, tree_registry_class(info->inquiry.type), n->hw_path, &instance) != 0) {
		fail_registry(v, n->hw_path);
		return NULL;
	}
	n->instance = instance;
	tree_name_lun(n, b->instance);
	*ret_standing = compare(v, n, info);
	if (*ret_standing == STANDING_UNKNOWN)
		return n;
	if (*ret_standing != STANDING_WRONG)
		remember(v, n, info, *ret_standing);
	if (*ret_standing != STANDING_WRONG && w != NULL)
		luns_tell_changed(w, n, info);
	tree_describe_lun(n, info);
	find_twin(v->d, n, info);
	/* Why it has no device: insf says it, too. */
	if (n->note[0] == '\0' && info->fault.is_set)
		cut_copy(n->note, sizeof n->note, info->fault.message);
	n->is_replaced = *ret_standing == STANDING_WRONG;
	n->state = n->driver[0] != '\0' && !n->is_replaced && n->twin[0] == '\0' ? TREE_CLAIMED
										 : TREE_UNCLAIMED;
	return n;
}

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

/* The target asks for a look: not while one is under way, and none costs more than a third of the
 * time. */
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
	uint64_t now = loop_now_update(v->d->loop);

	if (w == NULL || w->looks == 0 || --w->looks > 0)
		return;
	w->look_after_us = now + 2 * (now - v->began_us);
	if (w->must_look && w->closing == 0 && !v->d->is_stopping)
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
	if (v->done != NULL)
		v->done(v->user, &v->result);
	look_is_over(v);
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

static void adopt(struct visit *v);

/* The worker has a disk, or not. */
static void
row_shown(struct visit *v, const struct wanted *w, const struct mail_show_row *row)
{
	struct node *node = luns_find(v->d, v->instance, row->info.number);

	if (node == NULL)
		return;
	node->is_showing = false;
	if (row->fault.is_set) {
		fail(v, node->hw_path, &row->fault);
		cut_copy(node->note, sizeof node->note, row->fault.message);
		/* Another unit came, and somebody still has the old one open. */
		if (row->fault.code == FAULT_BUSY) {
			node->is_replaced = true;
			node->state = TREE_UNCLAIMED;
		}
		return;
	}
	if (w == NULL || wanted_is_closed(w) || w->closing > 0)
		return;
	node->is_shown = true;
	node->export = row->export;
	node->is_export_set = row->is_export_set;
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
add_row(struct mail_show *show, struct node *n, const struct lu_info *info, enum standing standing)
{
	struct mail_show_row *row = &show->rows[show->n++];

	n->is_showing = true;
	row->info = *info;
	row->may_adopt = standing == STANDING_NEW;
	row->is_remembered = standing == STANDING_RIGHT;
	cut_copy(row->name, sizeof row->name, n->name);
}

static void
adopt_one(struct visit *v, const struct lu_info *info, struct mail_show *show)
{
	enum standing standing = STANDING_UNKNOWN;
	struct node *node;
	char what[32];

	(void)snprintf(what, sizeof what, "LUN %u", info->number);
	if (info->fault.is_set)
		fail(v, what, &info->fault);
	if (info->answer != LU_SOMEBODY)
		return;
	node = claim(v, info, &standing);
	if (node != NULL && info->is_disk && info->is_sized && node->state == TREE_CLAIMED &&
	    standing != STANDING_UNKNOWN)
		add_row(show, node, info, standing);
}

/* As many as one turn has time for, with one wait for the disk; those that are to be shown. */
static struct mail_show *
adopt_some(struct visit *v)
{
	const struct probe_result *r = &v->probe->result;
	struct mail_show *show = question_new(sizeof *show, shown, v);
	uint64_t until = loop_now_update(v->d->loop) + LUNS_TURN_US;
	bool in_one = registry_begin(v->d->reg) == 0;

	show->rows = call_alloc(LUNS_AT_ONCE * sizeof *show->rows);
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

/* The guide's statistics and messages about a probe. */
static void
account(struct wanted *w, const struct probe_result *r)
{
	const struct diag_ctx about = { (int32_t)w->instance, w->target, w->about, w->d->diag };
	struct stat_block *stats = &w->d->stats;
	bool is_odd = false;

	stat_add_n(stats, STAT_TRANSPORT_GLOBAL_report_luns, r->report_luns);
	stat_add_n(stats, STAT_TRANSPORT_GLOBAL_report_luns_failed, r->report_luns_failed);
	stat_add_n(stats, STAT_TRANSPORT_GLOBAL_inquiries, r->inquiries);
	stat_add_n(stats, STAT_TRANSPORT_GLOBAL_inquiries_failed, r->inquiries_failed);
	if (r->report_luns_failed > 0)
		diag_ISCSI_LOG_REPORTLUNS_FAILED(
		    &about, r->bad_report.status, r->bad_report.result, r->bad_report.response);
	if (r->inquiries_failed > 0)
		diag_ISCSI_LOG_SCSI_INQ_FAILED(
		    &about, r->bad_inquiry.status, r->bad_inquiry.result, r->bad_inquiry.response);
	if (r->fault.is_set)
		return;
	/* How many there are now, not how often they were seen. */
	stat_add_n(
	    stats, STAT_TRANSPORT_GLOBAL_unclaimed_luns, (uint64_t)r->unclaimed - w->unclaimed);
	w->unclaimed = r->unclaimed;
	for (size_t i = 0; i < r->n_out; i++)
		is_odd |=
		    r->out[i].why != LUNS_OUT_SAME_NUMBER && r->out[i].why != LUNS_OUT_TOO_MANY;
	if (is_odd)
		diag_ISCSI_LOG_INV_LUN_ADDR_TYPE(&about);
	if (r->n == 0 && r->unclaimed == 0)
		diag_ISCSI_LOG_NO_LUNS_CONFIGURED(&about);
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
		account(w, r);
	}
	if (!r->fault.is_set && (w == NULL || w->closing > 0))
		fault_set(&r->fault, FAULT_OFFLINE, "scan again", "the session was closed");
	if (r->fault.is_set) {
		v->result.fault = r->fault;
		finish(v);
		return;
	}
	w->is_probed = true;
	v->result.unclaimed = r->unclaimed;
	v->result.probe = r;
	v->restoring = 1;
	adopt(v);
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
	agenda_work_init(&v->more, adopt_more);
	v->done = done;
	v->user = user;
	w->is_probing = true;
	if (wanted_ask(w, &q->base, &mail_probe))
		return;
	nexus_refuse_probe(&q->base.mail);
	call_post(w->d->loop, no_nexus, &q->base);
}
