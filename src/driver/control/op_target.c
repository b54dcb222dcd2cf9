#include <errno.h>
#include <string.h>

#include "base/cut.h"
#include "core/iname.h"
#include "driver/control/configured.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/shutdown.h"
#include "driver/iscsial/usage.h"
#include "ipc/pieces.h"
#include "sys/log.h"

/* ---- target.list ---- */

/* Where a permanent redirection that has worked sends logins. */
static json_t *
show_redirect(struct driver *d, const char *name, const struct registry_address *a)
{
	struct registry_address to;
	char text[WANTED_ADDRESS_BYTES];

	if (registry_redirect_get(d->reg, name, a, &to) != 0)
		return json_null(); /* also where it cannot be read */
	wanted_address_text(&to, text);
	return json_string(text);
}

static json_t *
show_address(struct driver *d, const char *name, const struct registry_address *a)
{
	const struct wanted *w = wanted_find_address(d, name, a);
	struct registry_scope scope = { REGISTRY_TARGET_ADDRESS, name, a };
	json_t *o = json_pack("{s:s, s:i, s:i, s:o, s:o, s:s?}", "address", a->address, "port",
	    a->port, "tpgt", a->tpgt, "session_instance",
	    w != NULL ? json_integer(w->instance) : json_null(), "state",
	    w != NULL ? json_string(wanted_word(w)) : json_null(), "last_error",
	    w != NULL && w->view.last.is_set ? w->view.last.message : NULL);

	if (o == NULL)
		return NULL;
	control_set(o, "last_error_next", w != NULL ? control_next(&w->view.last) : json_null());
	control_set(o, "redirected_to", show_redirect(d, name, a));
	control_set(o, "next_try", w != NULL ? control_due(d, w->view.next_try_us) : json_null());
	configured_show(d, &scope, o);
	return o;
}

static json_t *
show_target(struct driver *d, const struct registry_target *t)
{
	struct registry_scope scope = { REGISTRY_TARGET, t->name, NULL };
	json_t *addresses = json_array(), *o;

	for (size_t i = 0; i < t->n_addresses; i++)
		(void)json_array_append_new(addresses,
		    show_address(d, t->name, &t->addresses[i].a)); /* no memory: one less */
	o = json_pack("{s:s, s:s, s:s, s:o}", "name", t->name, "alias", t->alias, "source",
	    registry_source_name(t->source), "addresses", addresses);
	if (o != NULL)
		configured_show(d, &scope, o);
	return o;
}

static void
not_found(struct ipc_call *call, const char *what)
{
	struct fault f;

	fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil -p -O",
	    "%s is not an operational target", what);
	control_fail(call, &f, NULL);
}

/* So many are read from the registry at once. */
#define TARGETS_AT_ONCE 16

struct target_listing {
	struct later later; /* first: freed as one */
	struct ipc_pieces pieces;
	struct registry_target *list; /* n of them, from the registry; `at` is next */
	size_t at, n;
	int64_t after; /* in the registry */
	bool is_last;  /* it has no more */
};

/* False: it could not be read. */
static bool
read_targets(struct target_listing *l)
{
	registry_targets_free(l->list, l->n);
	l->list = NULL;
	l->at = l->n = 0;
	if (registry_target_page(l->later.d->reg, &l->after, TARGETS_AT_ONCE, &l->list, &l->n) !=
	    0) {
		l->is_last = true;
		return false;
	}
	l->is_last = l->n < TARGETS_AT_ONCE;
	return true;
}

static json_t *
next_target(struct ipc_pieces *p)
{
	struct target_listing *l = LIST_ENTRY(p, struct target_listing, pieces);

	if (l->at == l->n && !l->is_last && !read_targets(l))
		log_err(
		    "a list of targets ends early: %s", registry_error(l->later.d->reg)->message);
	return l->at < l->n ? show_target(l->later.d, &l->list[l->at++]) : NULL;
}

static void
targets_shown(struct ipc_pieces *p)
{
	struct target_listing *l = LIST_ENTRY(p, struct target_listing, pieces);

	registry_targets_free(l->list, l->n);
	later_free(&l->later);
}

static const struct ipc_pieces_ops target_pieces = { next_target, targets_shown };

void
op_target_list(struct driver *d, struct ipc_call *call)
{
	const char *name = ipc_call_arg_string(call, "name", NULL);
	struct target_listing *l = call_alloc(sizeof *l);
	struct fault f;
	bool ok;

	l->later = (struct later){ d, call };
	l->pieces = (struct ipc_pieces){ .ops = &target_pieces, .member = "targets" };
	if (name != NULL) {
		l->is_last = true;
		ok = registry_target_list(d->reg, name, &l->list, &l->n) == 0;
	} else {
		ok = read_targets(l);
	}
	if (ok && (name == NULL || l->n > 0)) {
		ipc_call_reply_pieces(call, &l->pieces);
		return;
	}
	if (!ok)
		settings_fault(d->reg, &f);
	targets_shown(&l->pieces);
	if (ok)
		not_found(call, name);
	else
		control_fail(call, &f, NULL);
}

