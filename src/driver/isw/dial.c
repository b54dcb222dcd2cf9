#include "driver/isw/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/addr.h"
#include "driver/call.h"
#include "driver/isw/network.h"

/* How long a dial waits for a daemon that is not connected (it may be starting). */
#define DIAL_DAEMON_WAIT_US 2000000
/*
 * A name's addresses are tried in order, the next one when an attempt failed
 * or was not successful for so long (RFC 8305, section 5); the first
 * connection wins.  A dead address then costs a moment, not a time-out.
 */
#define DIAL_STAGGER_US 250000
#define DIAL_ADDRESSES  16
/* What iswd may need to say that time is up. */
#define DIAL_GRACE_US 1000000

/* One address of a dial. */
struct attempt {
	struct dial *d;
	char *address; /* owned */
	int64_t id;    /* of the request to iswd, while it is out */
	bool is_out;
};

struct dial {
	struct dialer *w;
	dial_done *done;
	void *user;
	char host[LIMIT_HOST_BYTES + 1];
	uint16_t port;
	struct connect_from from;
	uint64_t deadline_us;
	bool is_resolving;
	int64_t resolve_id; /* while is_resolving */
	struct agenda_timer daemon_wait, stagger, later;
	struct attempt attempt[DIAL_ADDRESSES];
	size_t n, begun;           /* addresses; how many were begun with */
	struct dial_result result; /* the latest failure, or the connection */
};

static const struct dial_error {
	int err;
	enum fault_code code;
	const char *why, *next;
} errors[] = {
#define DIAL_ERROR(err, code, why, next) { -(err), FAULT_##code, (why), (next) },
#include "driver/isw/dial_error.def"
};

static void
dial_free(struct dial *d)
{
	agenda_clear(loop_agenda(d->w->loop), &d->daemon_wait);
	agenda_clear(loop_agenda(d->w->loop), &d->stagger);
	agenda_clear(loop_agenda(d->w->loop), &d->later);
	if (d->is_resolving)
		(void)helper_server_cancel(d->w->resolvd, d->resolve_id); /* not wanted any more */
	for (size_t i = 0; i < d->n; i++) {
		struct attempt *a = &d->attempt[i];

		if (a->is_out)
			(void)helper_server_cancel(d->w->iswd, a->id); /* likewise */
		free(a->address);
	}
	free(d);
}

static void
finish(struct dial *d)
{
	struct dial_result r = d->result;
	dial_done *done = d->done;
	void *user = d->user;

	dial_free(d);
	done(user, &r);
}

static void
fail_connect(struct dial *d, const char *address, int err, const char *why)
{
	const char *next = "look at iswd's log";
	enum fault_code code = FAULT_OFFLINE;

	d->result.err = err;
	if (err == -ENOTCONN) {
		fault_set(&d->result.fault, FAULT_NOTRUNNING, "start it: iscsi start",
		    "iswd is not running, so no connection can be opened");
		return;
	}
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].err == err) {
			why = errors[i].why;
			next = errors[i].next;
			code = errors[i].code;
		}
	fault_set(&d->result.fault, code, next, "cannot connect to %s port %u: %s", address,
	    d->port, why);
	d->result.fault.is_silent = err == -ENETUNREACH && !d->w->had_network;
}

static void begin_next(struct dial *d);

static void
copy_string(char *to, size_t n, const json_t *result, const char *key)
{
	const char *s = json_string_value(json_object_get(result, key));

	(void)snprintf(to, n, "%s", s != NULL ? s : "");
}

static bool
any_out(const struct dial *d)
{
	for (size_t i = 0; i < d->begun; i++)
		if (d->attempt[i].is_out)
			return true;
	return false;
}

static void
connected(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct attempt *a = user;
	struct dial *d = a->d;

	a->is_out = false;
	agenda_clear(loop_agenda(d->w->loop), &d->daemon_wait);
	/* The guide, chapter 7: "Once the first attempt at network initialization is complete, the
	 * ENETUNREACH errno will no longer be returned". */
	d->w->had_network = d->w->had_network || network_is_up();
	if (err == 0 && fd == -EMFILE) {
		err = -EMFILE;
	} else if (err == 0 && fd < 0) {
		err = -EPROTO;
		why = "iswd sent no connection";
	}
	if (err == 0) {
		d->result.fd = fd;
		copy_string(d->result.local, sizeof d->result.local, result, "local");
		copy_string(d->result.peer, sizeof d->result.peer, result, "peer");
		fault_clear(&d->result.fault);
		finish(d);
		return;
	}
	fail_connect(d, a->address, err, why);
	if (d->begun < d->n && loop_now_update(d->w->loop) < d->deadline_us)
		begin_next(d);
	else if (!any_out(d))
		finish(d);
}

/* A request could not even be queued: say so from the loop, never from inside dial_start(). */
static void
fail_later(struct dial *d, const char *what, int err)
{
	d->result.err = err;
	fault_set(&d->result.fault, FAULT_INTERNAL, "try again", "%s: %s", what, strerror(-err));
	agenda_set(loop_agenda(d->w->loop), &d->later, loop_now(d->w->loop));
}

static void
later(struct agenda_timer *t)
{
	finish(LIST_ENTRY(t, struct dial, later));
}

/* False: no memory. */
static bool
put_unless_empty(json_t *args, const char *key, const char *value)
{
	return value[0] == '\0' || json_object_set_new(args, key, json_string(value)) == 0;
}

static json_t *
connect_args(const struct dial *d, const char *address, uint64_t timeout_ms)
{
	json_t *args = json_pack("{s:s, s:i, s:I}", "address", address, "port", (int)d->port,
	    "timeout_ms", (json_int_t)timeout_ms);

	/* No memory for one of these: iswd must not connect in another way instead. */
	if (put_unless_empty(args, "source", d->from.source) &&
	    put_unless_empty(args, "interface", d->from.interface) &&
	    put_unless_empty(args, "congestion_control", d->from.congestion_control))
		return args;
	json_decref(args);
	return NULL;
}

