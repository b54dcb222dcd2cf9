#include "export/porter_serve.h"

#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cut.h"
#include "base/limits.h"
#include "export/align.h"
#include "export/loopdev.h"
#include "export/porter_job.h"
#include "export/porter_tidy.h"
#include "export/ublkctl.h"
#include "sys/confine.h"
#include "sys/sock.h"
#include "sys/sysfs.h"

/* As in a job, where the way back stands in its place. */
#define CHANNEL_FD PORTER_BACK_FD
#define JOBS       (PORTER_MOUNT_JOBS + PORTER_LOOP_JOBS + PORTER_UBLK_JOBS)

/*
 * SYS_ADMIN: mount(2), umount2(2), BLKROSET.  SYS_PTRACE and DAC_READ_SEARCH: whose open files a
 * loop device is.  Loop devices themselves want none: they are root's.
 */
#define KEEP_CAPS (1ull << CAP_SYS_ADMIN | 1ull << CAP_SYS_PTRACE | 1ull << CAP_DAC_READ_SEARCH)

/* What jobs are counted by. */
enum class { CLASS_MOUNT, CLASS_LOOP, CLASS_UBLK, CLASSES };
static const unsigned at_once[CLASSES] = { PORTER_MOUNT_JOBS, PORTER_LOOP_JOBS, PORTER_UBLK_JOBS };

/* A job that runs. */
struct job {
	int fd; /* its end; -1: there is none */
	struct porter_question q;
};

/* A block device that an ATTACH or UBLK has made. */
struct made {
	int number; /* as in loopuse.h */
	uint32_t session;
	struct loopdev_id id; /* of ublk: its tag */
	char name[PORTER_NAME_BYTES];
};

struct porter {
	const char *base;
	char real[PATH_MAX];
	pid_t pid;
	struct job jobs[JOBS];
	unsigned running[CLASSES];
	struct made *made;
	size_t n_made, made_room;
	int *free; /* what SWEEP found */
	size_t n_free, free_room;
	int *left; /* what was given back since */
	size_t n_left, left_room;
	struct loopdev_kept kept; /* mounts that were there when it began, and go on */
	bool is_crowded;          /* the last loop device had a high number */
	double tokens;            /* questions that may be read now */
	struct timespec since;
};

/* ---- answers ---- */

static void
answer(const struct porter_answer *a, int fd)
{
	if (sock_send(CHANNEL_FD, a, sizeof *a, fd) < 0)
		_exit(0); /* the driver is gone */
}

static void
refuse(const struct porter_question *q, int err, const char *why)
{
	struct porter_answer a = { .id = q->id, .kind = PORTER_LAST, .result = err, .number = -1 };

	cut_copy(a.text, sizeof a.text, why);
	answer(&a, -1);
}

/* ---- what was made ---- */

static struct made *
find_made(const struct porter *p, int number)
{
	for (size_t i = 0; i < p->n_made; i++)
		if (p->made[i].number == number)
			return &p->made[i];
	return NULL;
}

/* Room for one more, of any of the lists.  False: it is not to be had. */
static bool
make_room(void *list, size_t size, size_t n, size_t *room)
{
	size_t more = *room > 0 ? 2 * *room : 256;
	void *p;

	if (n < *room)
		return true;
	p = n < LIMIT_PORTER_LOOPS ? reallocarray(*(void **)list, more, size) : NULL;
	if (p == NULL)
		return false;
	*(void **)list = p;
	*room = more;
	return true;
}

/* Before it attaches, so that nothing can be made that is not known. */
static bool
can_make(struct porter *p)
{
	return make_room(&p->made, sizeof *p->made,
	    p->n_made + p->running[CLASS_LOOP] + p->running[CLASS_UBLK], &p->made_room);
}

static void
note_made(struct porter *p, const struct porter_question *q, int number, struct loopdev_id id)
{
	struct made *m = find_made(p, number);

	for (size_t i = 0; i < p->n_left; i++)
		if (p->left[i] == number) {
			p->left[i] = p->left[--p->n_left];
			break;
		}
	if (m == NULL)
		m = &p->made[p->n_made++];
	*m = (struct made){ .number = number, .session = q->session, .id = id };
	memcpy(m->name, q->name, sizeof m->name);
}

