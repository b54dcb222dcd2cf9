/*
 * Several threads have questions under way over one pair of sockets.  Whoever waits and finds
 * nobody reading reads, for all of them: so there is no thread for it, and nobody waits for
 * another's answer.
 */
#include "export/porter.h"

#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "base/list.h"
#include "export/porter_serve.h"
#include "export/porter_wire.h"
#include "sys/log.h"
#include "sys/sock.h"

/* It ends at once, unless the machine is very busy. */
#define END_MS 5000

/* A question whose answer is waited for. */
struct call {
	struct list link;
	uint32_t id;
	struct porter_answer answer;
	int fd; /* that came with it, or -1 */
	bool is_done;
	struct loopdev_job *job; /* for USED answers */
};

/* A process has one porter, as it has one user. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int fd; /* -1: there is none */
	pid_t pid;
	char *base, *real; /* as it is named, and as the kernel names it */
	struct loop *loop;
	struct loop_fd end; /* of the process */
	/* Under lock. */
	struct list calls;
	uint32_t last_id;
	bool is_reading, is_gone;
} there = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .fd = -1 };

static const char gone_why[] =
    "the process that mounts disks and makes block devices has ended; disks that are there go on; "
    "start iscsi_driverd anew when they are not in use";

/* ---- start and end ---- */

static int
take_hello(char *note, size_t size)
{
	struct porter_answer hello;
	ssize_t n = sock_recv(there.fd, &hello, sizeof hello, NULL);

	if (n != sizeof hello)
		return n < 0 ? (int)n : -EPIPE;
	cut_copy(note, size, hello.text);
	return hello.result;
}

int
porter_start(const char *base, const struct loopdev_kept *kept, char *note, size_t size)
{
	int pair[2], err = 0;

	note[0] = '\0';
	list_init(&there.calls);
	there.base = strdup(base);
	there.real = realpath(base, NULL);
	if (there.base == NULL || there.real == NULL)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	there.pid = fork();
	if (there.pid == 0) {
		close(pair[0]);
		porter_serve(pair[1], there.base, kept);
	}
	if (there.pid < 0)
		err = -errno;
	close(pair[1]);
	there.fd = pair[0];
	if (err == 0)
		err = take_hello(note, size);
	if (err < 0) {
		close(there.fd);
		there.fd = -1;
	}
	return err;
}

bool
porter_is_there(void)
{
	return there.fd >= 0;
}

bool
porter_is_own(pid_t thread)
{
	return there.fd >= 0 && getpgid(thread) == there.pid;
}

/* Whoever waits for it is told. */
static void
give_up(void)
{
	pthread_mutex_lock(&there.lock);
	there.is_gone = true;
	(void)shutdown(there.fd, SHUT_RDWR); /* a job of it may hold its end */
	pthread_cond_broadcast(&there.changed);
	pthread_mutex_unlock(&there.lock);
}

static void
ended(struct loop_fd *f, uint32_t events)
{
	siginfo_t how = { .si_pid = 0 };

	(void)events;
	if (waitid(P_PID, (id_t)there.pid, &how, WEXITED | WNOHANG) == 0 && how.si_pid == 0)
		return; /* not yet */
	loop_unwatch(there.loop, f);
	close(f->fd);
	f->fd = -1;
	give_up();
	log_err("process %d, which mounts disks and makes block devices, %s %d: disks that are "
		"there go on, new ones "
		"cannot be shown and none be taken away in order; start iscsi_driverd anew when "
		"they are not in use",
	    (int)there.pid,
	    how.si_code == CLD_EXITED ? "ended with exit status" : "was ended by signal",
	    how.si_status);
}

int
porter_watch(struct loop *loop)
{
	int err;

	there.end = (struct loop_fd){ .fd = -1, .ready = ended };
	if (there.fd < 0)
		return 0;
	there.loop = loop;
	there.end.fd = pidfd_open(there.pid, 0);
	if (there.end.fd < 0)
		return -errno;
	err = loop_watch(loop, &there.end, EPOLLIN);
	if (err < 0) {
		close(there.end.fd);
		there.end.fd = -1;
	}
	return err;
}

void
porter_end(void)
{
	struct pollfd p = { .fd = there.end.fd, .events = POLLIN };

	if (there.fd < 0)
		return;
	give_up();
	if (there.loop == NULL || there.end.fd < 0)
		return;
	/* So that nobody finds it behind us. */
	if (poll(&p, 1, END_MS) == 1)
		(void)waitpid(there.pid, NULL, 0);
	loop_unwatch(there.loop, &there.end);
	close(there.end.fd);
	there.end.fd = -1;
}

