/*
 * A question of the main loop (engine/mailbox.h), and the small rules that many
 * messages share.
 */
#ifndef DRIVER_QUESTION_H
#define DRIVER_QUESTION_H

#include <stddef.h>

#include "engine/mailbox.h"

/* First in the message: who is called, on the main loop, with the answer, and frees it. */
struct question {
	struct mail mail;
	void (*done)(struct question *a);
	void *user;
};

/* A message of so many bytes that begins with a struct question, zeroed. */
void *question_new(size_t bytes, void (*done)(struct question *a), void *user);
/* For a mail.def: answered() of such a question. */
void question_done(void *owner, struct mail *m);
/* drop() of a message that begins with its mail and holds nothing but itself. */
void question_drop_plain(struct mail *m);
/* refuse() of a note: it only has to come back. */
void question_refuse_note(struct mail *m);

#endif
