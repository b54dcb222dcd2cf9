/*
 * discovery.remove and isns.remove with "targets": every address of a target goes that is known
 * through this discovery address, or this server, alone.
 */
#include "driver/control/op_purge.h"

#include <errno.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/purge.h"

struct request {
	struct later later; /* first: freed as one */
	struct registry_address by;
	op_purge_end *end;
};

static void
purged(void *user, struct driver *d, const struct purge_result *r)
{
	struct request *q = user;
	struct fault f;
	int err;

	if (json_array_size(r->in_use) > 0) {
		control_busy(q->later.call, json_incref(r->in_use), "removal");
	} else if ((err = q->end(d, &q->by)) != 0 && err != -ENOENT) {
		settings_fault(d->reg, &f);
		control_fail(q->later.call, &f, NULL);
	} else {
		ipc_call_reply(q->later.call,
		    json_pack("{s:s, s:i, s:i, s:I}", "address", q->by.address, "port", q->by.port,
			"tpgt", q->by.tpgt, "addresses_removed", (json_int_t)r->removed));
	}
	later_free(&q->later);
}

void
op_purge(
    struct driver *d, struct ipc_call *call, const struct registry_address *by, op_purge_end *end)
{
	static const struct purge_ops ops = { .done = purged };
	struct registry_found *list;
	struct request *q;
	struct fault f;
	size_t n;

	if (registry_found_list(d->reg, by, &list, &n) != 0) {
		settings_fault(d->reg, &f);
		control_fail(call, &f, NULL);
		return;
	}
	q = call_alloc(sizeof *q);
	q->later = (struct later){ d, call };
	q->by = *by;
	q->end = end;
	(void)purge_start(d, list, n, ipc_call_arg_bool(call, "force", false), &ops, q);
}
