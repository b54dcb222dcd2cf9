/* iscsi_resolvd: looks host names up for iscsi_driverd. */
#include <errno.h>

#include "ipc/codec.h"
#include "ipc/helper_main.h"
#include "iscsi_resolvd/resolve.h"

static int
start(struct loop *loop, void **ret_state)
{
	static const struct lookup_ops ops = { getaddrinfo, freeaddrinfo };
	struct resolve *r = resolve_new(loop, &ops);

	if (r == NULL)
		return -ENOMEM;
	*ret_state = r;
	return 0;
}

static void
stop(void *state)
{
	resolve_free(state);
}

int
main(int argc, char **argv)
{
	static const struct helper_program program = {
		.name = "iscsi_resolvd",
		.summary = "look up host names for the iSCSI driver",
		.start = start,
		.handle = resolve_handle,
		.stop = stop,
	};

	jsonmem_wipe();
	return helper_main(&program, argc, argv);
}
