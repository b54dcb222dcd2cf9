#include "driver/iscsi/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "driver/iscsi/mail.h"
#include "engine/worker.h"
#include "sys/log.h"

/* Until it is tried again; doubled each time. */
#define RETRY_US     1000000
#define RETRY_MAX_US 30000000

/* Somebody who waits. */
struct waiting {
	struct list link;
	uint64_t upto;  /* for every change up to this one */
	bool is_undone; /* where it fails, what he did is taken back */
	keeper_kept *kept;
	void *user;
};

struct keeper {
	struct keeper_cfg cfg;
	struct registry *copy, *file; /* the file is the thread's while that runs */
	struct worker *worker;
	bool is_stopped;
	struct mailbox *box;
	struct mail_slot slot;
	struct agenda_work send;
	struct agenda_timer retry;
	uint64_t retry_us;

	uint64_t changed, kept; /* changes that were made, and are in the file */
	struct list pending;    /* registry_change.link: since the last message */
	size_t pending_bytes;
	bool is_behind;                 /* the file needs the whole copy */
	bool is_asked;                  /* somebody waits: it is tried now */
	bool is_resting;                /* it failed, and is tried again later */
	bool is_undoable, has_undoable; /* between keeper_begin() and keeper_end() */
	struct mail_keep *under_way;    /* NULL: none */
	struct list waits;
	unsigned n_waits;
	struct keeper_state state;
};

/* ---- what is changed ---- */

static void
change_free(struct registry_change *c)
{
	list_remove(&c->link);
	registry_change_free(c);
}

static void
drop_changes(struct list *l)
{
	LIST_EACH(node, tmp, l)
	change_free(LIST_ENTRY(node, struct registry_change, link));
}

/* The whole copy is written next.  What may have to be taken back is still known by itself. */
static void
fold(struct keeper *k)
{
	k->is_behind = true;
	k->pending_bytes = 0;
	LIST_EACH(node, tmp, &k->pending)
	{
		struct registry_change *c = LIST_ENTRY(node, struct registry_change, link);

		if (c->is_undoable) {
			k->pending_bytes += c->bytes;
		} else {
			k->state.folded++;
			change_free(c);
		}
	}
}

static void
changed(void *user, struct registry_change *c)
{
	struct keeper *k = user;

	k->changed++;
	k->has_undoable |= k->is_undoable;
	c->is_undoable = k->is_undoable;
	list_push_back(&k->pending, &c->link);
	k->pending_bytes += c->bytes;
	if (k->is_behind || k->pending_bytes > LIMIT_KEEPER_BYTES)
		fold(k);
	agenda_defer(loop_agenda(k->cfg.loop), &k->send);
}

void
keeper_begin(struct keeper *k)
{
	k->is_undoable = true;
	k->has_undoable = false;
}

void
keeper_end(struct keeper *k)
{
	k->is_undoable = k->has_undoable = false;
}

/* ---- who waits ---- */

bool
keeper_wait(struct keeper *k, keeper_kept *kept, void *user)
{
	struct waiting *w;

	if (k->kept == k->changed)
		return false;
	w = call_alloc(sizeof *w);
	*w = (struct waiting){
		.upto = k->changed, .is_undone = k->has_undoable, .kept = kept, .user = user
	};
	list_push_back(&k->waits, &w->link);
	k->n_waits++;
	k->is_asked = true;
	agenda_defer(loop_agenda(k->cfg.loop), &k->send);
	return true;
}

bool
keeper_is_full(const struct keeper *k, struct fault *ret_fault)
{
	if (k->n_waits < LIMIT_KEEPER_WAITS)
		return false;
	fault_set(ret_fault, FAULT_BUSY, "see what its disk does, and try again",
	    "the registry's disk does not answer: %u changes wait for it", k->n_waits);
	return true;
}

/* Those who wait for changes up to this one; why NULL: they are kept. */
static void
tell(struct keeper *k, uint64_t upto, const struct registry_error *why)
{
	struct fault undone = { 0 }, standing = { 0 };

	if (why != NULL) {
		fault_set(&undone, FAULT_INTERNAL, why->next, "%s", why->message);
		fault_set(&standing, FAULT_INTERNAL, why->next,
		    "%s What was changed counts until the driver ends, and is written as soon as "
		    "that can be done.",
		    why->message);
	}
	while (!list_empty(&k->waits)) {
		struct waiting *w = LIST_ENTRY(k->waits.next, struct waiting, link);

		if (w->upto > upto)
			return;
		list_remove(&w->link);
		k->n_waits--;
		w->kept(w->user, why == NULL ? NULL : w->is_undone ? &undone : &standing);
		free(w);
	}
}

