/* A discovery: the agents it asks and those that answer it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "islpd/run_impl.h"
#include "sys/log.h"

/* ---- agents ---- */

static void settle(struct agent *a, const char *error);

static const char *
why_failed(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return "it does not answer";
	case -EBUSY:
		return "it says that it is busy";
	case -ECONNREFUSED:
		return "nobody answers at this address and port";
	case -EPROTO:
		return "its answer cannot be understood";
	default:
		return strerror(-err);
	}
}

static struct agent *
agent_new(struct run *r, const struct endpoint *at)
{
	struct agent *a;

	for (size_t i = 0; i < r->n_agents; i++)
		if (endpoint_equal(&r->agents[i]->at, at))
			return NULL;
	if (r->n_agents == LIMIT_SLP_AGENTS) {
		notes_add(&r->notes, "more than %d agents answer; the others are not asked",
		    LIMIT_SLP_AGENTS);
		return NULL;
	}
	a = calloc(1, sizeof *a);
	if (a == NULL) {
		notes_add(&r->notes, "out of memory: not every agent is asked");
		return NULL;
	}
	a->run = r;
	a->index = r->n_agents;
	a->state = AGENT_SETTLED;
	a->at = *at;
	r->agents[r->n_agents++] = a;
	return a;
}

static void
count_bad_url(struct run *r, const struct agent *a, struct slp_text url, enum surl_result fault)
{
	char address[ENDPOINT_BYTES];

	endpoint_print(&a->at, address);
	log_debug("%s names \"%.*s\": %s", address, (int)run_earlier(url.n, LIMIT_SLP_URL_BYTES),
	    url.p, surl_text(fault));
	if (r->bad_urls[fault]++ == 0)
		snprintf(r->examples[fault], EXAMPLE_BYTES, "\"%.*s\", says %s",
		    (int)run_earlier(url.n, 100), url.p, address);
}

static void
take_urls(struct agent *a, struct slp_srv_rply *rply)
{
	struct run *r = a->run;
	struct slp_url u;

	while (slp_next_url(rply, &u)) {
		struct surl s;
		enum surl_result fault =
		    u.url.n > LIMIT_SLP_URL_BYTES ? SURL_ADDRESS : surl_get(u.url, &s, NULL);

		if (fault != SURL_OK) {
			count_bad_url(r, a, u.url, fault);
			continue;
		}
		switch (found_add(&r->found, &s, u.url, a->index)) {
		case 1:
			a->targets++;
			break;
		case -ENOSPC:
			notes_add(&r->notes, "there are more than %d targets; use narrower scopes",
			    LIMIT_SLP_TARGETS);
			break;
		case -ENOMEM:
			notes_add(&r->notes, "out of memory: targets are missing");
			break;
		}
	}
}

/* Ask for what there is.  The exchange of the agent is free. */
static void
ask(struct agent *a, enum agent_state state, const char *type, const char *scopes,
    const char *predicate)
{
	struct run *r = a->run;
	uint8_t request[RUN_REQUEST_BYTES];
	struct put w = put_over(request, sizeof request);
	/* Nothing comes after this question, so it has nearly all the time there is. */
	uint64_t until = state == AGENT_URLS ? r->end_us - r->retry_us / 4 : run_give_up_at(r);
	struct slp_srv_rqst q = { .xid = run_xid(),
		.responders = "",
		.type = type,
		.scopes = scopes,
		.predicate = predicate };
	int err;

	slp_put_srv_rqst(&w, &q);
	a->state = state;
	err = w.overflow ? -EMSGSIZE
			 : exchange_start(&a->x, r->loop, &a->at, request, put_len(&w), q.xid,
			       r->retry_us, until);
	if (err == 0) {
		r->was_sent = true;
		return;
	}
	r->err = err;
	settle(a, why_failed(err));
}

