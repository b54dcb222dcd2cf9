/*
 * A discovery is a handful of things that go on at the same time: exchanges
 * with agents, a multicast request, exchanges about attributes.  Each, when it
 * ends, changes what is known and asks for progress() at the end of the turn;
 * that function alone looks at everything and decides what comes next.  So no
 * callback has to know in what order things happen.
 */
#include "islpd/run.h"

#include <sys/random.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "islpd/run_impl.h"
#include "islpd/slpstr.h"

/* The answer must be with the driver before its patience ends. */
#define MARGIN_MS_MAX 200

static void progress(struct agenda_work *w);

uint16_t
run_xid(void)
{
	uint16_t xid = 0;

	/* Of an XID that can be guessed a forger needs the port, too. */
	if (getrandom(&xid, sizeof xid, GRND_NONBLOCK) != (ssize_t)sizeof xid)
		xid = 1;
	return xid != 0 ? xid : 1; /* 0 is that of unsolicited advertisements */
}

uint64_t
run_earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
run_give_up_at(const struct run *r)
{
	return run_earlier(loop_now(r->loop) + r->share_us, r->end_us);
}

static bool
all_settled(const struct run *r)
{
	if (r->n_lookups > 0)
		return false;
	for (size_t i = 0; i < r->n_agents; i++)
		if (r->agents[i]->state != AGENT_SETTLED)
			return false;
	return true;
}

/* The scopes that no directory agent has answered for. */
static void
find_uncovered(const struct run *r, struct scopes *ret)
{
	*ret = r->scopes;
	for (size_t i = 0; i < r->n_agents; i++) {
		const struct agent *a = r->agents[i];
		struct scopes before = *ret;

		if (a->is_directory && a->state == AGENT_SETTLED && a->error[0] == '\0')
			scopes_without(&before, &a->scopes, ret);
	}
}

static void
end_everything(struct run *r)
{
	agenda_clear(loop_agenda(r->loop), &r->deadline);
	agenda_clear(loop_agenda(r->loop), &r->patience);
	agenda_cancel(&r->work);
	mcast_cancel(&r->cast);
	run_names_cancel(r);
	for (size_t i = 0; i < r->n_agents; i++)
		exchange_cancel(&r->agents[i]->x);
	for (size_t i = 0; i < QUERIES; i++)
		exchange_cancel(&r->queries[i].x);
}

static void
conclude_notes(struct run *r)
{
	char scopes[SCOPES_TEXT_BYTES], address[ENDPOINT_BYTES];
	size_t answered = 0, useful = 0;

	for (size_t i = 0; i < r->found.n; i++)
		if (r->found.list[i].state != FOUND_REFUSED && !r->found.list[i].has_tpgt)
			r->agents[r->found.list[i].agent]->tagless++;
	for (size_t i = 0; i < r->n_agents; i++) {
		const struct agent *a = r->agents[i];

		useful += a->error[0] == '\0';
		answered += a->has_answered;
		endpoint_print(&a->at, address);
		if (a->tagless > 0)
			notes_add(&r->notes,
			    "%s gives no portal group tag for %zu of its targets; %d is assumed",
			    address, a->tagless, ADDR_TPGT_DEFAULT);
	}
	for (size_t i = 0; i < SURL_FAULTS; i++)
		if (r->bad_urls[i] > 0)
			notes_add(&r->notes, "%u URL%s left out: %s (the first: %s)",
			    r->bad_urls[i], r->bad_urls[i] == 1 ? "" : "s",
			    surl_text((enum surl_result)i), r->examples[i]);
	scopes_text(&r->scopes, scopes);
	if (useful > 0)
		return;
	notes_add(&r->notes,
	    answered > 0 ? "no SLP agent serves the scopes %.200s; check the agents and the scopes"
			 : "no SLP agent answered for the scopes %.200s; check the network, the "
			   "agents and the scopes",
	    scopes);
}

static void
finish(struct run *r)
{
	bool nothing_sent = !r->was_sent && r->err < 0;

	for (size_t i = 0; i < r->n_agents; i++) {
		struct agent *a = r->agents[i];

		if (a->state != AGENT_SETTLED)
			snprintf(a->error, sizeof a->error, "it does not answer");
	}
	end_everything(r);
	conclude_notes(r);
	r->done(r->user, r, nothing_sent ? r->err : 0);
}

