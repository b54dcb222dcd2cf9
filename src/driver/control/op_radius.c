/* radius.counters: what iradd says that it has counted. */
#include <stdlib.h>
#include <string.h>

#include "driver/control/control.h"
#include "driver/control/ops.h"
#include "driver/iscsi/wanted.h"
#include "driver/isw/isw.h"

struct asking {
	struct isw_counters question; /* first: freed as one */
	struct ipc_call *call;
};

static void
told(struct question *q)
{
	struct asking *a = LIST_ENTRY(q, struct asking, question.base);
	const struct isw_counters *c = &a->question;
	struct fault f;

	if (c->err == 0) {
		ipc_call_reply(a->call,
		    json_pack("{s:b, s:O?}", "running", c->is_running, "counters", c->counters));
	} else {
		fault_set(&f, FAULT_TIMEOUT,
		    "look at its log, or start it again: iradd --stop, iradd",
		    "iradd does not tell what it has counted: %s", strerror(-c->err));
		control_fail(a->call, &f, NULL);
	}
	isw_drop_counters(&a->question.base.mail);
}

void
op_radius_counters(struct driver *d, struct ipc_call *call)
{
	struct asking *a = question_new(sizeof *a, told, NULL);

	a->call = call;
	mail_ask(&a->question.base.mail, &mail_counters, isw_address(d->isw), &d->slot.at);
}