/* The device of this number is gone; it may be another one's by now, which was made meanwhile. */
static void
note_gone(struct porter *p, const struct porter_question *q, int number)
{
	struct made *m = find_made(p, number);

	if (m == NULL || m->id.device != q->device || m->id.inode != q->inode)
		return;
	*m = p->made[--p->n_made];
	if (number >= LOOPDEV_KEPT && (number & LOOPUSE_UBLK) == 0 &&
	    make_room(&p->left, sizeof *p->left, p->n_left, &p->left_room))
		p->left[p->n_left++] = number;
}

static void
note_ublk(struct porter *p, const struct porter_question *q, const struct porter_answer *a)
{
	int number = LOOPUSE_UBLK | a->number;

	if ((q->what == UBLKJOB_ADD || q->what == UBLKJOB_RECOVER) && a->result == 0)
		note_made(p, q, number, (struct loopdev_id){ q->device, q->inode });
	else if (q->what == UBLKJOB_DELETE && (a->result == 0 || a->result == -ENXIO))
		note_gone(p, q, number);
}

/* What a job has done to a device. */
static void
note_result(struct porter *p, const struct porter_question *q, const struct porter_answer *a)
{
	bool is_gone = a->result == -ENXIO || (q->op == PORTER_DETACH && a->result == 0);

	switch ((enum porter_op)q->op) {
	case PORTER_ATTACH:
		if (a->result != 0)
			break;
		note_made(p, q, a->number, (struct loopdev_id){ a->device, a->inode });
		p->is_crowded = a->number >= LOOPDEV_CROWD;
		break;
	case PORTER_CHANGE:
	case PORTER_CHECK:
	case PORTER_DETACH:
		if (is_gone)
			note_gone(p, q, q->number);
		break;
	case PORTER_UBLK:
		note_ublk(p, q, a);
		break;
	case PORTER_SWEEP:
	case PORTER_TIDY:
		if (a->left < p->n_free)
			p->n_free = a->left;
		break;
	case PORTER_MOUNT:
	case PORTER_AGAIN:
	case PORTER_UNMOUNT:
	case PORTER_LOOPS:
	case PORTER_USERS:
	case PORTER_OPS:
		break;
	}
}

static void
note_free(struct porter *p, const struct porter_answer *a)
{
	for (uint32_t i = 0; i < a->count && i < PORTER_NUMBERS; i++)
		if (make_room(&p->free, sizeof *p->free, p->n_free, &p->free_room))
			p->free[p->n_free++] = a->numbers[i];
}

/* ---- questions ---- */

static enum class class_of(uint32_t op) {
	if (op == PORTER_UBLK) return CLASS_UBLK;
	return op == PORTER_MOUNT || op == PORTER_AGAIN || op == PORTER_UNMOUNT ? CLASS_MOUNT
										: CLASS_LOOP;
}

/* A device that is asked for: one that we have made, for this disk. */
static bool
is_made(const struct porter *p, const struct porter_question *q, int number)
{
	const struct made *m = find_made(p, number);

	return m != NULL && m->session == q->session && strcmp(m->name, q->name) == 0 &&
	       m->id.device == q->device && m->id.inode == q->inode;
}

/* A job of ublk's that may be asked for?  Whose device it is its tag says, and the job looks. */
static bool
is_ublk(const struct porter_question *q)
{
	if (q->what == UBLKJOB_CHECK || q->what == UBLKJOB_PROBE)
		return true;
	return q->what < UBLKJOB_WHATS && porter_is_disk(q->name) && ublkjob_is_tag(q->device) &&
	       q->inode == 0 && q->number >= UBLK_ANY && q->number < LOOPUSE_UBLK &&
	       q->is_recovery <= 1 && q->can_discard <= 1 && q->can_write_zeroes <= 1 &&
	       q->block_bytes >= 512 && q->block_bytes <= ALIGN_BLOCK_MAX &&
	       (q->block_bytes & (q->block_bytes - 1)) == 0 && q->size_bytes <= INT64_MAX;
}

/* It needs a device that this porter has made, or has room for one more. */
static int
check_ublk(struct porter *p, const struct porter_question *q, const char **ret_why)
{
	bool is_new = q->what == UBLKJOB_ADD || q->what == UBLKJOB_RECOVER;
	bool is_there =
	    q->what == UBLKJOB_START || q->what == UBLKJOB_CHANGE || q->what == UBLKJOB_STOP;

	*ret_why = "there are too many block devices";
	if (is_new && !can_make(p))
		return -ENOSPC;
	*ret_why = "it is not, or no more, a ublk device of this disk";
	return is_there && !is_made(p, q, LOOPUSE_UBLK | q->number) ? -ENXIO : 0;
}