/* ---- what came of a message ---- */

static void
message_free(struct mail_keep *m)
{
	drop_changes(&m->changes);
	drop_changes(&m->undoable);
	free(m);
}

/* The last one first. */
static bool
take_back(struct keeper *k, const struct list *l)
{
	bool is_any = false;

	for (const struct list *node = l->prev; node != l; node = node->prev) {
		const struct registry_change *c = LIST_ENTRY(node, struct registry_change, link);

		if (!c->is_undoable)
			continue;
		is_any = true;
		if (registry_undo(k->copy, c) != 0)
			log_err("a change is not taken back: %s", registry_error(k->copy)->message);
	}
	return is_any;
}

static void
rest(struct keeper *k)
{
	uint64_t now = loop_now_update(k->cfg.loop);

	k->is_resting = true;
	k->retry_us = k->retry_us == 0 ? RETRY_US : 2 * k->retry_us;
	if (k->retry_us > RETRY_MAX_US)
		k->retry_us = RETRY_MAX_US;
	agenda_set(loop_agenda(k->cfg.loop), &k->retry, now + k->retry_us);
}

static void
failed(struct keeper *k, const struct mail_keep *m)
{
	bool is_undone;

	if (!k->state.is_failing || strcmp(k->state.last.message, m->why.message) != 0)
		log_err("%s %s", m->why.message, m->why.next);
	fault_set(&k->state.last, FAULT_INTERNAL, m->why.next, "%s", m->why.message);
	k->state.is_failing = true;
	k->state.failures++;
	fold(k);
	is_undone = take_back(k, &m->undoable);
	is_undone |= take_back(k, &m->changes);
	rest(k);
	if (is_undone)
		k->cfg.undone(k->cfg.user);
	tell(k, m->upto, &m->why);
}

static void
done(struct keeper *k, const struct mail_keep *m)
{
	if (k->state.is_failing)
		log_note("the registry is written again");
	k->state.is_failing = false;
	k->state.writes++;
	k->retry_us = 0;
	k->kept = m->upto;
	tell(k, k->kept, NULL);
}

/* What it says counts all the same: those changes are part of the whole copy. */
static void
overwrite(struct keeper *k, struct mail_keep *m)
{
	log_warn("%s It is overwritten.", m->why.message);
	list_splice_front(&k->pending, &m->changes);
	fold(k);
	k->is_asked = true;
}

/* The message is at an end. */
static void
settle(struct keeper *k, struct mail_keep *m)
{
	if (m->err == 0)
		done(k, m);
	else if (m->err == -ESTALE)
		overwrite(k, m);
	else
		failed(k, m);
	message_free(m);
}

static void
answered(struct question *q)
{
	struct mail_keep *m = LIST_ENTRY(q, struct mail_keep, base);
	struct keeper *k = q->user;

	k->under_way = NULL;
	settle(k, m);
	agenda_defer(loop_agenda(k->cfg.loop), &k->send);
}

/* ---- messages ---- */

static struct mail_keep *
message_new(struct keeper *k)
{
	struct mail_keep *m = question_new(sizeof *m, answered, k);
	struct registry_change *whole;

	m->file = k->file;
	m->upto = k->changed;
	list_init(&m->changes);
	list_init(&m->undoable);
	if (!k->is_behind) {
		list_splice_front(&m->changes, &k->pending);
	} else if (registry_whole(k->copy, &whole) == 0) {
		list_push_back(&m->changes, &whole->link);
		list_splice_front(&m->undoable, &k->pending);
	} else {
		m->err = -ENOMEM; /* of it nothing can be written */
		m->why = *registry_error(k->copy);
		list_splice_front(&m->undoable, &k->pending);
	}
	k->is_behind = k->is_asked = false;
	k->pending_bytes = 0;
	return m;
}

