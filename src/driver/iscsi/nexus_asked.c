/* What is asked of a session on its worker, and answered by its side. */
#include <stdlib.h>

#include "driver/iscsi/nexus_impl.h"

static void
probed(void *user, struct probe_result *r)
{
	struct mail_probe *q = user;

	q->result = *r;
	r->luns = NULL;
	mail_answer(&q->base.mail);
}

/*
 * Whoever asks a session that is being closed is refused: it may have ended already, and is freed
 * with its last unit, before an answer of its own would go out.
 */
static bool
refused(const struct nexus *x, struct mail *m, void (*refuse)(struct mail *m))
{
	if (!nexus_is_closing(x))
		return false;
	refuse(m);
	mail_answer(m);
	return true;
}

void
nexus_take_probe(void *owner, struct mail *m)
{
	struct nexus *x = nexus_at_work(owner);
	struct mail_probe *q = LIST_ENTRY(m, struct mail_probe, base.mail);

	if (refused(x, m, nexus_refuse_probe) || session_probe(x->s, probed, q))
		return;
	fault_set(
	    &q->result.fault, FAULT_INTERNAL, "free some memory", "out of memory for a probe");
	mail_answer(m);
}

void
nexus_refuse_probe(struct mail *m)
{
	fault_set(&LIST_ENTRY(m, struct mail_probe, base.mail)->result.fault, FAULT_OFFLINE,
	    "scan again", "the LUNs could not be probed: the session was closed");
}

void
nexus_drop_probe(struct mail *m)
{
	struct mail_probe *q = LIST_ENTRY(m, struct mail_probe, base.mail);

	free(q->result.luns);
	free(q);
}

static void
pinged(void *user, const struct session_ping *ping)
{
	struct mail_ping *q = user;

	q->result = *ping;
	mail_answer(&q->base.mail);
}

void
nexus_take_ping(void *owner, struct mail *m)
{
	struct nexus *x = nexus_at_work(owner);
	struct mail_ping *q = LIST_ENTRY(m, struct mail_ping, base.mail);

	if (refused(x, m, nexus_refuse_ping) || session_ping(x->s, q->bytes, pinged, q))
		return;
	fault_set(&q->result.fault, FAULT_INTERNAL, "free some memory", "out of memory for a ping");
	mail_answer(m);
}

void
nexus_refuse_ping(struct mail *m)
{
	fault_set(&LIST_ENTRY(m, struct mail_ping, base.mail)->result.fault, FAULT_OFFLINE,
	    "wait until the session is online", "the session was closed");
}

void
nexus_take_counts(void *owner, struct mail *m)
{
	struct nexus *x = nexus_at_work(owner);
	struct mail_counts *q = LIST_ENTRY(m, struct mail_counts, base.mail);

	nexus_count(x);
	session_core_counts(x->s, &q->core);
	q->counts = *session_counts(x->s);
	q->luns = x->iothread->ops->counts(x->user, &q->n);
	mail_answer(m);
}

void
nexus_refuse_counts(struct mail *m)
{
	LIST_ENTRY(m, struct mail_counts, base.mail)->is_gone = true;
}

void
nexus_drop_counts(struct mail *m)
{
	struct mail_counts *q = LIST_ENTRY(m, struct mail_counts, base.mail);

	for (size_t i = 0; i < q->n; i++)
		free(q->luns[i].filters);
	free(q->luns);
	free(q);
}

void
nexus_take_clear(void *owner, struct mail *m)
{
	struct nexus *x = owner;

	x->iothread->ops->clear(x->user);
	free(m);
}

void
nexus_take_trace(void *owner, struct mail *m)
{
	struct nexus *x = nexus_at_work(owner);
	struct mail_trace *q = LIST_ENTRY(m, struct mail_trace, base.mail);

	q->now_us = agenda_now(x->world.world.agenda);
	q->n = trace_copy(session_trace(x->s), q->entry, TRACE_ENTRIES);
	mail_answer(m);
}

void
nexus_refuse_trace(struct mail *m)
{
	LIST_ENTRY(m, struct mail_trace, base.mail)->n = 0;
}
