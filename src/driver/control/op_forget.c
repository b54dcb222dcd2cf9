/*
 * device.forget: a unit that is gone for good.  First its users are counted, then its
 * device files go, then all that is remembered of it, in one step.
 */
#include <stdio.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/usage.h"

struct forgetting {
	struct later later; /* first: freed as one */
	struct hwpath path;
	char name[32];
	bool was_installed;
};

static void
fail(struct forgetting *x, const struct fault *f)
{
	control_fail(x->later.call, f, NULL);
	later_free(&x->later);
}

static void
not_known(struct fault *ret_f, const char *what)
{
	fault_set(
	    ret_f, FAULT_NOTFOUND, "look at what there is: ioscan -kfn", "%s is not known", what);
}

/* What keeps it from being forgotten; false: nothing does. */
static bool
is_kept(const struct driver *d, const struct node *n, struct fault *ret_f)
{
	const struct wanted *w = wanted_find(d, n->path.part[2]);

	if (n->state != TREE_NO_HW)
		fault_set(ret_f, FAULT_BUSY,
		    "remove the unit on the target and scan; rmsf without -x removes device files "
		    "only",
		    "%s is there: only what is gone can be forgotten", n->hw_path);
	else if (n->is_showing || n->attaching != NULL || n->doomed > 0 || n->removals > 0 ||
		 (w != NULL && w->closing > 0))
		fault_set(
		    ret_f, FAULT_BUSY, "try again", "%s is being changed just now", n->hw_path);
	return ret_f->is_set;
}

/* What is lost with it. */
static json_t *
show(const struct forgetting *x, const struct node *n)
{
	struct driver *d = x->later.d;
	struct identity id = { .size_bytes = UINT64_MAX };
	bool is_known = registry_identity_get(d->reg, n->hw_path, &id) == 0;

	return json_pack("{s:s, s:s, s:s, s:i, s:s?, s:o, s:b}", "name", n->name, "hw_path",
	    n->hw_path, "class", n->class_name, "instance", (int)n->instance, "unit",
	    is_known ? identity_name(&id) : NULL, "size_bytes",
	    id.size_bytes != UINT64_MAX ? json_integer((json_int_t)id.size_bytes) : json_null(),
	    "was_installed", x->was_installed);
}

static void
forget(struct forgetting *x, struct node *n)
{
	struct driver *d = x->later.d;
	struct wanted *w = wanted_find(d, n->path.part[2]);
	json_t *lost = show(x, n);
	uint32_t session = n->path.part[2];
	struct fault f = { 0 };
	size_t at;

	if (registry_io_remove(d->reg, n->hw_path) != 0) {
		settings_fault(d->reg, &f);
		json_decref(lost);
		fail(x, &f);
		return;
	}
	if (w != NULL)
		luns_hide(w, n);
	at = tree_lower(d->tree, &x->path);
	tree_remove(d->tree, at, at + 1);
	luns_settle(d, session);
	ipc_call_reply(x->later.call, lost);
	later_free(&x->later);
}

/* Its files are gone. */
static void
removed(void *user, const struct devfile_result *r)
{
	struct forgetting *x = user;
	struct fault f = r->fault;

	if (!f.is_set && r->node == NULL)
		not_known(&f, x->name);
	if (f.is_set || is_kept(x->later.d, r->node, &f))
		fail(x, &f);
	else
		forget(x, r->node);
}

static void
counted(void *user)
{
	struct forgetting *x = user;
	struct driver *d = x->later.d;
	struct node *n = tree_find(d->tree, &x->path);
	json_t *in_use = usage_list(d, &x->path);
	struct fault f = { 0 };

	if (in_use != NULL) {
		control_busy(x->later.call, in_use, "removal of its files (rmsf --force)");
		later_free(&x->later);
		return;
	}
	if (n == NULL)
		not_known(&f, x->name);
	if (f.is_set || is_kept(d, n, &f)) {
		fail(x, &f);
		return;
	}
	x->was_installed = n->is_installed;
	if (n->is_installed || n->loop != TREE_NO_LOOP)
		devfile_remove(d, n, false, removed, x);
	else
		forget(x, n);
}

/* NULL with *ret_f. */
static const struct node *
find(const struct driver *d, struct ipc_call *call, struct fault *ret_f)
{
	const char *name = ipc_call_arg_string(call, "name", NULL);
	const char *path = ipc_call_arg_string(call, "hw_path", NULL);
	const struct node *n = NULL;
	struct hwpath at;

	if ((name != NULL) == (path != NULL))
		fault_set(ret_f, FAULT_INVALID, "give a name or a hardware path",
		    "it was not said what to forget");
	else if (path != NULL && (!hwpath_parse(path, &at) || at.n != HWPATH_AT_LUN))
		fault_set(ret_f, FAULT_INVALID,
		    "give the whole path of a unit, such as 255/0/1.0.0.2",
		    "\"%s\" is not the hardware path of a unit", path);
	else if ((n = path != NULL ? tree_find(d->tree, &at) : tree_find_name(d->tree, name)) ==
		 NULL)
		not_known(ret_f, path != NULL ? path : name);
	return n;
}

void
op_device_forget(struct driver *d, struct ipc_call *call)
{
	struct forgetting *x;
	struct fault f = { 0 };
	const struct node *n = find(d, call, &f);

	if (n == NULL) {
		control_fail(call, &f, NULL);
		return;
	}
	x = call_alloc(sizeof *x);
	x->later = (struct later){ d, call };
	x->path = n->path;
	(void)snprintf(x->name, sizeof x->name, "%s", n->name); /* of the same size */
	usage_collect(d, counted, x);
}