static void
send_changes(struct agenda_work *w)
{
	struct keeper *k = LIST_ENTRY(w, struct keeper, send);
	struct mail_keep *m;

	if (k->under_way != NULL || k->kept == k->changed || (k->is_resting && !k->is_asked))
		return;
	k->is_resting = false;
	agenda_clear(loop_agenda(k->cfg.loop), &k->retry);
	m = message_new(k);
	if (m->err != 0) {
		settle(k, m);
		return;
	}
	k->under_way = m;
	mail_ask(&m->base.mail, &mail_keep, &k->slot.at, &k->cfg.asker);
}

static void
retry(struct agenda_timer *t)
{
	struct keeper *k = LIST_ENTRY(t, struct keeper, retry);

	k->is_resting = false;
	agenda_defer(loop_agenda(k->cfg.loop), &k->send);
}

static void
make(struct mail_keep *m)
{
	m->err = registry_apply(m->file, &m->changes);
	if (m->err != 0)
		m->why = *registry_error(m->file);
}

void
keeper_take(void *owner, struct mail *mail)
{
	(void)owner; /* the keeper, whose loop's it is */
	make(LIST_ENTRY(mail, struct mail_keep, base.mail));
	mail_answer(mail);
}

void
keeper_refuse(struct mail *mail)
{
	LIST_ENTRY(mail, struct mail_keep, base.mail)->err = -ECANCELED; /* its thread has ended */
}

void
keeper_drop(struct mail *mail)
{
	message_free(LIST_ENTRY(mail, struct mail_keep, base.mail));
}

/* ---- start and end ---- */

static bool
start(struct keeper *k, struct fault *ret_fault)
{
	const struct registry_error *e = registry_error(k->file);

	if (registry_copy(k->file, changed, k, &k->copy) != 0) {
		fault_set(ret_fault, FAULT_INTERNAL, e->next, "%s", e->message);
		return false;
	}
	k->worker = worker_new("iscsi-registry", -1);
	if (k->worker != NULL)
		k->box = mailbox_new(worker_loop(k->worker));
	if (k->box != NULL)
		return true;
	fault_set(ret_fault, FAULT_INTERNAL, "raise the limit of threads and open files",
	    "cannot start a thread: %s", strerror(errno));
	return false;
}

static void
open_slot(void *arg)
{
	struct keeper *k = arg;

	mailbox_open(k->box, &k->slot, 0, 1, k);
}

static void
close_slot(void *arg)
{
	mailbox_close(arg);
}

struct keeper *
keeper_new(struct registry *file, const struct keeper_cfg *cfg, struct fault *ret_fault)
{
	struct keeper *k = call_alloc(sizeof *k);

	k->cfg = *cfg;
	k->file = file;
	agenda_work_init(&k->send, send_changes);
	k->retry.expired = retry;
	list_init(&k->pending);
	list_init(&k->waits);
	if (!start(k, ret_fault)) {
		keeper_free(k);
		return NULL;
	}
	worker_call(k->worker, open_slot, k);
	return k;
}

struct registry *
keeper_copy(struct keeper *k)
{
	return k->copy;
}

void
keeper_state(const struct keeper *k, struct keeper_state *ret)
{
	*ret = k->state;
	ret->is_kept = k->kept == k->changed;
}

/* The thread has ended, and the file is ours.  Twice: what was taken back is a change, too. */
static void
write_rest(struct keeper *k)
{
	struct mail_keep *m = k->under_way;

	k->under_way = NULL;
	if (m != NULL) {
		loop_unpost(k->cfg.loop, &m->base.mail.msg);
		settle(k, m);
	}
	for (int i = 0; i < 3 && k->kept != k->changed; i++) {
		m = message_new(k);
		if (m->err == 0)
			make(m);
		settle(k, m);
	}
	if (k->kept != k->changed)
		log_err("what was changed last is lost: %s", k->state.last.message);
}

void
keeper_flush(struct keeper *k)
{
	if (k == NULL || k->is_stopped)
		return;
	worker_call(k->worker, close_slot, &k->slot);
	worker_stop(k->worker);
	k->is_stopped = true;
	write_rest(k);
}

void
keeper_free(struct keeper *k)
{
	if (k == NULL)
		return;
	if (k->box != NULL) {
		keeper_flush(k);
		write_rest(k);
	}
	agenda_cancel(&k->send);
	agenda_clear(loop_agenda(k->cfg.loop), &k->retry);
	worker_free(k->worker);
	mailbox_free(k->box);
	drop_changes(&k->pending);
	registry_close(k->copy);
	registry_close(k->file);
	free(k);
}
