/*
 * Nothing here may take for ever: a try is bounded by the run, the answer by
 * DISCOVERY_TEXT_US and LIMIT_SENDTARGETS_BYTES, the logout by LOGOUT_US.  The
 * end is told from a deadline of its own, since the run is freed with it.
 */
#include "ini/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"

#define ROWS_MAX (LIMIT_SENDTARGETS_TARGETS * 4)
/* A portal that does not answer the logout is left: we know what we wanted. */
#define LOGOUT_US 2000000

enum phase {
	TRYING,  /* until it is online */
	ASKED,   /* SendTargets is under way */
	LEAVING, /* the answer is complete, and a logout was sent */
	OVER,    /* done() follows */
};

struct discovery {
	struct world *world;
	discovery_done *done;
	void *user;
	struct settings *settings;
	struct portal_address a; /* as it is configured */
	char label[LIMIT_ADDRESS_BYTES + 48];
	struct login_run *run;
	enum phase phase;
	struct agenda_timer text_deadline, finish;
	struct sendtargets *parser;
	struct discovery_result result;
	size_t room, bytes;
	char last_name[LIMIT_ISCSI_NAME_BYTES + 1];
	char peer_host[LIMIT_HOST_BYTES + 1]; /* the literal address that answered */
	uint8_t reject_reason;                /* of a Reject; 0: none came */
};

static void
say(const struct discovery *x, enum say_level level, const char *what, const char *why)
{
	char text[1024];

	(void)snprintf(
	    text, sizeof text, "%s: %s%s", x->label, what, why); /* a longer one is cut */
	x->world->ops->say(x->world, level, text);
}

/* ---- the end ---- */

static void
discovery_free(struct discovery *x)
{
	agenda_clear(x->world->agenda, &x->text_deadline);
	agenda_clear(x->world->agenda, &x->finish);
	login_run_free(x->run);
	sendtargets_free(x->parser);
	settings_free(x->settings);
	free(x->result.found);
	free(x);
}

/* Never from inside a call of the run: it is freed here. */
static void
finish(struct agenda_timer *t)
{
	struct discovery *x = LIST_ENTRY(t, struct discovery, finish);

	sess_counts(login_run_sess(x->run), &x->result.core);
	x->done(x->user, &x->result);
	discovery_free(x);
}

static void
end(struct discovery *x)
{
	x->phase = OVER;
	agenda_clear(x->world->agenda, &x->text_deadline);
	agenda_set(x->world->agenda, &x->finish, agenda_now(x->world->agenda));
}

static void
fail(struct discovery *x, const struct fault *why)
{
	if (x->phase == ASKED)
		x->result.counts.send_targets_failed++;
	if (!x->result.fault.is_set)
		x->result.fault = *why;
	end(x);
}

/* ---- what the portal tells ---- */

/*
 * Addresses that only the target can mean: "any address" stands for the one
 * that answered us, and a link-local one is reached through the interface that
 * the discovery address names.  False: it cannot be used from here.
 */
static bool
localise(const struct discovery *x, struct addr *a)
{
	const char *zone = strchr(x->peer_host, '%');
	size_t n = strlen(a->host);

	if (strcmp(a->host, "0.0.0.0") == 0 || strcmp(a->host, "::") == 0) {
		cut_copy(a->host, sizeof a->host, x->peer_host);
		return a->host[0] != '\0';
	}
	if (a->kind != ADDR_IPV6 || strncmp(a->host, "fe80:", 5) != 0 ||
	    strchr(a->host, '%') != NULL)
		return true;
	if (zone == NULL || n + strlen(zone) >= sizeof a->host)
		return false;
	cut_copy(a->host + n, sizeof a->host - n, zone);
	return true;
}

static bool
make_room(struct discovery *x)
{
	size_t room = x->room > 0 ? 2 * x->room : 16;
	struct discovered *grown;

	if (x->result.n < x->room)
		return true;
	grown = malloc(room * sizeof *grown);
	if (grown == NULL)
		return false;
	if (x->result.n > 0)
		memcpy(grown, x->result.found, x->result.n * sizeof *grown);
	free(x->result.found);
	x->result.found = grown;
	x->room = room;
	return true;
}

