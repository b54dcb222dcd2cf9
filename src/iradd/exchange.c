#include "iradd/exchange.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/log.h"

/* Datagrams taken in one turn of the loop. */
#define DATAGRAMS_PER_TURN 16

static void timer_expired(struct agenda_timer *t);
static void looked_up(struct lookup_waiter *w, const struct lookup_result *result);
static void socket_ready(struct loop_fd *f, uint32_t events);
static void next_server(struct exchange *x);
static void next_address(struct exchange *x);
static void note(struct exchange *x, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static const struct addr *
server(const struct exchange *x)
{
	return &x->servers->list[x->at_server];
}

void
exchange_start(struct exchange *x, struct exchange_cfg *cfg, const struct servers *servers,
    const struct radius_query *query, uint64_t timeout_us)
{
	uint64_t now = loop_now_update(cfg->loop);

	assert(x->state == EXCHANGE_IDLE && servers->n > 0);
	x->cfg = cfg;
	x->servers = servers;
	x->query = *query;
	x->fd.fd = -1;
	x->fd.ready = socket_ready;
	x->waiter.done = looked_up;
	x->timer.expired = timer_expired;
	x->deadline_us = now + timeout_us;
	x->state = EXCHANGE_STARTED;
	cfg->counters.asked++;
	agenda_set(loop_agenda(cfg->loop), &x->timer, now);
}

static void
leave_address(struct exchange *x)
{
	if (x->fd.fd < 0)
		return;
	loop_unwatch(x->cfg->loop, &x->fd);
	close(x->fd.fd);
	x->fd.fd = -1;
}

void
exchange_cancel(struct exchange *x)
{
	if (x->state == EXCHANGE_IDLE)
		return;
	if (x->state == EXCHANGE_LOOKING)
		lookup_leave(x->cfg->names, &x->waiter);
	agenda_clear(loop_agenda(x->cfg->loop), &x->timer);
	leave_address(x);
	explicit_bzero(x->packet, sizeof x->packet);
	explicit_bzero(&x->query, sizeof x->query);
	x->state = EXCHANGE_IDLE;
}

static void
finish(struct exchange *x, int err, enum radius_result result)
{
	exchange_cancel(x);
	x->done(x, err, result);
}

/* "SERVER: what happened; …", and the errno of the last one. */
static void
note(struct exchange *x, int err, const char *fmt, ...)
{
	char name[LIMIT_ADDRESS_BYTES + 1];
	size_t len = strlen(x->why);
	va_list ap;
	int n;

	addr_format(server(x), false, name);
	n = snprintf(x->why + len, sizeof x->why - len, "%s%s: ", len > 0 ? "; " : "", name);
	if (n > 0 && (size_t)n < sizeof x->why - len) {
		len += (size_t)n;
		va_start(ap, fmt);
		(void)vsnprintf(x->why + len, sizeof x->why - len, fmt, ap); /* may be cut */
		va_end(ap);
	}
	x->last_err = err;
}

/* ---- servers ---- */

static void
take_server(struct exchange *x)
{
	struct loop *loop = x->cfg->loop;
	uint64_t now = loop_now_update(loop);
	const struct addr *s = server(x);
	int err;

	x->share_end_us = now + (x->deadline_us - now) / (x->servers->n - x->at_server);
	if (addr_is_literal(s)) {
		snprintf(x->addresses[0], sizeof x->addresses[0], "%s", s->host);
		x->n_addresses = 1;
		next_address(x);
		return;
	}
	err = lookup_start(x->cfg->names, &x->waiter, s->host);
	if (err < 0) {
		x->cfg->counters.unreachable++;
		note(x, err, "its name cannot be looked up now: %s", strerror(-err));
		x->at_server++;
		next_server(x);
		return;
	}
	x->state = EXCHANGE_LOOKING;
	agenda_set(loop_agenda(loop), &x->timer, x->share_end_us);
}

static void
next_server(struct exchange *x)
{
	x->at_address = x->n_addresses = 0;
	if (x->at_server < x->servers->n && loop_now_update(x->cfg->loop) < x->deadline_us)
		take_server(x);
	else if (x->has_dropped)
		finish(x, -EBADMSG, RADIUS_FORGED);
	else
		finish(x, x->last_err != 0 ? x->last_err : -ETIMEDOUT, RADIUS_STRAY);
}

static void
looked_up(struct lookup_waiter *w, const struct lookup_result *result)
{
	struct exchange *x = LIST_ENTRY(w, struct exchange, waiter);

	agenda_clear(loop_agenda(x->cfg->loop), &x->timer);
	x->state = EXCHANGE_STARTED;
	if (result->err < 0) {
		x->cfg->counters.unreachable++;
		note(x, result->err, "%s", result->why);
		x->at_server++;
		next_server(x);
		return;
	}
	while (x->n_addresses < result->count && x->n_addresses < EXCHANGE_ADDRESSES) {
		memcpy(x->addresses[x->n_addresses], result->addresses[x->n_addresses],
		    LOOKUP_ADDRESS_BYTES);
		x->n_addresses++;
	}
	next_address(x);
}

/* ---- an address ---- */

/* A connected socket, or a negative errno. */
static int
open_socket(const char *address, uint16_t port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_DGRAM };
	struct addrinfo *list;
	char service[8];
	int fd, err = 0;

	snprintf(service, sizeof service, "%u", port);
	if (getaddrinfo(address, service, &hints, &list) != 0)
		return -EADDRNOTAVAIL; /* its zone is no interface of this host */
	fd = socket(list->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) < 0)
		err = -errno;
	freeaddrinfo(list);
	if (err < 0 && fd >= 0)
		close(fd);
	return err < 0 ? err : fd;
}