static bool
url_reply(struct exchange *x, const struct slp_header *h, struct cursor body, bool truncated)
{
	struct agent *a = LIST_ENTRY(x, struct agent, x);
	struct slp_srv_rply rply;
	char address[ENDPOINT_BYTES];

	if (h->function != SLP_SRV_RPLY || slp_get_srv_rply(body, truncated, &rply) != SLP_OK)
		return false;
	a->has_answered = true;
	if (rply.error != 0) {
		snprintf(a->error, sizeof a->error, "%s", slp_error_text(rply.error));
		return true;
	}
	take_urls(a, &rply);
	if (truncated) {
		endpoint_print(&a->at, address);
		notes_add(&a->run->notes,
		    "%s has more targets than fit a datagram and could not be asked by TCP: some "
		    "are missing",
		    address);
	}
	return true;
}

static void
url_done(struct exchange *x, int err)
{
	struct agent *a = LIST_ENTRY(x, struct agent, x);

	settle(a, err < 0 ? why_failed(err) : a->error);
}

static void
ask_urls(struct agent *a)
{
	char scopes[SCOPES_TEXT_BYTES];

	scopes_text(&a->scopes, scopes);
	a->x.reply = url_reply;
	a->x.done = url_done;
	ask(a, AGENT_URLS, SURL_TYPE, scopes, a->run->predicate);
}

static void
settle(struct agent *a, const char *error)
{
	char address[ENDPOINT_BYTES];

	a->state = AGENT_SETTLED;
	if (error != a->error)
		snprintf(a->error, sizeof a->error, "%s", error);
	endpoint_print(&a->at, address);
	log_debug("agent %s: %s, %zu targets", address, a->error[0] != '\0' ? a->error : "answered",
	    a->targets);
	agenda_defer(loop_agenda(a->run->loop), &a->run->work);
}

/* True: it is one of ours; else *ret_error says why it is not to be asked. */
static bool
judge_advert(const struct run *r, const struct slp_advert *ad, struct scopes *ret_scopes,
    const char **ret_error)
{
	struct scopes theirs;

	scopes_get(ad->scopes, &theirs);
	scopes_common(&r->scopes, &theirs, ret_scopes);
	if (ad->error != 0)
		*ret_error = slp_error_text(ad->error);
	else if (ad->boot_time == 0)
		*ret_error = "it is going down";
	else if (ret_scopes->n == 0)
		*ret_error = slp_error_text(SLP_ERROR_SCOPE_NOT_SUPPORTED);
	else
		return true;
	return false;
}

/* Of an agent that is configured: is it a directory agent, and of what scopes? */
static bool
advert_reply(struct exchange *x, const struct slp_header *h, struct cursor body, bool truncated)
{
	struct agent *a = LIST_ENTRY(x, struct agent, x);
	struct slp_advert ad;
	struct slp_srv_rply rply;
	const char *error;

	switch (h->function) {
	case SLP_DA_ADVERT:
		if (slp_get_da_advert(body, &ad) != SLP_OK ||
		    (ad.error == 0 && !surl_is(ad.url, SURL_DA)))
			return false;
		a->is_directory = a->has_answered = true;
		if (!judge_advert(a->run, &ad, &a->scopes, &error))
			snprintf(a->error, sizeof a->error, "%s", error);
		return true;
	case SLP_SA_ADVERT:
	case SLP_SRV_RPLY:
		/* A service agent knows of no directory agent; it can be asked itself (RFC
		 * 4018, 4.1.3). */
		if (h->function == SLP_SRV_RPLY ? slp_get_srv_rply(body, truncated, &rply) != SLP_OK
						: slp_get_sa_advert(body, &ad) != SLP_OK)
			return false;
		a->scopes = a->run->scopes;
		return true;
	case SLP_SRV_RQST:
	case SLP_ATTR_RQST:
	case SLP_ATTR_RPLY:
		break;
	}
	return false;
}

static void
advert_done(struct exchange *x, int err)
{
	struct agent *a = LIST_ENTRY(x, struct agent, x);

	/*
	 * RFC 4018, 4.1.3: "The initiator would then make unicast SLP service requests directly
	 * to these SAs".  One that knows of no directory agent need not answer for one.
	 */
	if (err == -ETIMEDOUT) {
		a->scopes = a->run->scopes;
		ask_urls(a);
	} else if (err < 0) {
		settle(a, why_failed(err));
	} else if (a->error[0] != '\0') {
		settle(a, a->error);
	} else {
		ask_urls(a);
	}
}

