#include "iisnsd/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "sys/log.h"

#define BACKOFF_US     1000000
#define BACKOFF_MAX_US 60000000
#define PACE_US        (LIMIT_ISNS_PACE_MS * 1000ull)

static void begin(struct server *s);
static void try_next(struct server *s);
static void query(struct server *s);
static void enroll(struct server *s);

/* ---- what is told ---- */

static void
count(struct server *s, enum server_count what)
{
	s->counts[what]++;
}

/* What a person sees of it: whether that is new is for this function to say. */
static void
tell(struct server *s, enum server_state state, const char *error, bool is_news)
{
	bool is_up = state == SERVER_ONLINE;

	is_news |= is_up != s->is_up;
	s->is_up = is_up;
	s->state = state;
	if (strcmp(s->error, error) != 0) {
		if (error[0] != '\0')
			log_warn("iSNS server %s: %s", s->text, error);
		else
			log_note("iSNS server %s answers", s->text);
		cut_copy(s->error, sizeof s->error, error);
		is_news = true;
	}
	if (is_news)
		s->changed(s);
}

static void
ended(struct server *s)
{
	s->outcomes++;
	s->asked(s);
}

/* ---- trying again ---- */

static void
arm(struct server *s, uint64_t us)
{
	agenda_set(loop_agenda(s->cfg->loop), &s->timer, loop_now_update(s->cfg->loop) + us);
}

static void
lost(struct server *s, const char *why)
{
	dialog_close(&s->dialog);
	count(s, SERVER_COUNT_FAILURES);
	s->is_notifying = false;
	s->backoff_us = s->backoff_us == 0 ? BACKOFF_US : 2 * s->backoff_us;
	if (s->backoff_us > BACKOFF_MAX_US)
		s->backoff_us = BACKOFF_MAX_US;
	arm(s, s->backoff_us);
	tell(s, SERVER_WAITING, why, false);
	ended(s);
}

static void
expired(struct agenda_timer *t)
{
	struct server *s = LIST_ENTRY(t, struct server, timer);

	if (s->state == SERVER_WAITING)
		begin(s);
	else if (s->state == SERVER_ONLINE && s->must_query)
		query(s);
	else if (s->state == SERVER_ONLINE)
		enroll(s);
}

/* ---- the conversation ---- */

static struct request_self
self(const struct server *s)
{
	struct request_self r = {
		.name = s->name, .alias = s->alias, .scn_port = listener_port(&s->listener)
	};
	const struct endpoint *e = &s->listener.at;

	if (e->any.sa_family == AF_INET) {
		r.address[10] = r.address[11] = 0xff;
		memcpy(r.address + 12, &e->in4.sin_addr, 4);
	} else {
		memcpy(r.address, &e->in6.sin6_addr, 16);
	}
	return r;
}

static void
ask(struct server *s, uint16_t function)
{
	uint8_t message[REQUEST_BYTES];
	struct request_self me = self(s);
	uint16_t xid = dialog_next_xid(&s->dialog);
	size_t n = 0;

	if (function == ISNSP_DEV_ATTR_REG)
		n = request_register(message, xid, &me, !s->has_registered);
	else if (function == ISNSP_SCN_REG)
		n = request_scn_reg(message, xid, &me);
	else
		n = request_query(message, xid, &me);
	dialog_ask(&s->dialog, function, message, n);
}

static void
query(struct server *s)
{
	s->must_query = false;
	s->asked_us = loop_now_update(s->cfg->loop);
	s->state = SERVER_QUERYING;
	ask(s, ISNSP_DEV_ATTR_QRY);
}

/* Register, or say that we still are there, and ask. */
static void
enroll(struct server *s)
{
	s->state = SERVER_REGISTERING;
	s->refusal[0] = '\0';
	ask(s, ISNSP_DEV_ATTR_REG);
}

/* Without notifications targets are found all the same, only later. */
static void
refused(struct server *s, const char *why)
{
	s->is_notifying = false;
	count(s, SERVER_COUNT_FAILURES);
	(void)snprintf(s->refusal, sizeof s->refusal,
	    "it refuses the registration, so changes are seen late: %s", why); /* or cut */
	query(s);
}

static void
registered(struct server *s, uint32_t status, struct cursor body)
{
	/* It may have forgotten what it is to update. */
	if (status != ISNSP_STATUS_SUCCESS && s->has_registered) {
		s->has_registered = false;
		enroll(s);
		return;
	}
	if (status != ISNSP_STATUS_SUCCESS) {
		refused(s, isnsp_status_text(status));
		return;
	}
	/* What is wrong with the rest is wrong with our time limits only. */
	if (answer_period(body, &s->period_s) != ISNSP_IS_OK)
		s->period_s = 0;
	s->has_registered = true;
	s->state = SERVER_SUBSCRIBING;
	ask(s, ISNSP_SCN_REG);
}

static void
subscribed(struct server *s, uint32_t status)
{
	if (status != ISNSP_STATUS_SUCCESS) {
		refused(s, isnsp_status_text(status));
		return;
	}
	count(s, SERVER_COUNT_REGISTRATIONS);
	s->is_notifying = true;
	query(s);
}

