#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/iscsial/stop.h"
#include "driver/iscsial/usage.h"
#include "driver/process/clients.h"
#include "driver/process/driver.h"
#include "driver/process/unmount.h"
#include "export/holding.h"
#include "export/porter.h"
#include "export/ublkring.h"
#include "ipc/client.h"
#include "ipc/codec.h"
#include "registry/copy.h"
#include "sys/confine.h"
#include "sys/daemon.h"
#include "sys/fusermount.h"
#include "sys/instance.h"
#include "sys/log.h"
#include "sys/opt.h"
#include "sys/usedby.h"

#define PROGRAM         "iscsi_driverd"
#define WORKERS_DEFAULT 4
/* What a sleep costs, twice, on processors whose host has to be asked. */
#define SPIN_US     50
#define SPIN_MAX_US 1000
/* An orderly stop takes 20 seconds at most (iscsial/stop.c). */
#define STOP_PATIENCE_MS 30000
/* Others are killed first, but what a target may blow up is not out of reach. */
#define OOM_SCORE "-900"

struct options {
	const char *root, *export;
	bool foreground, stop, force, hand_over, status, unmount;
	long workers, spin, grace, limit;
	enum log_level level; /* NOT_GIVEN: the administrator's (iscsiutil -b), or the default */
};
#define NOT_GIVEN ((enum log_level)0xff)

struct process {
	struct driver driver;
	struct daemon daemon;
	struct loop_fd signals;
	int pid_fd;
};

/* ---- being good to the system and to ourselves ---- */

static void
write_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* Lowering it needs privileges; without them the kernel's choice stands. */
	if (write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0)
		log_debug("the kernel may choose this process when memory is short");
	close(fd);
}

/*
 * Only without a limit: with one, locking what comes later would make
 * allocations fail (EAGAIN for a thread's stack) that work without it.
 */
static void
lock_memory(void)
{
	struct rlimit all = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &all) != 0 ||
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		log_debug("memory is not locked: %s", strerror(errno));
}

/*
 * This process carries disks that the kernel may need to free memory.  Each of
 * these is refused in some place (containers, ordinary users) and none of the
 * refusals is an error.
 */
static void
prepare(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r); /* fewer sessions fit then */
	}
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0)
		log_debug("no PR_SET_IO_FLUSHER: %s", strerror(errno));
	lock_memory();
	write_oom_score();
}

/* What is left to root: the daemons' sockets.  Mounts and loop devices are the porter's. */
#define KEEP_CAPS  (1ull << CAP_CHOWN)
#define PLACES_MAX 16

/*
 * Where root's driver has anything to do.  /etc is read for accounts, which may be replaced while
 * it runs: a rule for a file alone would not hold for the next one of its name.
 */
static size_t
list_places(const struct paths *p, struct confine_place places[PLACES_MAX])
{
	const struct confine_place list[] = {
		{ p->run, CONFINE_WRITE },
		{ p->registry_dir, CONFINE_WRITE },
		{ p->log_dir, CONFINE_WRITE },
		{ p->dev, CONFINE_NAMES },
		{ p->initiatorname, CONFINE_READ },
		{ "/dev/null", CONFINE_WRITE },
		{ "/dev/urandom", CONFINE_READ },
		{ "/dev/random", CONFINE_READ },
		{ "/etc", CONFINE_READ },
		{ "/usr", CONFINE_READ },
		{ "/lib", CONFINE_READ },
		{ "/lib64", CONFINE_READ },
		{ "/proc", CONFINE_READ },
		{ "/sys/devices", CONFINE_READ },
		{ "/var/lib/sss", CONFINE_READ },
		{ "/run/systemd/userdb", CONFINE_READ },
	};

	static_assert(sizeof list / sizeof list[0] <= PLACES_MAX, "they fit");
	memcpy(places, list, sizeof list);
	return sizeof list / sizeof list[0];
}

/*
 * What targets send is taken apart here.  Root stays root, who owns what is below the root.
 * An ordinary user's disks are mounted by fusermount3, which is set-user-ID; a child that
 * was started before has it, so that here nothing can be gained, and nothing be written
 * but below the root.
 */
