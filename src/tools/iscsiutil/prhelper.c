/*
 * iscsiutil --pr-helper: persistent reservations for guests on our disks, by the protocol of
 * qemu's helper.  This process listens and counts; each client has a process of his own
 * (prserve.c).
 */
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "sys/log.h"
#include "sys/sock.h"
#include "tools/common/call.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/prserve.h"
#include "tools/iscsiutil/run.h"

/* Whoever may open a disk may ask; what he may do with it its descriptor says. */
#define SOCKET_MODE 0666

struct client {
	pid_t pid; /* 0: the place is free */
	uid_t uid;
};

struct prhelper {
	struct call call;
	int fd, signals;
	struct client clients[LIMIT_PR_CLIENTS];
	bool is_over;
};

static struct client *
place_for(struct prhelper *h, uid_t uid)
{
	struct client *place = NULL;
	unsigned n = 0, strangers = 0;

	for (size_t i = 0; i < LIMIT_PR_CLIENTS; i++) {
		struct client *c = &h->clients[i];

		if (c->pid == 0 && place == NULL)
			place = c;
		n += c->pid != 0 && c->uid == uid;
		strangers += c->pid != 0 && c->uid != geteuid();
	}
	if (uid != geteuid() && (n >= LIMIT_PR_USER_CLIENTS || strangers >= LIMIT_PR_STRANGERS))
		return NULL;
	return place;
}

static void
serve(struct prhelper *h, int fd)
{
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it cannot fail with a signal that there is */
	(void)sigemptyset(&none);               /* nor these */
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)close(h->fd); /* the listener's */
	(void)close(h->signals);
	prserve(&h->call.paths, fd);
	_exit(0);
}

static void
admit(struct prhelper *h)
{
	int fd = sock_accept(h->fd);
	struct sock_peer peer;
	struct client *c;
	pid_t pid;

	if (fd < 0)
		return; /* he has gone, or there is no descriptor: he tries again */
	c = sock_peer(fd, &peer) == 0 ? place_for(h, peer.uid) : NULL;
	if (c == NULL) {
		log_warn("a client is turned away: user %ld, or all users, have as many as may be",
		    (long)peer.uid);
	} else if ((pid = fork()) == 0) {
		serve(h, fd);
	} else if (pid > 0) {
		*c = (struct client){ pid, peer.uid };
	} else {
		log_warn("no process for a client: %s", strerror(errno));
	}
	(void)close(fd); /* the client's process has it */
}

static void
signalled(struct prhelper *h)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	if (read(h->signals, &info, sizeof info) != sizeof info)
		return;
	h->is_over = info.ssi_signo != SIGCHLD;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			log_err(
			    "the process of a client was killed by signal %d", WTERMSIG(status));
		for (size_t i = 0; i < LIMIT_PR_CLIENTS; i++)
			if (h->clients[i].pid == pid)
				h->clients[i].pid = 0;
	}
}

static void
run(struct prhelper *h)
{
	while (!h->is_over) {
		struct pollfd p[2] = { { h->fd, POLLIN, 0 }, { h->signals, POLLIN, 0 } };

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if ((p[1].revents & POLLIN) != 0)
			signalled(h);
		if (!h->is_over && (p[0].revents & POLLIN) != 0)
			admit(h);
	}
	for (size_t i = 0; i < LIMIT_PR_CLIENTS; i++)
		if (h->clients[i].pid > 0)
			(void)kill(h->clients[i].pid, SIGKILL); /* it may have ended just now */
}

static int
catch_signals(void)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN); /* it cannot fail, nor can these */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

enum status
run_pr_helper(const struct cmdline *line)
{
	struct prhelper *h = say_need(calloc(1, sizeof *h));
	enum status status = call_root(&h->call, line);

	h->fd = h->signals = -1;
	if (status == STATUS_OK) {
		h->signals = catch_signals();
		h->fd = sock_listen(h->call.paths.pr_helper, SOCK_STREAM, SOCKET_MODE);
		if (h->fd < 0 || h->signals < 0) {
			say_failure(IPC_ERR_INTERNAL, NULL,
			    h->fd == -ENOENT ? "start the driver first: iscsi start"
					     : "see that nobody else listens there",
			    "%s: %s", h->call.paths.pr_helper,
			    strerror(h->fd < 0 ? -h->fd : errno));
			status = STATUS_FAILED;
		} else {
			say_note("listening at %s", h->call.paths.pr_helper);
			run(h);
			(void)unlink(h->call.paths.pr_helper); /* a successor replaces it, too */
		}
	}
	if (h->fd >= 0)
		(void)close(h->fd); /* a listener has nothing to lose */
	call_close(&h->call);
	free(h);
	return status;
}
