/*
 * The driver's requests: `resolve` (ARCHITECTURE.md, daemon protocol), from its
 * arguments to its answer, which comes in time whatever the name servers do.
 * On the loop's thread.
 */
#ifndef RESOLVD_RESOLVE_H
#define RESOLVD_RESOLVE_H

#include "ipc/helper.h"
#include "names/lookup.h"

struct resolve;

/* ops as in lookup_pool_new().  NULL: no memory. */
struct resolve *resolve_new(struct loop *loop, const struct lookup_ops *ops);
/* Requests that are open are answered with -ECANCELED.  NULL is fine. */
void resolve_free(struct resolve *r);
/* A helper_handler; user is the struct resolve. */
void resolve_handle(void *user, struct helper_call *call);

#endif
