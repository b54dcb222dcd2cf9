#include "engine/mailbox.h"

#include <assert.h>
#include <stdlib.h>

/* Owners of a box: as many as sessions of a driver at the most, so chains stay short. */
#define BUCKETS 256u

struct mailbox {
	struct loop *loop;
	uint32_t next_id;
	struct mailbox_counts counts;
	struct list slots[BUCKETS];
};

struct mailbox *
mailbox_new(struct loop *loop)
{
	struct mailbox *b = calloc(1, sizeof *b);

	if (b == NULL)
		return NULL;
	b->loop = loop;
	b->next_id = MAIL_ID_MADE;
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&b->slots[i]);
	return b;
}

void
mailbox_free(struct mailbox *b)
{
	if (b == NULL)
		return;
	for (unsigned i = 0; i < BUCKETS; i++)
		assert(list_empty(&b->slots[i]));
	free(b);
}

static struct mail_slot *
find(const struct mailbox *b, uint32_t id)
{
	const struct list *bucket = &b->slots[id % BUCKETS];

	LIST_EACH(node, tmp, bucket)
	{
		struct mail_slot *s = LIST_ENTRY(node, struct mail_slot, link);

		if (s->at.id == id)
			return s;
	}
	return NULL;
}

void
mailbox_open(struct mailbox *b, struct mail_slot *s, uint32_t id, uint32_t generation, void *owner)
{
	assert(find(b, id) == NULL);
	s->at = (struct mail_address){ b, id, generation };
	s->owner = owner;
	list_push_back(&b->slots[id % BUCKETS], &s->link);
}

void
mailbox_close(struct mail_slot *s)
{
	if (s->owner == NULL)
		return;
	list_remove(&s->link);
	s->owner = NULL;
}

uint32_t
mailbox_make_id(struct mailbox *b)
{
	uint32_t id;

	/* They come round again after two thousand million: the few that live still have theirs. */
	do {
		id = b->next_id;
		b->next_id = b->next_id == UINT32_MAX ? MAIL_ID_MADE : b->next_id + 1;
	} while (find(b, id) != NULL);
	return id;
}

struct mailbox_counts
mailbox_counts(const struct mailbox *b)
{
	return b->counts;
}

/* NULL: it is gone, or another one has its place. */
static void *
owner_of(const struct mail_address *a)
{
	const struct mail_slot *s = find(a->box, a->id);

	return s != NULL && s->at.generation == a->generation ? s->owner : NULL;
}

static void
arrived_back(struct mail *m)
{
	struct mailbox *b = m->from.box;
	void *owner = owner_of(&m->from);

	m->state = MAIL_HOME;
	m->is_away = false;
	if (owner != NULL) {
		b->counts.answered++;
		m->kind->answered(owner, m);
	} else {
		b->counts.dropped++;
		m->kind->drop(m);
	}
}

static void
arrived(struct mail *m)
{
	struct mailbox *b = m->to.box;
	void *owner = owner_of(&m->to);

	if (owner != NULL && m->state == MAIL_TOLD) {
		b->counts.told++;
		m->state = MAIL_HOME;
		m->kind->take(owner, m);
	} else if (owner != NULL) {
		b->counts.asked++;
		m->kind->take(owner, m);
	} else if (m->state == MAIL_TOLD) {
		b->counts.dropped++;
		m->kind->drop(m);
	} else {
		b->counts.refused++;
		m->kind->refuse(m);
		mail_answer(m);
	}
}

static void
run(struct loop_msg *msg)
{
	struct mail *m = LIST_ENTRY(msg, struct mail, msg);

	assert(m->state != MAIL_HOME);
	if (m->state == MAIL_ANSWERED)
		arrived_back(m);
	else
		arrived(m);
}

static void
post(struct mail *m, const struct mail_address *to)
{
	m->msg.run = run;
	loop_post(to->box->loop, &m->msg);
}

void
mail_tell(struct mail *m, const struct mail_kind *kind, const struct mail_address *to)
{
	assert(m->state == MAIL_HOME && kind->take != NULL && kind->drop != NULL);
	m->kind = kind;
	m->to = *to;
	m->state = MAIL_TOLD;
	post(m, to);
}

void
mail_ask(struct mail *m, const struct mail_kind *kind, const struct mail_address *to,
    const struct mail_address *from)
{
	assert(m->state == MAIL_HOME && kind->take != NULL && kind->refuse != NULL &&
	       kind->answered != NULL && kind->drop != NULL);
	m->kind = kind;
	m->to = *to;
	m->from = *from;
	m->is_away = true;
	m->state = MAIL_ASKED;
	post(m, to);
}

void
mail_answer(struct mail *m)
{
	assert(m->state == MAIL_ASKED);
	m->state = MAIL_ANSWERED;
	post(m, &m->from);
}
