/* isns.add, isns.remove, isns.set and isns.list: the iSNS servers that iisnsd follows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/control/control.h"
#include "driver/control/op_purge.h"
#include "driver/control/ops.h"
#include "driver/control/scope.h"
#include "driver/iscsi/isns.h"
#include "driver/iscsi/settings.h"

/* False with *ret_fault.  iisnsd is told where that is something else than before. */
static bool
store(struct driver *d, const struct isns_server_list *list, struct fault *ret_fault)
{
	char *text = isns_join(list);
	const struct scope_change c = { REGISTRY_KEY_isns_servers, text };
	bool is_new = false, ok = scope_store(d, NULL, &c, 1, &is_new);

	if (!ok)
		settings_fault(d->reg, ret_fault);
	else if (is_new)
		isns_push(d);
	free(text);
	return ok;
}

static json_t *
show_list(const struct isns_server_list *list)
{
	json_t *servers = json_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_array_append_new(
		    servers, json_string(list->text[i])); /* no memory: one less */
	return servers;
}

/* The server of the call; false: it was answered. */
static bool
get_server(struct ipc_call *call, struct isns_server_list *one, struct registry_address *ret)
{
	if (!control_address(call, ret))
		return false;
	ret->tpgt = 0; /* it is no portal */
	if (ipc_call_arg_int(call, "port", 0) == 0)
		ret->port = ISNS_PORT;
	one->n = 1;
	isns_text(ret, one->text[0]);
	return true;
}

/* Its place; list->n: it is not there. */
static size_t
find(const struct isns_server_list *list, const struct registry_address *a)
{
	struct registry_address b;

	for (size_t i = 0; i < list->n; i++)
		if (isns_address(list->text[i], &b) && registry_address_same(a, &b))
			return i;
	return list->n;
}

void
op_isns_add(struct driver *d, struct ipc_call *call)
{
	struct isns_server_list list, one;
	struct registry_address a;
	struct fault f = { 0 };

	if (!get_server(call, &one, &a))
		return;
	isns_configured(d, &list);
	if (find(&list, &a) < list.n) {
		if (!ipc_call_arg_bool(call, "if_absent", false))
			fault_set(&f, FAULT_EXISTS, "nothing needs to be done",
			    "%s is an iSNS server already", one.text[0]);
	} else if (list.n == LIMIT_ISNS_SERVERS) {
		fault_set(&f, FAULT_INVALID,
		    "delete one that is not needed: iscsiutil -d --isns -I",
		    "there can be %d iSNS servers at most", LIMIT_ISNS_SERVERS);
	} else {
		memcpy(list.text[list.n++], one.text[0], sizeof list.text[0]);
		(void)store(d, &list, &f); /* f says */
	}
	if (f.is_set)
		control_fail(call, &f, NULL);
	else
		ipc_call_reply(call, json_pack("{s:s, s:i}", "address", a.address, "port", a.port));
}

static int
forget(struct driver *d, const struct registry_address *a)
{
	int err = registry_found_forget(d->reg, a, NULL);

	return err < 0 ? err : 0;
}

void
op_isns_remove(struct driver *d, struct ipc_call *call)
{
	struct isns_server_list list, one;
	struct registry_address a;
	struct fault f = { 0 };
	size_t at;

	if (!get_server(call, &one, &a))
		return;
	isns_configured(d, &list);
	at = find(&list, &a);
	if (at == list.n) {
		fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil --isns",
		    "%s is not an iSNS server", one.text[0]);
	} else {
		list.n--;
		memmove(list.text[at], list.text[at + 1], (list.n - at) * sizeof list.text[0]);
		(void)store(d, &list, &f); /* f says */
	}
	if (!f.is_set && ipc_call_arg_bool(call, "targets", false)) {
		op_purge(d, call, &a, forget);
		return;
	}
	if (!f.is_set && forget(d, &a) < 0)
		settings_fault(d->reg, &f);
	if (f.is_set)
		control_fail(call, &f, NULL);
	else
		ipc_call_reply(call, json_pack("{s:s, s:i}", "address", a.address, "port", a.port));
}

void
op_isns_set(struct driver *d, struct ipc_call *call)
{
	struct isns_server_list list;
	struct fault f = { 0 };

	if (!isns_parse(ipc_call_arg_string(call, "servers", ""), &list, &f) ||
	    !store(d, &list, &f))
		control_fail(call, &f, NULL);
	else
		ipc_call_reply(call, json_pack("{s:o}", "servers", show_list(&list)));
}

/* What iisnsd says of it, or that nothing is known. */
static json_t *
show_server(struct driver *d, const char *text)
{
	const struct isns_server *s = isns_find(d, text);
	bool is_running = isns_pid(d) != 0;
	struct registry_address a = { 0 };
	json_t *o = s != NULL ? json_copy(s->shown)
			      : json_pack("{s:s, s:n, s:b, s:b, s:n, s:i, s:i, s:b}", "state",
				    "waiting", "peer", "is_known", false, "is_notifying", false,
				    "error", "targets", 0, "left_out", 0, "is_cut", false);
	json_t *counts = json_object_get(o, "counts");

	(void)isns_address(text, &a); /* it was checked when it was set */
	if (counts != NULL)
		(void)json_object_update(o, counts); /* no memory: without, as below */
	(void)json_object_del(o, "counts");
	control_set(o, "address", json_string(a.address));
	control_set(o, "port", json_integer(a.port));
	if (is_running)
		return o;
	control_set(o, "state", json_string("waiting"));
	control_set(o, "is_notifying", json_false());
	control_set(o, "error", json_string("iisnsd is not running"));
	return o;
}

void
op_isns_list(struct driver *d, struct ipc_call *call)
{
	struct isns_server_list list;
	json_t *servers = json_array();

	isns_configured(d, &list);
	for (size_t i = 0; i < list.n; i++)
		(void)json_array_append_new(
		    servers, show_server(d, list.text[i])); /* no memory: one less */
	ipc_call_reply(call, json_pack("{s:o}", "servers", servers));
}
