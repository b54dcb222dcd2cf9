#include "islpd/mcast.h"

#include <sys/epoll.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "islpd/surl.h"
#include "sys/log.h"

#define DATAGRAM_BYTES     65536
#define DATAGRAMS_PER_TURN 16
/* A whole network may answer at once, and somebody else, to drown it. */
#define QUEUE_BYTES (1 << 20)
/* Section 6.1: "The default TTL to use for multicast is 255." */
#define TTL 255
/* "239.255.255.253"; FF0X::116, FF0X::123 for directory agents, FF0X::1:1000 and on by type. */
#define GROUP4       0xeffffffdu
#define GROUP6       0x116u
#define GROUP6_DA    0x123u
#define GROUP6_TYPES 0x11000u

static void sock4_ready(struct loop_fd *f, uint32_t events);
static void sock6_ready(struct loop_fd *f, uint32_t events);
static void timer_expired(struct agenda_timer *t);

unsigned
mcast_hash(const char *type)
{
	unsigned h = 0;

	for (const char *p = type; *p != '\0'; p++)
		h = h * 33 + (unsigned char)*p;
	return h & 0x3ff;
}

static void
close_one(struct mcast *m, struct loop_fd *f)
{
	if (f->fd < 0)
		return;
	loop_unwatch(m->loop, f);
	(void)close(f->fd); /* nothing is lost with it */
	f->fd = -1;
}

void
mcast_cancel(struct mcast *m)
{
	if (m->loop == NULL)
		return;
	close_one(m, &m->sock4);
	close_one(m, &m->sock6);
	agenda_clear(loop_agenda(m->loop), &m->timer);
	free((char *)(uintptr_t)m->args.type);
	free((char *)(uintptr_t)m->args.scopes);
	free((char *)(uintptr_t)m->args.predicate);
	m->loop = NULL;
}

static void
over(struct mcast *m)
{
	int err = m->sent == 0 && m->n_responders == 0 ? m->err : 0;

	mcast_cancel(m);
	m->done(m, err);
}

/* Loopback counts where somebody made it multicast. */
static void
find_interfaces(struct mcast *m)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0) {
		m->err = -errno;
		return;
	}
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		unsigned index = if_nametoindex(i->ifa_name);
		bool known =
		    index == 0 || !(i->ifa_flags & IFF_UP) || !(i->ifa_flags & IFF_MULTICAST);

		for (size_t k = 0; k < m->n_interfaces; k++)
			known |= m->interfaces[k] == index;
		if (!known && m->n_interfaces < LIMIT_SLP_INTERFACES)
			m->interfaces[m->n_interfaces++] = index;
	}
	freeifaddrs(all);
}

static void
open_one(struct mcast *m, struct loop_fd *f, int family)
{
	int ttl = TTL, queue = QUEUE_BYTES, level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int option = family == AF_INET ? IP_MULTICAST_TTL : IPV6_MULTICAST_HOPS;
	int err;

	f->ready = family == AF_INET ? sock4_ready : sock6_ready;
	f->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0) {
		m->err = -errno;
		return;
	}
	/* As much of it as the system allows. */
	(void)setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof queue);
	err = setsockopt(f->fd, level, option, &ttl, sizeof ttl) < 0
		  ? -errno
		  : loop_watch(m->loop, f, EPOLLIN);
	if (err < 0) {
		m->err = err;
		(void)close(f->fd);
		f->fd = -1;
	}
}

/*
 * The request with those responders that the family can name: "This
 * <string-list> contains dotted decimal notation IP (v4) addresses"; RFC 3111
 * has IPv6 addresses in it.  0: it does not fit a datagram any more.
 */
static size_t
build(const struct mcast *m, int family, uint8_t *out)
{
	char list[LIMIT_SLP_DATAGRAM_BYTES], host[ENDPOINT_BYTES];
	struct put names = put_over(list, sizeof list - 1),
		   w = put_over(out, LIMIT_SLP_DATAGRAM_BYTES);
	struct slp_srv_rqst q = { .xid = m->args.xid,
		.is_multicast = true,
		.responders = list,
		.type = m->args.type,
		.scopes = m->args.scopes,
		.predicate = m->args.predicate };

	for (size_t i = 0; i < m->n_responders; i++) {
		if (m->responders[i].any.sa_family != family)
			continue;
		endpoint_host(&m->responders[i], host);
		if (put_len(&names) > 0)
			put_u8(&names, ',');
		put_str(&names, host);
	}
	list[put_len(&names)] = '\0';
	slp_put_srv_rqst(&w, &q);
	return names.overflow || w.overflow ? 0 : put_len(&w);
}

static void
send_one(struct mcast *m, int fd, const struct endpoint *to, const uint8_t *bytes, size_t n)
{
	if (sendto(fd, bytes, n, MSG_NOSIGNAL, &to->any, endpoint_len(to)) >= 0)
		m->sent++;
	else
		m->err = -errno;
}

static void
send4(struct mcast *m)
{
	uint8_t request[LIMIT_SLP_DATAGRAM_BYTES];
	size_t n = build(m, AF_INET, request);
	struct endpoint to = { .in4 = { .sin_family = AF_INET,
				   .sin_port = htons(m->args.port),
				   .sin_addr.s_addr = htonl(GROUP4) } };

	if (m->sock4.fd < 0 || n == 0)
		return;
	for (size_t i = 0; i < m->n_interfaces; i++) {
		struct ip_mreqn on = { .imr_ifindex = (int)m->interfaces[i] };

		if (setsockopt(m->sock4.fd, IPPROTO_IP, IP_MULTICAST_IF, &on, sizeof on) < 0)
			m->err = -errno;
		else
			send_one(m, m->sock4.fd, &to, request, n);
	}
	/* Where no interface says that it can, the routes may still know a way. */
	if (m->n_interfaces == 0)
		send_one(m, m->sock4.fd, &to, request, n);
}

