/*
 * The holder: it keeps what must not end with the driver, the connections of the
 * disks' mounts to the kernel, and hands them to the next driver.  It does nothing
 * else, so that there is nothing it could end of: it parses nothing, knows no
 * network, no configuration and no file but its socket.
 */
#include <sys/resource.h>
#include <sys/time.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "iscsi_holderd/store.h"
#include "sys/confine.h"
#include "sys/daemon.h"
#include "sys/instance.h"
#include "sys/log.h"
#include "sys/opt.h"
#include "sys/paths.h"
#include "sys/sock.h"

#define PROGRAM          "iscsi_holderd"
#define STOP_PATIENCE_MS 5000
/* A driver that does not read what it asked for is let go. */
#define SEND_PATIENCE_S 5

struct options {
	const char *root;
	bool foreground, stop, status, strict;
	enum log_level level;
};

struct holder {
	struct paths paths;
	struct daemon daemon;
	struct store store;
	int signals, listener, pid_fd;
	int driver; /* -1: none is connected */
};

/* ---- the driver ---- */

static void
let_go(struct holder *h)
{
	close(h->driver);
	h->driver = -1;
	log_info("iscsi_driverd is gone; %zu connections are kept", h->store.n);
}

/* The newest one is the driver: there is one a root, and whoever was before is dead. */
static void
take_driver(struct holder *h)
{
	const struct timeval patience = { .tv_sec = SEND_PATIENCE_S };
	struct sock_peer peer;
	int fd = sock_accept(h->listener);

	if (fd < 0)
		return;
	if (sock_peer(fd, &peer) < 0 || (peer.uid != geteuid() && peer.uid != 0)) {
		log_warn("somebody else's process asked for what is kept, and was refused");
		close(fd);
		return;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
		log_debug("no time limit for sending: %s", strerror(errno));
	if (h->driver >= 0)
		close(h->driver);
	h->driver = fd;
	log_info("iscsi_driverd (pid %d) is connected", (int)peer.pid);
}

/* False: it does not take them. */
static bool
tell_all(struct holder *h)
{
	struct held_msg end = { .op = HELD_END, .key = (uint32_t)h->store.n };

	for (size_t i = 0; i < h->store.n; i++) {
		const struct store_item *it = &h->store.items[i];
		struct held_msg m = { .op = HELD_ITEM, .key = it->key, .life = it->life };

		if (sock_send_fds(h->driver, &m, sizeof m, it->fds, HELD_FDS) < 0)
			return false;
	}
	return sock_send(h->driver, &end, sizeof end, -1) > 0;
}

/* False: the connection is of no use any more. */
static bool
obey(struct holder *h, const struct held_msg *m, int fds[HELD_FDS])
{
	switch (m->op) {
	case HELD_PUT:
		if (fds[0] < 0 || fds[1] < 0 || !store_put(&h->store, m->key, m->life, fds))
			return false; /* the driver notices, and tries again */
		fds[0] = fds[1] = -1;
		return true;
	case HELD_DROP:
		store_drop(&h->store, m->key);
		return true;
	case HELD_FORGET:
		store_forget(&h->store, m->life);
		return true;
	case HELD_LIST:
		return tell_all(h);
	default:
		return true; /* a newer driver's */
	}
}

static void
take_message(struct holder *h)
{
	struct held_msg m;
	int fds[HELD_FDS];
	ssize_t n = sock_recv_fds(h->driver, &m, sizeof m, fds, HELD_FDS);
	bool is_fine = n != 0 && (n > 0 || n == -EAGAIN || n == -EMSGSIZE);

	if (n == (ssize_t)sizeof m)
		is_fine = obey(h, &m, fds);
	for (int i = 0; i < HELD_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (!is_fine)
		let_go(h);
}

/* ---- the process ---- */

static void
serve(struct holder *h)
{
	for (;;) {
		struct pollfd p[] = { { .fd = h->signals, .events = POLLIN },
			{ .fd = h->listener, .events = POLLIN },
			{ .fd = h->driver, .events = POLLIN } };

		if (poll(p, 3, -1) < 0)
			continue; /* EINTR */
		if (p[0].revents != 0)
			return;
		/* What a driver has sent before it ended comes before its successor. */
		if (p[2].revents != 0)
			take_message(h);
		else if (p[1].revents != 0)
			take_driver(h);
	}
}

static bool
confine(struct holder *h, const struct options *o)
{
	const struct confine_cfg cfg = { .strict = o->strict };
	char note[CONFINE_NOTE_BYTES];
	int err = confine_enter(CONFINE_HOLDER, &cfg, note);

	if (err < 0)
		daemon_failed(&h->daemon, PROGRAM, "cannot give up privileges: %s", note);
	else if (note[0] != '\0')
		log_note("not everything could be given up: %s", note);
	return err == 0;
}

/* Two descriptors a session. */
static void
raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r); /* fewer can be kept then */
	}
}

