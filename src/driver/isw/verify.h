/*
 * Asking iradd, and through it RADIUS, whether a target's CHAP response is
 * right.  On the main loop.
 */
#ifndef ISW_VERIFY_H
#define ISW_VERIFY_H

#include "base/fault.h"
#include "driver/iscsi/nexus.h"
#include "ipc/helper.h"
#include "registry/registry.h"

/* Where to ask; borrowed. */
struct verify_cfg {
	struct loop *loop;
	struct helper_server *iradd;
	struct registry *reg;    /* has the server, its secret, and our name there */
	const char *default_nas; /* this host's name where none is configured */
};

struct verify_result {
	bool ok;
	bool timed_out;     /* nobody answered in time */
	struct fault fault; /* why there is no verdict; not set: there is one */
};

struct verify;
/* Called once, never from inside verify_start(). */
typedef void verify_done(void *user, const struct verify_result *r);

struct verify *verify_start(
    const struct verify_cfg *cfg, const struct nexus_query *q, verify_done *done, void *user);
/* done() will not be called.  NULL is fine. */
void verify_cancel(struct verify *v);

#endif
