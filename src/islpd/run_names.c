/* A discovery: agents that are configured by their names. */
#include <errno.h>
#include <string.h>

#include "islpd/run_impl.h"

/* Addresses of one name that are asked: each may be an agent of its own. */
#define ADDRESSES_MAX 8

static void
looked_up(struct lookup_waiter *w, const struct lookup_result *result)
{
	struct named *n = LIST_ENTRY(w, struct named, waiter);
	struct run *r = n->run;
	struct endpoint at;

	n->busy = false;
	r->n_lookups--;
	if (result->err < 0)
		notes_add(
		    &r->notes, "the agent %s cannot be asked: %s", n->agent->host, result->why);
	for (size_t i = 0; result->err == 0 && i < result->count && i < ADDRESSES_MAX; i++)
		if (endpoint_set(&at, result->addresses[i],
			n->agent->port != 0 ? n->agent->port : r->config->port))
			run_ask_advert(r, &at);
	agenda_defer(loop_agenda(r->loop), &r->work);
}

void
run_ask_named(struct run *r, const struct config_agent *c)
{
	struct named *n = &r->named[c - r->config->agents];
	int err;

	*n = (struct named){ .run = r, .waiter.done = looked_up, .agent = c };
	err = lookup_start(r->names, &n->waiter, c->host);
	if (err < 0) {
		notes_add(&r->notes, "the agent %s cannot be asked: %s", c->host, strerror(-err));
		return;
	}
	n->busy = true;
	r->n_lookups++;
}

void
run_names_cancel(struct run *r)
{
	for (size_t i = 0; i < CONFIG_AGENTS_MAX; i++) {
		struct named *n = &r->named[i];

		if (!n->busy)
			continue;
		lookup_leave(r->names, &n->waiter);
		n->busy = false;
		r->n_lookups--;
		notes_add(&r->notes,
		    "the agent %s was not asked: no name server has told its address in time",
		    n->agent->host);
	}
}
