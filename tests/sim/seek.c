#include "seek.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "ini/discovery.h"
#include "ini/isid.h"
#include "kept.h"
#include "net.h"
#include "target.h"
#include "visits.h"

/* A connection, a login, each as often as it is sent on; the answer; the logout. */
#define SEEK_US (120 * SECOND)

static bool
is_row(const struct tlist_row *want, const struct discovered *d)
{
	return strcmp(want->name, d->name) == 0 && strcmp(want->host, d->host) == 0 &&
	       want->port == d->port && want->tpgt == d->tpgt &&
	       want->is_tag_open == d->is_tag_open;
}

static void
check_row(struct seek *s, const struct tlist_row *want, const struct discovered *d)
{
	if (!is_row(want, d))
		sim_fail(s->host.w, "discovery", "%s at %s:%u,%u%s is found as %s at %s:%u,%u%s",
		    want->name, want->host, want->port, want->tpgt,
		    want->is_tag_open ? " or another tag" : "", d->name, d->host, d->port, d->tpgt,
		    d->is_tag_open ? " or another tag" : "");
}

/* Of text that is malformed the rest is found, and what else is found is an address. */
static void
check_rest(
    struct seek *s, const struct discovery_result *r, const struct tlist_row *rows, unsigned n)
{
	size_t at = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->found[i].name[0] == '\0' || r->found[i].host[0] == '\0' ||
		    r->found[i].port == 0)
			sim_fail(s->host.w, "discovery", "\"%s\" at \"%s\" is found",
			    r->found[i].name, r->found[i].host);
	for (unsigned i = 0; i < n; i++) {
		if ((s->spoilt >> rows[i].target & 1) != 0)
			continue;
		while (at < r->n && !is_row(&rows[i], &r->found[at]))
			at++;
		if (at++ == r->n)
			sim_fail(s->host.w, "discovery",
			    "%s at %s is not found because of other targets' text", rows[i].name,
			    rows[i].host);
	}
}

/* What is found without a fault is all that was told, and nothing else. */
static void
check_found(struct seek *s, const struct discovery_result *r)
{
	static struct tlist_row rows[SIM_FOUND];
	unsigned n;

	if (!s->is_told)
		sim_fail(s->host.w, "discovery", "it is at its end, and the answer is not");
	n = tlist_rows(s->host.t, s->list, rows);
	if (s->spoilt != 0) {
		check_rest(s, r, rows, n);
		return;
	}
	if (r->n != n || r->n_bad > 0)
		sim_fail(s->host.w, "discovery", "%zu addresses, %zu of them bad, of %u", r->n,
		    r->n_bad, n);
	for (unsigned i = 0; i < n; i++)
		check_row(s, &rows[i], &r->found[i]);
}

static void
done(void *user, struct discovery_result *r)
{
	struct seek *s = user;
	struct sim *w = s->host.w;

	if (s->x == NULL)
		sim_fail(w, "once", "a discovery ends twice");
	s->x = NULL;
	visits_seek(r->fault.is_set);
	TRACE(w, "discovery %u: %u addresses%s", s->host.i, r->n,
	    TRACE_TEXT(r->fault.is_set ? ", and failed" : ""));
	if (r->fault.is_set)
		sim_say(w, r->fault.message);
	if (!r->fault.is_set)
		check_found(s, r);
	else if (w->is_healed && s->since_us >= w->healed_us)
		sim_fail(
		    w, "no reason", "a discovery fails although all is well: %s", r->fault.message);
}

void
seek_start(struct seek *s)
{
	struct owner *o = &s->host;
	struct portal_address at = { .port = 3260, .tpgt = -1 };
	uint8_t isid[6];

	if (s->x != NULL || o->w->is_down)
		return;
	(void)snprintf(at.host, sizeof at.host, "10.0.%u.0", o->i);
	isid_discovery(isid, 0x123456, o->w->seek_serial++);
	s->since_us = sim_now(o->w);
	s->is_told = false;
	s->spoilt = 0;
	s->renames = o->w->owners[o->i].renames;
	TRACE(o->w, "discovery %u: begins", o->i);
	s->x = discovery_start(&o->world, &at, isid, kept_snapshot(&o->w->owners[o->i]), done, s);
}

void
seek_check(struct seek *s)
{
	if (s->x != NULL && sim_now(s->host.w) - s->since_us > SEEK_US)
		sim_fail(s->host.w, "ends", "discovery %u does not end", s->host.i);
}

void
seek_vanish(struct seek *s, bool is_silent)
{
	host_vanish(&s->host, is_silent);
	s->x = NULL;
}

struct seek *
seek_of(const struct tconn *c)
{
	return c->net != NULL && c->net->o != NULL ? LIST_ENTRY(c->net->o, struct seek, host)
						   : NULL;
}

void
seek_init(struct seek *s, struct sim *w, unsigned i)
{
	struct owner *o = &s->host;

	o->w = w;
	o->i = i;
	o->t = &w->targets[i];
	o->must_dial = -1;
	rng_init(&o->rng, w->seed, 0x800 + (uint64_t)(s - w->seeks));
	host_init(o);
}

void
seek_fini(struct seek *s)
{
	if (s->x != NULL)
		discovery_cancel(s->x);
	s->x = NULL;
}
