/* session.renew: sessions log in anew, with what is configured now. */
#include <stdlib.h>

#include "core/iname.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/wanted_find.h"

struct renewal {
	struct later later; /* first: freed as one */
	unsigned pending;   /* sessions that have not answered, and one while they are asked */
	json_t *sessions;
};

struct renewed {
	struct renewal *r;
	uint32_t instance;
};

static void
one_less(struct renewal *r)
{
	if (--r->pending > 0)
		return;
	ipc_call_reply(r->later.call, json_pack("{s:o}", "sessions", r->sessions));
	later_free(&r->later);
}

static void
renewed(void *user, struct wanted *w, const struct fault *why)
{
	struct renewed *x = user;
	struct renewal *r = x->r;

	(void)json_array_append_new(r->sessions,
	    json_pack("{s:i, s:s?, s:s?, s:s?}", "instance", (int)x->instance, "target_name",
		w != NULL ? w->target : NULL, "error", why->is_set ? why->message : NULL, "next",
		why->is_set ? why->next : NULL)); /* no memory: one less */
	free(x);
	one_less(r);
}

static void
ask(struct renewal *r, struct wanted *w)
{
	struct renewed *x = call_alloc(sizeof *x);

	x->r = r;
	x->instance = w->instance;
	r->pending++;
	wanted_renew(w, renewed, x);
}

void
op_session_renew(struct driver *d, struct ipc_call *call)
{
	int64_t instance = ipc_call_arg_int(call, "instance", -1);
	const char *target = ipc_call_arg_string(call, "target", NULL);
	struct renewal *r = call_alloc(sizeof *r);

	r->later = (struct later){ d, call };
	r->pending = 1;
	r->sessions = json_array();
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct wanted *w = LIST_ENTRY(node, struct wanted, link);

		if (wanted_is_online(w) && (instance < 0 || w->instance == instance) &&
		    (target == NULL || iname_same(w->target, target)))
			ask(r, w);
	}
	one_less(r);
}
