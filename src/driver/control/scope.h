/*
 * Whom a setting is for: all targets, an operational target, one of its
 * addresses, or a discovery target address.  What the operations that
 * configure logins share.
 */
#ifndef CONTROL_SCOPE_H
#define CONTROL_SCOPE_H

#include "driver/control/control.h"

struct scope {
	struct registry_scope scope; /* points into the rest */
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	struct registry_address address;
};

/*
 * Arguments "target", "address", "port" and "tpgt".  It must be known: a
 * setting for something else would never count.  Without "tpgt" the address is
 * meant that is known with this port, if there is only one.  False: the call
 * was answered.  *ret must not move.
 */
bool scope_get(struct driver *d, struct ipc_call *call, struct scope *ret);
/* "global", "discovery", "target", "address" */
const char *scope_name(const struct scope *s);
/* Online sessions that the setting concerns, and that logged in before it. */
int scope_sessions(const struct driver *d, const struct scope *s);

#endif
