/*
 * A function called on another thread's loop.  For control paths: it
 * allocates.  Calls of one thread to one loop arrive in order.
 */
#ifndef DRIVER_CALL_H
#define DRIVER_CALL_H

#include "engine/loop.h"

/*
 * Have fn(arg) called on the loop's thread.  It cannot fail: a state machine
 * whose message is lost would hang for ever, so without memory for these few
 * bytes the process ends, and its supervisor starts it anew.
 */
void call_post(struct loop *to, void (*fn)(void *arg), void *arg);

/* There is none for what must not fail: the process ends. */
void call_no_memory(void) __attribute__((noreturn));
/* Zeroed memory for a control object, with the same promise. */
void *call_alloc(size_t bytes);
char *call_strdup(const char *s);

#endif
