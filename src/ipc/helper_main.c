#include "ipc/helper_main.h"

#include <sys/epoll.h>
#include <sys/resource.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/confine.h"
#include "sys/daemon.h"
#include "sys/identity.h"
#include "sys/instance.h"
#include "sys/log.h"

/* These daemons have nothing to finish: one that takes longer to end hangs. */
#define STOP_PATIENCE_MS 5000
#define OPTIONS_MAX      24

struct options {
	const char *root;
	bool foreground, stop, status, strict;
	enum log_level level;
};

struct instance {
	const struct helper_program *program;
	const struct options *options;
	struct paths paths;
	struct daemon daemon;
	int pid_fd;
	bool is_root;               /* and is to become `who` */
	struct daemon_identity who; /* where is_root */
	struct loop *loop;
	struct loop_fd signals;
	void *state; /* the program's */
	bool was_connected;
};

static void
on_signal(struct loop_fd *f, uint32_t events)
{
	struct instance *in = LIST_ENTRY(f, struct instance, signals);

	(void)events;
	while (daemon_signal_next(f->fd) > 0)
		loop_stop(in->loop);
}

static void
on_request(void *user, struct helper_call *call)
{
	struct instance *in = user;

	in->program->handle(in->state, call);
}

static void
on_link(void *user, bool connected)
{
	struct instance *in = user;

	if (connected)
		log_info("connected to iscsi_driverd");
	else if (in->was_connected)
		log_note("iscsi_driverd is gone; waiting for it to come back");
	in->was_connected = connected;
}

/*
 * Which user to become.  An installation has an account for each daemon; what is
 * only built and tried does without.  False: it is said what is missing.
 */
static bool
identify(struct instance *in)
{
	const char *name = in->program->name;
	int err;

	in->is_root = geteuid() == 0 && !identity_is_alone();
	if (!in->is_root)
		return true;
	err = identity_of(name, &in->who);
	if (err < 0) {
		daemon_failed(&in->daemon, name, "cannot find the user it is to become: %s",
		    err == -EEXIST ? "its number is another user's" : strerror(-err));
	} else if (!in->who.is_account && strcmp(in->paths.root, "/") == 0) {
		daemon_failed(&in->daemon, name,
		    "there is no user %s for it; make it: systemd-sysusers, or useradd --system "
		    "--user-group --no-create-home --shell /usr/sbin/nologin %s",
		    in->who.name, in->who.name);
		err = -ENOENT;
	} else if (!in->who.is_account) {
		log_note(
		    "there is no user %s; the user is number %ld", in->who.name, (long)in->who.uid);
	}
	return err == 0;
}

/*
 * What the daemon does needs next to nothing; it must only reach the driver, now
 * and when that was restarted.
 */
static int
confine(struct instance *in)
{
	const struct helper_program *p = in->program;
	const struct confine_cfg cfg = {
		.user = in->is_root ? &in->who : NULL,
		.keep_caps = p->keep_caps,
		.strict = in->options->strict,
	};
	char note[CONFINE_NOTE_BYTES];
	int err;

	if (p->before_confined != NULL)
		p->before_confined(&in->paths);
	err = confine_enter(confine_find(p->name), &cfg, note);
	if (err < 0)
		daemon_failed(&in->daemon, p->name, "cannot give up privileges: %s", note);
	else if (note[0] != '\0')
		log_note("not everything could be given up: %s", note);
	return err;
}

static int
serve(struct instance *in)
{
	const struct helper_program *p = in->program;
	struct helper_client *client;
	int err;

	/* What leads there may be closed to the user it becomes; what is here is not. */
	if (chdir(paths_daemon_dir(&in->paths, p->name)) < 0) {
		err = -errno;
		daemon_failed(&in->daemon, p->name, "cannot enter %s: %s",
		    paths_daemon_dir(&in->paths, p->name), strerror(-err));
		return err;
	}
	err = confine(in);
	if (err < 0)
		return err;
	err =
	    helper_client_new(in->loop, PATHS_SOCK_NAME, p->name, on_request, on_link, in, &client);
	if (err < 0) {
		daemon_failed(&in->daemon, p->name, "cannot set up the link to iscsi_driverd: %s",
		    strerror(-err));
		return err;
	}
	log_note("%s %s started, root %s", p->name, OPENISW_VERSION, in->paths.root);
	daemon_ready(&in->daemon);
	err = loop_run(in->loop);
	if (err < 0)
		log_err("cannot wait for events: %s", strerror(-err));
	daemon_notify("STOPPING=1");
	helper_client_free(client);
	log_note("%s ends", p->name);
	return err;
}