/* Send the packet, again perhaps.  0 or a negative errno; a full queue is a lost packet. */
static int
send_packet(struct exchange *x)
{
	struct loop *loop = x->cfg->loop;
	uint64_t again = loop_now_update(loop) + x->cfg->interval_us;

	if (send(x->fd.fd, x->packet, x->packet_len, MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
	    errno != ENOBUFS && errno != EINTR)
		return -errno;
	x->cfg->counters.sent++;
	x->tries++;
	/* RFC 5080, section 2.2.1: jitter.  Those bytes are random, and public anyway. */
	again +=
	    x->cfg->interval_us * x->query.authenticator[x->tries % RADIUS_AUTHENTICATOR] / 2048;
	agenda_set(loop_agenda(loop), &x->timer, again < x->turn_end_us ? again : x->turn_end_us);
	return 0;
}

static int
make_packet(struct exchange *x)
{
	struct put w = put_over(x->packet, sizeof x->packet);
	int err;

	x->query.identifier = x->cfg->next_identifier++;
	if (getrandom(x->query.authenticator, sizeof x->query.authenticator, 0) !=
	    sizeof x->query.authenticator)
		return -EIO;
	err = radius_build(&x->query, &w);
	x->packet_len = put_len(&w);
	return err;
}

static int
ask_address(struct exchange *x)
{
	uint64_t now = loop_now_update(x->cfg->loop), end = x->share_end_us;
	int err;

	x->turn_end_us = now + (end > now ? (end - now) / (x->n_addresses - x->at_address) : 0);
	x->tries = 0;
	memset(x->dropped, 0, sizeof x->dropped);
	x->fd.fd = open_socket(x->addresses[x->at_address], server(x)->port);
	if (x->fd.fd < 0)
		return x->fd.fd;
	err = loop_watch(x->cfg->loop, &x->fd, EPOLLIN);
	if (err == 0)
		err = make_packet(x);
	return err == 0 ? send_packet(x) : err;
}

static const char *
explain(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "nothing listens there; check that the RADIUS server runs, and its port";
	case -ENETUNREACH:
		return "no route to its network";
	case -EHOSTUNREACH:
		return "the host cannot be reached";
	case -EMFILE:
	case -ENFILE:
		return "no file descriptor is left";
	default:
		return strerror(-err);
	}
}

/* This address cannot be asked, or not any more. */
static void
give_up_address(struct exchange *x, int err)
{
	leave_address(x);
	x->cfg->counters.unreachable++;
	note(x, err, "%s", explain(err));
	x->at_address++;
}

