/* What a look found at a place: its node and instance, held against what is remembered. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/luns_impl.h"
#include "driver/iscsial/registrants.h"

#define LUNS_FAILURES_MAX 256

/* ---- words about failures ---- */

void
luns_fail(struct visit *v, const char *what, const struct fault *why)
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
	luns_fail(v, what, &why);
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
		luns_fail(v, text, &why);
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

bool
luns_goes_on(const struct node *n)
{
	return n->is_shown && n->is_same;
}

void
luns_note_away(struct node *n)
{
	tree_note(
	    n, "another unit, or none, is at its LUN %u: it goes on over its other paths", n->lun);
}

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
		v->must_again = true;
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
		luns_fail(v, n->hw_path, &why);
		return STANDING_UNKNOWN;
	case IDENTITY_OTHER:
		break;
	}
	if (!n->is_installed)
		return STANDING_NEW;
	fault_set(&why, FAULT_OFFLINE,
	    "restore the unit on the target; or remove the device (rmsf) and scan again",
	    "LUN %u is not the unit that %s was installed for: it was %s, now there is %s; "
	    "it gets no I/O%s",
	    info->number, n->name, identity_name(&known), identity_name(&info->id),
	    luns_goes_on(n) ? ", and the disk goes on over its other paths" : "");
	luns_fail(v, n->hw_path, &why);
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

struct node *
luns_claim(struct visit *v, const struct lu_info *info, enum standing *ret_standing)
{
	struct wanted *w = wanted_find(v->d, v->instance);
	struct luns_path at;
	struct hwpath bus, target, path;
	struct node *b, *n;
	uint32_t instance;
	struct identity was;
	bool has_disk;

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
	tree_name_lun(v->d->tree, n, b->instance);
	*ret_standing = compare(v, n, info);
	if (*ret_standing == STANDING_UNKNOWN)
		return n;
	n->is_away = *ret_standing == STANDING_WRONG;
	if (n->is_away && luns_goes_on(n)) {
		luns_note_away(n);
		return n;
	}
	if (*ret_standing != STANDING_WRONG)
		remember(v, n, info, *ret_standing);
	if (*ret_standing != STANDING_WRONG && w != NULL)
		luns_tell_changed(w, n, info);
	has_disk = n->is_shown && n->is_same && !n->is_replaced && n->info != NULL &&
		   luns_identity(v->d, n, &was) &&
		   identity_compare(&was, &info->id) != IDENTITY_OTHER;
	tree_describe_lun(n, info);
	luns_find_twin(v->d, n, info, has_disk);
	/* Why it has no device: insf says it, too. */
	if (n->note == NULL && info->fault.is_set)
		tree_note(n, "%s", info->fault.message);
	n->is_replaced = *ret_standing == STANDING_WRONG;
	n->state = n->driver[0] != '\0' && !n->is_replaced ? TREE_CLAIMED : TREE_UNCLAIMED;
	if (n->twin[0] != '\0')
		registrants_came(v->d, n);
	return n;
}
