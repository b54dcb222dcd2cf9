#include "tools/iscsi_replay/talks.h"

#include <stdlib.h>

#include "tools/common/say.h"

static bool
same_end(const struct packets_end *a, const struct packets_end *b)
{
	return a->port == b->port && a->is_ipv6 == b->is_ipv6 &&
	       memcmp(a->address, b->address, sizeof a->address) == 0;
}

/* Room for one more element. */
static void *
grow(void *list, size_t n, size_t *cap, size_t bytes)
{
	if (n < *cap)
		return list;
	*cap = *cap * 2 + 8;
	return say_need(realloc(list, *cap * bytes));
}

/* The same for both ways. */
static size_t
bucket_of(const struct packets_segment *s)
{
	uint32_t hash = s->from.port * 40503u + s->to.port * 40503u;

	for (size_t i = 0; i < sizeof s->from.address; i++)
		hash += (s->from.address[i] + s->to.address[i]) * (uint32_t)(i * i + 1);
	return hash % TALKS_BUCKETS;
}

/*
 * The connection of a segment, and who of it sent it.  The newest first: addresses and
 * ports are used again.
 */
static struct talks_one *
find(struct talks *t, const struct packets_segment *s, enum trace_way *ret_way)
{
	for (size_t i = t->bucket[bucket_of(s)]; i > 0; i = t->list[i - 1].next) {
		struct talks_one *c = &t->list[i - 1];

		for (int way = 0; way < 2; way++)
			if (same_end(&c->end[way], &s->from) && same_end(&c->end[!way], &s->to)) {
				*ret_way = (enum trace_way)way;
				return c->how == TALKS_OPEN ? c : NULL;
			}
	}
	return NULL;
}

/* A SYN, or a PDU, tells who is the initiator. */
static struct talks_one *
begin(struct talks *t, const struct packets_segment *s, enum trace_way *ret_way)
{
	bool is_syn = (s->flags & PACKETS_SYN) != 0;
	struct talks_one *c;

	if (t->n == TALKS_MAX || (!is_syn && s->kept < PDU_BHS_BYTES))
		return NULL;
	*ret_way = is_syn || !pdu_is_from_target(pdu_opcode(s->payload)) ? TRACE_OUT : TRACE_IN;
	t->list = grow(t->list, t->n, &t->cap, sizeof *t->list);
	c = &t->list[t->n++];
	*c = (struct talks_one){ .is_begun = is_syn, .next = t->bucket[bucket_of(s)] };
	t->bucket[bucket_of(s)] = t->n;
	c->end[*ret_way] = s->from;
	c->end[!*ret_way] = s->to;
	t->bytes += sizeof *c;
	return c;
}

static void
gap(struct talks_one *c)
{
	if (!c->has_gap)
		c->whole = c->n;
	c->has_gap = true;
}

/* The group is a PDU: is it one?  One that the end of the connection cut is shorter. */
static void
finish(struct talks *t, struct talks_one *c, enum trace_way way)
{
	struct talks_group *g = &c->group[way];
	uint32_t least;

	if (g->kept < PDU_BHS_BYTES) {
		gap(c);
		g->wire = g->kept = 0;
		return;
	}
	least = PDU_BHS_BYTES + pdu_ahs_bytes(g->bytes) + pdu_data_bytes(g->bytes) +
		pdu_pad(pdu_data_bytes(g->bytes));
	if (g->wire > least + 2 * PDU_DIGEST_BYTES ||
	    pdu_is_from_target(pdu_opcode(g->bytes)) != (way == TRACE_IN))
		gap(c);
	c->pdu = grow(c->pdu, c->n, &c->cap, sizeof *c->pdu);
	c->pdu[c->n++] = (struct talks_pdu){
		.at_us = g->at_us, .way = way, .wire = g->wire, .kept = g->kept, .bytes = g->bytes
	};
	t->bytes += sizeof *c->pdu + g->kept;
	g->bytes = NULL; /* the PDU's */
	g->cap = g->wire = g->kept = 0;
}

static void
append(struct talks *t, struct talks_one *c, enum trace_way way, const struct packets_segment *s)
{
	struct talks_group *g = &c->group[way];

	if (g->is_known && g->next != s->sequence) {
		gap(c);
		g->wire = g->kept = 0;
	}
	g->is_known = true;
	g->next = s->sequence + s->wire;
	if (g->wire == 0)
		g->at_us = s->at_ns / 1000;
	/* What is behind a cut is of no use. */
	if (g->kept == g->wire && s->kept > 0) {
		if (g->cap < g->kept + s->kept) {
			g->cap = g->kept + s->kept;
			g->bytes = say_need(realloc(g->bytes, g->cap));
		}
		memcpy(g->bytes + g->kept, s->payload, s->kept);
		g->kept += s->kept;
	}
	g->wire += s->wire;
	if (g->wire > TALKS_PDU_BYTES) {
		gap(c);
		g->wire = g->kept = 0;
	} else if ((s->flags & PACKETS_PSH) != 0) {
		finish(t, c, way);
	}
}

static bool
take(void *user, const struct packets_segment *s)
{
	struct talks *t = user;
	enum trace_way way;
	struct talks_one *c = find(t, s, &way);

	if (c == NULL)
		c = begin(t, s, &way);
	if (c == NULL)
		return true;
	if ((s->flags & PACKETS_SYN) != 0) {
		c->group[way].is_known = true;
		c->group[way].next = s->sequence + 1;
	} else if (s->wire > 0) {
		append(t, c, way, s);
	}
	if ((s->flags & (PACKETS_FIN | PACKETS_RST)) != 0)
		c->how = (s->flags & PACKETS_RST) != 0 ? TALKS_LOST : TALKS_CLOSED;
	t->is_too_large = t->bytes > TALKS_BYTES_MAX;
	return !t->is_too_large;
}

bool
talks_read(struct talks *t, FILE *in, char why[static PACKETS_WHY_BYTES])
{
	bool is_good = packets_read(in, take, t, why);

	for (size_t i = 0; i < t->n; i++)
		if (!t->list[i].has_gap)
			t->list[i].whole = t->list[i].n;
	return is_good;
}

void
talks_free(struct talks *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct talks_one *c = &t->list[i];

		for (size_t j = 0; j < c->n; j++)
			free(c->pdu[j].bytes);
		free(c->pdu);
		free(c->group[0].bytes);
		free(c->group[1].bytes);
	}
	free(t->list);
	*t = (struct talks){ 0 };
}
