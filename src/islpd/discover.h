/*
 * The driver's requests: `discover` (ARCHITECTURE.md, daemon protocol), from
 * its arguments to its answer.  On the loop's thread.
 */
#ifndef ISLPD_DISCOVER_H
#define ISLPD_DISCOVER_H

#include "ipc/helper.h"
#include "islpd/config.h"
#include "names/lookup.h"

struct discover;

/* config and names are borrowed.  NULL: no memory. */
struct discover *discover_new(
    struct loop *loop, const struct config *config, struct lookup_pool *names);
/* Requests that are open are answered with -ECANCELED.  NULL is fine. */
void discover_free(struct discover *d);
/* A helper_handler; user is the struct discover. */
void discover_handle(void *user, struct helper_call *call);

#endif
