#include "iswd/requests.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/helper_args.h"
#include "iswd/opening.h"
#include "sys/log.h"

#define WHY_BYTES 512

struct requests {
	struct loop *loop;
	unsigned open_count, open_max;
	struct list open; /* of struct request */
};

struct request {
	struct requests *all;
	struct list link;
	struct helper_call *call;
	struct opening_args args;
	struct opening opening;
};

struct requests *
requests_new(struct loop *loop, unsigned open_max)
{
	struct requests *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->open_max = open_max;
	list_init(&r->open);
	return r;
}

static void
request_free(struct request *q)
{
	list_remove(&q->link);
	q->all->open_count--;
	free(q);
}

void
requests_free(struct requests *r)
{
	if (r == NULL)
		return;
	LIST_EACH(node, tmp, &r->open)
	{
		struct request *q = LIST_ENTRY(node, struct request, link);

		opening_cancel(&q->opening);
		helper_call_error(q->call, -ECANCELED, "iswd ends");
		request_free(q);
	}
	free(r);
}

/* A name that the kernel may know, of `what`. */
static int
parse_name(char ret[16], const char *name, const char *what, char *why)
{
	if (strlen(name) >= 16 || strpbrk(name, "/ \t\n") != NULL) {
		snprintf(why, WHY_BYTES, "\"%.32s\" cannot be the name of %s", name, what);
		return -EINVAL;
	}
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

static bool
lacks_zone(const struct opening_args *a)
{
	struct sockaddr_in6 in6;

	if (a->peer.addr.ss_family != AF_INET6 || a->interface[0] != '\0')
		return false;
	memcpy(&in6, &a->peer.addr, sizeof in6);
	return IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr) && in6.sin6_scope_id == 0;
}

/* 0, or a negative errno with a sentence. */
static int
parse_args(struct opening_args *a, const json_t *args, char *why)
{
	const char *address = helper_args_string(args, "address", NULL, why, WHY_BYTES);
	const char *source = helper_args_string(args, "source", "", why, WHY_BYTES);
	const char *interface = helper_args_string(args, "interface", "", why, WHY_BYTES);
	const char *control = helper_args_string(args, "congestion_control", "", why, WHY_BYTES);
	int port, timeout_ms, err;

	if (address == NULL || source == NULL || interface == NULL || control == NULL)
		return -EINVAL;
	err = helper_args_int(args, "port", 1, UINT16_MAX, &port, why, WHY_BYTES);
	if (err == 0)
		err = helper_args_int(
		    args, "timeout_ms", 1, LIMIT_CONNECT_MS, &timeout_ms, why, WHY_BYTES);
	if (err == 0)
		err = parse_name(a->interface, interface, "a network interface", why);
	if (err == 0)
		err = parse_name(
		    a->congestion_control, control, "a congestion control algorithm", why);
	if (err == 0)
		err =
		    literal_parse(&a->peer, address, (uint16_t)port, "the address", why, WHY_BYTES);
	if (err == 0 && source[0] != '\0')
		err = literal_parse(&a->source, source, 0, "the source address", why, WHY_BYTES);
	if (err < 0)
		return err;
	a->timeout_us = (uint64_t)timeout_ms * 1000;
	if (a->source.len > 0 && a->source.addr.ss_family != a->peer.addr.ss_family) {
		snprintf(why, WHY_BYTES, "the source address %s is of another family than %s",
		    source, address);
		return -EINVAL;
	}
	if (lacks_zone(a)) {
		snprintf(why, WHY_BYTES,
		    "the link-local address %s needs the interface to reach it by: %s%%eth0, for "
		    "example",
		    address, address);
		return -EINVAL;
	}
	return 0;
}

/* Why an errno of this step, in words, and what to do. */
static const char *
explain(enum opening_step step, int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "the connection was refused: nothing listens at this port; check that the "
		       "target's iSCSI service runs, and the port";
	case -ETIMEDOUT:
		return "no answer in time; check the address, that the target is up, and firewalls "
		       "on "
		       "the way";
	case -ENETUNREACH:
		return "no route to this network; check this host's routes and interfaces";
	case -EHOSTUNREACH:
		return "the host cannot be reached; check that it is up, and the network on the "
		       "way";
	case -EMFILE:
	case -ENFILE:
		return "no file descriptor is left; raise the limit of open files";
	case -EADDRNOTAVAIL:
		return step == OPENING_SOURCE ? "this host does not have the source address"
					      : "no local address or port is free for it";
	case -EPERM:
	case -EACCES:
		return step == OPENING_INTERFACE
			   ? "binding to an interface is not permitted to iswd (it needs "
			     "CAP_NET_RAW)"
		       : step == OPENING_CONGESTION_CONTROL
			   ? "programs may not use it; net.ipv4.tcp_allowed_congestion_control "
			     "says "
			     "which they may"
			   : "this host's own rules forbid it; check its firewall";
	case -ENODEV:
		return "this host has no such interface";
	case -ENOENT:
		return step == OPENING_CONGESTION_CONTROL
			   ? "this kernel has no such algorithm, or its module is not loaded"
			   : strerror(-err);
	case -EAFNOSUPPORT:
		return "this host does not speak that version of IP";
	default:
		return strerror(-err);
	}
}

