/*
 * Daemons that are started with the initiator where what they do was configured.  The guide,
 * chapter 7, of iradd: it "is executed in the iSCSI Software Initiator startup script, once CHAP
 * has been requested through iscsiutil"; iisnsd is where an iSNS server is named.
 */
#ifndef ISCSIUTIL_ONBOOT_H
#define ISCSIUTIL_ONBOOT_H

#include <jansson.h>

#include "ipc/ops.h"
#include "tools/iscsiutil/spec.h"

#define ONBOOT_IRADD  0x1u
#define ONBOOT_IISNSD 0x2u

/*
 * Who is needed after this, a set.  iradd, where RADIUS is to be asked: a server, or CHAP_BI
 * without a secret of the target's.
 */
unsigned onboot_needs(enum ipc_op op, const json_t *args);
/* From now on `iscsi start` starts these; said where that is new. */
void onboot_mark(const struct cmdline *line, unsigned needed);

#endif
