/*
 * Messages between threads.  A message is a struct of its own type that begins
 * with a struct mail; it is addressed to an owner that has opened a slot in its
 * loop's mailbox, by id and generation, so that what was meant for a
 * predecessor never reaches a successor.  Messages of one thread to one box
 * arrive in order.
 *
 * A message is told (mail_tell) or asked (mail_ask).  What is told belongs to the
 * addressee.  A question comes back exactly once, as its own answer: from
 * the addressee (mail_answer), or, where that is gone, from its box (refuse).
 * Where the asker is gone meanwhile it is dropped.  What is refused and dropped
 * is counted.
 *
 * Events that may be many (a state that changes) are notes: one message a kind
 * that its owner asks again when it is back home, so they are bounded by
 * construction and the last one counts.
 */
#ifndef ENGINE_MAILBOX_H
#define ENGINE_MAILBOX_H

#include "engine/loop.h"

struct mail;
struct mailbox;

/* Whom a message is for.  A plain value: it may go to any thread. */
struct mail_address {
	struct mailbox *box;
	uint32_t id, generation;
};

/* What a message is; made of a row of a mail.def.  Static. */
struct mail_kind {
	const char *name;
	/* At the addressee, on its thread.  A question stays the asker's: answer it, now or later.
	 */
	void (*take)(void *owner, struct mail *m);
	/* A question whose addressee is gone: write that down as the answer.  NULL: it is only
	 * told. */
	void (*refuse)(struct mail *m);
	/* A question is back at its asker. */
	void (*answered)(void *owner, struct mail *m);
	/* Nobody is there to have it: free it and what it holds. */
	void (*drop)(struct mail *m);
};

enum mail_state { MAIL_HOME, MAIL_TOLD, MAIL_ASKED, MAIL_ANSWERED };

/* Begin a struct with it; zeroed, it is at home. */
struct mail {
	struct loop_msg msg; /* the mailbox's, as all of it */
	const struct mail_kind *kind;
	struct mail_address to, from;
	enum mail_state state;
	bool is_away; /* the asker's, who alone looks at it: a question that is not back */
};

/* An owner's place in its box; embedded. */
struct mail_slot {
	struct list link; /* the box's, as what follows */
	struct mail_address at;
	void *owner;
};

/* One for each loop, which outlives it.  NULL when memory is short. */
struct mailbox *mailbox_new(struct loop *loop);
/* No slot may be open and no message under way to it.  NULL is fine. */
void mailbox_free(struct mailbox *b);

/* ---- on the box's thread (or before it runs) ---- */

/* No other slot of this id may be open. */
void mailbox_open(
    struct mailbox *b, struct mail_slot *s, uint32_t id, uint32_t generation, void *owner);
/* Harmless when it is not open (zeroed). */
void mailbox_close(struct mail_slot *s);
/* An id that no other owner of this box has; from MAIL_ID_MADE up. */
uint32_t mailbox_make_id(struct mailbox *b);
#define MAIL_ID_MADE 0x80000000u

struct mailbox_counts {
	uint64_t told, asked, answered, refused, dropped;
};
struct mailbox_counts mailbox_counts(const struct mailbox *b);

/* ---- any thread ---- */

/* `m` is the addressee's from now on. */
void mail_tell(struct mail *m, const struct mail_kind *kind, const struct mail_address *to);
/* `m` is away until answered(): then it may be asked again, or freed. */
void mail_ask(struct mail *m, const struct mail_kind *kind, const struct mail_address *to,
    const struct mail_address *from);
/* By whoever took it, once. */
void mail_answer(struct mail *m);
#endif
