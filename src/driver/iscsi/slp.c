#include "driver/iscsi/slp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "core/addr.h"
#include "core/iname.h"
#include "driver/call.h"
#include "driver/iscsi/settings.h"
#include "ipc/helper.h"
#include "sys/log.h"

/* What islpd may need to say that time is up. */
#define SLP_GRACE_US 2000000

struct slp {
	struct driver *d;
	find_done *done;
	void *user;
	int64_t id; /* of the request to islpd; -1: none is out */
	struct agenda_timer later;
	struct discovery_result result;
};

static struct helper_server *
islpd(const struct driver *d)
{
	return d->islpd;
}

bool
slp_is_there(const struct driver *d)
{
	return helper_server_pid(islpd(d)) != 0;
}

static void
finish(struct slp *x)
{
	x->done(x->user, &x->result);
	agenda_clear(loop_agenda(x->d->loop), &x->later);
	free(x->result.found);
	free(x);
}

static void
later(struct agenda_timer *t)
{
	finish(LIST_ENTRY(t, struct slp, later));
}

/* One target of the answer; what is malformed is left out and said. */
static bool
take(const json_t *v, struct discovered *ret)
{
	const char *name = json_string_value(json_object_get(v, "name"));
	const char *address = json_string_value(json_object_get(v, "address"));
	json_int_t port = json_integer_value(json_object_get(v, "port"));
	json_int_t tpgt = json_integer_value(json_object_get(v, "tpgt"));
	struct addr a;

	if (name == NULL || address == NULL || iname_check(name, strlen(name)) != INAME_OK ||
	    addr_parse_host(address, &a) != ADDR_OK || port < 1 || port > UINT16_MAX || tpgt < 0 ||
	    tpgt > UINT16_MAX) {
		log_warn("islpd told of a target that makes no sense; it is left out");
		return false;
	}
	memset(ret, 0, sizeof *ret);
	cut_copy(ret->name, sizeof ret->name, name);
	cut_copy(ret->host, sizeof ret->host, a.host);
	ret->port = (uint16_t)port;
	ret->tpgt = (uint16_t)tpgt;
	return true;
}

static void
log_notes(const json_t *result)
{
	const json_t *notes = json_object_get(result, "notes"), *v;
	size_t i;

	json_array_foreach(notes, i, v)
	{
		if (json_is_string(v))
			log_note("islpd: %s", json_string_value(v));
	}
}

/* The agents that were of no use, as one sentence; not set: each was of use. */
static void
blame(const json_t *result, struct fault *ret_fault)
{
	const json_t *agents = json_object_get(result, "agents"), *v;
	const char *address = NULL, *error = NULL;
	size_t i, failed = 0;
	char more[64] = "";

	json_array_foreach(agents, i, v)
	{
		if (!json_is_string(json_object_get(v, "error")))
			continue;
		if (failed++ > 0)
			continue;
		address = json_string_value(json_object_get(v, "address"));
		error = json_string_value(json_object_get(v, "error"));
	}
	if (failed > 1)
		(void)snprintf(more, sizeof more, ", and %zu more agent%s failed", failed - 1,
		    failed == 2 ? "" : "s"); /* fits */
	if (failed > 0)
		fault_set(ret_fault, FAULT_OFFLINE,
		    "check this agent and the way to it (islpd.conf names those that are asked), "
		    "and that it serves the scopes (iscsiutil -l)",
		    "the SLP agent %.80s was of no use: %.160s%s", address != NULL ? address : "",
		    error, more);
	else if (json_is_array(agents) && json_array_size(agents) == 0)
		fault_set(ret_fault, FAULT_OFFLINE,
		    "check the network and the scopes (iscsiutil -l), name an agent in "
		    "islpd.conf, or have islpd ended: islpd -r; islpd --stop",
		    "no SLP agent answered");
}

static void
answered(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct slp *x = user;
	const json_t *targets = json_object_get(result, "targets"), *v;
	size_t i, n = json_array_size(targets);

	if (fd >= 0)
		(void)close(fd); /* discovering hands none over: not wanted */
	x->id = -1;
	/* Before the network is up there is nobody to ask, and nothing to complain of (the guide,
	 * chapter 7). */
	if (err != 0)
		fault_set(&x->result.fault, err == -ETIMEDOUT ? FAULT_TIMEOUT : FAULT_OFFLINE,
		    "look at islpd's log; 'iscsiutil -l' shows the scopes that are asked for",
		    "SLP discovery failed: %s", why);
	x->result.fault.is_silent = err == -ENETUNREACH;
	if (n > LIMIT_SENDTARGETS_TARGETS)
		n = LIMIT_SENDTARGETS_TARGETS;
	x->result.found = n > 0 ? call_alloc(n * sizeof *x->result.found) : NULL;
	json_array_foreach(targets, i, v)
	{
		if (i < n)
			x->result.n += take(v, &x->result.found[x->result.n]);
	}
	x->result.n_targets = x->result.n;
	log_notes(result);
	if (err == 0)
		blame(result, &x->result.fault); /* what was found counts all the same */
	finish(x);
}

struct slp *
slp_start(struct driver *d, find_done *done, void *user)
{
	struct slp *x = call_alloc(sizeof *x);
	char *scopes = settings_value(d->reg, NULL, REGISTRY_KEY_slp_scopes);
	json_t *args = json_pack("{s:s, s:i}", "scopes",
	    scopes != NULL && scopes[0] != '\0' ? scopes : "default", "timeout_ms", SLP_TIMEOUT_MS);

	free(scopes);
	x->d = d;
	x->done = done;
	x->user = user;
	x->later.expired = later;
	x->id = args == NULL
		    ? -ENOMEM
		    : helper_server_request(islpd(d), "discover", args,
			  loop_now_update(d->loop) + SLP_TIMEOUT_MS * 1000ull + SLP_GRACE_US,
			  answered, x);
	if (x->id < 0) {
		fault_set(&x->result.fault, FAULT_INTERNAL, "scan again",
		    "islpd cannot be asked: %s", strerror((int)-x->id));
		x->id = -1;
		agenda_set(loop_agenda(d->loop), &x->later, loop_now(d->loop));
	}
	return x;
}

void
slp_cancel(struct slp *x)
{
	if (x == NULL)
		return;
	if (x->id >= 0)
		(void)helper_server_cancel(
		    islpd(x->d), x->id); /* answered or not: it is not wanted */
	agenda_clear(loop_agenda(x->d->loop), &x->later);
	free(x->result.found);
	free(x);
}
