/* iradd: asks RADIUS servers, for iscsi_driverd, whether a target is who it says. */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/helper_main.h"
#include "iradd/memory.h"
#include "iradd/raddconf.h"
#include "iradd/verify.h"
#include "sys/instance.h"
#include "sys/log.h"

/* Descriptors that are no questions: log, pid file, loop, link, what libraries hold. */
#define OTHER_DESCRIPTORS 64
/* A name server that hangs costs a thread for about half a minute; there are few RADIUS servers. */
#define THREADS_MAX 8

#define WHY_BYTES 1024
#define NOT_GIVEN (-1)

static struct {
	long retries, timeout_s, identifier;
	bool may_lack_mac, no_boot, show_boot;
} options = { NOT_GIVEN, NOT_GIVEN, NOT_GIVEN, false, false, false };
static struct raddconf config;

struct state {
	struct lookup_pool *names;
	struct verify *verify;
};

/* ---- the configuration ---- */

static bool
configure(const struct paths *paths)
{
	const long given[RADDCONF_IDS] = {
		[RADDCONF_RETRIES] = options.retries,
		[RADDCONF_TIMEOUT] = options.timeout_s,
		[RADDCONF_ID] = options.identifier,
		[RADDCONF_MAY_LACK_MAC] = options.may_lack_mac ? true : NOT_GIVEN,
	};
	bool is_given = false;
	char why[WHY_BYTES];

	raddconf_init(&config);
	if (raddconf_read(&config, paths->iradd_conf, why, sizeof why) < 0) {
		fprintf(stderr, "iradd: %s\n", why);
		return false;
	}
	for (int i = 0; i < RADDCONF_IDS; i++)
		if (given[i] != NOT_GIVEN) {
			config.value[i] = given[i];
			is_given = true;
		}
	if (is_given)
		fprintf(stderr,
		    "iradd: these options count until it ends; what counts at every "
		    "start stands in %s\n",
		    paths->iradd_conf);
	return true;
}

/* ---- start on boot ---- */

/*
 * The guide, chapter 4: "Once the iradd daemon has been started, the iradd
 * daemon will be restarted automatically each time the system reboots."
 */
static void
remember_to_boot(const struct paths *paths)
{
	int fd = open(paths->iradd_boot, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || close(fd) < 0)
		log_warn("cannot write %s: %s; iradd will not be started on boot",
		    paths->iradd_boot, strerror(errno));
}

static bool
prepare(const struct paths *paths, int *ret_exit)
{
	if (options.show_boot) {
		bool is_set = access(paths->iradd_boot, F_OK) == 0;

		printf("start on boot: %s\n", is_set ? "enabled" : "disabled");
		*ret_exit = is_set ? INSTANCE_EXIT_OK : INSTANCE_EXIT_NOT_RUNNING;
		return false;
	}
	if (!options.no_boot) {
		*ret_exit = INSTANCE_EXIT_USAGE;
		return configure(paths);
	}
	*ret_exit = INSTANCE_EXIT_OK;
	if (unlink(paths->iradd_boot) < 0 && errno != ENOENT) {
		fprintf(stderr,
		    "iradd: cannot remove %s: %s; the owner of the initiator's root can\n",
		    paths->iradd_boot, strerror(errno));
		*ret_exit = INSTANCE_EXIT_FAILED;
		return false;
	}
	puts("iradd will not be started on boot");
	return false;
}

/* ---- the daemon ---- */

/* A question costs a descriptor. */
static unsigned
open_max(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= LIMIT_VERIFIES + OTHER_DESCRIPTORS)
		return LIMIT_VERIFIES;
	return r.rlim_cur > OTHER_DESCRIPTORS ? (unsigned)r.rlim_cur - OTHER_DESCRIPTORS : 1;
}

static void
stop(void *state)
{
	struct state *s = state;

	verify_free(s->verify);
	lookup_pool_free(s->names);
	free(s);
}

static int
start(struct loop *loop, void **ret_state)
{
	static const struct lookup_ops ops = { getaddrinfo, freeaddrinfo };
	struct state *s = calloc(1, sizeof *s);
	struct exchange_cfg cfg = {
		.loop = loop,
		.retries = (unsigned)config.value[RADDCONF_RETRIES],
		.interval_us = (uint64_t)config.value[RADDCONF_TIMEOUT] * 1000000,
		.may_lack_mac = config.value[RADDCONF_MAY_LACK_MAC] != 0,
		.next_identifier =
		    (uint8_t)(config.value[RADDCONF_ID] >= 0 ? config.value[RADDCONF_ID]
							     : (long)getpid()),
	};

	if (s == NULL)
		return -ENOMEM;
	/* What a dump of our memory would show to others. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_note("its memory can be dumped: %s", strerror(errno));
	if (config.value[RADDCONF_MAY_LACK_MAC] != 0)
		log_warn(
		    "answers without Message-Authenticator are accepted: whoever is on the way to "
		    "the RADIUS server may forge them (CVE-2024-3596)");
	s->names = cfg.names = lookup_pool_new(loop, &ops, THREADS_MAX, LIMIT_VERIFIES);
	s->verify = s->names != NULL ? verify_new(&cfg, open_max()) : NULL;
	if (s->verify == NULL) {
		lookup_pool_free(s->names);
		free(s);
		return -ENOMEM;
	}
	*ret_state = s;
	return 0;
}

static void
handle(void *state, struct helper_call *call)
{
	verify_handle(((struct state *)state)->verify, call);
}

int
main(int argc, char **argv)
{
	static const struct opt opts[] = {
		{ 'r', "retries", OPT_INT, &options.retries, "N",
		    "packets to a silent server after the first (default: 10)", 0, 100 },
		{ 't', "timeout", OPT_INT, &options.timeout_s, "SECONDS",
		    "time between them (default: 3)", 1, 60 },
		{ 'i', "id", OPT_INT, &options.identifier, "N",
		    "identifier of the first packet (default: the process ID)", 0, INT32_MAX },
		{ 0, "allow-no-message-authenticator", OPT_FLAG, &options.may_lack_mac, NULL,
		    "dangerous: take answers that may be forged" },
		{ 'g', NULL, OPT_FLAG, &options.show_boot, NULL,
		    "tell whether it is started on boot: exit status 0, or 3" },
		{ 0, "no-boot", OPT_FLAG, &options.no_boot, NULL,
		    "have it not started on boot any more" },
	};
	static const struct helper_program program = {
		.name = "iradd",
		.summary = "ask RADIUS servers whether iSCSI targets are who they say",
		.opts = opts,
		.n_opts = sizeof opts / sizeof opts[0],
		.prepare = prepare,
		.before_confined = remember_to_boot,
		.start = start,
		.handle = handle,
		.stop = stop,
	};

	memory_wipe_json();
	return helper_main(&program, argc, argv);
}