static int
confine(struct process *p)
{
	struct confine_place places[PLACES_MAX];
	const struct confine_cfg cfg = {
		.keep_caps = KEEP_CAPS,
		.write_below = geteuid() != 0 ? p->driver.paths.root : NULL,
		.places = places,
		.n_places = geteuid() == 0 ? list_places(&p->driver.paths, places) : 0,
	};
	char note[CONFINE_NOTE_BYTES];
	int err;

	if (cfg.n_places > 0 && !confine_has_places())
		log_debug("this kernel has no Landlock: root's files are in reach");
	err = confine_enter(confine_find(PROGRAM), &cfg, note);

	if (err < 0)
		daemon_failed(
		    &p->daemon, PROGRAM, "cannot give up what it does not need: %s", note);
	else if (note[0] != '\0')
		log_info("not everything could be given up: %s", note);
	return err;
}

/* What a driver before this one left.  False: it was said why that is not known. */
static bool
take_held(struct process *p)
{
	int err = holding_new(p->driver.paths.holder_sock, &p->driver.disks_cfg.holding);

	if (err < 0)
		daemon_failed(&p->daemon, PROGRAM,
		    "iscsi_holderd does not tell what it holds: %s. Next: iscsi_holderd --stop, "
		    "where "
		    "no disk is in use, and start both anew",
		    strerror(-err));
	return err == 0;
}

/* With what it inherits of prepare(), and as long as nothing is parsed.  False: it was said why
 * not. */
static bool
start_porter(struct process *p)
{
	char note[CONFINE_NOTE_BYTES];
	struct loopdev_kept kept;
	int err = 0;

	kept.names = holding_left(p->driver.disks_cfg.holding, &kept.n);
	if (geteuid() == 0)
		err = porter_start(p->driver.paths.disks, &kept, note, sizeof note);

	if (err < 0)
		daemon_failed(&p->daemon, PROGRAM,
		    "cannot start a process for mounts and block devices: %s", strerror(-err));
	else if (geteuid() == 0 && note[0] != '\0')
		log_info("not everything could be given up by the process for mounts: %s", note);
	return err == 0;
}

/* As long as it may make rings, and only where there is ublk: without one that exporter says so. */
static void
prepare_ublk(const struct options *o)
{
	int err = 0;

	if (geteuid() == 0 && access("/dev/ublk-control", F_OK) == 0)
		err = ublkring_prepare((unsigned)o->workers);
	if (err < 0)
		log_info("disks cannot be ublk devices: no io_uring: %s", strerror(-err));
}

/* ---- running ---- */

static void
log_in_use(void *user)
{
	struct process *p = user;
	struct hwpath top = hwpath_hba();
	json_t *list = usage_list(&p->driver, &top), *v;
	size_t i;

	json_array_foreach(list, i, v)
	    log_warn("stopped while disk %s is in use", json_string_value(v));
	json_decref(list);
	stop_begin(&p->driver);
}

/* SIGTERM always stops; what was in use is said. */
static void
on_signal(struct loop_fd *f, uint32_t events)
{
	struct process *p = LIST_ENTRY(f, struct process, signals);
	int sig;

	(void)events;
	while ((sig = daemon_signal_next(f->fd)) > 0)
		if (sig != SIGHUP && !p->driver.is_stopping)
			usage_collect(&p->driver, log_in_use, p);
}

/* How much of a sentence stands before its full stop. */
static int
stem(const char *sentence)
{
	size_t n = strlen(sentence);

	return (int)(n > 0 && sentence[n - 1] == '.' ? n - 1 : n);
}

