#include "driver/iscsi/redirect.h"

#include "core/addr.h"
#include "driver/cut.h"

bool
redirect_follow(
    const char *text, unsigned *hops, struct registry_address *ret_to, struct fault *ret_fault)
{
	struct addr a;
	enum addr_result r = addr_parse(text, &a);

	if (r != ADDR_OK) {
		fault_set(ret_fault, FAULT_OFFLINE, "look at the target's configuration",
		    "the target has moved to \"%s\", but %s", text, addr_text(r));
		return false;
	}
	if (++*hops > REDIRECT_HOPS_MAX) {
		fault_set(ret_fault, FAULT_OFFLINE, "look at the target's configuration",
		    "the target sent us on %d times in a row, last to %s", REDIRECT_HOPS_MAX, text);
		return false;
	}
	cut_copy(ret_to->address, sizeof ret_to->address, a.host);
	ret_to->port = a.has_port ? a.port : ADDR_PORT_DEFAULT;
	if (a.has_tpgt)
		ret_to->tpgt = a.tpgt;
	return true;
}
