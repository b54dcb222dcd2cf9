/*
 * Nothing here may take for ever: a try is bounded by the run, the answer by
 * DISCOVERY_TEXT_US and LIMIT_SENDTARGETS_BYTES, the logout by LOGOUT_US.  The
 * end is told from a deadline of its own, since the run is freed with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "ini/discovery_impl.h"

/* A portal that does not answer the logout is left: we know what we wanted. */
#define LOGOUT_US 2000000

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
	struct fault why = { 0 };

	if (x->phase == LEAVING && !x->is_cut_short) {
		/* The session counts a logout that nobody answered when its connection ends. */
		x->is_cut_short = true;
		fault_set(
		    &why, FAULT_TIMEOUT, "look at the target's log", "the logout was not answered");
		agenda_set(x->world->agenda, t, agenda_now(x->world->agenda) + LOGOUT_US);
		login_run_stop(x->run, &why, false);
		return;
	}
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

void
discovery_fail(struct discovery *x, const struct fault *why)
{
	if (x->phase == ASKED)
		x->result.counts.send_targets_failed++;
	if (!x->result.fault.is_set)
		x->result.fault = *why;
	end(x);
}

static void
text(struct discovery *x, const uint8_t *bytes, size_t n)
{
	if (x->phase != ASKED)
		return;
	x->bytes += n;
	sendtargets_feed(x->parser, bytes, n);
	discovery_take(x);
}

static void
text_done(struct discovery *x, const struct sess_ending *ending)
{
	struct sess *sess = login_run_sess(x->run);
	struct fault why = { 0 };

	if (x->phase != ASKED)
		return;
	if (ending->how == SESS_END_REJECTED) {
		fault_set(&why, FAULT_OFFLINE, "look at the target's log",
		    "the portal rejected SendTargets (reason 0x%02x)", ending->reject_reason);
		discovery_fail(x, &why);
		return;
	}
	/* What else ended it without an answer comes as the end of the connection. */
	if (ending->how != SESS_END_ANSWERED)
		return;
	sendtargets_finish(x->parser);
	discovery_take(x);
	if (x->phase == OVER)
		return;
	agenda_clear(x->world->agenda, &x->text_deadline);
	x->phase = LEAVING;
	if (sess_logout(sess, agenda_now(x->world->agenda)) != 0) {
		end(x);
		return;
	}
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
	discovery_fail(x, &why);
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
		discovery_fail(x, &why);
		return;
	}
	x->phase = ASKED;
	x->result.counts.send_targets++;
	login_run_kick(x->run);
	agenda_set(
	    x->world->agenda, &x->text_deadline, agenda_now(x->world->agenda) + DISCOVERY_TEXT_US);
}

/* The core ends an answer that is longer, and hands out no more of it. */
static bool
is_too_long(const struct discovery *x)
{
	return x->bytes + sess_params(login_run_sess(x->run))->max_recv_dsl >
	       LIMIT_SENDTARGETS_BYTES;
}

/* Why there is no complete answer. */
static void
explain_end(const struct discovery *x, const struct login_run_down *down, struct fault *ret)
{
	if (is_too_long(x))
		fault_set(ret, FAULT_OFFLINE, "look at the target's configuration",
		    "the portal's answer to SendTargets is longer than %u bytes",
		    LIMIT_SENDTARGETS_BYTES);
	else if (down->end == LOGIN_RUN_SILENT)
		explain_slow(x, ret);
	else
		fault_set(ret, FAULT_OFFLINE, "look at the target's log",
		    "the connection ended before the answer to SendTargets was complete: %s",
		    down->fault != NULL ? down->fault->message : "the target asked for it");
}

static void
run_down(void *user, const struct login_run_down *down)
{
	struct discovery *x = user;
	struct fault why = *fault_kept(down->fault);

	switch (x->phase) {
	case TRYING:
		x->result.counts.failed++;
		discovery_fail(x, &why);
		break;
	case ASKED:
		explain_end(x, down, &why);
		discovery_fail(x, &why);
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
		text_done(x, &ev->text.ending);
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