/* ---- target.remove ---- */

struct removal {
	struct later later; /* first: freed as one */
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	bool has_address;
	struct registry_address a;
	json_t *removed;
	json_t *in_use;   /* what was opened while it was being taken away */
	unsigned closing; /* sessions that are still open, and one while they are being asked */
};

static bool
concerns(const struct removal *r, const struct wanted *w)
{
	return iname_same(w->target, r->name) &&
	       (!r->has_address || registry_address_same(&w->a, &r->a));
}

static void
note_removed(struct removal *r, const struct registry_address *a)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:i}", "name", r->name, "address", a->address,
	    "port", a->port, "tpgt", a->tpgt);

	(void)json_array_append_new(r->removed, o); /* no memory: one less */
}

/* Owns in_use. */
static void
refuse(struct removal *r, json_t *in_use)
{
	control_busy(r->later.call, in_use, "removal");
	json_decref(r->removed);
	later_free(&r->later);
}

static void
one_closed(struct removal *r)
{
	struct driver *d = r->later.d;
	struct fault f;
	int err;

	if (--r->closing > 0)
		return;
	if (json_array_size(r->in_use) > 0) {
		refuse(r, r->in_use);
		return;
	}
	json_decref(r->in_use);
	err = registry_target_remove(d->reg, r->name, r->has_address ? &r->a : NULL);
	if (err == 0 || err == -ENOENT) {
		ipc_call_reply(r->later.call, json_pack("{s:O}", "removed", r->removed));
	} else {
		settings_fault(d->reg, &f);
		control_fail(r->later.call, &f, NULL);
	}
	json_decref(r->removed);
	later_free(&r->later);
}

static void
closed(void *user, struct driver *d, uint32_t instance, json_t *in_use)
{
	struct removal *r = user;
	struct wanted *w = wanted_find(d, instance);

	if (in_use != NULL)
		(void)json_array_extend(r->in_use, in_use); /* no memory: shorter */
	else
		shutdown_forget_nodes(d, instance);
	/* It stays as it is. */
	if (in_use != NULL && w != NULL)
		w->is_dropped = false;
	one_closed(r);
}

static void
remove_counted(void *user)
{
	struct removal *r = user;
	struct driver *d = r->later.d;
	bool is_forced = ipc_call_arg_bool(r->later.call, "force", false);
	json_t *all = json_array(), *in_use;

	LIST_EACH(node, tmp, &d->sessions)
	{
		struct wanted *w = LIST_ENTRY(node, struct wanted, link);
		struct hwpath top = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, w->instance } };

		in_use = concerns(r, w) ? usage_list(d, &top) : NULL;
		if (in_use != NULL)
			(void)json_array_extend(all, in_use); /* no memory: shorter */
		json_decref(in_use);
	}
	if (json_array_size(all) > 0 && !is_forced) {
		refuse(r, all);
		return;
	}
	json_decref(all);
	r->in_use = json_array();
	r->closing = 1;
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct wanted *w = LIST_ENTRY(node, struct wanted, link);

		if (!concerns(r, w))
			continue;
		r->closing++;
		w->is_dropped = true;
		shutdown_session(w, is_forced, closed, r);
	}
	one_closed(r);
}

static void
no_address(struct ipc_call *call, const struct removal *r)
{
	char address[WANTED_ADDRESS_BYTES];
	struct fault f;

	wanted_address_text(&r->a, address);
	fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil -p -O", "%s has no address %s", r->name,
	    address);
	control_fail(call, &f, NULL);
}

void
op_target_remove(struct driver *d, struct ipc_call *call)
{
	struct registry_target *list;
	struct removal *r;
	struct fault f;
	size_t n, n_known;

	r = call_alloc(sizeof *r);
	r->later.d = d;
	r->later.call = call;
	r->removed = json_array();
	cut_copy(r->name, sizeof r->name, ipc_call_arg_string(call, "name", ""));
	r->has_address = ipc_call_arg_given(call, "address");
	if (r->has_address && !control_address(call, &r->a)) {
		json_decref(r->removed);
		later_free(&r->later);
		return;
	}
	if (registry_target_list(d->reg, r->name, &list, &n) != 0) {
		settings_fault(d->reg, &f);
		control_fail(call, &f, NULL);
		json_decref(r->removed);
		later_free(&r->later);
		return;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i].n_addresses; k++)
			if (!r->has_address ||
			    registry_address_same(&list[i].addresses[k].a, &r->a))
				note_removed(r, &list[i].addresses[k].a);
	n_known = n;
	registry_targets_free(list, n);
	if (json_array_size(r->removed) == 0) {
		if (n_known > 0)
			no_address(call, r);
		else
			not_found(call, r->name);
		json_decref(r->removed);
		later_free(&r->later);
		return;
	}
	usage_collect(d, remove_counted, r);
}
