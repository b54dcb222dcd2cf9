/*
 * Pings and probes.  Each is answered exactly once: by the target, by the end of
 * the connection, or by its own time limit; and before closed().
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ini/session_impl.h"

/* The connection has a ping of its own under way: ours goes after it. */
#define PING_AGAIN_US 20000

struct ask {
	struct list link; /* session.pings, probes or answered */
	struct session *s;
	struct agenda_timer bound;
	void *user;
	void (*pong)(void *user, const struct session_ping *ping); /* NULL: a probe */
	uint32_t bytes;
	uintptr_t number;
	bool is_sent, is_ended;
	struct session_ping ping;
	struct probe *probe; /* NULL: it has its result, and units learn from that */
	probe_done *done;
	struct probe_result result;
};

static void
answer(struct ask *a)
{
	agenda_clear(a->s->world->agenda, &a->bound);
	list_remove(&a->link);
	list_push_back(&a->s->answered, &a->link);
	agenda_defer(a->s->world->agenda, &a->s->progress);
}

static struct ask *
ask_new(struct session *s, void *user)
{
	struct ask *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->s = s;
	a->user = user;
	list_init(&a->link);
	return a;
}

static void
not_online(const struct session *s, struct fault *ret)
{
	if (s->last != NULL)
		*ret = *s->last;
	else
		fault_set(ret, FAULT_OFFLINE, "open it, and wait until it is online",
		    "the session is not online");
}

/* ---- pings ---- */

static void
ping_failed(struct ask *a, const struct fault *why)
{
	a->ping.fault = *why;
	answer(a);
}

static void send_ping(struct session *s);

static void
ping_took_too_long(struct agenda_timer *t)
{
	struct ask *a = LIST_ENTRY(t, struct ask, bound);
	struct fault why = { 0 };

	fault_set(&why, FAULT_TIMEOUT, "look at the network and the target's log",
	    "the ping was not answered in %u seconds", SESSION_PING_US / 1000000);
	ping_failed(a, &why);
	send_ping(a->s);
}

/* The oldest one that waits, one at a time. */
static void
send_ping(struct session *s)
{
	struct fault why = { 0 };
	struct ask *a;
	int err;

	while (!list_empty(&s->pings) && s->state == SESSION_ONLINE) {
		a = LIST_ENTRY(s->pings.next, struct ask, link);
		if (a->is_sent)
			return;
		err = sess_ping(s->sess, a->bytes, (void *)a->number, session_now(s));
		if (err == -EBUSY) {
			agenda_set(
			    s->world->agenda, &s->ping_again, session_now(s) + PING_AGAIN_US);
			return;
		}
		if (err == 0) {
			a->is_sent = true;
			login_run_kick(s->run);
			return;
		}
		if (err == -EINVAL)
			fault_set(&why, FAULT_INVALID, "ask for fewer bytes",
			    "a ping has at most %u bytes here", sess_ping_bytes_max(s->sess));
		else
			fault_set(
			    &why, FAULT_OFFLINE, "try again", "the session is not online any more");
		ping_failed(a, &why);
	}
}

static void
ping_again(struct agenda_timer *t)
{
	send_ping(LIST_ENTRY(t, struct session, ping_again));
}

static size_t
waiting(const struct list *head)
{
	size_t n = 0;

	for (const struct list *node = head->next; node != head; node = node->next)
		n++;
	return n;
}

bool
session_ping(struct session *s, uint32_t bytes,
    void (*done)(void *user, const struct session_ping *ping), void *user)
{
	struct ask *a = ask_new(s, user);

	if (a == NULL)
		return false;
	a->pong = done;
	a->bytes = bytes;
	a->number = ++s->ping_number;
	if (s->state != SESSION_ONLINE) {
		not_online(s, &a->ping.fault);
		answer(a);
	} else if (waiting(&s->pings) >= SESSION_PINGS_MAX) {
		fault_set(&a->ping.fault, FAULT_BUSY, "wait for the other pings",
		    "%u pings wait for their answers already", SESSION_PINGS_MAX);
		answer(a);
	} else {
		a->bound.expired = ping_took_too_long;
		agenda_set(s->world->agenda, &a->bound, session_now(s) + SESSION_PING_US);
		list_push_back(&s->pings, &a->link);
		send_ping(s);
	}
	return true;
}

static void
explain_ping(const struct sess_ending *ending, struct fault *ret)
{
	switch (ending->how) {
	case SESS_END_TIMEOUT:
		fault_set(ret, FAULT_TIMEOUT, "look at the network and the target's log",
		    "the ping was not answered in time");
		break;
	case SESS_END_REJECTED:
		fault_set(ret, FAULT_OFFLINE, "look at the target's log",
		    "the target rejected the ping (reason 0x%02x)", ending->reject_reason);
		break;
	case SESS_END_LOST:
	case SESS_END_VIOLATION:
	case SESS_END_ANSWERED:
		fault_set(ret, FAULT_OFFLINE, "wait until the session is online",
		    "the connection ended before the ping was answered: %s",
		    ending->why != CONN_OK ? conn_result_text(ending->why)
					   : "the target closed it");
		break;
	}
}