static int
with_socket(struct holder *h, const struct options *o)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };

	raise_descriptors();
	h->signals = daemon_signals(signals);
	h->listener = sock_listen(h->paths.holder_sock, SOCK_SEQPACKET | SOCK_NONBLOCK, 0600);
	if (h->signals < 0 || h->listener < 0) {
		daemon_failed(&h->daemon, PROGRAM, "cannot listen at %s: %s", h->paths.holder_sock,
		    strerror(h->signals < 0 ? -h->signals : -h->listener));
		return INSTANCE_EXIT_FAILED;
	}
	if (!confine(h, o))
		return INSTANCE_EXIT_FAILED;
	log_note(PROGRAM " " OPENISW_VERSION " started, root %s", h->paths.root);
	daemon_ready(&h->daemon);
	serve(h);
	if (h->store.n > 0)
		log_warn("ends, and keeps %zu connections no more: should iscsi_driverd be killed "
			 "now, its disks are lost",
		    h->store.n);
	(void)daemon_notify("STOPPING=1"); /* nobody may be listening */
	store_fini(&h->store);
	daemon_pid_close(h->paths.holder_pid, h->pid_fd);
	/* What is done at the end of a program else (sanitizers', too) it is not allowed to do. */
	_exit(INSTANCE_EXIT_OK);
}

static int
run(struct holder *h, const struct options *o)
{
	int err = daemon_start(&h->daemon, o->foreground), ret;
	char why[BENEATH_WHY_BYTES];
	pid_t owner;

	if (err < 0) {
		fprintf(stderr, PROGRAM ": cannot go to the background: %s\n", strerror(-err));
		return INSTANCE_EXIT_FAILED;
	}
	if (paths_mkdirs(&h->paths, why) < 0) {
		daemon_failed(&h->daemon, PROGRAM, "%s", why);
		return INSTANCE_EXIT_FAILED;
	}
	h->pid_fd = daemon_pid_open(h->paths.holder_pid, &owner);
	if (h->pid_fd == -EEXIST)
		daemon_failed(&h->daemon, PROGRAM, "already running for the root %s (pid %d)",
		    h->paths.root, (int)owner);
	else if (h->pid_fd < 0)
		daemon_failed(&h->daemon, PROGRAM, "cannot write %s: %s", h->paths.holder_pid,
		    strerror(-h->pid_fd));
	if (h->pid_fd < 0)
		return INSTANCE_EXIT_FAILED;
	ret = with_socket(h, o);
	daemon_pid_close(h->paths.holder_pid, h->pid_fd);
	return ret;
}

int
main(int argc, char **argv)
{
	static struct holder h = { .daemon.ready_fd = -1, .driver = -1 };
	struct options o = { .level = LOG_LVL_NOTE };
	const struct opt opts[] = {
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
	const struct opt_program program = { .name = PROGRAM,
		.summary = "keeps disks while the iSCSI driver is replaced",
		.opts = opts,
		.n_opts = sizeof opts / sizeof opts[0] };
	int operand, ret;

	switch (opt_parse(&program, argc, argv, &operand)) {
	case OPT_DONE:
		return INSTANCE_EXIT_OK;
	case OPT_WRONG:
		return INSTANCE_EXIT_USAGE;
	case OPT_GO:
		break;
	}
	ret = paths_init(&h.paths, o.root);
	if (ret < 0) {
		fprintf(stderr, PROGRAM ": the root cannot be used: %s\n", strerror(-ret));
		return INSTANCE_EXIT_FAILED;
	}
	log_init(PROGRAM, o.foreground ? LOG_TO_STDERR : LOG_TO_SYSLOG, o.level);
	if (o.status)
		ret = instance_status(PROGRAM, h.paths.holder_pid);
	else if (o.stop)
		ret = instance_stop(PROGRAM, h.paths.holder_pid, STOP_PATIENCE_MS);
	else
		ret = run(&h, &o);
	paths_fini(&h.paths);
	return ret;
}
