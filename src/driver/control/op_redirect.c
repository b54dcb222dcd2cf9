/* redirect.clear: where a permanent redirection sends logins is forgotten. */
#include <errno.h>

#include "driver/control/control.h"
#include "driver/control/ops.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"

void
op_redirect_clear(struct driver *d, struct ipc_call *call)
{
	const char *name = ipc_call_arg_string(call, "name", "");
	struct registry_address a, to;
	struct registry_scope scope = { REGISTRY_TARGET_ADDRESS, name, &a };
	char text[WANTED_ADDRESS_BYTES];
	struct fault f = { 0 };
	int err;

	if (!control_address(call, &a))
		return;
	err = registry_redirect_get(d->reg, name, &a, &to);
	if (err == 0)
		err = registry_redirect_remove(d->reg, name, &a);
	wanted_address_text(&a, text);
	if (err == -ENOENT)
		fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil -p -O",
		    "logins to %s at %s are not redirected for good", name, text);
	else if (err != 0)
		settings_fault(d->reg, &f);
	if (f.is_set) {
		control_fail(call, &f, NULL);
		return;
	}
	/* The session, if it is there, logs in at its own address the next time. */
	wanted_push(d, &scope, true);
	wanted_address_text(&to, text);
	ipc_call_reply(call, json_pack("{s:s, s:s, s:i, s:i, s:s}", "name", name, "address",
				 a.address, "port", a.port, "tpgt", a.tpgt, "was", text));
}
