/* iisnsd: discovers iSCSI targets by iSNS for iscsi_driverd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "iisnsd/follow.h"
#include "iisnsd/iisnsdconf.h"
#include "ipc/codec.h"
#include "ipc/helper_boot.h"
#include "ipc/helper_main.h"
#include "sys/instance.h"

#define WHY_BYTES 1024
/* A name server that hangs costs a thread for about half a minute. */
#define THREADS_MAX 4
#define NOT_GIVEN   (-1)

static struct {
	struct helper_boot boot;
	long given[IISNSDCONF_IDS];
} options = { .given = { NOT_GIVEN, NOT_GIVEN, NOT_GIVEN } };
static struct iisnsdconf config;

struct state {
	struct server_cfg cfg;
	struct lookup_pool *names;
	struct follow *follow;
};

static bool
prepare(const struct paths *paths, int *ret_exit)
{
	char why[WHY_BYTES];

	if (helper_boot_is_asked(&options.boot)) {
		*ret_exit = helper_boot_act(&options.boot, paths, "iisnsd", paths->iisnsd_boot);
		return false;
	}
	*ret_exit = INSTANCE_EXIT_USAGE;
	iisnsdconf_init(&config);
	if (iisnsdconf_read(&config, paths->iisnsd_conf, why, sizeof why) < 0) {
		fprintf(stderr, "iisnsd: %s\n", why);
		return false;
	}
	for (int i = 0; i < IISNSDCONF_IDS; i++)
		if (options.given[i] != NOT_GIVEN)
			config.value[i] = options.given[i];
	return true;
}

static void
stop(void *state)
{
	struct state *s = state;

	follow_free(s->follow);
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
	s->names = lookup_pool_new(loop, &ops, THREADS_MAX, LIMIT_ISNS_SERVERS);
	s->cfg = (struct server_cfg){ .loop = loop,
		.names = s->names,
		.refresh_us = (uint64_t)config.value[IISNSDCONF_REFRESH] * 1000000,
		.limit_us = (uint64_t)config.value[IISNSDCONF_TIMEOUT] * 1000000,
		.scn_port = (uint16_t)config.value[IISNSDCONF_SCN_PORT] };
	s->follow = s->names != NULL ? follow_new(&s->cfg) : NULL;
	if (s->follow == NULL) {
		stop(s);
		return -ENOMEM;
	}
	*ret_state = s;
	return 0;
}

static void
handle(void *state, struct helper_call *call)
{
	follow_handle(((struct state *)state)->follow, call);
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
		{ 0, "refresh", OPT_INT, &options.given[IISNSDCONF_REFRESH], "SECONDS",
		    "ask again after so long without a notification (default: 600)", 5, 86400 },
		{ 0, "timeout", OPT_INT, &options.given[IISNSDCONF_TIMEOUT], "SECONDS",
		    "for a connection, and for an answer (default: 5)", 1, 60 },
		{ 0, "scn-port", OPT_INT, &options.given[IISNSDCONF_SCN_PORT], "PORT",
		    "take notifications at this TCP port (default: one that is free)", 0,
		    UINT16_MAX },
	};
	static const struct helper_program program = {
		.name = "iisnsd",
		.summary = "discover iSCSI targets by iSNS for the iSCSI driver",
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