/* ---- questions ---- */

static int
by_number(const void *a, const void *b)
{
	int x = ((const struct loopuse *)a)->number, y = ((const struct loopuse *)b)->number;

	return x < y ? -1 : x > y;
}

static void
note_user(const struct loopdev_job *job, const struct porter_answer *a)
{
	struct loopuse key = { .number = a->number };
	struct loopuse *u = bsearch(&key, job->users, job->n_numbers, sizeof key, by_number);

	if (u == NULL)
		return;
	u->is_used = true;
	cut_copy(u->who, sizeof u->who, a->text);
}

/* Under lock: an answer for whoever waits for it. */
static void
hand_over(struct porter_answer *a, int fd)
{
	a->text[sizeof a->text - 1] = '\0';
	LIST_EACH(node, tmp, &there.calls)
	{
		struct call *c = LIST_ENTRY(node, struct call, link);

		if (c->id != a->id)
			continue;
		if (a->kind == PORTER_USED) {
			if (c->job != NULL)
				note_user(c->job, a);
			break;
		}
		c->answer = *a;
		c->fd = fd;
		c->is_done = true;
		return;
	}
	if (fd >= 0)
		close(fd); /* nobody's */
}

/* Under lock, which is let go meanwhile. */
static void
read_one(void)
{
	struct porter_answer a;
	ssize_t n;
	int fd;

	there.is_reading = true;
	pthread_mutex_unlock(&there.lock);
	n = sock_recv(there.fd, &a, sizeof a, &fd);
	pthread_mutex_lock(&there.lock);
	there.is_reading = false;
	if (n == sizeof a)
		hand_over(&a, fd);
	else
		there.is_gone = true;
	pthread_cond_broadcast(&there.changed);
}

/* Ask, and wait for the answer. */
static void
ask(struct call *c, struct porter_question *q, int fd)
{
	ssize_t n;

	c->fd = -1;
	pthread_mutex_lock(&there.lock);
	c->id = q->id = ++there.last_id;
	list_push_back(&there.calls, &c->link);
	pthread_mutex_unlock(&there.lock);
	n = sock_send(there.fd, q, sizeof *q, fd);
	pthread_mutex_lock(&there.lock);
	there.is_gone |= n == -EPIPE || n == -ECONNRESET;
	if (n < 0) { /* it may be for lack of memory: then others may have more luck */
		c->answer.result = (int)n;
		c->is_done = !there.is_gone;
	}
	while (!c->is_done && !there.is_gone) {
		if (there.is_reading)
			pthread_cond_wait(&there.changed, &there.lock);
		else
			read_one();
	}
	list_remove(&c->link);
	pthread_mutex_unlock(&there.lock);
	if (c->is_done)
		return;
	c->answer.result = -EPIPE;
	cut_copy(c->answer.text, sizeof c->answer.text, gone_why);
}

/* "<base>/7", or "<base>/7/c1t0d0" where a disk is asked for. */
static bool
place(const char *base, const char *path, struct porter_question *q, bool has_disk)
{
	size_t len = strlen(base);
	char *end;

	if (strncmp(path, base, len) != 0 || path[len] != '/' || path[len + 1] < '0' ||
	    path[len + 1] > '9')
		return false;
	q->session = (uint32_t)strtoul(path + len + 1, &end, 10);
	if (!has_disk)
		return *end == '\0';
	if (*end != '/' || strlen(end + 1) >= sizeof q->name)
		return false;
	memcpy(q->name, end + 1, strlen(end + 1));
	return true;
}

/* 0 or a descriptor, or a negative errno. */
static int
ask_mount(enum porter_op op, const char *path, int fd)
{
	struct porter_question q = { .op = op };
	struct call c = { .fd = -1 };

	if (!place(there.real, path, &q, false))
		return -EINVAL;
	ask(&c, &q, fd);
	if (c.answer.result < 0 && c.fd >= 0)
		close(c.fd); /* not asked for */
	if (c.answer.result < 0 || c.fd == -EMFILE)
		return c.answer.result < 0 ? c.answer.result : c.fd;
	return c.fd >= 0 ? c.fd : 0;
}

int
porter_mount(const char *path)
{
	int fd = ask_mount(PORTER_MOUNT, path, -1);

	return fd == 0 ? -EPERM : fd;
}

int
porter_again(const char *path, int fd)
{
	return ask_mount(PORTER_AGAIN, path, fd);
}

int
porter_unmount(const char *path)
{
	return ask_mount(PORTER_UNMOUNT, path, -1);
}