static int
serve(struct process *p, const struct options *o)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	struct driver_cfg cfg = { .workers = (unsigned)o->workers,
		.spin_us = (unsigned)o->spin,
		.export = o->export,
		.is_level_given = o->level != NOT_GIVEN };
	struct fault why = { 0 };
	int err;

	p->signals.fd = daemon_signals(signals);
	p->signals.ready = on_signal;
	if (p->signals.fd < 0) {
		daemon_failed(
		    &p->daemon, PROGRAM, "cannot wait for signals: %s", strerror(-p->signals.fd));
		return INSTANCE_EXIT_FAILED;
	}
	prepare();
	if (!take_held(p) || !start_porter(p))
		return INSTANCE_EXIT_FAILED;
	prepare_ublk(o);
	if (confine(p) < 0)
		return INSTANCE_EXIT_FAILED;
	/* Before the first worker: none of them may ever wait for who reads the log. */
	err = log_start_thread();
	if (err < 0) {
		daemon_failed(
		    &p->daemon, PROGRAM, "cannot start a thread for the log: %s", strerror(-err));
		return INSTANCE_EXIT_FAILED;
	}
	if (!driver_init(&p->driver, &cfg, &why)) {
		daemon_failed(&p->daemon, PROGRAM, "%.*s. Next: %s", stem(why.message), why.message,
		    why.next);
		return INSTANCE_EXIT_FAILED;
	}
	err = confine_settle();
	if (err < 0)
		log_debug("owners and modes of files could be changed: %s", strerror(-err));
	err = loop_watch(p->driver.loop, &p->signals, EPOLLIN);
	if (err == 0) {
		log_note(PROGRAM " " OPENISW_VERSION " started, root %s", p->driver.paths.root);
		daemon_ready(&p->daemon);
		err = loop_run(p->driver.loop);
		loop_unwatch(p->driver.loop, &p->signals);
	}
	if (err != 0)
		log_err("cannot wait for events: %s", strerror(-err));
	/* The lock of the pid file is let go with the last thread, not before: there is one driver.
	 */
	if (p->driver.is_handing_over) {
		driver_hand_over(&p->driver);
		_exit(INSTANCE_EXIT_HANDED_OVER);
	}
	(void)daemon_notify("STOPPING=1"); /* nobody may be listening */
	driver_fini(&p->driver);
	log_note(PROGRAM " ends");
	return err == 0 ? INSTANCE_EXIT_OK : INSTANCE_EXIT_FAILED;
}

/* As long as nothing is parsed.  False: it was said why not. */
static bool
start_fusermount(struct process *p, const struct options *o)
{
	int err = 0;

	if (geteuid() != 0 && strcmp(o->export, "null") != 0)
		err = fusermount_start(p->driver.paths.disks);
	if (err < 0)
		daemon_failed(
		    &p->daemon, PROGRAM, "cannot start a process for mounts: %s", strerror(-err));
	/* The database's own temporary files, if it needs any: where its secrets may be. */
	if (setenv("SQLITE_TMPDIR", p->driver.paths.registry_dir, 1) < 0)
		log_debug("the registry's temporary files are the system's");
	return err == 0;
}

static int
run(struct process *p, const struct options *o)
{
	const char *pid_path = p->driver.paths.driver_pid;
	char why[BENEATH_WHY_BYTES];
	pid_t owner;
	int err = daemon_start(&p->daemon, o->foreground), ret;

	if (err < 0) {
		fprintf(stderr, PROGRAM ": cannot go to the background: %s\n", strerror(-err));
		return INSTANCE_EXIT_FAILED;
	}
	if (paths_mkdirs(&p->driver.paths, why) < 0) {
		daemon_failed(&p->daemon, PROGRAM, "%s", why);
		return INSTANCE_EXIT_FAILED;
	}
	p->pid_fd = daemon_pid_open(pid_path, &owner);
	if (p->pid_fd == -EEXIST)
		daemon_failed(&p->daemon, PROGRAM, "already running for the root %s (pid %d)",
		    p->driver.paths.root, (int)owner);
	else if (p->pid_fd < 0)
		daemon_failed(
		    &p->daemon, PROGRAM, "cannot write %s: %s", pid_path, strerror(-p->pid_fd));
	if (p->pid_fd < 0)
		return INSTANCE_EXIT_FAILED;
	ret = start_fusermount(p, o) ? serve(p, o) : INSTANCE_EXIT_FAILED;
	daemon_pid_close(pid_path, p->pid_fd);
	return ret;
}

/* ---- --stop ---- */

