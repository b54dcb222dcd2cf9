/*
 * What the driver asks (ARCHITECTURE.md, daemon protocol): "follow", which is answered when there
 * is something new, and "refresh", which has every server asked now.
 */
#ifndef IISNSD_FOLLOW_H
#define IISNSD_FOLLOW_H

#include "iisnsd/server.h"
#include "ipc/helper.h"

struct follow;

/* cfg is borrowed.  NULL: no memory. */
struct follow *follow_new(const struct server_cfg *cfg);
/* Every registration is taken back.  NULL is fine. */
void follow_free(struct follow *f);
void follow_handle(struct follow *f, struct helper_call *call);

#endif