static void
answer_failure(struct request *q, int err)
{
	static const char *const steps[] = { [OPENING_SOCKET] = "making a socket",
		[OPENING_INTERFACE] = "binding to the interface ",
		[OPENING_SOURCE] = "binding to the source address ",
		[OPENING_CONGESTION_CONTROL] = "using the congestion control ",
		[OPENING_CONNECT] = "" };
	enum opening_step step = q->opening.step;
	char peer[LITERAL_BYTES], source[LITERAL_BYTES] = "", why[WHY_BYTES];
	const char *what = "";

	literal_print(&q->args.peer, peer);
	if (step == OPENING_INTERFACE) {
		what = q->args.interface;
	} else if (step == OPENING_CONGESTION_CONTROL) {
		what = q->args.congestion_control;
	} else if (step == OPENING_SOURCE) {
		literal_print(&q->args.source, source);
		what = source;
	}
	snprintf(why, sizeof why, "cannot connect to %s: %s%s%s%s", peer, steps[step], what,
	    step == OPENING_CONNECT ? "" : ": ", explain(step, err));
	log_debug("%s", why);
	helper_call_error(q->call, err, why);
}

static json_t *
addresses(int fd)
{
	struct literal local = { .len = sizeof local.addr }, peer = { .len = sizeof peer.addr };
	char local_text[LITERAL_BYTES], peer_text[LITERAL_BYTES];

	if (getsockname(fd, (struct sockaddr *)&local.addr, &local.len) < 0 ||
	    getpeername(fd, (struct sockaddr *)&peer.addr, &peer.len) < 0)
		return NULL;
	literal_print(&local, local_text);
	literal_print(&peer, peer_text);
	return json_pack("{s:s, s:s}", "local", local_text, "peer", peer_text);
}

static void
opened(struct opening *o, int err, int fd)
{
	struct request *q = LIST_ENTRY(o, struct request, opening);
	json_t *result;

	if (err == 0) {
		result = addresses(fd);
		if (result != NULL) {
			helper_call_reply(q->call, result, fd);
			request_free(q);
			return;
		}
		/* The peer has closed it already (or there is no memory). */
		err = errno == ENOTCONN ? -ECONNRESET : -ENOMEM;
		close(fd);
	}
	answer_failure(q, err);
	request_free(q);
}

static void
cancelled(void *user, struct helper_call *call)
{
	struct request *q = user;

	opening_cancel(&q->opening);
	helper_call_error(call, -ECANCELED, "cancelled");
	request_free(q);
}

static void
connect_to(struct requests *r, struct helper_call *call)
{
	struct opening_args args = { 0 };
	char why[WHY_BYTES];
	struct request *q;
	int err = parse_args(&args, helper_call_args(call), why);

	if (err < 0) {
		helper_call_error(call, err, why);
		return;
	}
	if (r->open_count >= r->open_max) {
		snprintf(why, sizeof why, "iswd is opening %u connections already; try again later",
		    r->open_count);
		helper_call_error(call, -EAGAIN, why);
		return;
	}
	q = malloc(sizeof *q);
	if (q == NULL) {
		helper_call_error(call, -ENOMEM, "iswd is out of memory");
		return;
	}
	*q = (struct request){ .all = r, .call = call, .args = args, .opening.done = opened };
	list_push_back(&r->open, &q->link);
	r->open_count++;
	err = opening_start(&q->opening, r->loop, &args);
	if (err < 0) {
		answer_failure(q, err);
		request_free(q);
		return;
	}
	helper_call_on_cancel(call, cancelled, q);
}

void
requests_handle(void *user, struct helper_call *call)
{
	char why[WHY_BYTES];

	if (strcmp(helper_call_op(call), "connect") == 0) {
		connect_to(user, call);
		return;
	}
	snprintf(why, sizeof why, "iswd knows no operation \"%.64s\"", helper_call_op(call));
	helper_call_error(call, -EOPNOTSUPP, why);
}