static void
next_address(struct exchange *x)
{
	while (x->at_address < x->n_addresses) {
		int err = ask_address(x);

		if (err == 0) {
			x->state = EXCHANGE_ASKING;
			return;
		}
		if (err == -ENOTSUP || err == -EMSGSIZE) {
			snprintf(x->why, sizeof x->why, "%s",
			    err == -ENOTSUP ? "this host allows no MD5, which RADIUS needs (is it "
					      "in FIPS mode?)"
					    : "it does not fit a RADIUS packet");
			finish(x, err, RADIUS_STRAY);
			return;
		}
		give_up_address(x, err);
	}
	x->state = EXCHANGE_STARTED;
	agenda_clear(loop_agenda(x->cfg->loop), &x->timer);
	x->at_server++;
	next_server(x);
}

/* The time of this address is over. */
static void
note_silence(struct exchange *x)
{
	for (unsigned r = RADIUS_MALFORMED; r < RADIUS_RESULTS; r++) {
		if (x->dropped[r] == 0)
			continue;
		note(x, -EBADMSG, "%llu answer%s dropped: %s", (unsigned long long)x->dropped[r],
		    x->dropped[r] == 1 ? "" : "s", radius_result_text(r));
		return;
	}
	x->cfg->counters.silent++;
	note(x, -ETIMEDOUT,
	    "no answer to %u packet%s; check the address and the NAS secret: servers do not answer "
	    "who has the wrong one",
	    x->tries, x->tries == 1 ? "" : "s");
}

static void
timer_expired(struct agenda_timer *t)
{
	struct exchange *x = LIST_ENTRY(t, struct exchange, timer);
	int err;

	switch (x->state) {
	case EXCHANGE_IDLE:
		break;
	case EXCHANGE_STARTED:
		next_server(x);
		break;
	case EXCHANGE_LOOKING:
		lookup_leave(x->cfg->names, &x->waiter);
		x->state = EXCHANGE_STARTED;
		x->cfg->counters.unreachable++;
		note(x, -ETIMEDOUT, "no name server answered in time");
		x->at_server++;
		next_server(x);
		break;
	case EXCHANGE_ASKING:
		if (x->tries > x->cfg->retries || loop_now_update(x->cfg->loop) >= x->turn_end_us) {
			note_silence(x);
			leave_address(x);
			x->at_address++;
			next_address(x);
			break;
		}
		err = send_packet(x);
		if (err < 0) {
			give_up_address(x, err);
			next_address(x);
		}
		break;
	}
}

/* ---- answers ---- */

/* An answer that cannot be believed: count it and go on waiting, as RFC 2865, section 3, says. */
static void
drop(struct exchange *x, enum radius_result r)
{
	x->cfg->counters.answers[r]++;
	if (r == RADIUS_STRAY)
		return;
	if (x->dropped[r]++ == 0)
		log_warn("an answer from the RADIUS server %s port %u is dropped: %s",
		    x->addresses[x->at_address], server(x)->port, radius_result_text(r));
	x->has_dropped = true;
}

static void
name_server(struct exchange *x)
{
	struct addr a = *server(x);

	if (addr_is_literal(&a))
		addr_format(&a, false, x->server);
	else
		snprintf(x->server, sizeof x->server, "%.200s (%s)", a.host,
		    x->addresses[x->at_address]);
}

static void
socket_ready(struct loop_fd *f, uint32_t events)
{
	struct exchange *x = LIST_ENTRY(f, struct exchange, fd);
	uint8_t bytes[RADIUS_PACKET_MAX];

	(void)events;
	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		/* What is longer than the longest packet ends in padding, or is malformed. */
		ssize_t n = recv(f->fd, bytes, sizeof bytes, 0);
		enum radius_result r;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			/* The kernel heard that nobody is there. */
			give_up_address(x, -errno);
			next_address(x);
			return;
		}
		r = radius_judge(&x->query, bytes, (size_t)n, x->cfg->may_lack_mac, &x->answer);
		if (!radius_is_verdict(r)) {
			drop(x, r);
			continue;
		}
		x->cfg->counters.answers[r]++;
		name_server(x);
		finish(x, 0, r);
		return;
	}
}
