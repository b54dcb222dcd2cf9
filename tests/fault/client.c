#include "client.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/link.h"
#include "target.h"

/* No run with the time limits below needs so long, even on a busy machine. */
#define HUNG_US         (20ull * 1000000)
#define CONNECTIONS_MAX 50

struct client {
	const struct client_run *run;
	struct client_result result;
	struct loop *loop;
	struct link *link;
	struct sess *sess;
	struct agenda_timer hung;
	struct req req;
	uint8_t data[FAULT_BYTES];
	bool is_leaving;
	bool wants; /* the request is to be sent with the next login */
};

static void
client_connect(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(c->run->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		abort();
	if (++c->result.connections > CONNECTIONS_MAX) {
		c->result.hung = true;
		loop_stop(c->loop);
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		abort();
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (link_attach(c->link, fd) != 0)
		abort();
}

/* The session sends nothing again by itself. */
static void
ask(struct client *c)
{
	if (!c->wants || sess_state(c->sess) != SESS_ONLINE)
		return;
	c->wants = false;
	c->req.dir = c->run->dir;
	c->req.attr = REQ_SIMPLE;
	c->req.data = c->data;
	c->req.data_len = FAULT_BYTES;
	c->req.cdb[0] = c->run->dir == REQ_WRITE ? 0x2a : 0x28;
	c->req.user = c;
	for (size_t i = 0; i < FAULT_BYTES; i++)
		c->data[i] = c->run->dir == REQ_WRITE ? target_pattern(i) : 0;
	sess_submit(c->sess, &c->req, loop_now(c->loop));
	agenda_defer(loop_agenda(c->loop), link_work(c->link));
}

static void
event(void *user, const struct sess_event *ev)
{
	struct client *c = user;

	if (ev->kind == SESS_EV_ONLINE)
		ask(c);
	if (ev->kind == SESS_EV_CLOSE) {
		c->result.last = ev->close.why;
		if (ev->close.why == CONN_LOGIN_TIMEOUT || ev->close.why == CONN_REQUEST_TIMEOUT)
			c->result.expired++;
	}
	agenda_defer(loop_agenda(c->loop), link_work(c->link));
}

static void
closed(void *user, int err, enum conn_result why)
{
	struct client *c = user;

	(void)err;
	(void)why;
	if (c->is_leaving)
		loop_stop(c->loop);
	else
		client_connect(c);
}

static void
done(struct req *r)
{
	struct client *c = r->user;

	c->result.times++;
	if (r->result == REQ_TIMEOUT)
		c->result.expired++;
	if (r->result != REQ_DONE || r->status != 0) {
		c->wants = true;
		ask(c);
		return;
	}
	c->result.done = true;
	memcpy(c->result.data, c->data, FAULT_BYTES);
	c->run->done(c->run->user, r);
	c->is_leaving = true;
	link_detach(c->link);
	/* Where the connection was lost in the same turn there is nothing to detach. */
	loop_stop(c->loop);
}

static void
too_long(struct agenda_timer *t)
{
	struct client *c = (struct client *)(void *)((char *)t - offsetof(struct client, hung));

	c->result.hung = true;
	c->is_leaving = true;
	loop_stop(c->loop);
}

struct client_result
client_run(const struct client_run *run)
{
	static const struct link_ops ops = { .event = event, .closed = closed };
	struct client *c = calloc(1, sizeof *c);
	struct client_result result;
	struct sess_event ev;
	struct sess_cfg cfg = {
		.login = { .initiator_name = "iqn.2026-11.org.openisw:host",
		    .target_name = "iqn.2026-11.org.openisw:faulty",
		    .expected_tpgt = -1 },
		.isid = { 0x80, 1, 2, 3, 4, 5 },
		.slots = 4,
	};

	if (c == NULL)
		abort();
	neg_offer_default(&cfg.login.offer);
	if (run->short_limits) {
		cfg.login_timeout_ms = 100;
		cfg.request_timeout_ms = 60;
		cfg.abort_timeout_ms = 30;
		cfg.reset_timeout_ms = 30;
	}
	c->run = run;
	c->req.done = done;
	c->hung.expired = too_long;
	c->loop = loop_new();
	c->sess = sess_new(&cfg);
	c->link = c->loop != NULL && c->sess != NULL ? link_new(c->loop, c->sess, &ops, c) : NULL;
	if (c->link == NULL)
		abort();
	c->wants = true;
	client_connect(c);
	agenda_set(loop_agenda(c->loop), &c->hung, loop_now(c->loop) + HUNG_US);
	if (loop_run(c->loop) != 0)
		abort();
	agenda_clear(loop_agenda(c->loop), &c->hung);
	link_free(c->link);
	while (sess_next(c->sess, &ev))
		continue;
	sess_free(c->sess);
	loop_free(c->loop);
	result = c->result;
	free(c);
	return result;
}