int
porter_loops(char *ret_why, size_t size)
{
	struct porter_question q = { .op = PORTER_LOOPS };
	struct call c = { .fd = -1 };

	ask(&c, &q, -1);
	cut_copy(ret_why, size, c.answer.text);
	return c.answer.result;
}

static enum porter_op
op_of(enum loopdev_what what)
{
	switch (what) {
	case LOOPDEV_ATTACH:
		return PORTER_ATTACH;
	case LOOPDEV_CHANGE:
		return PORTER_CHANGE;
	case LOOPDEV_CHECK:
		return PORTER_CHECK;
	case LOOPDEV_DETACH:
		return PORTER_DETACH;
	case LOOPDEV_SWEEP:
		return PORTER_SWEEP;
	case LOOPDEV_TIDY:
		return PORTER_TIDY;
	case LOOPDEV_USERS:
		return PORTER_USERS;
	}
	abort();
}

/* What the job is about, in the porter's words.  False: it is none for it. */
static bool
fill(struct porter_question *q, const struct loopdev_job *job)
{
	q->op = op_of(job->what);
	q->number = job->number;
	q->device = job->id.device;
	q->inode = job->id.inode;
	q->block_bytes = job->block_bytes;
	q->is_read_only = job->is_read_only;
	q->is_forced = job->is_forced;
	q->is_lost = job->is_lost;
	return job->what >= LOOPDEV_SWEEP || place(there.base, job->file, q, true);
}

static void
take_result(struct loopdev_job *job, const struct porter_answer *a)
{
	job->result = a->result;
	job->count = a->count;
	job->is_direct = a->is_direct != 0;
	job->path[0] = '\0';
	job->why[0] = '\0';
	if (a->result < 0)
		cut_copy(
		    job->why, sizeof job->why, a->text[0] != '\0' ? a->text : strerror(-a->result));
	if (job->what == LOOPDEV_ATTACH && a->result == 0) {
		job->number = a->number;
		job->id = (struct loopdev_id){ a->device, a->inode };
	}
	if (job->what < LOOPDEV_SWEEP && (job->what != LOOPDEV_ATTACH || a->result == 0))
		(void)snprintf(job->path, sizeof job->path, "/dev/loop%d", job->number); /* fits */
	if (job->what == LOOPDEV_SWEEP)
		job->numbers = NULL;
	if (job->what == LOOPDEV_SWEEP || job->what == LOOPDEV_TIDY)
		job->n_numbers = a->left;
}

void
porter_run(struct loopdev_job *job)
{
	struct porter_question q = { .op = PORTER_OPS };
	struct call c = { .fd = -1, .job = job->what == LOOPDEV_USERS ? job : NULL };

	for (size_t i = 0; c.job != NULL && i < job->n_numbers; i++)
		job->users[i] = (struct loopuse){ .number = job->users[i].number };
	if (c.job != NULL)
		qsort(job->users, job->n_numbers, sizeof *job->users, by_number);
	if (fill(&q, job)) {
		ask(&c, &q, -1);
	} else {
		c.answer.result = -EINVAL;
		(void)snprintf(c.answer.text, sizeof c.answer.text,
		    "%.400s is no disk of this initiator", job->file); /* fits */
	}
	if (c.fd >= 0)
		close(c.fd); /* not asked for */
	take_result(job, &c.answer);
}

void
porter_ublk(struct ublkjob *job)
{
	struct porter_question q = { .op = PORTER_UBLK,
		.what = job->what,
		.device = job->tag,
		.number = job->number,
		.session = job->session,
		.size_bytes = job->size_bytes,
		.block_bytes = job->block_bytes != 0 ? job->block_bytes : 512,
		.physical_bytes = job->physical_bytes,
		.discard_bytes = job->discard_bytes,
		.optimal_bytes = job->optimal_bytes,
		.is_read_only = job->is_read_only,
		.is_forced = job->is_forced,
		.is_lost = job->is_lost,
		.is_recovery = job->is_recovery,
		.can_discard = job->can_discard,
		.can_write_zeroes = job->can_write_zeroes };
	struct call c = { .fd = -1 };

	cut_copy(q.name, sizeof q.name, job->name);
	ask(&c, &q, -1);
	job->result = c.answer.result;
	job->why[0] = '\0';
	job->fd = -1;
	if (job->result == 0) {
		job->number = c.answer.number;
		job->fd = c.fd;
		return;
	}
	cut_copy(job->why, sizeof job->why,
	    c.answer.text[0] != '\0' ? c.answer.text : strerror(-job->result));
	if (c.fd >= 0)
		close(c.fd); /* not asked for */
}
