#include "driver/isw/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/addr.h"
#include "driver/call.h"

/* How long a dial waits for a daemon that is not connected (it may be starting). */
#define DIAL_DAEMON_WAIT_US 2000000
/* What an address of several gets at least, and what iswd may need to say that time is up. */
#define DIAL_STEP_MS_MIN 1000
#define DIAL_GRACE_US    1000000
#define DIAL_ADDRESSES   16

struct dial {
	struct isw *w;
	dial_done *done;
	void *user;
	char host[LIMIT_HOST_BYTES + 1];
	uint16_t port;
	uint64_t deadline_us;
	struct helper_server *asked; /* whose request `id` is; NULL: none is out */
	int64_t id;
	struct loop_timer daemon_wait, later;
	char *addresses[DIAL_ADDRESSES]; /* of a name; owned */
	size_t n_addresses, at;
	struct dial_result result; /* of the latest address */
};

static const struct dial_error {
	int err;
	enum ipc_error_code code;
	const char *why, *next;
} errors[] = {
#define DIAL_ERROR(err, code, why, next) { -(err), IPC_ERR_##code, (why), (next) },
#include "driver/isw/dial_error.def"
};

static void
dial_free(struct dial *d)
{
	loop_timer_clear(d->w->loop, &d->daemon_wait);
	loop_timer_clear(d->w->loop, &d->later);
	for (size_t i = 0; i < d->n_addresses; i++)
		free(d->addresses[i]);
	free(d);
}

static void
finish(struct dial *d)
{
	struct dial_result r = d->result;
	dial_done *done = d->done;
	void *user = d->user;

	if (r.fd < 0)
		d->w->connects_failed++;
	dial_free(d);
	done(user, &r);
}

