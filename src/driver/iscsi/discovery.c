#include "driver/iscsi/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/iname.h"
#include "core/sendtargets.h"
#include "driver/call.h"
#include "driver/cut.h"
#include "driver/iscsi/isid.h"
#include "driver/iscsi/nexus.h"
#include "driver/iscsi/redirect.h"
#include "driver/iscsi/session.h"
#include "driver/iscsi/settings.h"
#include "sys/log.h"

#define DISCOVERY_ROWS_MAX (LIMIT_SENDTARGETS_TARGETS * 4)

struct discovery {
	struct driver *d;
	discovery_done *done;
	void *user;
	struct registry_address a;  /* as it is configured */
	struct registry_address at; /* where a redirection sent us */
	unsigned hops;
	struct dial *dial;
	struct nexus *nexus;
	struct agenda_timer text_deadline, finish;
	struct sendtargets *parser;
	struct discovery_result result;
	size_t room, bytes;
	char last_name[LIMIT_ISCSI_NAME_BYTES + 1];
	char peer_host[LIMIT_HOST_BYTES + 1]; /* the literal address that answered */
	char about[LIMIT_ADDRESS_BYTES + 16];
	struct verify *verify;
	unsigned verify_stamp;
	bool md5_only, was_online;
	bool is_over; /* the answer is complete, or it is no use to wait for it */
};

static void dial(struct discovery *x);

static const char *
label(const struct discovery *x)
{
	static char text[LIMIT_ADDRESS_BYTES + 48];
	char address[LIMIT_ADDRESS_BYTES + 16];

	session_address_text(&x->a, address);
	(void)snprintf(text, sizeof text, "discovery at %s", address);
	return text;
}

static struct account
make_account(struct discovery *x)
{
	session_address_text(&x->a, x->about);
	return (struct account){ .about = { -1, NULL, x->about },
		.session = &x->d->discovery_stats,
		.driver = &x->d->stats };
}

static void
discovery_free(struct discovery *x)
{
	struct conn_counts counts;

	agenda_clear(loop_agenda(x->d->loop), &x->text_deadline);
	agenda_clear(loop_agenda(x->d->loop), &x->finish);
	dial_cancel(x->dial);
	verify_cancel(x->verify);
	if (x->nexus != NULL) {
		sess_counts(nexus_sess(x->nexus), &counts);
		stat_add_core(&x->d->discovery_core, &counts);
	}
	nexus_free(x->nexus);
	sendtargets_free(x->parser);
	free(x->result.found);
	free(x);
}

/* Never from inside a callback of the nexus: it is freed here. */
static void
finish(struct agenda_timer *t)
{
	struct discovery *x = LIST_ENTRY(t, struct discovery, finish);

	if (!x->was_online)
		stat_add(&x->d->stats, STAT_TRANSPORT_GLOBAL_discovery_failed);
	x->done(x->user, &x->result);
	discovery_free(x);
}

static void
end(struct discovery *x)
{
	x->is_over = true;
	agenda_set(loop_agenda(x->d->loop), &x->finish, loop_now(x->d->loop));
}

static void
fail(struct discovery *x, const struct fault *why)
{
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

static void
add(struct discovery *x, const char *name, struct addr *a)
{
	struct discovered *row, *grown;

	if (!localise(x, a)) {
		log_info("%s: %s has a link-local address without an interface, %s: it is passed "
			 "over",
		    label(x), name, a->host);
		return;
	}
	if (x->result.n >= DISCOVERY_ROWS_MAX)
		return; /* the parser's own limit is lower for every honest portal */
	if (x->result.n == x->room) {
		x->room = x->room > 0 ? 2 * x->room : 16;
		grown = call_alloc(x->room * sizeof *grown);
		if (x->result.n > 0)
			memcpy(grown, x->result.found, x->result.n * sizeof *grown);
		free(x->result.found);
		x->result.found = grown;
	}
	row = &x->result.found[x->result.n++];
	cut_copy(row->name, sizeof row->name, name);
	cut_copy(row->a.address, sizeof row->a.address, a->host);
	row->a.port = a->port;
	row->a.tpgt = a->tpgt;
	if (!iname_same(x->last_name, name)) {
		cut_copy(x->last_name, sizeof x->last_name, name);
		x->result.n_targets++;
	}
}

static void
add_own_address(struct discovery *x, const char *name)
{
	struct addr a = { .kind = ADDR_IPV4, .port = x->at.port, .tpgt = x->at.tpgt };

	cut_copy(a.host, sizeof a.host, x->peer_host);
	add(x, name, &a);
}

static void
drain(struct discovery *x)
{
	struct account account = make_account(x);
	struct sendtargets_record r;

	while (sendtargets_next(x->parser, &r) != SENDTARGETS_END) {
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
			stat_add(&x->d->stats, STAT_TRANSPORT_GLOBAL_send_targets_parse);
			report_sendtargets(&account.about, &r);
			log_warn("%s: the portal sent \"%s\": %s", label(x),
			    r.culprit != NULL ? r.culprit : "",
			    r.reason != NULL ? r.reason : "it is passed over");
			break;
		case SENDTARGETS_END:
			break;
		}
	}
}

