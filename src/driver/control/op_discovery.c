#include <errno.h>
#include <stdlib.h>

#include "driver/control/configured.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/op_purge.h"
#include "driver/control/ops.h"
#include "driver/iscsi/portal.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"
#include "ipc/pieces.h"

static json_t *
show_address(const struct registry_address *a)
{
	return json_pack(
	    "{s:s, s:i, s:i}", "address", a->address, "port", a->port, "tpgt", a->tpgt);
}

static void
answer(struct driver *d, struct ipc_call *call, const struct registry_address *a, int err)
{
	char text[WANTED_ADDRESS_BYTES];
	struct fault f;

	wanted_address_text(a, text);
	if (err == 0) {
		ipc_call_reply(call, show_address(a));
		return;
	}
	if (err == -EEXIST)
		fault_set(&f, FAULT_EXISTS, "nothing needs to be done",
		    "%s is a discovery target address already", text);
	else if (err == -ENOENT)
		fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil -p -D",
		    "%s is not a discovery target address", text);
	else
		settings_fault(d->reg, &f);
	control_fail(call, &f, NULL);
}

void
op_discovery_add(struct driver *d, struct ipc_call *call)
{
	struct registry_address a;
	int err;

	if (!control_address(call, &a))
		return;
	err = registry_discovery_add(d->reg, &a);
	if (err == -EEXIST && ipc_call_arg_bool(call, "if_absent", false))
		err = 0;
	answer(d, call, &a, err);
}

/* How many addresses of targets are known through this one alone: they stay, until they are
 * deleted. */
static size_t
count_found(struct driver *d, const struct registry_address *a)
{
	struct registry_found *list;
	size_t n;

	if (registry_found_list(d->reg, a, &list, &n) != 0)
		return 0; /* what is wrong is said by the removal */
	free(list);
	return n;
}

static int
remove_address(struct driver *d, const struct registry_address *a)
{
	int err = registry_discovery_remove(d->reg, a);

	if (err == 0 || err == -ENOENT)
		portal_forget(d, a);
	return err;
}

void
op_discovery_remove(struct driver *d, struct ipc_call *call)
{
	struct registry_address a;
	size_t kept;
	json_t *o;
	int err;

	if (!control_address(call, &a))
		return;
	if (ipc_call_arg_bool(call, "targets", false)) {
		op_purge(d, call, &a, remove_address);
		return;
	}
	kept = count_found(d, &a);
	err = remove_address(d, &a);
	if (err != 0) {
		answer(d, call, &a, err);
		return;
	}
	o = show_address(&a);
	control_set(o, "addresses_kept", json_integer((json_int_t)kept));
	ipc_call_reply(call, o);
}

static json_t *
show_last_scan(const struct portal *p)
{
	if (!p->is_scanned)
		return json_null();
	return json_pack("{s:o, s:b, s:I, s:s?}", "time", control_time(p->when), "ok",
	    !p->fault.is_set, "targets", (json_int_t)p->targets, "error",
	    p->fault.is_set ? p->fault.message : NULL);
}

struct discovery_listing {
	struct later later; /* first: freed as one */
	struct ipc_pieces pieces;
	struct registry_address *list; /* n of them, owned; `at` is next */
	size_t at, n;
};

static json_t *
next_discovery(struct ipc_pieces *p)
{
	struct discovery_listing *l = LIST_ENTRY(p, struct discovery_listing, pieces);
	struct driver *d = l->later.d;
	const struct registry_address *a;
	json_t *o;

	if (l->at == l->n)
		return NULL;
	a = &l->list[l->at++];
	o = show_address(a);
	configured_show(d, &(struct registry_scope){ REGISTRY_DISCOVERY, NULL, a }, o);
	control_set(o, "last_scan", show_last_scan(portal_get(d, a)));
	return o;
}

static void
discovery_shown(struct ipc_pieces *p)
{
	struct discovery_listing *l = LIST_ENTRY(p, struct discovery_listing, pieces);

	free(l->list);
	later_free(&l->later);
}

static const struct ipc_pieces_ops discovery_pieces = { next_discovery, discovery_shown };

void
op_discovery_list(struct driver *d, struct ipc_call *call)
{
	struct discovery_listing *l = call_alloc(sizeof *l);
	struct fault f;

	l->later = (struct later){ d, call };
	l->pieces = (struct ipc_pieces){ .ops = &discovery_pieces, .member = "targets" };
	if (registry_discovery_list(d->reg, &l->list, &l->n) == 0) {
		ipc_call_reply_pieces(call, &l->pieces);
		return;
	}
	settings_fault(d->reg, &f);
	control_fail(call, &f, NULL);
	later_free(&l->later);
}
