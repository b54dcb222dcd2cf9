/*
 * Where sessions may have nexuses (ini/fence.h), in the registry: it knows it before a
 * session is online there (mail_places), so whoever begins the session anew, after a
 * crash or because its target was removed and added again, knows it, too.
 */
#ifndef ISCSI_PLACES_H
#define ISCSI_PLACES_H

#include "driver/iscsi/wanted.h"

/* Those of lives before, into *cfg.  False: they could not be read. */
bool places_load(struct wanted *w, struct nexus_cfg *cfg, struct fault *ret_fault);
/* The target is not wanted any more, and has no nexus of ours. */
void places_forget(struct wanted *w);

#endif