static void
took_too_long(struct agenda_timer *t)
{
	struct discovery *x = LIST_ENTRY(t, struct discovery, text_deadline);
	struct fault why = { 0 };

	fault_set(&why, FAULT_TIMEOUT, "look at the target's log",
	    "the portal did not answer SendTargets in %u seconds", DISCOVERY_TEXT_US / 1000000);
	stat_add(&x->d->stats, STAT_TRANSPORT_GLOBAL_send_targets_failed);
	fail(x, &why);
}

/* ---- the session ---- */

static void
nexus_online(void *user)
{
	struct discovery *x = user;
	struct fault why = { 0 };

	x->was_online = true;
	stat_add(&x->d->stats, STAT_TRANSPORT_GLOBAL_discovery_opened);
	stat_add(&x->d->stats, STAT_TRANSPORT_GLOBAL_send_targets);
	nexus_release(x->nexus);
	if (nexus_send_targets(x->nexus) != 0) {
		fault_set(&why, FAULT_INTERNAL, "try again", "SendTargets could not be sent");
		fail(x, &why);
		return;
	}
	agenda_set(loop_agenda(x->d->loop), &x->text_deadline,
	    loop_now_update(x->d->loop) + DISCOVERY_TEXT_US);
}

static void
nexus_text(void *user, const uint8_t *bytes, size_t n)
{
	struct discovery *x = user;
	struct fault why = { 0 };

	if (x->is_over)
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
	drain(x);
}

static void
nexus_text_done(void *user, bool ok)
{
	struct discovery *x = user;
	struct fault why = { 0 };

	if (x->is_over)
		return;
	agenda_clear(loop_agenda(x->d->loop), &x->text_deadline);
	if (!ok) {
		fault_set(&why, FAULT_OFFLINE, "look at the target's log",
		    "the portal did not answer SendTargets");
		stat_add(&x->d->stats, STAT_TRANSPORT_GLOBAL_send_targets_failed);
		fail(x, &why);
		return;
	}
	sendtargets_finish(x->parser);
	drain(x);
	/* A portal that does not answer the logout in time is left: we know what we wanted. */
	x->is_over = true;
	if (nexus_logout(x->nexus) == 0)
		agenda_set(loop_agenda(x->d->loop), &x->finish, loop_now(x->d->loop) + 2000000);
	else
		end(x);
}

static void
nexus_down(void *user, const struct nexus_down *down)
{
	struct discovery *x = user;
	struct fault why = down->fault;

	agenda_clear(loop_agenda(x->d->loop), &x->text_deadline);
	if (x->is_over) {
		end(x);
	} else if (down->end == NEXUS_MOVED &&
		   redirect_follow(down->redirect, &x->hops, &x->at, &why)) {
		dial(x);
	} else if (down->chap_again && !x->md5_only) {
		x->md5_only = true;
		dial(x);
	} else {
		fail(x, &why);
	}
}

static void
verified(void *user, const struct verify_result *r)
{
	struct discovery *x = user;

	x->verify = NULL;
	if (r->timed_out)
		stat_add(&x->d->discovery_stats, STAT_SWD_CONNECTION_auth_timeouts);
	nexus_verified(x->nexus, x->verify_stamp, r->ok, &r->fault);
}

