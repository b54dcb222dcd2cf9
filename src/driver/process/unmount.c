#include "driver/process/unmount.h"

#include <sys/pidfd.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/visible.h"
#include "driver/process/clients.h"
#include "driver/process/unmount_impl.h"
#include "sys/daemon.h"
#include "sys/instance.h"

/*
 * A mount is busy for as long as somebody uses it, and only the kernel knows for sure: so it is
 * tried, again after whatever may have changed that (a process that ended, a mount that went, a
 * little time: a file that is closed makes no event).  umount(2) writes out what is not written and
 * may take as long as a target takes; each is a process of its own, which is waited for beside the
 * others and left behind at the end of all patience.
 */
#define TICK_MS   500
#define HURRY_MS  2000
#define FLUSH_MS  5000
#define SAY_BYTES 1024

static uint64_t
now_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return UINT64_MAX; /* no patience without a clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
unmount_say(const struct unmounting *u, const char *fmt, ...)
{
	char raw[SAY_BYTES], text[SAY_BYTES * VISIBLE_GROWTH];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof raw, fmt, ap); /* what is too long is cut */
	va_end(ap);
	(void)visible_copy(raw, strlen(raw), text, sizeof text); /* the room is for this */
	fprintf(stderr, "%s: %s\n", u->program, text);
}

/* ---- users ---- */

static struct known *
known_user(struct unmounting *u, pid_t pid)
{
	struct pollfd p;

	for (size_t i = 0; i < u->n_known; i++) {
		p = (struct pollfd){ .fd = u->known[i].fd, .events = POLLIN };
		if (u->known[i].pid == pid && poll(&p, 1, 0) == 0)
			return &u->known[i];
	}
	return NULL;
}

static void
forget_dead(struct unmounting *u)
{
	for (size_t i = u->n_known; i-- > 0;) {
		struct pollfd p = { .fd = u->known[i].fd, .events = POLLIN };

		if (poll(&p, 1, 0) != 1)
			continue;
		close(u->known[i].fd);
		u->known[i] = u->known[--u->n_known];
	}
}

/* Wait for it, ask it, kill it: as late as it is. */
static void
end_user(struct unmounting *u, const struct diskuse_user *who)
{
	uint64_t now = now_ms();
	int signal = now >= u->kill_ms ? SIGKILL : now >= u->ask_ms ? SIGTERM : 0;
	struct known *k = known_user(u, who->pid);

	if (k == NULL) {
		int fd = u->n_known < KNOWN_MAX ? pidfd_open(who->pid, 0) : -1;

		/* The number may be another's by now; the descriptor's may not. */
		if (fd >= 0 && !diskuse_is_user(&u->use, who->pid)) {
			close(fd);
			return;
		}
		if (fd < 0)
			return; /* it ended, or it is one of very many: the next time */
		k = &u->known[u->n_known++];
		*k = (struct known){ .pid = who->pid, .fd = fd };
		if (signal == 0)
			unmount_say(u, "waiting for process %d (%s), which uses %s", (int)who->pid,
			    who->name, who->disk);
	}
	if (signal == 0 || k->signal == signal)
		return;
	k->signal = signal;
	if (pidfd_send_signal(k->fd, signal, NULL, 0) == 0)
		unmount_say(u, "process %d (%s), which uses %s, was %s", (int)who->pid, who->name,
		    who->disk, signal == SIGKILL ? "killed" : "asked to end");
	else if (errno != ESRCH)
		unmount_say(u, "process %d (%s), which uses %s, cannot be ended: %s", (int)who->pid,
		    who->name, who->disk, strerror(errno));
}

/* ---- until nothing is left ---- */

static bool
look(struct unmounting *u)
{
	diskuse_fini(&u->use);
	if (diskuse_find(&u->use, u->paths, daemon_pid_owner(u->paths->driver_pid)) == 0)
		return true;
	unmount_say(u, "who uses the disks cannot be found out: %s", strerror(ENOMEM));
	return false;
}

static bool
is_clear(const struct unmounting *u)
{
	if (u->use.n_mounts > 0 || u->use.n_users > 0 || u->n_jobs > 0)
		return false;
	/* Swap goes by itself when the system does; what was made of a disk does not, and nobody
	 * writes to it. */
	for (size_t i = 0; i < u->use.n_devices && now_ms() < u->ask_ms; i++)
		if (u->use.devices[i].is_swap)
			return false;
	return true;
}

/* Who is gone from the kernel's tables may have left something to write with the driver. */
static bool
is_free(const struct unmounting *u)
{
	return is_clear(u) && !clients_are_leaving(u->paths, &u->use);
}

static void
step(struct unmounting *u)
{
	bool is_here = false;

	for (size_t i = 0; i < u->use.n_users; i++)
		end_user(u, &u->use.users[i]);
	/*
	 * What is mounted in another mount stands behind it; and what is unmounted here may be gone
	 * in other namespaces by that.
	 */
	for (size_t i = 0; i < u->use.n_mounts; i++)
		is_here = is_here || u->use.mounts[i].via == 0;
	for (size_t i = u->use.n_mounts; i-- > 0;)
		if ((u->use.mounts[i].via == 0 || !is_here) &&
		    !unmount_job_is_under_way(u, u->use.mounts[i].id))
			unmount_job_start(u, &u->use.mounts[i], true);
}

static void
hurry(struct unmounting *u)
{
	while (daemon_signal_next(u->signals) > 0) {
		if (u->is_hurried)
			continue;
		u->is_hurried = true;
		u->ask_ms = u->kill_ms = now_ms();
		if (u->end_ms > u->kill_ms + HURRY_MS)
			u->end_ms = u->kill_ms + HURRY_MS;
		unmount_say(u,
		    "in a hurry: who uses a disk is killed, and what is not written within %d "
		    "seconds is lost",
		    (HURRY_MS + FLUSH_MS) / 1000);
	}
}

