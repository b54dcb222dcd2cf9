#include "driver/iscsial/luns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "driver/cut.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/devfile.h"
#include "sys/log.h"

#define LUNS_FAILURES_MAX 256

/* One probe of one session, from the question to the disks that are shown. */
struct visit {
	struct driver *d;
	struct session *s;
	uint32_t instance;
	luns_done *done;
	void *user;
	struct luns_result result;
	struct luns_failure *failures; /* NULL or LUNS_FAILURES_MAX, owned */
	size_t restoring;              /* disks whose device files are being made, and one */
};

/* ---- words about failures ---- */

static struct fault *
failure(struct visit *v, const char *what)
{
	static struct fault thrown_away; /* beyond the limit nobody reads on */
	struct luns_failure *f;

	if (v->failures == NULL)
		v->failures = call_alloc(LUNS_FAILURES_MAX * sizeof *v->failures);
	if (v->result.n_failures == LUNS_FAILURES_MAX)
		return &thrown_away;
	f = &v->failures[v->result.n_failures++];
	cut_copy(f->what, sizeof f->what, what);
	return &f->fault;
}

/* ---- the tree from the registry ---- */

static bool
load_node(struct driver *d, const struct registry_io *io)
{
	struct hwpath path;
	struct node *n;

	if (!hwpath_parse(io->hw_path, &path) || path.n < HWPATH_AT_BUS)
		return false;
	n = tree_add(&d->tree, &path);
	n->instance = io->instance;
	if (n->kind == TREE_LUN)
		n->class_name = registry_class_name(io->class);
	return true;
}

/* Names need their bus's instance, so they come after all nodes. */
static void
name_lun(struct driver *d, struct node *n)
{
	struct hwpath bus = hwpath_bus(n->path.part[2], n->path.part[3]);
	const struct node *b = tree_find(&d->tree, &bus);

	if (b != NULL)
		tree_name_lun(n, b->instance);
}

bool
luns_load(struct driver *d, struct fault *ret_fault)
{
	struct registry_device *devices = NULL;
	struct registry_io *io = NULL;
	size_t n;

	if (registry_io_list(d->reg, &io, &n) != 0) {
		settings_fault(d->reg, ret_fault);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!load_node(d, &io[i]))
			log_warn("the registry's node %s is passed over: no hardware path",
			    io[i].hw_path);
	free(io);
	for (size_t i = 0; i < d->tree.n; i++)
		if (d->tree.nodes[i]->kind == TREE_LUN)
			name_lun(d, d->tree.nodes[i]);
	if (registry_device_list(d->reg, &devices, &n) != 0) {
		settings_fault(d->reg, ret_fault);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		struct node *node = tree_find_name(&d->tree, devices[i].name);

		if (node != NULL)
			node->is_installed = true;
	}
	free(devices);
	return true;
}

struct node *
luns_find(const struct driver *d, uint32_t instance, uint32_t lun)
{
	struct luns_path at;
	struct hwpath path;

	if (!luns_path(lun, &at))
		return NULL;
	path = hwpath_lun(instance, at.bus, at.target, at.lun);
	return tree_find(&d->tree, &path);
}

size_t
luns_range(const struct driver *d, uint32_t instance, size_t *ret_from)
{
	struct hwpath from = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, instance } };
	struct hwpath to = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, instance + 1 } };

	*ret_from = tree_lower(&d->tree, &from);
	return tree_lower(&d->tree, &to);
}

bool
luns_known(const struct driver *d, uint32_t instance)
{
	size_t from, to = luns_range(d, instance, &from);

	return from < to;
}

size_t
luns_count(const struct driver *d, size_t *ret_in_use)
{
	size_t n = 0, used = 0;

	for (size_t i = 0; i < d->tree.n; i++) {
		const struct node *node = d->tree.nodes[i];

		if (node->kind != TREE_LUN)
			continue;
		n += node->is_shown;
		used += node->is_in_use;
	}
	*ret_in_use = used;
	return n;
}

