/*
 * What becomes of questions to RADIUS, as events: that there is no verdict, that there are
 * verdicts again, and who was rejected; each once for each reason.  On the interface
 * driver's thread.
 */
#ifndef ISW_VERDICT_H
#define ISW_VERDICT_H

#include "driver/diag/diag.h"
#include "driver/isw/verify.h"

struct verdict {
	char failed[FAULT_MESSAGE_BYTES]; /* "": the last question had a verdict */
	char rejected[CHAP_NAME_MAX +
		      VERIFY_SAID_BYTES]; /* "NAME: what was said of it" last, or "" */
};

/* All zeros is a fresh one.  `name`: the target's CHAP name; `server`: as it is configured. */
void verdict_tell(struct verdict *v, const struct diag_ctx *about, const char *server,
    const char *name, const struct verify_result *r);

#endif
