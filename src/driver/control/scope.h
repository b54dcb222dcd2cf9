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
 * Arguments "target", "address", "port" and "tpgt", or "unit", with or without address.  It must be
 * known: a setting for something else would never count.  Without "tpgt" the address is meant that
 * is known with this port, if there is only one.  False: the call was answered.  *ret must not
 * move.
 */
bool scope_get(struct driver *d, struct ipc_call *call, struct scope *ret);
/* NULL: not given, nothing changes; "": taken away. */
struct scope_change {
	enum registry_key key;
	const char *value;
};
/*
 * All n of them, or none and false: the registry says why (settings_fault()).  *ret_is_new: at
 * least one has another value than before.
 */
bool scope_store(struct driver *d, const struct registry_scope *scope, const struct scope_change *c,
    size_t n, bool *ret_is_new);
/* "global", "discovery", "target", "address", "unit", "path" (of a unit) */
const char *scope_name(const struct scope *s);
/* Online sessions that a setting concerns, and that logged in before it; none where it is no new
 * one. */
int scope_sessions(const struct driver *d, const struct scope *s, bool is_new);

#endif