static void
add(struct discovery *x, const char *name, struct addr *a)
{
	struct discovered *row;
	struct fault why = { 0 };

	if (!localise(x, a)) {
		say(x, SAY_INFO, "passed over: a link-local address without an interface, of ",
		    name);
		return;
	}
	if (x->result.n >= ROWS_MAX)
		return; /* the parser's own limit is lower for every honest portal */
	if (!make_room(x)) {
		fault_set(&why, FAULT_INTERNAL, "free some memory",
		    "out of memory for what the portal told");
		fail(x, &why);
		return;
	}
	row = &x->result.found[x->result.n++];
	cut_copy(row->name, sizeof row->name, name);
	cut_copy(row->host, sizeof row->host, a->host);
	row->port = a->port;
	row->tpgt = a->tpgt;
	if (strcmp(x->last_name, name) != 0) {
		cut_copy(x->last_name, sizeof x->last_name, name);
		x->result.n_targets++;
	}
}

static void
add_own_address(struct discovery *x, const char *name)
{
	bool is_for_good;
	const struct portal_address *at = login_run_at(x->run, &is_for_good);
	struct addr a = { .kind = ADDR_IPV4,
		.port = at->port,
		.tpgt = x->a.tpgt >= 0 ? (uint16_t)x->a.tpgt : ADDR_TPGT_DEFAULT };

	cut_copy(a.host, sizeof a.host, x->peer_host);
	add(x, name, &a);
}

static void
note_bad(struct discovery *x, const struct sendtargets_record *r)
{
	struct discovery_bad *bad = &x->result.bad[x->result.n_bad];

	x->result.counts.send_targets_parse++;
	if (x->result.n_bad++ >= DISCOVERY_BAD_MAX)
		return;
	bad->kind = r->kind;
	cut_copy(bad->culprit, sizeof bad->culprit, r->culprit != NULL ? r->culprit : "");
	cut_copy(
	    bad->reason, sizeof bad->reason, r->reason != NULL ? r->reason : "it is passed over");
}

static void
take(struct discovery *x)
{
	struct sendtargets_record r;

	while (x->phase != OVER && sendtargets_next(x->parser, &r) != SENDTARGETS_END) {
		switch (r.kind) {
		case SENDTARGETS_ADDRESS:
			if (!r.addr.has_port)
				r.addr.port = ADDR_PORT_DEFAULT;
			add(x, r.name, &r.addr);
			break;
		case SENDTARGETS_NO_ADDRESS:
			add_own_address(x, r.name);
			break;
		case SENDTARGETS_BAD_NAME:
		case SENDTARGETS_BAD_ADDRESS:
		case SENDTARGETS_BAD_KEY:
		case SENDTARGETS_STRAY_ADDRESS:
		case SENDTARGETS_BAD_TEXT:
		case SENDTARGETS_TOO_MANY:
			note_bad(x, &r);
			break;
		case SENDTARGETS_END:
			break;
		}
	}
}

static void
text(struct discovery *x, const uint8_t *bytes, size_t n)
{
	struct fault why = { 0 };

	if (x->phase != ASKED)
		return;
	x->bytes += n;
	if (x->bytes > LIMIT_SENDTARGETS_BYTES) {
		fault_set(&why, FAULT_OFFLINE, "look at the target's configuration",
		    "the portal's answer to SendTargets is longer than %u bytes",
		    LIMIT_SENDTARGETS_BYTES);
		fail(x, &why);
		return;
	}
	sendtargets_feed(x->parser, bytes, n);
	take(x);
}

static void
text_done(struct discovery *x, bool ok)
{
	struct sess *sess = login_run_sess(x->run);

	/* What ended it without an answer comes as the end of the connection. */
	if (x->phase != ASKED || !ok)
		return;
	sendtargets_finish(x->parser);
	take(x);
	if (x->phase == OVER)
		return;
	agenda_clear(x->world->agenda, &x->text_deadline);
	x->phase = LEAVING;
	if (sess_logout(sess, agenda_now(x->world->agenda)) != 0) {
		end(x);
		return;
	}
	x->result.counts.logouts++;
	login_run_kick(x->run);
	agenda_set(x->world->agenda, &x->finish, agenda_now(x->world->agenda) + LOGOUT_US);
}

/* Too slow: nothing came, or it never ends. */
static void
explain_slow(const struct discovery *x, struct fault *ret)
{
	if (x->bytes == 0)
		fault_set(ret, FAULT_TIMEOUT, "look at the target's log",
		    "the portal did not answer SendTargets in %u seconds",
		    DISCOVERY_TEXT_US / 1000000);
	else
		fault_set(ret, FAULT_TIMEOUT, "look at the target's log",
		    "the portal's answer to SendTargets was not complete after %u seconds and "
		    "%zu bytes",
		    DISCOVERY_TEXT_US / 1000000, x->bytes);
}

