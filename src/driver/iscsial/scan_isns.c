/* A scan asks iSNS servers, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/isns.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/isns_apply.h"
#include "driver/iscsial/scan_impl.h"

/* What the server named last; a failure leaves that as it is. */
static void
fill(struct discovery_result *r, const struct isns_server *s, const struct fault *why)
{
	if (why->is_set)
		r->fault = *why;
	else if (s == NULL)
		fault_set(&r->fault, FAULT_OFFLINE, "scan again",
		    "the iSNS server is not configured any more");
	else if (s->has_failed && !s->is_known)
		fault_set(&r->fault, FAULT_OFFLINE,
		    "check this server and the way to it (iscsiutil --isns displays it), or delete "
		    "it: iscsiutil -d --isns -I",
		    "the iSNS server is of no use: %.200s", s->error);
	else if (s->has_failed)
		fault_set(&r->fault, FAULT_OFFLINE,
		    "check this server and the way to it (iscsiutil --isns displays it); what it "
		    "named last stays",
		    "the iSNS server is of no use now: %.200s", s->error);
	if (s == NULL || s->n == 0)
		return;
	r->found = call_alloc(s->n * sizeof *r->found);
	memcpy(r->found, s->found, s->n * sizeof *r->found);
	r->n = r->n_targets = s->n;
}

static void
asked(void *user, const struct fault *why)
{
	struct scan_item *i = user;
	struct discovery_result *r = call_alloc(sizeof *r);

	i->isns = NULL;
	fill(r, isns_find(i->scan->d, i->server), why);
	scan_told_answer(&i->scan->told, i->what, r, i->scan->failures);
	if (!r->fault.is_set && r->n == 0)
		scan_empty_isns(&i->scan->empty, i->what);
	/* What was in use when it was missed may not be any more. */
	if (!r->fault.is_set)
		isns_apply(i->scan->d);
	scan_queue_found(i, r, REGISTRY_ISNS);
	free(r);
}

void
scan_isns_visit(struct scan *scan)
{
	struct isns_server_list list;
	struct scan_item *i;

	isns_configured(scan->d, &list);
	for (size_t k = 0; k < list.n; k++) {
		i = scan_item_new(scan, SCAN_DISCOVERY);
		cut_copy(i->server, sizeof i->server, list.text[k]);
		(void)snprintf(i->what, sizeof i->what, "iSNS %s", list.text[k]); /* fits */
		(void)isns_address(list.text[k], &i->a); /* it was checked when it was set */
		i->order = scan->discoveries++;
		i->isns = isns_ask(scan->d, i->server, asked, i);
	}
}