static void
send6(struct mcast *m)
{
	uint8_t request[LIMIT_SLP_DATAGRAM_BYTES];
	size_t n = build(m, AF_INET6, request);
	uint32_t special = strcmp(m->args.type, SURL_DA) == 0
			       ? GROUP6_DA
			       : GROUP6_TYPES + mcast_hash(m->args.type);
	const uint32_t groups[] = { GROUP6, special };
	const uint8_t reach[] = { 0x02, 0x05 };

	if (m->sock6.fd < 0 || n == 0)
		return;
	for (size_t i = 0; i < m->n_interfaces; i++) {
		for (size_t k = 0; k < 4; k++) {
			struct endpoint to = { .in6 = { .sin6_family = AF_INET6,
						   .sin6_port = htons(m->args.port),
						   .sin6_scope_id = m->interfaces[i] } };

			to.in6.sin6_addr.s6_addr[0] = 0xff;
			to.in6.sin6_addr.s6_addr[1] = reach[k / 2];
			be_put32(to.in6.sin6_addr.s6_addr + 12, groups[k % 2]);
			send_one(m, m->sock6.fd, &to, request, n);
		}
	}
}

static void
send_request(struct mcast *m)
{
	uint64_t at = loop_now(m->loop) + m->interval_us;

	send4(m);
	send6(m);
	m->n_known = m->n_responders;
	agenda_set(loop_agenda(m->loop), &m->timer, at < m->args.end_us ? at : m->args.end_us);
}

static char *
copy(const char *s, bool *failed)
{
	char *p = strdup(s);

	*failed |= p == NULL;
	return p;
}

int
mcast_start(struct mcast *m, struct loop *loop, const struct mcast_args *args)
{
	bool failed = false;

	m->loop = loop;
	m->args = *args;
	m->args.type = copy(args->type, &failed);
	m->args.scopes = copy(args->scopes, &failed);
	m->args.predicate = copy(args->predicate, &failed);
	m->sock4.fd = m->sock6.fd = -1;
	m->timer.expired = timer_expired;
	m->interval_us = args->interval_us;
	m->n_interfaces = m->n_responders = 0;
	m->sent = m->ignored = 0;
	m->err = failed ? -ENOMEM : -ENETUNREACH;
	if (!failed) {
		find_interfaces(m);
		open_one(m, &m->sock4, AF_INET);
		open_one(m, &m->sock6, AF_INET6);
		(void)loop_now_update(loop);
		send_request(m);
	}
	if (m->sent == 0) {
		mcast_cancel(m);
		return m->err;
	}
	return 0;
}

/*
 * "The message SHOULD be retransmitted until the <PRList> causes no further
 * responses to be elicited or the previous responder list and the request will
 * not fit into a single datagram or until CONFIG_MC_MAX seconds elapse."
 */
static void
timer_expired(struct agenda_timer *t)
{
	struct mcast *m = LIST_ENTRY(t, struct mcast, timer);
	uint8_t scratch[LIMIT_SLP_DATAGRAM_BYTES];
	bool grew = m->n_responders > m->n_known;

	if (loop_now(m->loop) >= m->args.end_us || (m->n_responders > 0 && !grew) ||
	    m->n_responders == LIMIT_SLP_AGENTS ||
	    (build(m, AF_INET, scratch) == 0 && build(m, AF_INET6, scratch) == 0)) {
		over(m);
		return;
	}
	/* With new names in the list it is another request, which may come soon. */
	if (!grew)
		m->interval_us *= 2;
	send_request(m);
}

static bool
is_known(const struct mcast *m, const struct endpoint *from)
{
	for (size_t i = 0; i < m->n_responders; i++)
		if (endpoint_same_host(&m->responders[i], from))
			return true;
	return false;
}

static void
ready(struct mcast *m, const struct loop_fd *f)
{
	uint8_t buf[DATAGRAM_BYTES];

	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		struct endpoint from = { .in6 = { 0 } };
		socklen_t len = sizeof from;
		ssize_t n = recvfrom(f->fd, buf, sizeof buf, 0, &from.any, &len);
		struct slp_header h;
		struct cursor body;
		enum slp_result v;

		if (n < 0)
			return; /* nothing there, or an error about one of many receivers */
		if (is_known(m, &from))
			continue;
		v = slp_get_header(buf, (size_t)n, &h, &body);
		if (v != SLP_OK) {
			char address[ENDPOINT_BYTES];

			endpoint_print(&from, address);
			log_debug("an answer of %s is ignored: %s", address, slp_result_text(v));
		}
		if (v != SLP_OK || h.xid != m->args.xid || m->n_responders == LIMIT_SLP_AGENTS ||
		    !m->reply(m, &from, &h, body, h.flags & SLP_OVERFLOW)) {
			m->ignored++;
			continue;
		}
		m->responders[m->n_responders++] = from;
	}
}

static void
sock4_ready(struct loop_fd *f, uint32_t events)
{
	(void)events;
	ready(LIST_ENTRY(f, struct mcast, sock4), f);
}

static void
sock6_ready(struct loop_fd *f, uint32_t events)
{
	(void)events;
	ready(LIST_ENTRY(f, struct mcast, sock6), f);
}
