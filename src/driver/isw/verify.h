/*
 * Asking iradd, and through it RADIUS, whether a target's CHAP response is
 * right.  On the interface driver's thread (isw.h).
 */
#ifndef ISW_VERIFY_H
#define ISW_VERIFY_H

#include "base/fault.h"
#include "ini/world.h"
#include "ipc/helper.h"

/* Where to ask, and who we are there: a snapshot; strings are owned, "" where not configured. */
struct verify_cfg {
	char *server, *nas;
	uint8_t *secret; /* sealed (driver/seal.h): secret_len bytes and SEAL_BYTES */
	size_t secret_len;
	struct fault fault; /* set: what is configured could not be read */
};
/* The NAS secret, which is taken: wiped and freed.  NULL is fine. */
void verify_cfg_secret(struct verify_cfg *cfg, char *secret);
/* Wipes the secret.  Zeroed, or what verify_cfg_fini() left, is fine. */
void verify_cfg_fini(struct verify_cfg *cfg);

/* "radius.example.com: the user is unknown"; the room is for a Reply-Message. */
#define VERIFY_SAID_BYTES 640

struct verify_result {
	bool ok;
	bool timed_out;     /* nobody answered in time */
	struct fault fault; /* why there is no verdict; not set: there is one */
	char
	    said[VERIFY_SAID_BYTES]; /* which server gave the verdict, and why; a long one is cut */
};

struct verify;
/* Called once, never from inside verify_start(). */
typedef void verify_done(void *user, const struct verify_result *r);

/* `cfg` counts now and is not kept. */
struct verify *verify_start(struct loop *loop, struct helper_server *iradd,
    const struct verify_cfg *cfg, const struct verify_query *q, verify_done *done, void *user);
/* done() will not be called.  NULL is fine. */
void verify_cancel(struct verify *v);

#endif