/* Until something may have changed. */
static void
wait_for_change(struct unmounting *u)
{
	struct pollfd p[2 + JOBS_MAX + KNOWN_MAX];
	size_t n = 2;

	p[0] = (struct pollfd){ .fd = u->signals, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = u->mounts, .events = POLLPRI };
	for (size_t i = 0; i < u->n_jobs; i++)
		p[n++] = (struct pollfd){ .fd = u->jobs[i].fd, .events = POLLIN };
	for (size_t i = 0; i < u->n_known; i++)
		p[n++] = (struct pollfd){ .fd = u->known[i].fd, .events = POLLIN };
	if (poll(p, n, TICK_MS) < 0 && errno != EINTR)
		unmount_say(u, "cannot wait: %s", strerror(errno));
	forget_dead(u);
	unmount_jobs_end(u);
	hurry(u);
}

/* ---- what is left ---- */

static void
tell_left(const struct unmounting *u)
{
	const struct diskuse *use = &u->use;

	for (size_t i = 0; i < use->n_devices; i++) {
		if (use->devices[i].what[0] != '\0')
			unmount_say(u, "%s is in use: %s stands on it", use->devices[i].disk,
			    use->devices[i].what);
		if (use->devices[i].is_swap)
			unmount_say(u, "%s is in use: /dev/%s is swap", use->devices[i].disk,
			    use->devices[i].name);
	}
	for (size_t i = 0; i < use->n_users; i++)
		unmount_say(u, "%s is in use: process %d (%s)", use->users[i].disk,
		    (int)use->users[i].pid, use->users[i].name);
	for (size_t i = 0; i < u->n_jobs; i++)
		unmount_say(u,
		    "%s is in use: it does not take what was written to %s, and that is lost",
		    u->jobs[i].disk, u->jobs[i].where == NULL ? "it" : u->jobs[i].where);
	for (size_t i = 0; i < use->n_mounts; i++)
		unmount_say(u,
		    "%s is in use: it is mounted at %s; what was not written yet, and whatever "
		    "is written there after this, is lost",
		    use->devices[use->mounts[i].device].disk, use->mounts[i].where);
}

static bool
is_left(const struct unmounting *u)
{
	const struct diskuse *use = &u->use;
	bool is = use->n_mounts > 0 || use->n_users > 0 || u->n_jobs > 0;

	for (size_t i = 0; i < use->n_devices; i++)
		is = is || use->devices[i].is_swap || use->devices[i].what[0] != '\0';
	return is;
}

/* Bounded, too: a disk that cannot be written to keeps nobody. */
static void
write_all_out(struct unmounting *u)
{
	uint64_t end = now_ms() + FLUSH_MS;
	size_t hanging = u->n_jobs;

	for (size_t i = 0; i < u->use.n_mounts; i++)
		if (!unmount_job_is_under_way(u, u->use.mounts[i].id))
			unmount_job_start(u, &u->use.mounts[i], false);
	unmount_job_start(u, NULL, false);
	while (u->n_jobs > hanging && now_ms() < end)
		wait_for_change(u);
	if (u->n_jobs > hanging)
		unmount_say(u, "the disks do not take what is still to be written: it is lost");
}

static int
begin(struct unmounting *u, long grace_s, long limit_s)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	uint64_t now = now_ms();

	u->ask_ms = now + (uint64_t)grace_s * 1000;
	u->kill_ms = u->ask_ms + UNMOUNT_ASK_S * 1000;
	u->end_ms = now + (uint64_t)limit_s * 1000;
	u->signals = daemon_signals(signals);
	u->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC); /* -1: the tick will do */
	if (u->signals >= 0 && chdir("/") == 0)
		return 0;
	unmount_say(u, "cannot begin: %s", strerror(u->signals < 0 ? -u->signals : errno));
	return -1;
}

int
unmount_all(const char *program, const struct paths *paths, long grace_s, long limit_s)
{
	pid_t driver = daemon_pid_owner(paths->driver_pid);
	struct unmounting *u;
	int ret = INSTANCE_EXIT_FAILED;

	/* Without it nothing can be written; another one may be about to take its disks over. */
	if (driver == 0)
		return INSTANCE_EXIT_OK;
	if (driver < 0) {
		fprintf(
		    stderr, "%s: cannot tell whether it runs: %s\n", program, strerror(-driver));
		return driver == -EACCES ? INSTANCE_EXIT_DENIED : ret;
	}
	u = calloc(1, sizeof *u);
	if (u == NULL)
		return ret;
	u->program = program;
	u->paths = paths;
	if (begin(u, grace_s, limit_s) == 0 && look(u)) {
		while (now_ms() < u->end_ms && !is_free(u)) {
			step(u);
			wait_for_change(u);
			if (!look(u))
				break;
		}
		ret = INSTANCE_EXIT_OK;
		if (is_left(u)) {
			tell_left(u);
			write_all_out(u);
			ret = INSTANCE_EXIT_BUSY;
		}
	}
	while (u->n_jobs > 0)
		unmount_job_drop(u, u->n_jobs - 1);
	for (size_t i = 0; i < u->n_known; i++)
		close(u->known[i].fd);
	diskuse_fini(&u->use);
	if (u->signals >= 0)
		close(u->signals);
	if (u->mounts >= 0)
		close(u->mounts);
	free(u);
	return ret;
}