static void
took_too_long(struct agenda_timer *t)
{
	struct discovery *x = LIST_ENTRY(t, struct discovery, text_deadline);
	struct fault why = { 0 };

	explain_slow(x, &why);
	fail(x, &why);
}

/* ---- the session ---- */

static void
keep_peer(struct discovery *x)
{
	bool is_for_good;
	struct addr a;

	/* "127.0.0.1:3260", "[::1]:3260": without the port. */
	if (addr_parse(login_run_peer(x->run), &a) == ADDR_OK)
		cut_copy(x->peer_host, sizeof x->peer_host, a.host);
	else
		cut_copy(
		    x->peer_host, sizeof x->peer_host, login_run_at(x->run, &is_for_good)->host);
}

static void
run_online(void *user)
{
	struct discovery *x = user;
	struct fault why = { 0 };

	x->result.was_online = true;
	keep_peer(x);
	if (sess_send_targets(login_run_sess(x->run), "All", agenda_now(x->world->agenda)) != 0) {
		x->result.counts.send_targets_unsent++;
		fault_set(&why, FAULT_INTERNAL, "try again", "SendTargets could not be sent");
		fail(x, &why);
		return;
	}
	x->phase = ASKED;
	x->result.counts.send_targets++;
	login_run_kick(x->run);
	agenda_set(
	    x->world->agenda, &x->text_deadline, agenda_now(x->world->agenda) + DISCOVERY_TEXT_US);
}

/* Why there is no complete answer. */
static void
explain_end(const struct discovery *x, const struct login_run_down *down, struct fault *ret)
{
	if (x->reject_reason != 0)
		fault_set(ret, FAULT_OFFLINE, "look at the target's log",
		    "the portal rejected SendTargets (reason 0x%02x)", x->reject_reason);
	else if (down->end == LOGIN_RUN_SILENT)
		explain_slow(x, ret);
	else
		fault_set(ret, FAULT_OFFLINE, "look at the target's log",
		    "the connection ended before the answer to SendTargets was complete: %s",
		    down->fault.is_set ? down->fault.message : "the target asked for it");
}

static void
run_down(void *user, const struct login_run_down *down)
{
	struct discovery *x = user;
	struct fault why = down->fault;

	switch (x->phase) {
	case TRYING:
		x->result.counts.failed++;
		fail(x, &why);
		break;
	case ASKED:
		explain_end(x, down, &why);
		fail(x, &why);
		break;
	case LEAVING:
		end(x);
		break;
	case OVER:
		break;
	}
}

static void
run_event(void *user, const struct sess_event *ev)
{
	struct discovery *x = user;

	if (ev->kind == SESS_EV_TEXT)
		text(x, ev->text.bytes, ev->text.len);
	if (ev->kind == SESS_EV_TEXT_DONE)
		text_done(x, ev->text.ending.how == SESS_END_ANSWERED);
	if (ev->kind == SESS_EV_REJECT)
		x->reject_reason = ev->reject_reason;
}

static const struct login_run_ops run_ops = { run_online, run_down, run_event };

struct discovery *
discovery_start(struct world *world, const struct portal_address *at, const uint8_t isid[6],
    struct settings *settings, discovery_done *done, void *user)
{
	struct discovery *x = calloc(1, sizeof *x);
	struct portal_address to = *at;
	struct login_run_cfg cfg = { .world = world, .slots = 1, .ops = &run_ops, .user = x };

	if (x == NULL) {
		settings_free(settings);
		return NULL;
	}
	x->world = world;
	x->done = done;
	x->user = user;
	x->settings = settings;
	x->a = *at;
	(void)snprintf(
	    x->label, sizeof x->label, "discovery at %s:%u", at->host, at->port); /* fits */
	x->text_deadline.expired = took_too_long;
	x->finish.expired = finish;
	cfg.label = x->label;
	memcpy(cfg.isid, isid, sizeof cfg.isid);
	x->parser = sendtargets_new();
	x->run = login_run_new(&cfg, &x->result.counts);
	if (x->parser == NULL || x->run == NULL) {
		discovery_free(x);
		return NULL;
	}
	to.tpgt = -1; /* a portal's discovery session belongs to no group */
	login_run_start(x->run, &to, settings);
	return x;
}

void
discovery_cancel(struct discovery *x)
{
	if (x != NULL)
		discovery_free(x);
}

struct login_run *
discovery_run(struct discovery *x)
{
	return x->run;
}
