#include "driver/isw/verdict.h"

#include <stdio.h>
#include <string.h>

#include "base/cut.h"

void
verdict_tell(struct verdict *v, const struct diag_ctx *about, const char *server, const char *name,
    const struct verify_result *r)
{
	char rejected[sizeof v->rejected];
	struct diag_ctx at = *about;

	at.address = server[0] != '\0' ? server : NULL;
	if (server[0] == '\0')
		server = "no server";
	if (r->fault.is_set) {
		if (strcmp(v->failed, r->fault.message) != 0)
			diag_OPENISW_LOG_RADIUS_FAILED(&at, server, r->fault.message);
		cut_copy(v->failed, sizeof v->failed, r->fault.message);
		return;
	}
	if (v->failed[0] != '\0')
		diag_OPENISW_LOG_RADIUS_BACK(&at, server);
	v->failed[0] = '\0';
	(void)snprintf(rejected, sizeof rejected, "%s: %s", name, r->said); /* fits */
	if (r->ok || strcmp(v->rejected, rejected) == 0)
		return;
	diag_OPENISW_LOG_RADIUS_REJECTED(&at, name, r->said);
	cut_copy(v->rejected, sizeof v->rejected, rejected);
}