void
session_ask_ponged(struct session *s, const struct sess_event *ev)
{
	struct ask *a = LIST_ENTRY(s->pings.next, struct ask, link);

	/* Of one that was given up: its answer is late. */
	if (list_empty(&s->pings) || !a->is_sent || (uintptr_t)ev->ping.user != a->number)
		return;
	a->ping.bytes = ev->ping.bytes;
	a->ping.bytes_same = ev->ping.bytes_same;
	a->ping.rtt_us = ev->ping.rtt_us;
	if (ev->ping.ending.how != SESS_END_ANSWERED)
		explain_ping(&ev->ping.ending, &a->ping.fault);
	answer(a);
	send_ping(s);
}

/* ---- probes ---- */

/* Units that exist learn from a probe. */
static void
teach(struct session *s, const struct probe_result *r)
{
	LIST_EACH(node, tmp, &s->units)
	{
		struct lunpath *lp = lunpath_of_link(node);
		size_t low = 0, high = r->n;

		/* By number. */
		while (low < high) {
			size_t mid = (low + high) / 2;

			if (r->luns[mid].number < lunpath_number(lp))
				low = mid + 1;
			else
				high = mid;
		}
		if (low < r->n && r->luns[low].number == lunpath_number(lp))
			lunpath_learned(lp, &r->luns[low]);
		else
			lunpath_learned(lp, NULL);
	}
}

/*
 * A unit that the probe found the right one again is that for I/O as soon as it has asked
 * itself; whoever is told of the probe may send I/O.
 */
void
session_ask_learned(struct session *s)
{
	LIST_EACH(node, tmp, &s->units)
	if (lunpath_is_learning(lunpath_of_link(node)))
		return;
	LIST_EACH(other, tmp, &s->probes)
	{
		struct ask *a = LIST_ENTRY(other, struct ask, link);

		if (a->probe == NULL)
			answer(a);
	}
}

static void
probed(void *user, struct probe_result *r)
{
	struct ask *a = user;

	a->result = *r;
	r->luns = NULL;
	a->probe = NULL;
	if (r->fault.is_set || a->is_ended) {
		answer(a);
		return;
	}
	teach(a->s, &a->result);
	session_ask_learned(a->s);
}

static void
end_probe(struct ask *a, const struct fault *why)
{
	if (a->is_ended)
		return;
	a->is_ended = true;
	agenda_clear(a->s->world->agenda, &a->bound);
	if (a->probe != NULL) {
		probe_end(a->probe, why);
		return;
	}
	a->result.fault = *why;
	answer(a);
}

static void
probe_took_too_long(struct agenda_timer *t)
{
	struct ask *a = LIST_ENTRY(t, struct ask, bound);
	struct fault why = { 0 };

	fault_set(&why, FAULT_TIMEOUT, "look at the target's log",
	    "the target did not tell its LUNs in %u seconds", SESSION_PROBE_US / 1000000);
	if (a->probe != NULL)
		end_probe(a, &why);
	else
		answer(a); /* a unit that does not answer learns later */
}

bool
session_probe(struct session *s, probe_done *done, void *user)
{
	struct ask *a = ask_new(s, user);

	if (a == NULL)
		return false;
	a->done = done;
	if (s->state != SESSION_ONLINE) {
		not_online(s, &a->result.fault);
		answer(a);
		return true;
	}
	a->probe = probe_start(&s->path,
	    s->settings->choices.way[CHOICE_lun_addressing] == CHOICE_lun_addressing_primary,
	    probed, a);
	if (a->probe == NULL) {
		free(a);
		return false;
	}
	a->bound.expired = probe_took_too_long;
	agenda_set(s->world->agenda, &a->bound, session_now(s) + SESSION_PROBE_US);
	list_push_back(&s->probes, &a->link);
	return true;
}

/* ---- all of them ---- */

void
session_ask_end(struct session *s, const struct fault *why)
{
	struct fault ended = *why;

	if (!ended.is_set)
		fault_set(&ended, FAULT_OFFLINE, "wait until the session is online",
		    "the connection ended before the answer came");
	agenda_clear(s->world->agenda, &s->ping_again);
	LIST_EACH(node, tmp, &s->pings)
	ping_failed(LIST_ENTRY(node, struct ask, link), &ended);
	LIST_EACH(other, tmp, &s->probes)
	end_probe(LIST_ENTRY(other, struct ask, link), &ended);
}

void
session_ask_answer(struct session *s)
{
	struct list now, *node;

	/* Who is told may ask again: that is another turn's. */
	list_init(&now);
	list_splice_front(&now, &s->answered);
	while ((node = list_pop(&now)) != NULL) {
		struct ask *a = LIST_ENTRY(node, struct ask, link);

		if (a->pong != NULL) {
			a->pong(a->user, &a->ping);
		} else {
			a->done(a->user, &a->result);
			free(a->result.luns);
		}
		free(a);
	}
}

bool
session_ask_is_ended(const struct session *s)
{
	for (const struct list *node = s->probes.next; node != &s->probes; node = node->next)
		if (!LIST_ENTRY((uintptr_t)node, struct ask, link)->is_ended)
			return false;
	return list_empty(&s->pings) && !s->ping_again.armed;
}

bool
session_ask_is_idle(const struct session *s)
{
	return list_empty(&s->pings) && list_empty(&s->probes) && list_empty(&s->answered);
}

void
session_ask_init(struct session *s)
{
	list_init(&s->pings);
	list_init(&s->probes);
	list_init(&s->answered);
	s->ping_again.expired = ping_again;
}

void
session_ask_fini(struct session *s)
{
	assert(session_ask_is_idle(s));
}