/* Is it a question that may be asked?  0, or a negative errno and a sentence. */
static int
check(struct porter *p, const struct porter_question *q, int fd, const char **ret_why)
{
	bool has_disk = q->op >= PORTER_ATTACH && q->op <= PORTER_DETACH;
	enum class class = class_of(q->op);

	*ret_why = "no such question may be asked";
	if (q->op >= PORTER_OPS || (q->op == PORTER_AGAIN) != (fd >= 0) ||
	    (has_disk && !porter_is_disk(q->name)) || q->is_read_only > 1 || q->is_forced > 1 ||
	    q->is_lost > 1 || (q->op == PORTER_UBLK && !is_ublk(q)))
		return -EINVAL;
	*ret_why = "too much is asked for at once";
	if (p->running[class] >= at_once[class])
		return -EAGAIN;
	if (q->op == PORTER_UBLK)
		return check_ublk(p, q, ret_why);
	*ret_why = "there are too many block devices";
	if (q->op == PORTER_ATTACH && !can_make(p))
		return -ENOSPC;
	*ret_why = "it is not, or no more, a block device of this disk";
	if (has_disk && q->op != PORTER_ATTACH && !is_made(p, q, q->number))
		return -ENXIO;
	return 0;
}

/* In a process of its own, from the fork on. */
static _Noreturn void
run_job(const struct porter *p, const struct porter_question *q, int back, int fuse)
{
	struct porter_place place = { p->base, p->real, p->pid, p->free, p->n_free, p->kept,
		p->is_crowded };
	int *numbers = NULL;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != p->pid)
		_exit(1);
	if (fuse >= 0 && dup2(fuse, PORTER_FUSE_FD) < 0)
		_exit(1);
	if (dup2(back, PORTER_BACK_FD) < 0)
		_exit(1);
	(void)close_range(PORTER_FUSE_FD + (fuse >= 0), ~0u, 0); /* other jobs' ways */
	if (q->op == PORTER_USERS) {
		numbers = calloc(p->n_made + 1, sizeof *numbers);
		for (size_t i = 0; i < p->n_made && numbers != NULL; i++)
			numbers[i] = p->made[i].number;
		place.numbers = numbers;
		place.n_numbers = numbers != NULL ? p->n_made : 0;
	}
	porter_job_run(&place, q);
	_exit(0);
}

/* 0 or a negative errno. */
static int
start_job(struct porter *p, const struct porter_question *q, int fuse)
{
	struct job *j = p->jobs;
	int pair[2];
	pid_t pid;

	while (j->fd >= 0)
		j++; /* there is one: check() has seen to it */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		run_job(p, q, pair[1], fuse);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -EAGAIN;
	}
	j->fd = pair[0];
	j->q = *q;
	p->running[class_of(q->op)]++;
	if (q->op == PORTER_SWEEP)
		p->n_free = 0;
	return 0;
}

/* The driver is gone: jobs go with their parent. */
static _Noreturn void
leave(const struct porter *p)
{
	porter_tidy(p->left, p->n_left);
	porter_tidy(p->free, p->n_free);
	_exit(0);
}

static void
take_question(struct porter *p)
{
	struct porter_question q;
	const char *why;
	int fd, err;
	ssize_t n = sock_recv(CHANNEL_FD, &q, sizeof q, &fd);

	if (n == 0 || (n < 0 && n != -EMSGSIZE))
		leave(p);
	p->tokens--;
	if (n == sizeof q) {
		err = check(p, &q, fd, &why);
		if (err == 0) {
			why = "no process could be started for it";
			err = start_job(p, &q, fd);
		}
		if (err < 0)
			refuse(&q, err, why);
	}
	if (fd >= 0)
		close(fd);
}

/* ---- jobs ---- */

static void
end_job(struct porter *p, struct job *j)
{
	close(j->fd);
	j->fd = -1;
	p->running[class_of(j->q.op)]--;
}

/*
 * What a job has made, or found: it is opened here.  Newer kernels take whoever opened it for its
 * server, and that must be a process that lives on.
 */
static int
open_ublk(const struct porter_question *q, struct porter_answer *a)
{
	int fd;

	if (q->op != PORTER_UBLK || a->result < 0 ||
	    (q->what != UBLKJOB_ADD && q->what != UBLKJOB_RECOVER))
		return -1;
	fd = ublkctl_device(a->number);
	if (fd >= 0)
		return fd;
	a->result = fd;
	cut_copy(a->text, sizeof a->text, "the ublk device cannot be opened");
	return -1;
}