static void
print_in_use(const struct paths *paths, const struct ipc_error *e)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(e->extra, "in_use"), i, v)
	{
		char *by = usedby_text(paths, json_string_value(v));

		fprintf(stderr, PROGRAM ": in use: %s%s%s\n", json_string_value(v),
		    by != NULL && by[0] != '\0' ? ": " : "", by != NULL ? by : "");
		free(by);
	}
}

/* `args`: taken. */
static int
ask(const struct paths *paths, enum ipc_op op, json_t *args, const char *not_done)
{
	struct ipc_error e = { 0 };
	struct ipc_client *c;
	json_t *result = NULL;
	int ret = INSTANCE_EXIT_OK;

	if (ipc_connect(paths->dev_iscsi, &c, &e) == 0) {
		if (ipc_request(c, op, args, NULL, NULL, &result, &e) != 0)
			ret = e.code == IPC_ERR_BUSY     ? INSTANCE_EXIT_BUSY
			      : e.code == IPC_ERR_DENIED ? INSTANCE_EXIT_DENIED
							 : INSTANCE_EXIT_FAILED;
		json_decref(result);
		ipc_client_free(c);
	} else {
		json_decref(args);
		ret = INSTANCE_EXIT_FAILED;
	}
	if (ret != INSTANCE_EXIT_OK) {
		fprintf(stderr, PROGRAM ": %s: %.*s. Next: %.*s.\n", not_done, stem(e.message),
		    e.message, stem(e.next), e.next);
		print_in_use(paths, &e);
	}
	ipc_error_fini(&e);
	return ret;
}

/* Ask it to end, and wait until it has. */
static int
end(const struct paths *paths, const struct options *o)
{
	pid_t pid = daemon_pid_owner(paths->driver_pid);
	struct pollfd gone = { .fd = -1, .events = POLLIN };
	int ret = INSTANCE_EXIT_OK;

	if (pid > 0)
		gone.fd = pidfd_open(pid, 0);
	if (pid == 0 || (gone.fd < 0 && errno == ESRCH))
		return INSTANCE_EXIT_OK;
	if (pid < 0)
		return instance_status(PROGRAM, paths->driver_pid); /* which says why */
	if (gone.fd < 0) {
		fprintf(stderr, PROGRAM ": pid %d cannot be waited for: %s\n", (int)pid,
		    strerror(errno));
		return INSTANCE_EXIT_FAILED;
	}
	ret = o->hand_over ? ask(paths, IPC_OP_driver_hand_over, NULL, "not handed over")
			   : ask(paths, IPC_OP_driver_stop, json_pack("{s:b}", "force", o->force),
				 "not stopped");
	if (ret == INSTANCE_EXIT_OK && poll(&gone, 1, STOP_PATIENCE_MS) != 1) {
		fprintf(stderr, PROGRAM ": pid %d has not ended after %d seconds\n", (int)pid,
		    STOP_PATIENCE_MS / 1000);
		ret = INSTANCE_EXIT_FAILED;
	}
	close(gone.fd);
	return ret;
}

/* ---- options ---- */

static long
workers_default(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 1 ? 1 : cpus < WORKERS_DEFAULT ? cpus : WORKERS_DEFAULT;
}

/* With one processor whoever is waited for could not run. */
static long
spin_default(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) == 1 ? 0 : SPIN_US;
}

static struct options
options_default(void)
{
	return (struct options){ .level = NOT_GIVEN,
		.export = EXPORT_AUTO,
		.workers = workers_default(),
		.spin = spin_default(),
		.grace = UNMOUNT_GRACE_S,
		.limit = UNMOUNT_LIMIT_S };
}

static int
unmount(const struct paths *paths, const struct options *o)
{
	int ret = unmount_all(PROGRAM, paths, o->grace, o->limit);

	/* Whoever makes block devices of sockets is not ours to end: they may have mounts. */
	return clients_tell(PROGRAM, paths) && ret == INSTANCE_EXIT_OK ? INSTANCE_EXIT_BUSY : ret;
}