static void
next_stage(struct run *r)
{
	struct scopes uncovered;

	find_uncovered(r, &uncovered);
	switch (r->stage) {
	case STAGE_CONFIGURED:
		r->stage = STAGE_DIRECTORIES;
		if (uncovered.n == 0 || !r->config->multicast)
			r->stage = STAGE_REST;
		else
			run_find_directories(r);
		break;
	case STAGE_DIRECTORIES:
		r->stage = STAGE_SERVICES;
		r->uncovered = uncovered;
		if (uncovered.n == 0)
			r->stage = STAGE_REST;
		else
			run_find_services(r);
		break;
	case STAGE_SERVICES:
	case STAGE_REST:
		r->stage = STAGE_REST;
		break;
	}
}

static void
progress(struct agenda_work *w)
{
	struct run *r = LIST_ENTRY(w, struct run, work);
	bool asking = run_attrs(r), settled = all_settled(r), late;

	late = r->stage == STAGE_CONFIGURED && !r->patience.armed;
	while (r->stage != STAGE_REST && !r->casting && (settled || late)) {
		next_stage(r);
		settled = all_settled(r);
		late = false;
	}
	if (r->stage == STAGE_REST && settled && !asking)
		finish(r);
}

static void
deadline_passed(struct agenda_timer *t)
{
	finish(LIST_ENTRY(t, struct run, deadline));
}

static void
patience_ended(struct agenda_timer *t)
{
	struct run *r = LIST_ENTRY(t, struct run, patience);

	agenda_defer(loop_agenda(r->loop), &r->work);
}

static void
plan(struct run *r, unsigned timeout_ms)
{
	uint64_t now = loop_now_update(r->loop), all = (uint64_t)timeout_ms * 1000;

	all -= run_earlier(all / 10, MARGIN_MS_MAX * 1000);
	r->end_us = now + all;
	/* With little time the RFC's intervals shrink: every step must have its turn. */
	r->retry_us = run_earlier(all / 10, EXCHANGE_RETRY_MS * 1000);
	r->share_us = run_earlier(all * 3 / 10, EXCHANGE_RETRY_MAX_MS * 1000);
	r->deadline.expired = deadline_passed;
	r->patience.expired = patience_ended;
	agenda_set(loop_agenda(r->loop), &r->deadline, r->end_us);
	agenda_set(loop_agenda(r->loop), &r->patience, now + r->retry_us);
}

static void
make_predicate(struct run *r, const char *name)
{
	struct put w = put_over(r->predicate, sizeof r->predicate - 1);

	if (name == NULL)
		return;
	put_str(&w, "(iscsi-name=");
	slpstr_put(&w, name, strlen(name), SLPSTR_FILTER);
	put_str(&w, ")");
}

struct run *
run_new(struct loop *loop, const struct config *config, struct lookup_pool *names,
    const struct scopes *scopes, const char *name, unsigned timeout_ms, run_done *done, void *user)
{
	struct run *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->config = config;
	r->names = names;
	r->scopes = *scopes;
	r->done = done;
	r->user = user;
	found_init(&r->found);
	agenda_work_init(&r->work, progress);
	make_predicate(r, name);
	plan(r, timeout_ms);
	run_ask_configured(r);
	agenda_defer(loop_agenda(loop), &r->work);
	return r;
}

void
run_free(struct run *r)
{
	if (r == NULL)
		return;
	end_everything(r);
	for (size_t i = 0; i < r->n_agents; i++)
		free(r->agents[i]);
	found_fini(&r->found);
	free(r);
}

const struct found *
run_found(const struct run *r)
{
	return &r->found;
}

const struct notes *
run_notes(const struct run *r)
{
	return &r->notes;
}

bool
run_agent(const struct run *r, size_t i, struct run_agent *ret)
{
	const struct agent *a;

	if (i >= r->n_agents)
		return false;
	a = r->agents[i];
	*ret = (struct run_agent){ .is_directory = a->is_directory,
		.targets = a->targets,
		.scopes = &a->scopes,
		.error = a->error[0] != '\0' ? a->error : NULL };
	endpoint_print(&a->at, ret->address);
	return true;
}