static void
take_answer(struct porter *p, struct job *j)
{
	struct porter_answer a;
	int fd;
	ssize_t n = sock_recv(j->fd, &a, sizeof a, &fd);

	if (n != sizeof a) {
		refuse(&j->q, -EIO, "the process that was to do it has ended before it was done");
		end_job(p, j);
	} else if (a.kind == PORTER_FREE) {
		note_free(p, &a);
	} else {
		a.id = j->q.id;
		if (a.kind == PORTER_LAST)
			note_result(p, &j->q, &a);
		if (fd < 0)
			fd = open_ublk(&j->q, &a);
		answer(&a, fd);
		if (a.kind == PORTER_LAST)
			end_job(p, j);
	}
	if (fd >= 0)
		close(fd);
}

/* ---- the process ---- */

static void
refill(struct porter *p)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	p->tokens += PORTER_PACE * ((double)(now.tv_sec - p->since.tv_sec) +
				       (double)(now.tv_nsec - p->since.tv_nsec) * 1e-9);
	if (p->tokens > PORTER_BURST)
		p->tokens = PORTER_BURST;
	p->since = now;
}

static _Noreturn void
run(struct porter *p)
{
	for (;;) {
		struct pollfd polls[JOBS + 1] = { { .fd = CHANNEL_FD, .events = POLLIN } };
		bool is_late;

		refill(p);
		is_late = p->tokens < 1;
		if (is_late)
			polls[0].events = 0; /* its end is told all the same */
		for (unsigned i = 0; i < JOBS; i++)
			polls[i + 1] = (struct pollfd){ .fd = p->jobs[i].fd, .events = POLLIN };
		if (poll(polls, JOBS + 1, is_late ? 10 : -1) < 0)
			continue;
		/* First what is done: it makes room. */
		for (unsigned i = 0; i < JOBS; i++)
			if (polls[i + 1].fd >= 0 && polls[i + 1].revents != 0)
				take_answer(p, &p->jobs[i]);
		if (polls[0].revents & (POLLIN | POLLHUP | POLLERR))
			take_question(p);
	}
}

/* Only the channel, the directory and sysfs; what the driver writes its log to is not held. */
static int
keep_files(int channel, const char *base)
{
	int dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Out of the way first. */
	int a = fcntl(channel, F_DUPFD_CLOEXEC, 10), b = fcntl(dir, F_DUPFD_CLOEXEC, 10);

	if (dir < 0 || a < 0 || b < 0 || dup3(a, CHANNEL_FD, O_CLOEXEC) < 0 ||
	    dup3(b, PORTER_BASE_FD, O_CLOEXEC) < 0 || close_range(PORTER_SYSFS_FD, ~0u, 0) < 0)
		return -errno;
	(void)sysfs_keep(PORTER_SYSFS_FD); /* no sysfs: jobs say so */
	/* In the background this is /dev/null: whoever waits for the end of our words does not
	 * wait. */
	return dup2(STDOUT_FILENO, STDERR_FILENO) < 0 && errno != EBADF ? -errno : 0;
}

static int
prepare(struct porter *p, int channel, char *note)
{
	const struct confine_cfg cfg = { .keep_caps = KEEP_CAPS };
	int err;

	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN); /* nobody waits for jobs */
	(void)prctl(PR_SET_NAME, "iscsi-porter");
	/* The group is how a job is known. */
	if (setsid() < 0 || realpath(p->base, p->real) == NULL)
		return -errno;
	p->pid = getpid();
	err = keep_files(channel, p->base);
	return err < 0 ? err : confine_enter(CONFINE_PORTER, &cfg, note);
}

_Noreturn void
porter_serve(int channel, const char *base, const struct loopdev_kept *kept)
{
	struct porter *p = calloc(1, sizeof *p);
	struct porter_answer hello = { .kind = PORTER_LAST };

	if (p == NULL)
		_exit(1);
	p->base = base;
	p->kept = *kept;
	p->tokens = PORTER_BURST;
	clock_gettime(CLOCK_MONOTONIC, &p->since);
	for (unsigned i = 0; i < JOBS; i++)
		p->jobs[i].fd = -1;
	hello.result = prepare(p, channel, hello.text);
	answer(&hello, -1);
	if (hello.result < 0)
		_exit(1);
	run(p);
}