/* When the next sign of life is due: half the registration's life, or the refresh. */
static uint64_t
next_us(const struct server *s)
{
	uint64_t half = s->period_s * 500000ull;

	return half > 0 && half < s->cfg->refresh_us ? half : s->cfg->refresh_us;
}

/* Ask again, at once or as soon as the pace allows. */
static void
query_again(struct server *s)
{
	uint64_t now = loop_now_update(s->cfg->loop), at = s->asked_us + PACE_US;

	s->must_query = true;
	if (s->state == SERVER_ONLINE)
		arm(s, at > now ? at - now : 0);
}

static void
queried(struct server *s, uint32_t status, struct cursor body)
{
	struct answer_targets to = { 0 };
	enum isnsp_result r = ISNSP_IS_OK;
	bool is_news;

	/* Section 5.6.5.2: that nothing matches is no error; some servers say it so. */
	if (status == ISNSP_STATUS_SUCCESS)
		r = answer_get_targets(body, &to);
	else if (status != ISNSP_STATUS_NO_SUCH_ENTRY) {
		lost(s, isnsp_status_text(status));
		return;
	}
	if (r != ISNSP_IS_OK) {
		lost(s, isnsp_result_text(r));
		return;
	}
	is_news = !s->is_known || !answer_targets_equal(&to, &s->targets);
	answer_targets_fini(&s->targets);
	s->targets = to;
	s->is_known = true;
	s->backoff_us = 0;
	count(s, SERVER_COUNT_QUERIES);
	arm(s, next_us(s));
	tell(s, SERVER_ONLINE, s->refusal, is_news);
	ended(s);
	if (s->must_query)
		query_again(s);
}

static void
answered(struct dialog *d, struct cursor body)
{
	struct server *s = LIST_ENTRY(d, struct server, dialog);
	uint32_t status;

	if (answer_status(&body, &status) != ISNSP_IS_OK)
		lost(s, isnsp_result_text(ISNSP_IS_SHORT));
	else if (s->state == SERVER_REGISTERING)
		registered(s, status, body);
	else if (s->state == SERVER_SUBSCRIBING)
		subscribed(s, status);
	else
		queried(s, status, body);
}

static void
notified(struct server *s)
{
	count(s, SERVER_COUNT_NOTIFICATIONS);
	query_again(s);
}

static void
dialog_notified(struct dialog *d)
{
	notified(LIST_ENTRY(d, struct server, dialog));
}

static void
listener_notified(struct listener *l)
{
	notified(LIST_ENTRY(l, struct server, listener));
}

static void
listener_refused(struct listener *l)
{
	count(LIST_ENTRY(l, struct server, listener), SERVER_COUNT_REFUSALS);
}

static void
dialog_failed(struct dialog *d, int err, const char *why)
{
	struct server *s = LIST_ENTRY(d, struct server, dialog);

	if (s->state == SERVER_CONNECTING && s->address < s->n_addresses)
		try_next(s);
	/* It had nothing to say for long: that is no fault. */
	else if (err == 0 && loop_now_update(s->cfg->loop) - s->asked_us > BACKOFF_US)
		begin(s);
	else
		lost(s, why);
}

/* A configured port is the first of those that are tried: each server takes one. */
static int
listen_for(struct server *s, struct endpoint *local)
{
	uint16_t port = s->cfg->scn_port;
	int err = -EADDRINUSE;

	for (unsigned i = 0; err == -EADDRINUSE && i < (port != 0 ? LIMIT_ISNS_SERVERS : 1); i++) {
		endpoint_set_port(local, (uint16_t)(port + i));
		err = listener_open(&s->listener, local, &s->to);
	}
	return err;
}

static void
connected(struct dialog *d)
{
	struct server *s = LIST_ENTRY(d, struct server, dialog);
	uint16_t port = listener_port(&s->listener);
	struct endpoint local;
	int err;

	count(s, SERVER_COUNT_CONNECTIONS);
	endpoint_print(&s->to, s->peer);
	if (!dialog_local(d, &local)) {
		lost(s, "its connection has no address");
		return;
	}
	err = listen_for(s, &local);
	/* Another portal of ours than the one that it knows. */
	if (port == 0 || port != listener_port(&s->listener))
		s->has_registered = false;
	if (err == 0) {
		enroll(s);
		return;
	}
	(void)snprintf(s->refusal, sizeof s->refusal,
	    "there is no port for its notifications, so changes are seen late: %s",
	    strerror(-err)); /* or cut */
	query(s);
}

/* ---- reaching it ---- */

static void
try_next(struct server *s)
{
	int err = -ENOENT;

	s->state = SERVER_CONNECTING;
	while (err < 0 && s->address < s->n_addresses)
		err = endpoint_set(&s->to, s->addresses[s->address++], s->at.port)
			  ? dialog_open(&s->dialog, &s->to)
			  : -EADDRNOTAVAIL;
	if (err < 0)
		lost(s, strerror(-err));
}