/* ---- what a probe found becomes nodes ---- */

/* A bus or target above a LUN. */
static struct node *
claim_above(struct visit *v, const struct hwpath *path, enum registry_class class)
{
	struct node *n = tree_find(&v->d->tree, path);
	char text[HWPATH_TEXT_BYTES];
	uint32_t instance;
	int err;

	if (n == NULL || n->state != TREE_CLAIMED) {
		hwpath_print(text, path);
		err = registry_io_instance(v->d->reg, class, text, &instance);
		if (err != 0) {
			struct fault *f = failure(v, text);

			settings_fault(v->d->reg, f);
			if (err == -ENOSPC)
				fault_set(f, FAULT_INTERNAL,
				    "remove targets that are not needed any more",
				    "all instances of %s are taken", registry_class_name(class));
			return NULL;
		}
		n = tree_add(&v->d->tree, path);
		n->instance = instance;
		n->state = TREE_CLAIMED;
	}
	return n;
}

/* Both ways: the registry keeps more of a unit than a probe gathers. */
static struct identity
to_registry(const struct lun_id *id)
{
	struct identity ret = { .size_bytes = id->size_bytes };

	(void)identity_add(&ret, id->designator); /* none: a unit without one */
	memcpy(ret.serial, id->serial, strlen(id->serial));
	return ret;
}

static struct lun_id
from_registry(const struct identity *id)
{
	const char *designator = identity_first(id);
	struct lun_id ret = { .size_bytes = id->size_bytes };

	if (designator != NULL)
		memcpy(ret.designator, designator, strlen(designator));
	memcpy(ret.serial, id->serial, strlen(id->serial));
	return ret;
}

/* Is it the unit that the registry knows at this path?  A new one is written down. */
static bool
check_identity(struct visit *v, struct node *n, const struct lun_info *info)
{
	struct identity known, now = to_registry(&info->id);
	int err = registry_identity_get(v->d->reg, n->hw_path, &known);

	if (err != 0 && err != -ENOENT) {
		/* What cannot be read is not overwritten, and nothing is known to be the same. */
		settings_fault(v->d->reg, failure(v, n->hw_path));
		return !n->is_installed;
	}
	if (err == 0 && n->is_installed) {
		struct lun_id was = from_registry(&known);

		if (!lun_info_is_same(&was, &info->id)) {
			fault_set(failure(v, n->hw_path), FAULT_OFFLINE,
			    "restore the unit on the target; or remove the device (rmsf) and scan "
			    "again",
			    "LUN %u is not the unit that %s was installed for: it was %s, now "
			    "there is %s; it gets no I/O",
			    info->number, n->name, lun_info_name(&was), lun_info_name(&info->id));
			return false;
		}
	}
	if (err == 0 && memcmp(&known, &now, sizeof known) == 0)
		return true;
	if (registry_identity_set(v->d->reg, n->hw_path, &now) != 0)
		settings_fault(v->d->reg, failure(v, n->hw_path));
	return true;
}

/* The node of a LUN that is present; NULL when it could not have one. */
static struct node *
claim(struct visit *v, const struct lun_info *info)
{
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
	n = tree_add(&v->d->tree, &path);
	if (registry_io_instance(
		v->d->reg, tree_registry_class(info->inquiry.type), n->hw_path, &instance) != 0) {
		settings_fault(v->d->reg, failure(v, n->hw_path));
		return NULL;
	}
	n->instance = instance;
	tree_name_lun(n, b->instance);
	tree_describe_lun(n, info);
	n->is_replaced = !check_identity(v, n, info);
	n->state = n->driver[0] != '\0' && !n->is_replaced ? TREE_CLAIMED : TREE_UNCLAIMED;
	return n;
}

