#include "ini/redirect.h"

#include "base/cut.h"
#include "core/addr.h"

bool
redirect_follow(
    const char *text, unsigned *hops, struct portal_address *ret_to, struct fault *ret_fault)
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
	cut_copy(ret_to->host, sizeof ret_to->host, a.host);
	ret_to->port = a.has_port ? a.port : ADDR_PORT_DEFAULT;
	if (a.has_tpgt)
		ret_to->tpgt = a.tpgt;
	return true;
}
