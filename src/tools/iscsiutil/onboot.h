/*
 * iradd is started with the initiator where it was asked for: the guide, chapter 7: it "is
 * executed in the iSCSI Software Initiator startup script, once CHAP has been requested
 * through iscsiutil".
 */
#ifndef ISCSIUTIL_ONBOOT_H
#define ISCSIUTIL_ONBOOT_H

#include <jansson.h>

#include "ipc/ops.h"
#include "tools/iscsiutil/spec.h"

/* Whether RADIUS is to be asked after this: a server, or CHAP_BI without a secret of the target's.
 */
bool onboot_needs_iradd(enum ipc_op op, const json_t *args);
/* From now on `iscsi start` starts it; said where that is new. */
void onboot_iradd(const struct cmdline *line);

#endif
