/*
 * Only a server's good answer takes something away: of a server that has not answered since iisnsd
 * knows it, or whose answer is not all that it names, nothing is missed.  What was typed in, or
 * SendTargets or SLP found first, or another server still names, stays known.
 */
#include "driver/iscsial/isns_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/diag/diag.h"
#include "driver/iscsi/isns.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/purge.h"
#include "driver/iscsial/scan.h"
#include "sys/log.h"

struct isns_apply {
	bool is_busy, must_again;
	struct purge *purge;
	unsigned keeping; /* servers whose answers are being written down */
	json_t *told;     /* what stays because it is in use, and was said: "name address" */
	json_t *in_use;   /* of them, what this time found so */
};

static void begin(struct driver *d);

static bool
is_named(const struct isns_server *s, const struct registry_found *f)
{
	struct discovered key = { .port = f->a.port };

	cut_copy(key.name, sizeof key.name, f->target);
	cut_copy(key.host, sizeof key.host, f->a.address);
	return s->n > 0 && bsearch(&key, s->found, s->n, sizeof key, isns_compare) != NULL;
}

/* Those of `list` that the server names no more go into `gone`, or are no longer its. */
static void
miss(struct driver *d, const struct isns_server *s, const struct registry_found *list, size_t n,
    struct registry_found *gone, size_t *n_gone)
{
	for (size_t i = 0; i < n; i++) {
		const struct registry_found *f = &list[i];

		if (is_named(s, f))
			continue;
		if (f->is_alone && f->source == REGISTRY_ISNS)
			gone[(*n_gone)++] = *f;
		else if (registry_found_forget(d->reg, &s->at, f) < 0)
			log_warn("%s is not taken from %s: %s", f->target, s->text,
			    registry_error(d->reg)->message);
	}
}

/* What all servers together name no more; for free(). */
static struct registry_found *
find_gone(struct driver *d, size_t *ret_n)
{
	struct registry_found *gone = NULL, *list, *more;
	size_t n_servers, n, n_gone = 0;
	const struct isns_server *s = isns_servers(d, &n_servers);

	for (size_t i = 0; i < n_servers; i++) {
		if (!s[i].is_all)
			continue;
		if (registry_found_all(d->reg, &s[i].at, &list, &n) != 0) {
			log_err("what %s named is not known: %s", s[i].text,
			    registry_error(d->reg)->message);
			continue;
		}
		more = call_alloc((n_gone + n + 1) * sizeof *more);
		if (n_gone > 0)
			memcpy(more, gone, n_gone * sizeof *more);
		free(gone);
		gone = more;
		miss(d, &s[i], list, n, gone, &n_gone);
		free(list);
	}
	*ret_n = n_gone;
	return gone;
}

/* ---- steps ---- */

static void
finish(struct driver *d)
{
	struct isns_apply *x = d->isns_apply;

	x->is_busy = false;
	if (x->must_again && !d->is_stopping)
		begin(d);
}

static void
kept(struct driver *d)
{
	if (--d->isns_apply->keeping == 0)
		finish(d);
}

static void
keep_new(struct driver *d)
{
	size_t n;
	const struct isns_server *s = isns_servers(d, &n);
	char what[sizeof s->text + 8];

	d->isns_apply->keeping = 1;
	for (size_t i = 0; i < n; i++) {
		struct discovery_result *r;

		if (s[i].n == 0)
			continue;
		r = call_alloc(sizeof *r);
		r->found = call_alloc(s[i].n * sizeof *r->found);
		memcpy(r->found, s[i].found, s[i].n * sizeof *r->found);
		r->n = r->n_targets = s[i].n;
		(void)snprintf(what, sizeof what, "iSNS %s", s[i].text); /* fits */
		d->isns_apply->keeping++;
		scan_found(d, &s[i].at, what, r, REGISTRY_ISNS, kept);
		free(r);
	}
	kept(d);
}

static void
address_key(
    const struct registry_found *f, char ret[LIMIT_ISCSI_NAME_BYTES + LIMIT_ADDRESS_BYTES + 32])
{
	char address[WANTED_ADDRESS_BYTES];

	wanted_address_text(&f->a, address);
	(void)snprintf(ret, LIMIT_ISCSI_NAME_BYTES + LIMIT_ADDRESS_BYTES + 32, "%s %s", f->target,
	    address); /* fits */
}

static void
goes(void *user, struct driver *d, const struct registry_found *f)
{
	char address[WANTED_ADDRESS_BYTES];
	const struct diag_ctx about = { -1, f->target, address, d->diag, NULL };

	(void)user;
	wanted_address_text(&f->a, address);
	diag_OPENISW_LOG_ISNS_GONE(&about, f->target, address);
}

/* Said once, as long as it stays so. */
static void
stays(void *user, struct driver *d, const struct registry_found *f)
{
	struct isns_apply *x = user;
	char key[LIMIT_ISCSI_NAME_BYTES + LIMIT_ADDRESS_BYTES + 32], address[WANTED_ADDRESS_BYTES];
	const struct diag_ctx about = { -1, f->target, address, d->diag, NULL };

	address_key(f, key);
	wanted_address_text(&f->a, address);
	if (json_object_get(x->told, key) == NULL)
		diag_OPENISW_LOG_ISNS_IN_USE(&about, f->target);
	(void)json_object_set_new(x->in_use, key, json_true()); /* no memory: said again */
}

static void
purged(void *user, struct driver *d, const struct purge_result *r)
{
	struct isns_apply *x = user;

	(void)r; /* each was told */
	x->purge = NULL;
	json_decref(x->told);
	x->told = x->in_use;
	x->in_use = NULL;
	if (d->is_stopping)
		finish(d);
	else
		keep_new(d);
}

static void
begin(struct driver *d)
{
	static const struct purge_ops ops = { .done = purged, .gone = goes, .kept = stays };
	struct isns_apply *x = d->isns_apply;
	struct registry_found *gone;
	size_t n;

	x->is_busy = true;
	x->must_again = false;
	x->in_use = json_object();
	gone = find_gone(d, &n);
	x->purge = purge_start(d, gone, n, false, &ops, x);
}

void
isns_apply(struct driver *d)
{
	if (d->isns_apply->is_busy)
		d->isns_apply->must_again = true;
	else if (!d->is_stopping)
		begin(d);
}

void
isns_apply_open(struct driver *d)
{
	d->isns_apply = call_alloc(sizeof *d->isns_apply);
	d->isns_apply->told = json_object();
}

void
isns_apply_close(struct driver *d)
{
	struct isns_apply *x = d->isns_apply;

	if (x == NULL)
		return;
	d->isns_apply = NULL;
	purge_cancel(x->purge);
	json_decref(x->told);
	json_decref(x->in_use);
	free(x);
}