static void
nexus_verify(void *user, const struct nexus_query *q)
{
	struct discovery *x = user;

	verify_cancel(x->verify);
	x->verify_stamp = q->stamp;
	x->verify = verify_start(&x->d->verify, q, verified, x);
}

static const struct nexus_ops nexus_ops = {
	.verify = nexus_verify,
	.online = nexus_online,
	.down = nexus_down,
	.text = nexus_text,
	.text_done = nexus_text_done,
};

/* "127.0.0.1:3260", "[::1]:3260": without the port. */
static void
keep_peer(struct discovery *x, const char *peer)
{
	struct addr a;

	if (addr_parse(peer, &a) == ADDR_OK)
		cut_copy(x->peer_host, sizeof x->peer_host, a.host);
	else
		cut_copy(x->peer_host, sizeof x->peer_host, x->at.address);
}

static void
dialed(void *user, const struct dial_result *r)
{
	struct discovery *x = user;
	struct registry_scope scope = { REGISTRY_DISCOVERY, NULL, &x->a };
	struct nexus_cfg cfg = { .label = label(x), .slots = 1, .account = make_account(x) };
	struct nexus_login *login;
	struct fault why = r->fault;

	x->dial = NULL;
	if (r->fd < 0) {
		if (!r->fault.is_silent)
			account_dial(&cfg.account, x->at.address, r->err, r->is_name);
		fail(x, &why);
		return;
	}
	keep_peer(x, r->peer);
	login = settings_login(x->d->reg, &scope, x->md5_only, &why);
	if (login != NULL && x->nexus == NULL) {
		isid_discovery(cfg.isid, x->d->isid_random, x->d->discovery_serial++);
		x->nexus = nexus_new(x->d->loop, &cfg, login, &nexus_ops, x);
		login = NULL;
		if (x->nexus == NULL)
			fault_set(&why, FAULT_INTERNAL, "free some memory", "out of memory");
	}
	if (why.is_set) {
		(void)close(r->fd); /* nothing was sent on it */
		fail(x, &why);
		return;
	}
	nexus_attach(x->nexus, r->fd, login);
}

static void
dial(struct discovery *x)
{
	struct registry_scope scope = { REGISTRY_DISCOVERY, NULL, &x->a };
	struct dial_from from;

	settings_from(x->d->reg, &scope, &from);
	x->dial = dial_start(
	    &x->d->isw, x->at.address, x->at.port, &from, DISCOVERY_CONNECT_MS, dialed, x);
}

struct discovery *
discovery_start(
    struct driver *d, const struct registry_address *a, discovery_done *done, void *user)
{
	struct discovery *x = call_alloc(sizeof *x);

	x->d = d;
	x->done = done;
	x->user = user;
	x->a = x->at = *a;
	x->text_deadline.expired = took_too_long;
	x->finish.expired = finish;
	x->parser = sendtargets_new();
	if (x->parser == NULL) {
		fault_set(&x->result.fault, FAULT_INTERNAL, "free some memory", "out of memory");
		end(x);
		return x;
	}
	dial(x);
	return x;
}

void
discovery_cancel(struct discovery *x)
{
	if (x != NULL)
		discovery_free(x);
}

/* ---- records ---- */

static struct portal *
find_portal(struct driver *d, const struct registry_address *a)
{
	LIST_EACH(node, tmp, &d->portals)
	{
		struct portal *p = LIST_ENTRY(node, struct portal, link);

		if (registry_address_same(&p->a, a))
			return p;
	}
	return NULL;
}

struct portal *
discovery_portal(struct driver *d, const struct registry_address *a)
{
	struct portal *p = find_portal(d, a);

	if (p == NULL) {
		p = call_alloc(sizeof *p);
		p->a = *a;
		list_push_back(&d->portals, &p->link);
	}
	return p;
}

void
discovery_forget_portal(struct driver *d, const struct registry_address *a)
{
	struct portal *p = find_portal(d, a);

	if (p == NULL)
		return;
	list_remove(&p->link);
	free(p);
}
