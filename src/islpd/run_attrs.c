/* A discovery: the attributes of what it found. */
#include <errno.h>
#include <string.h>

#include "islpd/run_impl.h"

static bool
attr_reply(struct exchange *x, const struct slp_header *h, struct cursor body, bool truncated)
{
	struct query *q = LIST_ENTRY(x, struct query, x);
	struct run *r = q->run;
	struct found_target *t = &r->found.list[q->target];
	struct slp_attr_rply rply;
	struct attrs attrs;
	const char *fault;

	if (h->function != SLP_ATTR_RPLY || slp_get_attr_rply(body, truncated, &rply) != SLP_OK)
		return false;
	if (rply.error == SLP_ERROR_MSG_NOT_SUPPORTED)
		r->agents[t->agent]->is_mute = true;
	if (rply.error != 0)
		return true;
	if (!attrs_get(rply.attrs, truncated, &attrs)) {
		notes_add(&r->notes, "the attributes of %s are malformed", t->name);
		return true;
	}
	fault = found_attrs(t, &attrs);
	if (fault != NULL)
		notes_add(&r->notes, "the target %s is left out: %s", t->name, fault);
	return true;
}

static void
attr_done(struct exchange *x, int err)
{
	struct query *q = LIST_ENTRY(x, struct query, x);
	struct found_target *t = &q->run->found.list[q->target];

	q->busy = false;
	if (t->state == FOUND_ASKED)
		t->state = FOUND_DONE;
	if (err < 0)
		q->run->agents[t->agent]->is_mute = true;
	agenda_defer(loop_agenda(q->run->loop), &q->run->work);
}

static void
ask_attrs(struct run *r, struct query *q, size_t target)
{
	struct found_target *t = &r->found.list[target];
	struct agent *a = r->agents[t->agent];
	char scopes[SCOPES_TEXT_BYTES], tags[ATTRS_TAGS_BYTES];
	uint8_t request[RUN_REQUEST_BYTES];
	struct put w = put_over(request, sizeof request);
	struct slp_attr_rqst rqst = { .xid = run_xid(),
		.url = { t->url, strlen(t->url) },
		.scopes = scopes,
		.tags = attrs_tags(tags) };

	scopes_text(&a->scopes, scopes);
	slp_put_attr_rqst(&w, &rqst);
	*q = (struct query){
		.run = r, .target = target, .x = { .reply = attr_reply, .done = attr_done }
	};
	t->state = FOUND_DONE;
	if (w.overflow || exchange_start(&q->x, r->loop, &a->at, request, put_len(&w), rqst.xid,
			      r->retry_us, run_give_up_at(r)) < 0)
		return;
	t->state = FOUND_ASKED;
	q->busy = true;
}

bool
run_attrs(struct run *r)
{
	bool busy = false;

	for (size_t i = 0; i < QUERIES; i++) {
		struct query *q = &r->queries[i];

		while (!q->busy && r->next_target < r->found.n) {
			size_t target = r->next_target++;
			struct found_target *t = &r->found.list[target];

			if (r->agents[t->agent]->is_mute)
				t->state = FOUND_DONE;
			else
				ask_attrs(r, q, target);
		}
		busy |= q->busy;
	}
	return busy;
}
