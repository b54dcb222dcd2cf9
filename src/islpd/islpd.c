/* islpd: discovers iSCSI targets by SLP for iscsi_driverd. */
#include <errno.h>
#include <stdio.h>

#include "ipc/helper_main.h"
#include "islpd/boot.h"
#include "islpd/discover.h"
#include "sys/instance.h"

#define WHY_BYTES 1024

static struct {
	struct boot boot;
	struct opt_list agents;
	bool no_multicast;
	long port; /* 0: not given */
} options;
static struct config config;

static bool
configure(const struct paths *paths)
{
	char why[WHY_BYTES];

	config_init(&config);
	if (config_read(&config, paths->islpd_conf, why, sizeof why) < 0) {
		fprintf(stderr, "islpd: %s\n", why);
		return false;
	}
	for (size_t i = 0; i < options.agents.n; i++) {
		if (config_add_agent(&config, options.agents.words[i], why, sizeof why) < 0) {
			fprintf(stderr, "islpd: --da: %s\n", why);
			return false;
		}
	}
	if (options.port != 0)
		config.port = (uint16_t)options.port;
	if (options.no_multicast)
		config.multicast = false;
	return true;
}

static bool
prepare(const struct paths *paths, int *ret_exit)
{
	if (options.boot.enable || options.boot.disable || options.boot.show) {
		*ret_exit = boot_act(&options.boot, paths);
		return false;
	}
	*ret_exit = OPT_EXIT_USAGE;
	return configure(paths);
}

static int
start(struct loop *loop, void **ret_state)
{
	struct discover *d = discover_new(loop, &config);

	if (d == NULL)
		return -ENOMEM;
	*ret_state = d;
	return 0;
}

static void
stop(void *state)
{
	discover_free(state);
}

int
main(int argc, char **argv)
{
	static const struct opt opts[] = {
		{ 'a', NULL, OPT_FLAG, &options.boot.enable, NULL,
		    "have it started on boot; does not start it now" },
		{ 'r', NULL, OPT_FLAG, &options.boot.disable, NULL, "have it not started on boot" },
		{ 'g', NULL, OPT_FLAG, &options.boot.show, NULL,
		    "tell whether it is started on boot: exit status 0, or 3" },
		{ 0, "da", OPT_LIST, &options.agents, "HOST[:PORT]",
		    "ask this agent, besides those found; repeatable" },
		{ 0, "no-multicast", OPT_FLAG, &options.no_multicast, NULL,
		    "ask the agents that are named only" },
		{ 0, "port", OPT_INT, &options.port, "PORT", "the port of SLP (default: 427)", 1,
		    UINT16_MAX },
	};
	static const struct helper_program program = {
		.name = "islpd",
		.summary = "discover iSCSI targets by SLP for the iSCSI driver",
		.opts = opts,
		.n_opts = sizeof opts / sizeof opts[0],
		.prepare = prepare,
		.start = start,
		.handle = discover_handle,
		.stop = stop,
	};

	return helper_main(&program, argc, argv);
}
