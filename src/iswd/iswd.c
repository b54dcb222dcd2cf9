/* iswd: opens TCP connections for iscsi_driverd and hands the sockets over. */
#include <sys/resource.h>

#include <errno.h>
#include <linux/capability.h>

#include "base/limits.h"
#include "ipc/codec.h"
#include "ipc/helper_main.h"
#include "iswd/requests.h"

/* Descriptors that are no connections: log, pid file, loop, link, what libraries hold. */
#define OTHER_DESCRIPTORS 32

/* As many as the driver has sessions, if there are descriptors for so many. */
static unsigned
open_max(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= LIMIT_CONNECTS + OTHER_DESCRIPTORS)
		return LIMIT_CONNECTS;
	return r.rlim_cur > OTHER_DESCRIPTORS ? (unsigned)r.rlim_cur - OTHER_DESCRIPTORS : 1;
}

static int
start(struct loop *loop, void **ret_state)
{
	struct requests *r = requests_new(loop, open_max());

	if (r == NULL)
		return -ENOMEM;
	*ret_state = r;
	return 0;
}

static void
stop(void *state)
{
	requests_free(state);
}

int
main(int argc, char **argv)
{
	static const struct helper_program program = {
		.name = "iswd",
		.summary = "open TCP connections for the iSCSI driver",
		.keep_caps = 1u << CAP_NET_RAW, /* SO_BINDTODEVICE before Linux 5.7 */
		.start = start,
		.handle = requests_handle,
		.stop = stop,
	};

	jsonmem_wipe();
	return helper_main(&program, argc, argv);
}