void
run_ask_advert(struct run *r, const struct endpoint *at)
{
	struct agent *a = agent_new(r, at);

	if (a == NULL)
		return;
	a->x.reply = advert_reply;
	a->x.done = advert_done;
	ask(a, AGENT_ADVERT, SURL_DA, "", "");
}

void
run_ask_configured(struct run *r)
{
	for (size_t i = 0; i < r->config->n_agents; i++) {
		const struct config_agent *c = &r->config->agents[i];
		struct endpoint at;

		if (!c->is_literal)
			run_ask_named(r, c);
		else if (endpoint_set(&at, c->host, c->port != 0 ? c->port : r->config->port))
			run_ask_advert(r, &at);
		else
			notes_add(&r->notes,
			    "the agent %s cannot be asked: this host has no such interface",
			    c->host);
	}
}

/* ---- multicast ---- */

static bool
directory_reply(struct mcast *m, const struct endpoint *from, const struct slp_header *h,
    struct cursor body, bool truncated)
{
	struct run *r = LIST_ENTRY(m, struct run, cast);
	struct endpoint at = *from;
	struct slp_advert ad;
	struct scopes scopes;
	struct agent *a;
	const char *error;
	char address[ENDPOINT_BYTES];

	if (truncated || h->function != SLP_DA_ADVERT || slp_get_da_advert(body, &ad) != SLP_OK ||
	    ad.error != 0 || !surl_is(ad.url, SURL_DA))
		return false;
	/*
	 * It is where its datagram came from, whatever its URL says: so nobody
	 * can have us ask somebody else.
	 */
	endpoint_set_port(&at, r->config->port);
	if (!judge_advert(r, &ad, &scopes, &error)) {
		endpoint_print(&at, address);
		notes_add(&r->notes, "the directory agent %s is not asked: %s", address, error);
		return true;
	}
	a = agent_new(r, &at);
	if (a != NULL) {
		a->is_directory = true;
		a->scopes = scopes;
		ask_urls(a);
	}
	return true;
}

static bool
service_reply(struct mcast *m, const struct endpoint *from, const struct slp_header *h,
    struct cursor body, bool truncated)
{
	struct run *r = LIST_ENTRY(m, struct run, cast);
	struct endpoint at = *from;
	struct slp_srv_rply rply;
	struct agent *a;

	if (h->function != SLP_SRV_RPLY || slp_get_srv_rply(body, truncated, &rply) != SLP_OK ||
	    rply.error != 0)
		return false;
	endpoint_set_port(&at, r->config->port);
	a = agent_new(r, &at);
	if (a == NULL)
		return true;
	a->scopes = r->uncovered;
	if (truncated) {
		ask_urls(a);
	} else {
		take_urls(a, &rply);
		settle(a, "");
	}
	return true;
}

static void
cast_done(struct mcast *m, int err)
{
	struct run *r = LIST_ENTRY(m, struct run, cast);

	if (err < 0)
		r->err = err;
	r->casting = false;
	agenda_defer(loop_agenda(r->loop), &r->work);
}

static void
cast(struct run *r, const char *type, const struct scopes *scopes, const char *predicate,
    bool (*reply)(
	struct mcast *, const struct endpoint *, const struct slp_header *, struct cursor, bool))
{
	char text[SCOPES_TEXT_BYTES];
	const struct mcast_args args = { .type = type,
		.scopes = text,
		.predicate = predicate,
		.port = r->config->port,
		.xid = run_xid(),
		.interval_us = r->retry_us,
		.end_us = run_give_up_at(r) };
	int err;

	scopes_text(scopes, text);
	r->cast.reply = reply;
	r->cast.done = cast_done;
	err = mcast_start(&r->cast, r->loop, &args);
	r->casting = err == 0;
	if (err == 0) {
		r->was_sent = true;
		return;
	}
	r->err = err;
	notes_add(&r->notes, "nothing can be multicast: %s", strerror(-err));
	agenda_defer(loop_agenda(r->loop), &r->work);
}

void
run_find_directories(struct run *r)
{
	cast(r, SURL_DA, &r->scopes, "", directory_reply);
}

void
run_find_services(struct run *r)
{
	cast(r, SURL_TYPE, &r->uncovered, r->predicate, service_reply);
}