/* With its paths. */
static int
act(struct process *p, const struct options *o)
{
	if (o->status + o->stop + o->hand_over + o->unmount > 1) {
		fprintf(stderr, PROGRAM ": --status, --stop, --unmount and --hand-over exclude "
					"each other; see '" PROGRAM " --help'\n");
		return INSTANCE_EXIT_USAGE;
	}
	/* The guide, table C-1: "by default, messages [...] less than or equal to LVL_ERR". */
	log_init(PROGRAM, o->foreground ? LOG_TO_STDERR : LOG_TO_SYSLOG,
	    o->level != NOT_GIVEN ? o->level
	    : o->foreground       ? LOG_LVL_NOTE
				  : LOG_LVL_ERR);
	if (o->status)
		return instance_status(PROGRAM, p->driver.paths.driver_pid);
	if (o->stop || o->hand_over)
		return end(&p->driver.paths, o);
	if (o->unmount)
		return unmount(&p->driver.paths, o);
	return run(p, o);
}

int
main(int argc, char **argv)
{
	static struct process p = { .daemon.ready_fd = -1 };
	struct options o = options_default();
	const struct opt opts[] = {
		OPT_ROW_ROOT(o.root),
		{ 'f', "foreground", OPT_FLAG, &o.foreground, NULL,
		    "stay in the foreground and log there" },
		{ 'd', "debug", OPT_LEVEL, &o.level, "LEVEL",
		    "log messages up to this level, whatever iscsiutil -b said (default: err in "
		    "the system's log, note in the foreground)" },
		{ 0, "workers", OPT_INT, &o.workers, "N",
		    "threads that move data (default: one a processor, at most 4)", 1,
		    DRIVER_WORKERS_MAX },
		{ 0, "spin", OPT_INT, &o.spin, "MICROSECONDS",
		    "so long a thread waits awake for what came that fast before (default: 50, or "
		    "0 "
		    "with one processor)",
		    0, SPIN_MAX_US },
		{ 0, "export", OPT_STRING, &o.export, "KIND",
		    "how disks are shown where nothing is configured (iscsiutil -t Exporter): "
		    "fuse, ublk, nbd, auto "
		    "(default): fuse where that works, else ublk, else nbd; or null for tests" },
		{ 0, "status", OPT_FLAG, &o.status, NULL,
		    "tell whether it runs: exit status 0, or 3" },
		{ 0, "stop", OPT_FLAG, &o.stop, NULL,
		    "log out of everything and stop the one that runs; refused (8) while a disk is "
		    "in "
		    "use" },
		{ 0, "force", OPT_FLAG, &o.force, NULL,
		    "with --stop: also while a disk is in use" },
		{ 0, "hand-over", OPT_FLAG, &o.hand_over, NULL,
		    "end the one that runs, and leave its disks to the one that is started next; "
		    "refused (8) where that could not go on with them" },
		{ 0, "unmount", OPT_FLAG, &o.unmount, NULL,
		    "end who uses its disks and unmount what is on them, before it is stopped" },
		{ 0, "grace", OPT_INT, &o.grace, "SECONDS",
		    "with --unmount: so long users may end by themselves (0)", 0, 86400 },
		{ 0, "within", OPT_INT, &o.limit, "SECONDS",
		    "with --unmount: all of it takes no longer (300)", 1, 86400 },
	};
	const struct opt_program program = { .name = PROGRAM,
		.summary = "the iSCSI driver: sessions, disks and their control",
		.opts = opts,
		.n_opts = sizeof opts / sizeof opts[0] };
	int operand, ret;

	jsonmem_wipe();
	registry_wipe_memory();
	switch (opt_parse(&program, argc, argv, &operand)) {
	case OPT_DONE:
		return INSTANCE_EXIT_OK;
	case OPT_WRONG:
		return INSTANCE_EXIT_USAGE;
	case OPT_GO:
		break;
	}
	ret = paths_init(&p.driver.paths, o.root);
	if (ret < 0) {
		fprintf(stderr, PROGRAM ": the root cannot be used: %s\n", strerror(-ret));
		return INSTANCE_EXIT_FAILED;
	}
	ret = act(&p, &o);
	paths_fini(&p.driver.paths);
	return ret;
}
