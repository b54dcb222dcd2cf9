/* islpd: discovers iSCSI targets by SLP for iscsi_driverd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/codec.h"
#include "ipc/helper_boot.h"
#include "ipc/helper_main.h"
#include "islpd/discover.h"
#include "sys/instance.h"

#define WHY_BYTES 1024
/* A name server that hangs costs a thread for about half a minute. */
#define THREADS_MAX 8
#define NAMES_MAX   CONFIG_AGENTS_MAX

static struct {
	struct helper_boot boot;
	struct opt_list agents;
	bool no_multicast;
	long port; /* 0: not given */
} options;
static struct config config;

struct state {
	struct lookup_pool *names;
	struct discover *discover;
};

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
	if (helper_boot_is_asked(&options.boot)) {
		*ret_exit = helper_boot_act(&options.boot, paths, "islpd", paths->islpd_boot);
		return false;
	}
	*ret_exit = INSTANCE_EXIT_USAGE;
	return configure(paths);
}

static void
stop(void *state)
{
	struct state *s = state;

	discover_free(s->discover);
	lookup_pool_free(s->names);
	free(s);
}

static int
start(struct loop *loop, void **ret_state)
{
	static const struct lookup_ops ops = { getaddrinfo, freeaddrinfo };
	struct state *s = calloc(1, sizeof *s);

	if (s == NULL)
		return -ENOMEM;
	s->names = lookup_pool_new(loop, &ops, THREADS_MAX, NAMES_MAX);
	s->discover = s->names != NULL ? discover_new(loop, &config, s->names) : NULL;
	if (s->discover == NULL) {
		stop(s);
		return -ENOMEM;
	}
	*ret_state = s;
	return 0;
}

static void
handle(void *state, struct helper_call *call)
{
	discover_handle(((struct state *)state)->discover, call);
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
		.handle = handle,
		.stop = stop,
	};

	jsonmem_wipe();
	return helper_main(&program, argc, argv);
}
