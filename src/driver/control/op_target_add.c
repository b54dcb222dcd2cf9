#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cut.h"
#include "core/iname.h"
#include "driver/control/control.h"
#include "driver/control/ops.h"
#include "driver/iscsi/settings.h"

static bool
take_name(struct ipc_call *call, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1])
{
	const char *text = ipc_call_arg_string(call, "name", "");
	enum iname_result r = iname_normalise(text, ret_name);
	struct fault f;

	/* A good name of at most its length in another spelling. */
	if (r == INAME_OK && ipc_call_arg_bool(call, "as_is", false) &&
	    iname_check(text, strlen(text)) == INAME_UPPER_CASE)
		cut_copy(ret_name, LIMIT_ISCSI_NAME_BYTES + 1, text);
	if (r == INAME_OK)
		return true;
	fault_set(&f, FAULT_INVALID, "give the target's name: iqn., eui. or naa.",
	    "\"%s\" is not an iSCSI name: %s", text, iname_text(r));
	control_fail(call, &f, NULL);
	return false;
}

void
op_target_add(struct driver *d, struct ipc_call *call)
{
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	struct registry_address a;
	bool is_new = false, is_found = ipc_call_arg_bool(call, "found", false);
	struct fault f;
	int err;

	if (!take_name(call, name) || !control_address(call, &a))
		return;
	err = registry_target_seen(d->reg, name, NULL,
	    is_found ? REGISTRY_SENDTARGETS : REGISTRY_STATIC, &a, (int64_t)time(NULL), &is_new);
	if (err == 0 && (is_new || ipc_call_arg_bool(call, "if_absent", false))) {
		ipc_call_reply(call, json_pack("{s:s, s:s, s:i, s:i}", "name", name, "address",
					 a.address, "port", a.port, "tpgt", a.tpgt));
		return;
	}
	if (err == 0)
		fault_set(&f, FAULT_EXISTS, "nothing needs to be done",
		    "%s is an address of %s already", a.address, name);
	else if (err == -EDQUOT)
		fault_set(&f, FAULT_INVALID, "delete one that is not needed: iscsiutil -d -T -I",
		    "%s has as many addresses as are possible (%d)", name,
		    LIMIT_SENDTARGETS_ADDRESSES);
	else
		settings_fault(d->reg, &f);
	control_fail(call, &f, NULL);
}
