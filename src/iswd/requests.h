/*
 * The driver's requests: `connect` (ARCHITECTURE.md, daemon protocol), from its
 * arguments to its answer.  On the loop's thread.
 */
#ifndef ISWD_REQUESTS_H
#define ISWD_REQUESTS_H

#include "ipc/helper.h"

struct requests;

/* At most `open_max` connections are being opened at once; more are refused.  NULL: no memory. */
struct requests *requests_new(struct loop *loop, unsigned open_max);
/* Those that are open are answered with -ECANCELED.  NULL is fine. */
void requests_free(struct requests *r);
/* A helper_handler; user is the struct requests. */
void requests_handle(void *user, struct helper_call *call);

#endif