static void
looked_up(struct lookup_waiter *w, const struct lookup_result *result)
{
	struct server *s = LIST_ENTRY(w, struct server, waiter);

	s->is_looking_up = false;
	if (result->err < 0) {
		lost(s, result->why);
		return;
	}
	s->n_addresses =
	    result->count < SERVER_ADDRESSES_MAX ? result->count : SERVER_ADDRESSES_MAX;
	memcpy(s->addresses, result->addresses, s->n_addresses * sizeof *s->addresses);
	try_next(s);
}

static void
begin(struct server *s)
{
	int err;

	s->address = 0;
	if (addr_is_literal(&s->at)) {
		s->n_addresses = 1;
		cut_copy(s->addresses[0], sizeof s->addresses[0], s->at.host);
		try_next(s);
		return;
	}
	s->state = SERVER_RESOLVING;
	err = lookup_start(s->cfg->names, &s->waiter, s->at.host);
	if (err < 0)
		lost(s, strerror(-err));
	else
		s->is_looking_up = true;
}

unsigned
server_refresh(struct server *s)
{
	unsigned wanted = s->outcomes + 1;

	if (s->state == SERVER_QUERYING) {
		s->must_query = true;
		wanted++;
	} else if (s->state == SERVER_ONLINE) {
		enroll(s);
	} else if (s->state == SERVER_WAITING) {
		begin(s);
	}
	return wanted;
}

const char *
server_word(const struct server *s)
{
	switch (s->state) {
	case SERVER_WAITING:
		return "waiting";
	case SERVER_RESOLVING:
	case SERVER_CONNECTING:
		return "connecting";
	case SERVER_REGISTERING:
	case SERVER_SUBSCRIBING:
	case SERVER_QUERYING:
	case SERVER_ONLINE:
		break;
	}
	return "online";
}

/* ---- beginning and end ---- */

struct server *
server_new(const struct server_cfg *cfg, const char *text, const char *name, const char *alias,
    void (*changed)(struct server *s), void (*asked)(struct server *s), void *user,
    char why[SERVER_WHY_BYTES])
{
	struct server *s = calloc(1, sizeof *s);

	(void)snprintf(why, SERVER_WHY_BYTES, "iisnsd is out of memory"); /* fits */
	if (s == NULL)
		return NULL;
	if (addr_parse(text, &s->at) != ADDR_OK && addr_parse_host(text, &s->at) != ADDR_OK) {
		(void)snprintf(
		    why, SERVER_WHY_BYTES, "\"%.100s\" is no address of a server", text); /* fits */
		free(s);
		return NULL;
	}
	if (!s->at.has_port)
		s->at.port = ISNSP_PORT;
	s->cfg = cfg;
	s->changed = changed;
	s->asked = asked;
	s->user = user;
	cut_copy(s->text, sizeof s->text, text);
	cut_copy(s->name, sizeof s->name, name);
	cut_copy(s->alias, sizeof s->alias, alias);
	s->timer.expired = expired;
	s->waiter.done = looked_up;
	s->dialog.connected = connected;
	s->dialog.answered = answered;
	s->dialog.notified = dialog_notified;
	s->dialog.failed = dialog_failed;
	s->listener.notified = listener_notified;
	s->listener.refused = listener_refused;
	dialog_init(&s->dialog, cfg->loop, cfg->limit_us);
	listener_init(&s->listener, cfg->loop, cfg->limit_us);
	arm(s, 0);
	return s;
}

/* So often it is read what nobody waits for: a server may send for ever. */
#define UNREAD_MAX 16

/* Also where the registration is not answered yet: it counts all the same. */
static bool
may_be_registered(const struct server *s)
{
	return s->has_registered || s->state == SERVER_REGISTERING;
}

/* The last word; who does not hear it in time forgets us when the registration's life is over. */
static void
take_back(struct server *s, unsigned limit_ms)
{
	uint8_t message[REQUEST_BYTES];
	struct request_self me = self(s);
	size_t n = request_dereg(message, dialog_next_xid(&s->dialog), &me);
	struct pollfd p = { .fd = s->dialog.stream.sock.fd, .events = POLLIN };

	if (may_be_registered(s) && dialog_is_open(&s->dialog) && s->dialog.stream.out_n == 0 &&
	    send(p.fd, message, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n && limit_ms > 0)
		(void)poll(&p, 1, (int)limit_ms); /* answered or not: it ends */
	/* What came and nobody has read would make the end a reset, which may overtake it. */
	for (int i = 0; i < UNREAD_MAX && dialog_is_open(&s->dialog) &&
			recv(p.fd, message, sizeof message, MSG_DONTWAIT) > 0;
	     i++)
		;
}

void
server_free(struct server *s, unsigned limit_ms)
{
	take_back(s, limit_ms);
	if (s->is_looking_up)
		lookup_leave(s->cfg->names, &s->waiter);
	agenda_clear(loop_agenda(s->cfg->loop), &s->timer);
	dialog_close(&s->dialog);
	listener_close(&s->listener);
	answer_targets_fini(&s->targets);
	free(s);
}
