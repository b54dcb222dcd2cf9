/*
 * The driver's requests: `verify` and `statistics` (ARCHITECTURE.md, daemon
 * protocol), from their arguments to their answers.  On the loop's thread.
 */
#ifndef IRADD_VERIFY_H
#define IRADD_VERIFY_H

#include "ipc/helper.h"
#include "iradd/exchange.h"

struct verify;

/*
 * cfg is copied; its loop and names are the caller's, and outlive this.  At most
 * open_max questions are open at once; more are refused.  NULL: no memory.
 */
struct verify *verify_new(const struct exchange_cfg *cfg, unsigned open_max);
/* Questions that are open are answered with -ECANCELED.  NULL is fine. */
void verify_free(struct verify *v);
/* A helper_handler; user is the struct verify. */
void verify_handle(void *user, struct helper_call *call);

#endif
