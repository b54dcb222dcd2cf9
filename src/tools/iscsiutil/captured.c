#include "tools/iscsiutil/captured.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/say.h"

#define COMMENT_BYTES 96

void
captured_fini(struct captured *c)
{
	for (unsigned i = 0; i < RECORDS_WORKERS; i++)
		free(c->worker[i].flow);
	pcapng_fini(&c->out);
}

uint64_t
captured_dropped(const struct captured *c)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < RECORDS_WORKERS; i++)
		n += c->worker[i].dropped;
	return n;
}

void
captured_begin_file(struct captured *c)
{
	pcapng_begin(&c->out, "iscsiutil (OpenISW) " OPENISW_VERSION, "iscsi");
}

void
captured_end_file(struct captured *c)
{
	pcapng_statistics(&c->out, c->from_ns, c->to_ns, c->pdus, captured_dropped(c));
}

/* ---- connections ---- */

static int
compare(const void *key, const void *flow)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct captured_flow *)flow)->connection;

	return (a > b) - (a < b);
}

static struct captured_flow *
find(const struct captured_worker *w, uint32_t connection)
{
	return w->n == 0 ? NULL : bsearch(&connection, w->flow, w->n, sizeof *w->flow, compare);
}

/* A worker numbers its connections as they begin; one that is told of late stands where it belongs.
 */
static struct captured_flow *
insert(struct captured_worker *w, uint32_t connection)
{
	size_t at = w->n;

	if (w->n == w->cap) {
		w->cap = w->cap * 2 + 16;
		w->flow = say_need(realloc(w->flow, w->cap * sizeof *w->flow));
	}
	while (at > 0 && w->flow[at - 1].connection > connection)
		at--;
	memmove(w->flow + at + 1, w->flow + at, (w->n - at) * sizeof *w->flow);
	w->n++;
	w->flow[at] = (struct captured_flow){ .connection = connection };
	return &w->flow[at];
}

static void
forget(struct captured_worker *w, struct captured_flow *f)
{
	size_t at = (size_t)(f - w->flow);

	memmove(f, f + 1, (w->n - at - 1) * sizeof *f);
	w->n--;
}

/* ---- packets ---- */

/* One packet of n bytes at `position`, of which `kept` are at `payload`. */
static void
put(struct captured *c, const struct captured_flow *f, unsigned way, unsigned flags,
    uint64_t position, const uint8_t *payload, uint32_t kept, uint32_t n, const char *comment)
{
	uint32_t head = (uint32_t)packet_header_bytes(&f->packets);
	uint8_t *at = pcapng_packet(&c->out, c->to_ns, head + kept, head + n, comment);

	packet_put(&f->packets, way, flags, position, payload, kept, n, at);
	if (kept > 0)
		memcpy(at + head, payload, kept);
}

static const char *
whose(struct captured_flow *f, const char *what, char buf[static COMMENT_BYTES])
{
	if (f->session < 0)
		(void)snprintf(buf, COMMENT_BYTES, "discovery: %s", what); /* fits */
	else
		(void)snprintf(buf, COMMENT_BYTES, "session %d: %s", f->session, what); /* fits */
	return buf;
}

static void
opened(struct captured *c, struct captured_worker *w, const struct tapring_record *r,
    const struct tapring_open *open)
{
	struct captured_flow *f = find(w, r->connection);
	char text[COMMENT_BYTES];

	if (f != NULL)
		return;
	f = insert(w, r->connection);
	f->session = open->session;
	f->is_known = packet_end_parse(open->peer, &f->packets.end[0]) &&
		      packet_end_parse(open->local, &f->packets.end[1]) &&
		      f->packets.end[0].is_ipv6 == f->packets.end[1].is_ipv6;
	c->connections++;
	if (!f->is_known || open->is_begun)
		return;
	put(c, f, 1, PACKET_SYN, 0, NULL, 0, 0, whose(f, "a connection begins", text));
	put(c, f, 0, PACKET_SYN | PACKET_ACK, 0, NULL, 0, 0, NULL);
	put(c, f, 1, PACKET_ACK, 0, NULL, 0, 0, NULL);
	f->is_told = true;
}

static void
passed(struct captured *c, struct captured_flow *f, const struct tapring_record *r,
    const uint8_t *payload)
{
	char text[COMMENT_BYTES];
	const char *comment = NULL;
	uint32_t at = 0;

	c->pdus++;
	c->bytes += r->wire;
	if (!f->is_told)
		comment = whose(f, "the connection was there before", text);
	f->is_told = true;
	/* What lies between has been dropped. */
	f->packets.next[r->way] = r->position;
	do {
		uint32_t left = r->wire - at,
			 n = left < PACKET_SEGMENT_MAX ? left : PACKET_SEGMENT_MAX;
		uint32_t here = r->kept > at ? r->kept - at : 0;

		put(c, f, r->way, PACKET_ACK | (n == left ? PACKET_PSH : 0), r->position + at,
		    payload + (here > 0 ? at : 0), here < n ? here : n, n, comment);
		comment = NULL;
		at += n;
	} while (at < r->wire);
	f->packets.next[r->way] = r->position + r->wire;
}

static void
closed(struct captured *c, struct captured_worker *w, struct captured_flow *f, bool is_reset)
{
	char text[COMMENT_BYTES];

	if (f->is_known)
		put(c, f, 1, (is_reset ? PACKET_RST : PACKET_FIN) | PACKET_ACK, f->packets.next[1],
		    NULL, 0, 0,
		    whose(f, is_reset ? "the connection was lost" : "the connection ends", text));
	forget(w, f);
}

void
captured_record(
    void *captured, unsigned worker, const struct tapring_record *r, const uint8_t *payload)
{
	struct captured *c = captured;
	struct captured_worker *w = &c->worker[worker];
	struct captured_flow *f = find(w, r->connection);
	struct tapring_open open;

	w->dropped = r->dropped;
	c->to_ns = (uint64_t)((int64_t)(r->at_us * 1000) + c->clock_ns);
	if (c->from_ns == 0)
		c->from_ns = c->to_ns;
	switch ((enum tapring_kind)r->kind) {
	case TAPRING_OPEN:
		memcpy(&open, payload, sizeof open);
		open.local[sizeof open.local - 1] = open.peer[sizeof open.peer - 1] = '\0';
		opened(c, w, r, &open);
		break;
	case TAPRING_PDU:
		if (f != NULL && f->is_known)
			passed(c, f, r, payload);
		break;
	case TAPRING_CLOSE:
		if (f != NULL)
			closed(c, w, f, r->is_reset != 0);
		break;
	case TAPRING_END:
		c->ends++;
		break;
	case TAPRING_KINDS:
		break;
	}
}