/* With a loop and its signals. */
static int
with_loop(struct instance *in)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	const struct helper_program *p = in->program;
	int err;

	in->loop = loop_new();
	in->signals.fd = daemon_signals(signals);
	in->signals.ready = on_signal;
	err = in->loop == NULL ? -errno : in->signals.fd;
	if (err >= 0)
		err = loop_watch(in->loop, &in->signals, EPOLLIN);
	if (err >= 0)
		err = p->start(in->loop, &in->state);
	if (err < 0) {
		daemon_failed(&in->daemon, p->name, "cannot start: %s", strerror(-err));
	} else {
		err = serve(in);
		p->stop(in->state);
	}
	if (in->loop != NULL)
		loop_unwatch(in->loop, &in->signals);
	if (in->signals.fd >= 0)
		close(in->signals.fd);
	loop_free(in->loop);
	return err;
}

/* One descriptor a request: as many as we may have. */
static void
raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r); /* with fewer it works as well */
	}
}

static int
run(struct instance *in)
{
	const char *name = in->program->name, *pid_path = paths_daemon_pid(&in->paths, name);
	char why[BENEATH_WHY_BYTES];
	pid_t owner;
	int err = daemon_start(&in->daemon, in->options->foreground);

	if (err < 0) {
		fprintf(stderr, "%s: cannot go to the background: %s\n", name, strerror(-err));
		return INSTANCE_EXIT_FAILED;
	}
	if (!identify(in))
		return INSTANCE_EXIT_FAILED;
	raise_descriptors();
	if (paths_mkdirs(&in->paths, why) < 0) {
		daemon_failed(&in->daemon, name, "%s", why);
		return INSTANCE_EXIT_FAILED;
	}
	in->pid_fd = daemon_pid_open(pid_path, &owner);
	if (in->pid_fd < 0) {
		if (in->pid_fd == -EEXIST)
			daemon_failed(&in->daemon, name, "already running for the root %s (pid %d)",
			    in->paths.root, (int)owner);
		else
			daemon_failed(&in->daemon, name, "cannot write %s: %s", pid_path,
			    strerror(-in->pid_fd));
		return INSTANCE_EXIT_FAILED;
	}
	err = with_loop(in);
	daemon_pid_close(pid_path, in->pid_fd);
	return err < 0 ? INSTANCE_EXIT_FAILED : INSTANCE_EXIT_OK;
}

/* The program's own options stand first in its usage. */
static enum opt_result
parse(const struct helper_program *p, const struct opt *common, size_t n_common, int argc,
    char **argv)
{
	struct opt opts[OPTIONS_MAX];
	const struct opt_program program = {
		.name = p->name, .summary = p->summary, .opts = opts, .n_opts = p->n_opts + n_common
	};
	int operand;

	assert(program.n_opts <= OPTIONS_MAX);
	for (size_t i = 0; i < program.n_opts; i++)
		opts[i] = i < p->n_opts ? p->opts[i] : common[i - p->n_opts];
	return opt_parse(&program, argc, argv, &operand);
}

int
helper_main(const struct helper_program *p, int argc, char **argv)
{
	struct options o = { .level = LOG_LVL_NOTE };
	struct instance in = { .program = p, .options = &o, .daemon.ready_fd = -1 };
	const struct opt common[] = {
		OPT_ROW_ROOT(o.root),
		{ 'f', "foreground", OPT_FLAG, &o.foreground, NULL,
		    "stay in the foreground and log there" },
		{ 'd', "debug", OPT_LEVEL, &o.level, "LEVEL",
		    "log messages up to this level (default: note)" },
		{ 0, "status", OPT_FLAG, &o.status, NULL,
		    "tell whether it runs: exit status 0, or 3" },
		{ 0, "stop", OPT_FLAG, &o.stop, NULL, "stop the one that runs" },
		{ 0, "strict", OPT_FLAG, &o.strict, NULL,
		    "do not run where system calls cannot be filtered" },
	};
	int ret;

	switch (parse(p, common, sizeof common / sizeof common[0], argc, argv)) {
	case OPT_DONE:
		return INSTANCE_EXIT_OK;
	case OPT_WRONG:
		return INSTANCE_EXIT_USAGE;
	case OPT_GO:
		break;
	}
	if (o.status && o.stop) {
		fprintf(stderr, "%s: --status and --stop exclude each other; see '%s --help'\n",
		    p->name, p->name);
		return INSTANCE_EXIT_USAGE;
	}
	ret = paths_init(&in.paths, o.root);
	if (ret < 0) {
		fprintf(stderr, "%s: the root cannot be used: %s\n", p->name, strerror(-ret));
		return INSTANCE_EXIT_FAILED;
	}
	log_init(p->name, o.foreground ? LOG_TO_STDERR : LOG_TO_SYSLOG, o.level);
	if (o.status)
		ret = instance_status(p->name, paths_daemon_pid(&in.paths, p->name));
	else if (o.stop)
		ret =
		    instance_stop(p->name, paths_daemon_pid(&in.paths, p->name), STOP_PATIENCE_MS);
	else if (p->prepare == NULL || p->prepare(&in.paths, &ret))
		ret = run(&in);
	paths_fini(&in.paths);
	return ret;
}