static void
forget_disk(struct session *s, struct node *n)
{
	if (!n->is_shown)
		return;
	n->is_shown = false;
	devfile_detach(s->d, n);
	if (s->seat != NULL)
		seat_hide(s->seat, n->lun);
}

/* A bus or target is there as long as something below it is. */
static void
settle(struct driver *d, uint32_t instance)
{
	size_t from, to = luns_range(d, instance, &from);
	struct node *bus = NULL, *target = NULL;

	for (size_t i = from; i < to; i++) {
		struct node *n = d->tree.nodes[i];

		if (n->kind == TREE_BUS)
			bus = n;
		else if (n->kind == TREE_TARGET)
			target = n;
		if (n->kind != TREE_LUN) {
			n->state = TREE_NO_HW;
		} else if (n->state != TREE_NO_HW) {
			if (bus != NULL)
				bus->state = TREE_CLAIMED;
			if (target != NULL)
				target->state = TREE_CLAIMED;
		}
	}
}

static const struct lun_info *
find_info(const struct probe_result *r, uint32_t lun)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->luns[i].number == lun)
			return &r->luns[i];
	return NULL;
}

/*
 * What the probe did not find any more.  A LUN that merely did not answer
 * stays what it was; a disk that is installed keeps its files, for it may come
 * back (a target that is being restarted, say), and fails until then.
 */
static void
drop_missing(struct visit *v, const struct probe_result *r)
{
	size_t from, to = luns_range(v->d, v->instance, &from);

	for (size_t i = from; i < to; i++) {
		struct node *n = v->d->tree.nodes[i];
		const struct lun_info *info;

		if (n->kind != TREE_LUN)
			continue;
		info = find_info(r, n->lun);
		if (info != NULL && (info->is_present || info->fault.is_set))
			continue;
		n->state = TREE_NO_HW;
		if (!n->is_installed)
			forget_disk(v->s, n);
	}
}

static void
finish(struct visit *v)
{
	size_t from, to = luns_range(v->d, v->instance, &from);

	v->result.failures = v->failures;
	for (size_t i = from; i < to; i++)
		v->result.claimed += v->d->tree.nodes[i]->kind == TREE_LUN &&
				     v->d->tree.nodes[i]->state == TREE_CLAIMED;
	for (size_t i = 0; i < v->result.n_failures; i++)
		log_warn("%s: %s", v->failures[i].what, v->failures[i].fault.message);
	if (v->done != NULL)
		v->done(v->user, &v->result);
	free(v->failures);
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

/* The bay has taken the disks: those that are installed get their device files back. */
static void
shown(void *user, struct seat_disk *disks, size_t n)
{
	struct visit *v = user;
	struct session *s = session_find(v->d, v->instance);

	v->restoring = 1;
	for (size_t i = 0; i < n; i++) {
		struct node *node = luns_find(v->d, v->instance, disks[i].info.number);

		if (node == NULL)
			continue;
		if (disks[i].fault.is_set) {
			*failure(v, node->hw_path) = disks[i].fault;
			/* Another unit came, and somebody still has the old one open. */
			if (disks[i].fault.code == FAULT_BUSY) {
				node->is_replaced = true;
				node->state = TREE_UNCLAIMED;
			}
			continue;
		}
		if (disks[i].is_refused)
			continue;
		if (s == NULL || s->state == SSTATE_CLOSED || s->state == SSTATE_LOGOUT)
			continue;
		node->is_shown = true;
		if (node->is_installed) {
			v->restoring++;
			devfile_restore(v->d, node, restored, v);
		}
	}
	free(disks);
	restored(v, NULL);
}

static void
adopt(struct visit *v, struct probe_result *r)
{
	struct seat_disk *disks = call_alloc((r->n + 1) * sizeof *disks);
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct lun_info *info = &r->luns[i];
		struct node *node;
		char what[32];

		(void)snprintf(what, sizeof what, "LUN %u", info->number);
		if (info->fault.is_set)
			*failure(v, what) = info->fault;
		if (!info->is_present)
			continue;
		node = claim(v, info);
		if (node == NULL || !info->is_disk || !info->is_sized ||
		    (node->state != TREE_CLAIMED && !node->is_replaced))
			continue;
		disks[n].info = *info;
		disks[n].is_refused = node->is_replaced;
		cut_copy(disks[n].name, sizeof disks[n].name, node->name);
		n++;
	}
	drop_missing(v, r);
	settle(v->d, v->instance);
	seat_show(v->s->seat, disks, n, shown, v);
}