static void
fail_connect(struct dial *d, const char *address, int err, const char *why)
{
	const char *next = "look at iswd's log";
	enum ipc_error_code code = IPC_ERR_OFFLINE;

	if (err == -ENOTCONN) {
		fault_set(&d->result.fault, IPC_ERR_NOTRUNNING, "start it: iscsi start",
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
}

static void connect_next(struct dial *d);

static void
copy_string(char *to, size_t n, const json_t *result, const char *key)
{
	const char *s = json_string_value(json_object_get(result, key));

	(void)snprintf(to, n, "%s", s != NULL ? s : "");
}

static void
connected(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct dial *d = user;

	d->asked = NULL;
	loop_timer_clear(d->w->loop, &d->daemon_wait);
	if (err == 0 && fd < 0) {
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
	fail_connect(d, d->addresses[d->at], err, why);
	d->at++;
	if (d->at < d->n_addresses && loop_now_update(d->w->loop) < d->deadline_us)
		connect_next(d);
	else
		finish(d);
}

/* A request could not even be queued: say so from the loop, never from inside dial_start(). */
static void
fail_later(struct dial *d, const char *what, int err)
{
	fault_set(&d->result.fault, IPC_ERR_INTERNAL, "try again", "%s: %s", what, strerror(-err));
	loop_timer_set(d->w->loop, &d->later, loop_now(d->w->loop));
}

static void
later(struct loop_timer *t)
{
	finish(LIST_ENTRY(t, struct dial, later));
}

/* Each address gets its share of the time that is left. */
static void
connect_next(struct dial *d)
{
	uint64_t now = loop_now_update(d->w->loop), left_ms;
	json_t *args;

	left_ms = now < d->deadline_us ? (d->deadline_us - now) / 1000 : 0;
	left_ms /= d->n_addresses - d->at;
	if (left_ms < DIAL_STEP_MS_MIN)
		left_ms = DIAL_STEP_MS_MIN;
	d->w->connects++;
	args = json_pack("{s:s, s:i, s:I}", "address", d->addresses[d->at], "port", (int)d->port,
	    "timeout_ms", (json_int_t)left_ms);
	d->id = args == NULL ? -ENOMEM
			     : helper_server_request(d->w->iswd, "connect", args,
				   now + left_ms * 1000 + DIAL_GRACE_US, connected, d);
	if (d->id < 0) {
		fail_later(d, "cannot ask iswd for a connection", (int)d->id);
		return;
	}
	d->asked = d->w->iswd;
	if (helper_server_pid(d->w->iswd) == 0)
		loop_timer_set(d->w->loop, &d->daemon_wait, now + DIAL_DAEMON_WAIT_US);
}

/* Was the daemon there in time?  If it came meanwhile, the request is its own. */
static void
daemon_missing(struct loop_timer *t)
{
	struct dial *d = LIST_ENTRY(t, struct dial, daemon_wait);

	if (d->asked == NULL || helper_server_pid(d->asked) != 0)
		return;
	(void)helper_server_cancel(
	    d->asked, d->id); /* it cannot have been answered: asked is set */
	d->asked = NULL;
	fail_connect(d, "", -ENOTCONN, "");
	finish(d);
}

static void
resolved(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct dial *d = user;
	const json_t *list = json_object_get(result, "addresses"), *v;
	struct addr a;
	size_t i;

	(void)fd; /* -1: resolving hands none over */
	d->asked = NULL;
	json_array_foreach(list, i, v)
	{
		const char *s = json_string_value(v);

		if (s != NULL && d->n_addresses < DIAL_ADDRESSES &&
		    addr_parse_host(s, &a) == ADDR_OK && addr_is_literal(&a))
			d->addresses[d->n_addresses++] = call_strdup(a.host);
	}
	if (d->n_addresses > 0) {
		connect_next(d);
		return;
	}
	d->w->resolves_failed++;
	fault_set(&d->result.fault, err == -ETIMEDOUT ? IPC_ERR_TIMEOUT : IPC_ERR_NOTFOUND,
	    "check the name and this host's resolver, or use an address",
	    "cannot resolve the host name %s: %s", d->host, err != 0 ? why : "it has no address");
	finish(d);
}

static void
resolve(struct dial *d)
{
	uint64_t now = loop_now(d->w->loop);
	json_t *args;

	if (d->w->resolvd == NULL || helper_server_pid(d->w->resolvd) == 0) {
		fault_set(&d->result.fault, IPC_ERR_NOTRUNNING,
		    "start it, or use an address instead of the name",
		    "iscsi_resolvd is not running, so the host name %s cannot be resolved",
		    d->host);
		loop_timer_set(d->w->loop, &d->later, now);
		return;
	}
	d->w->resolves++;
	args = json_pack("{s:s, s:I}", "name", d->host, "timeout_ms",
	    (json_int_t)((d->deadline_us - now) / 1000));
	d->id = args == NULL ? -ENOMEM
			     : helper_server_request(
				   d->w->resolvd, "resolve", args, d->deadline_us, resolved, d);
	if (d->id < 0)
		fail_later(d, "cannot ask iscsi_resolvd", (int)d->id);
	else
		d->asked = d->w->resolvd;
}

struct dial *
dial_start(struct isw *w, const char *host, uint16_t port, uint32_t timeout_ms, dial_done *done,
    void *user)
{
	struct dial *d = call_alloc(sizeof *d);
	struct addr a;

	d->w = w;
	d->done = done;
	d->user = user;
	d->port = port;
	d->deadline_us = loop_now_update(w->loop) + (uint64_t)timeout_ms * 1000;
	d->result.fd = -1;
	d->daemon_wait.expired = daemon_missing;
	d->later.expired = later;
	if (addr_parse_host(host, &a) != ADDR_OK) {
		fault_set(&d->result.fault, IPC_ERR_INVALID, "correct or remove it",
		    "%s is neither an address nor a host name", host);
		loop_timer_set(w->loop, &d->later, loop_now(w->loop));
		return d;
	}
	(void)snprintf(d->host, sizeof d->host, "%s", a.host); /* the same limit */
	if (addr_is_literal(&a)) {
		d->addresses[0] = call_strdup(a.host);
		d->n_addresses = 1;
		connect_next(d);
	} else {
		resolve(d);
	}
	return d;
}

void
dial_cancel(struct dial *d)
{
	if (d == NULL)
		return;
	if (d->asked != NULL)
		(void)helper_server_cancel(d->asked, d->id); /* answered or not: it is not wanted */
	dial_free(d);
}
