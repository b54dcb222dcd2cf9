/* What a portal tells in its answer to SendTargets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "core/iname.h"
#include "ini/discovery_impl.h"

/* Addresses that are passed over: so many are said. */
#define SAID_MAX           8
#define DISCOVERY_ROWS_MAX (LIMIT_SENDTARGETS_TARGETS * 4)

static void
say(const struct discovery *x, enum say_level level, const char *what, const char *why)
{
	char text[1024];

	(void)snprintf(
	    text, sizeof text, "%s: %s%s", x->label, what, why); /* a longer one is cut */
	x->world->ops->say(x->world, level, text);
}

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

/* This target's row of this portal, where it was named before; NULL: it was not. */
static struct discovered *
find_again(const struct discovery *x, const char *name, const struct addr *a)
{
	/* A target has at most so many, one behind the other. */
	for (size_t i = 0; i < x->result.n && i < LIMIT_SENDTARGETS_ADDRESSES; i++) {
		struct discovered *row = &x->result.found[x->result.n - 1 - i];

		if (!iname_same(row->name, name))
			break;
		if (row->port == a->port && strcmp(row->host, a->host) == 0)
			return row;
	}
	return NULL;
}

static void
add(struct discovery *x, const char *name, struct addr *a)
{
	struct discovered *row;
	struct fault why = { 0 };

	if (!localise(x, a)) {
		/* The rest is like it. */
		if (x->n_unreachable++ < SAID_MAX)
			say(x, SAY_INFO,
			    "passed over: a link-local address without an interface, of ", name);
		return;
	}
	row = find_again(x, name, a);
	if (row != NULL) {
		row->is_tag_open |= row->tpgt != a->tpgt;
		return;
	}
	if (x->result.n >= DISCOVERY_ROWS_MAX)
		return; /* the parser's own limit is lower for every honest portal */
	if (!make_room(x)) {
		fault_set(&why, FAULT_INTERNAL, "free some memory",
		    "out of memory for what the portal told");
		discovery_fail(x, &why);
		return;
	}
	row = &x->result.found[x->result.n++];
	cut_copy(row->name, sizeof row->name, name);
	cut_copy(row->host, sizeof row->host, a->host);
	row->port = a->port;
	row->tpgt = a->tpgt;
	row->is_tag_open = false;
	if (!iname_same(x->last_name, name)) {
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
	struct discovery_bad *bad;

	x->result.counts.send_targets_parse++;
	if (x->result.n_bad++ >= DISCOVERY_BAD_MAX)
		return;
	bad = &x->result.bad[x->result.n_bad - 1];
	bad->kind = r->kind;
	cut_copy(bad->culprit, sizeof bad->culprit, r->culprit != NULL ? r->culprit : "");
	cut_copy(
	    bad->reason, sizeof bad->reason, r->reason != NULL ? r->reason : "it is passed over");
}

void
discovery_take(struct discovery *x)
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