static void
probed(void *user, struct probe_result *r)
{
	struct visit *v = user;
	struct session *s = session_find(v->d, v->instance);
	bool in_one;

	if (s != NULL)
		s->is_probing = false;
	if (!r->fault.is_set && (s == NULL || s->seat == NULL || s->state == SSTATE_LOGOUT))
		fault_set(&r->fault, FAULT_OFFLINE, "scan again", "the session was closed");
	if (r->fault.is_set) {
		v->result.fault = r->fault;
		finish(v);
		return;
	}
	v->s = s;
	s->is_probed = true;
	v->result.unclaimed = r->unclaimed;
	if (r->n == 0 && r->unclaimed == 0)
		diag_ISCSI_LOG_NO_LUNS_CONFIGURED(
		    &(struct diag_ctx){ (int32_t)s->instance, s->target, s->about });
	/* One wait for the disk instead of one a node; each write stands for itself if this fails.
	 */
	in_one = registry_begin(v->d->reg) == 0;
	adopt(v, r);
	if (in_one && registry_commit(v->d->reg) != 0)
		log_err("the hardware paths of session %u are not kept: %s", v->instance,
		    registry_error(v->d->reg)->message);
}

void
luns_probe(struct session *s, luns_done *done, void *user)
{
	struct visit *v = call_alloc(sizeof *v);

	v->d = s->d;
	v->s = s;
	v->instance = s->instance;
	v->done = done;
	v->user = user;
	s->is_probing = true;
	seat_probe(s->seat, probed, v);
}

/* ---- the session's events ---- */

void
luns_online(struct session *s)
{
	size_t from, to = luns_range(s->d, s->instance, &from);

	/* Back after an outage: the disks that are shown were checked before requests flow. */
	for (size_t i = from; i < to; i++) {
		struct node *n = s->d->tree.nodes[i];

		if (n->kind == TREE_LUN && n->is_shown && !n->is_replaced)
			n->state = TREE_CLAIMED;
	}
	settle(s->d, s->instance);
	if (!s->is_probed && !s->is_probing && list_empty(&s->waiters))
		luns_probe(s, NULL, NULL);
}

void
luns_offline(struct session *s)
{
	size_t from, to = luns_range(s->d, s->instance, &from);

	for (size_t i = from; i < to; i++) {
		struct node *n = s->d->tree.nodes[i];

		n->state = TREE_NO_HW;
		if (s->state == SSTATE_CLOSED && n->kind == TREE_LUN) {
			devfile_detach(s->d, n);
			n->is_shown = n->is_in_use = false;
		}
	}
}

void
luns_changed(struct session *s, const struct lun_info *info)
{
	struct node *n = luns_find(s->d, s->instance, info->number);

	if (n == NULL)
		return;
	log_note("disk %s: now %llu bytes%s", n->name, (unsigned long long)info->capacity.bytes,
	    info->has_mode && info->mode.is_write_protected ? ", read-only" : "");
	tree_describe_lun(n, info);
	devfile_change(s->d, n);
}

void
luns_replaced(struct session *s, uint32_t lun)
{
	struct node *n = luns_find(s->d, s->instance, lun);

	if (n == NULL)
		return;
	n->is_replaced = true;
	n->state = TREE_UNCLAIMED;
	settle(s->d, s->instance);
}