static void
begin_next(struct dial *d)
{
	struct attempt *a = &d->attempt[d->begun++];
	uint64_t now = loop_now_update(d->w->loop);
	uint64_t left_ms = now < d->deadline_us ? (d->deadline_us - now) / 1000 : 0;
	json_t *args = connect_args(d, a->address, left_ms > 0 ? left_ms : 1);

	stat_add(d->w->stats, STAT_SWD_GLOBAL_opens);
	a->d = d;
	a->id = args == NULL ? -ENOMEM
			     : helper_server_request(d->w->iswd, "connect", args,
				   now + left_ms * 1000 + DIAL_GRACE_US, connected, a);
	if (a->id < 0) {
		fail_later(d, "cannot ask iswd for a connection", (int)a->id);
		return;
	}
	a->is_out = true;
	if (helper_server_pid(d->w->iswd) == 0)
		agenda_set(loop_agenda(d->w->loop), &d->daemon_wait, now + DIAL_DAEMON_WAIT_US);
	if (d->begun < d->n)
		agenda_set(loop_agenda(d->w->loop), &d->stagger, now + DIAL_STAGGER_US);
}

static void
stagger(struct agenda_timer *t)
{
	struct dial *d = LIST_ENTRY(t, struct dial, stagger);

	if (d->begun < d->n && loop_now(d->w->loop) < d->deadline_us)
		begin_next(d);
}

/* Was the daemon there in time?  If it came meanwhile, the requests are its own. */
static void
daemon_missing(struct agenda_timer *t)
{
	struct dial *d = LIST_ENTRY(t, struct dial, daemon_wait);

	if (d->is_resolving && helper_server_pid(d->w->resolvd) == 0) {
		fault_set(&d->result.fault, FAULT_NOTRUNNING,
		    "start it, or use an address instead of the name",
		    "iscsi_resolvd is not running, so the host name %s cannot be resolved",
		    d->host);
		d->result.is_name = true;
		d->result.err = -ENOTCONN;
		finish(d);
	} else if (any_out(d) && helper_server_pid(d->w->iswd) == 0) {
		fail_connect(d, "", -ENOTCONN, "");
		finish(d);
	}
}

static void
resolved(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct dial *d = user;
	const json_t *list = json_object_get(result, "addresses"), *v;
	struct addr a;
	size_t i;

	if (fd >= 0)
		(void)close(fd); /* resolving hands none over: not wanted */
	d->is_resolving = false;
	agenda_clear(loop_agenda(d->w->loop), &d->daemon_wait);
	json_array_foreach(list, i, v)
	{
		const char *s = json_string_value(v);

		if (s != NULL && d->n < DIAL_ADDRESSES && addr_parse_host(s, &a) == ADDR_OK &&
		    addr_is_literal(&a))
			d->attempt[d->n++].address = call_strdup(a.host);
	}
	if (d->n > 0) {
		begin_next(d);
		return;
	}
	d->result.is_name = true;
	d->result.err = err != 0 ? err : -ENOENT;
	fault_set(&d->result.fault, err == -ETIMEDOUT ? FAULT_TIMEOUT : FAULT_NOTFOUND,
	    "check the name and this host's resolver, or use an address",
	    "cannot resolve the host name %s: %s", d->host, err != 0 ? why : "it has no address");
	finish(d);
}

static void
resolve(struct dial *d)
{
	uint64_t now = loop_now(d->w->loop);
	json_t *args;

	args = json_pack("{s:s, s:I}", "name", d->host, "timeout_ms",
	    (json_int_t)((d->deadline_us - now) / 1000));
	d->resolve_id = args == NULL ? -ENOMEM
				     : helper_server_request(d->w->resolvd, "resolve", args,
					   d->deadline_us, resolved, d);
	if (d->resolve_id < 0)
		fail_later(d, "cannot ask iscsi_resolvd", (int)d->resolve_id);
	else
		d->is_resolving = true;
	if (d->is_resolving && helper_server_pid(d->w->resolvd) == 0)
		agenda_set(loop_agenda(d->w->loop), &d->daemon_wait, now + DIAL_DAEMON_WAIT_US);
}

struct dial *
dial_start(struct dialer *w, const char *host, uint16_t port, const struct connect_from *from,
    uint32_t timeout_ms, dial_done *done, void *user)
{
	struct dial *d = call_alloc(sizeof *d);
	struct addr a;

	d->w = w;
	d->done = done;
	d->user = user;
	d->port = port;
	if (from != NULL)
		d->from = *from;
	d->deadline_us = loop_now_update(w->loop) + (uint64_t)timeout_ms * 1000;
	d->result.fd = -1;
	d->daemon_wait.expired = daemon_missing;
	d->stagger.expired = stagger;
	d->later.expired = later;
	if (addr_parse_host(host, &a) != ADDR_OK) {
		fault_set(&d->result.fault, FAULT_INVALID, "correct or remove it",
		    "%s is neither an address nor a host name", host);
		d->result.err = -EINVAL;
		agenda_set(loop_agenda(w->loop), &d->later, loop_now(w->loop));
		return d;
	}
	(void)snprintf(d->host, sizeof d->host, "%s", a.host); /* the same limit */
	if (addr_is_literal(&a)) {
		d->attempt[0].address = call_strdup(a.host);
		d->n = 1;
		begin_next(d);
	} else {
		resolve(d);
	}
	return d;
}

void
dial_cancel(struct dial *d)
{
	if (d != NULL)
		dial_free(d);
}
