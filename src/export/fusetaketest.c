#include "export/fusetaketest.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fusestate.h"
#include "export/memdev.h"

/* A question to a server (add, give up, openers, stop), or what it tells. */
struct say {
	char what;
	int value;
	char name[32];
};

/* ---- the server's system calls ---- */

static struct fusetaketest_shared *serving; /* NULL: this is no server */
static long answers, reads;

static void
die_at(long now, const _Atomic long *at)
{
	if (now == atomic_load(at))
		kill(getpid(), SIGKILL);
}

/* libfuse's answers. */
ssize_t
writev(int fd, const struct iovec *iov, int count)
{
	ssize_t n;

	if (serving == NULL)
		return syscall(SYS_writev, fd, iov, count);
	die_at(++answers, &serving->kill_before_answer);
	n = syscall(SYS_writev, fd, iov, count);
	atomic_fetch_add(&serving->answers, 1);
	die_at(answers, &serving->kill_after_answer);
	return n;
}

ssize_t
write(int fd, const void *buf, size_t bytes)
{
	struct fuse_out_header out;

	if (serving != NULL && bytes == sizeof out && atomic_load(&serving->no_resend)) {
		memcpy(&out, buf, sizeof out);
		if (out.unique == 0 && out.len == sizeof out) {
			errno = EINVAL;
			return -1;
		}
	}
	return syscall(SYS_write, fd, buf, bytes);
}

static void
note_forget(const uint8_t *request, uint32_t opcode)
{
	struct fuse_forget_in one;
	struct fuse_batch_forget_in many;
	struct fuse_forget_one each;

	request += sizeof(struct fuse_in_header);
	if (opcode == FUSE_FORGET) {
		memcpy(&one, request, sizeof one);
		atomic_fetch_add(&serving->forgotten, one.nlookup);
		return;
	}
	memcpy(&many, request, sizeof many);
	for (unsigned i = 0; i < many.count; i++) {
		memcpy(&each, request + sizeof many + i * sizeof each, sizeof each);
		atomic_fetch_add(&serving->forgotten, each.nlookup);
	}
}

/* A kill while the kernel copies to a page that is not there is an error for the request's sender.
 */
static void
note_absent(const struct iovec *iov, int count)
{
	unsigned char there[512];

	for (int i = 0; i < count; i++) {
		uintptr_t first = (uintptr_t)iov[i].iov_base & ~(uintptr_t)4095;
		size_t bytes = (uintptr_t)iov[i].iov_base + iov[i].iov_len - first;

		assert((bytes + 4095) / 4096 <= sizeof there);
		if (bytes == 0 || mincore((void *)first, bytes, there) < 0)
			continue;
		for (size_t k = 0; k < (bytes + 4095) / 4096; k++)
			atomic_fetch_add(&serving->absent, (there[k] & 1) == 0);
	}
}

/* Requests: only these are received so. */
ssize_t
readv(int fd, const struct iovec *iov, int count)
{
	struct fuse_in_header in;
	uint8_t buf[4096];
	size_t head = iov[0].iov_len < sizeof buf ? iov[0].iov_len : sizeof buf;
	ssize_t n;

	if (serving != NULL)
		note_absent(iov, count);
	n = syscall(SYS_readv, fd, iov, count);
	if (serving == NULL || n < (ssize_t)sizeof in)
		return n;
	memcpy(buf, iov[0].iov_base, head);
	if (head < sizeof buf && count > 1)
		memcpy(buf + head, iov[1].iov_base, sizeof buf - head);
	memcpy(&in, buf, sizeof in);
	assert(in.len == n);
	if (in.opcode == FUSE_FORGET || in.opcode == FUSE_BATCH_FORGET)
		note_forget(buf, in.opcode);
	atomic_fetch_add(&serving->received[in.opcode % 64], 1);
	atomic_fetch_add(&serving->resent, (in.unique & FUSESTATE_RESENT) != 0);
	die_at(++reads, &serving->kill_after_read);
	return n;
}

/* ---- the server ---- */

static struct server {
	struct loop *loop;
	struct export *ex;
	struct memdev *devs[FUSETAKETEST_DEVS];
	struct loop_fd ctl;
	const struct export_ops *ops;
} me;

static void
tell(char what, int value, const struct export_held *held)
{
	struct say say = { .what = what, .value = value };
	struct iovec iov = { &say, sizeof say };
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof *held)];
	} control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (held != NULL) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof *held);
		memcpy(CMSG_DATA(&control.head), held, sizeof *held);
	}
	if (sendmsg(me.ctl.fd, &m, MSG_NOSIGNAL) < 0)
		_exit(9); /* the test is gone */
}

static void
on_started(void *user, int err)
{
	(void)user;
	tell('S', err, NULL);
	if (err < 0)
		_exit(0);
}

static void
on_gone(void *user, struct blk_dev *dev, const char *why)
{
	(void)user, (void)dev, (void)why;
	tell('G', 0, NULL);
}

static void
on_back(void *user, struct blk_dev *dev, bool is_new)
{
	(void)user, (void)dev;
	tell('B', is_new, NULL);
}

static void
on_let_go(void *user, struct blk_dev *dev)
{
	(void)user, (void)dev;
	tell('L', 0, NULL);
}

static void
on_hold(void *user, const struct export_held *held)
{
	(void)user;
	tell('H', 0, held);
}

static void
on_drop(void *user)
{
	(void)user;
	tell('D', 0, NULL);
}

static void
on_stopped(void *user)
{
	(void)user;
	tell('X', 0, NULL);
	_exit(0);
}

static const struct export_events events = {
	.started = on_started,
	.gone = on_gone,
	.back = on_back,
	.let_go = on_let_go,
	.hold = on_hold,
	.drop = on_drop,
	.stopped = on_stopped,
};

static void
show(unsigned device)
{
	char name[8];
	struct memdev *m;

	snprintf(name, sizeof name, "d%u", device);
	m = memdev_new(me.loop, name, FUSETAKETEST_BYTES, 512);
	munmap(m->mem, FUSETAKETEST_BYTES);
	m->mem = serving->disk[device];
	m->delay_us = atomic_load(&serving->delay_us);
	m->reorder_seed = atomic_load(&serving->seed);
	me.devs[device] = m;
	if (me.ops->add(me.ex, &m->dev) < 0)
		_exit(8);
}

static void
asked(struct loop_fd *f, uint32_t ready)
{
	struct say say;

	(void)ready;
	if (recv(f->fd, &say, sizeof say, 0) != sizeof say)
		_exit(9); /* the test is gone */
	if (say.what == 'a') {
		show((unsigned)say.value);
	} else if (say.what == 'g') {
		me.ops->give_up(me.ex, say.name[0] != '\0' ? say.name : NULL);
	} else if (say.what == 'v') {
		me.ops->overdue(me.ex);
	} else if (say.what == 's') {
		me.ops->stop(me.ex);
		return;
	}
	tell(say.what, say.what == 'o' ? (int)me.ops->openers(me.ex, &me.devs[say.value]->dev) : 0,
	    NULL);
}

static void
serve(struct fusetaketest *t, int ctl, unsigned devices)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	serving = t->s;
	me.ops = export_find("fuse");
	me.loop = loop_new();
	me.ctl.fd = ctl;
	me.ctl.ready = asked;
	err = loop_watch(me.loop, &me.ctl, EPOLLIN);
	if (err == 0 && t->held.device_fd >= 0)
		err = me.ops->take_over(me.loop, t->dir, &t->held, &events, NULL, &me.ex);
	else if (err == 0)
		err = me.ops->start(me.loop, t->dir, &events, NULL, &me.ex);
	if (err < 0) {
		tell('S', err, NULL);
		_exit(0);
	}
	for (unsigned i = 0; i < FUSETAKETEST_DEVS; i++)
		if (devices & 1u << i)
			show(i);
	_exit(loop_run(me.loop) < 0);
}

/* ---- the test ---- */

void
fusetaketest_let_go(struct fusetaketest *t)
{
	if (t->held.device_fd >= 0) {
		close(t->held.device_fd);
		close(t->held.state_fd);
	}
	t->held.device_fd = t->held.state_fd = -1;
}

static void
note(struct fusetaketest *t, const struct say *say, const struct export_held *held)
{
	switch (say->what) {
	case 'H':
		fusetaketest_let_go(t);
		t->held = *held;
		t->holds++;
		break;
	case 'D':
		fusetaketest_let_go(t);
		t->drops++;
		break;
	case 'G':
		t->gone++;
		break;
	case 'B':
		t->back++;
		t->back_new += say->value != 0;
		break;
	case 'L':
		t->let_go++;
		break;
	default:
		break;
	}
}

/* The next it tells; false: it is dead. */
static bool
hear(struct fusetaketest *t, struct say *ret)
{
	struct iovec iov = { ret, sizeof *ret };
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(struct export_held))];
	} control;
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	struct export_held held = { -1, -1 };

	if (recvmsg(t->ctl, &m, MSG_CMSG_CLOEXEC) != sizeof *ret)
		return false;
	if (CMSG_FIRSTHDR(&m) != NULL)
		memcpy(&held, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof held);
	note(t, ret, &held);
	return true;
}

/* Hear until it says this. */
static bool
hear_of(struct fusetaketest *t, char what, int *ret_value)
{
	struct say say;

	while (hear(t, &say)) {
		if (say.what != what)
			continue;
		*ret_value = say.value;
		return true;
	}
	return false;
}

void
fusetaketest_begin(struct fusetaketest *t)
{
	memset(t, 0, sizeof *t);
	t->held.device_fd = t->held.state_fd = -1;
	snprintf(t->base, sizeof t->base, "/tmp/openisw-fuse-XXXXXX");
	assert_non_null(mkdtemp(t->base));
	guard_begin(&t->guard, t->base, 100);
	snprintf(t->dir, sizeof t->dir, "%s/0", t->base);
	t->s = mmap(NULL, sizeof *t->s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(t->s, MAP_FAILED);
}

int
fusetaketest_serve(struct fusetaketest *t, unsigned devices)
{
	int ends[2], err;

	t->holds = t->drops = t->gone = t->back = t->back_new = t->let_go = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	fflush(NULL);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		close(ends[0]);
		serve(t, ends[1], devices);
	}
	close(ends[1]);
	t->ctl = ends[0];
	if (!hear_of(t, 'S', &err))
		return -ECHILD;
	if (err < 0)
		fusetaketest_await_death(t);
	return err;
}

void
fusetaketest_await_death(struct fusetaketest *t)
{
	struct say say;

	while (hear(t, &say))
		;
	close(t->ctl);
	assert_int_equal(waitpid(t->pid, NULL, 0), t->pid);
	t->pid = 0;
}

void
fusetaketest_kill(struct fusetaketest *t)
{
	kill(t->pid, SIGKILL);
	fusetaketest_await_death(t);
}

bool
fusetaketest_lives(struct fusetaketest *t)
{
	struct say say = { .what = 'p' };
	int value;

	return send(t->ctl, &say, sizeof say, MSG_NOSIGNAL) == sizeof say &&
	       hear_of(t, 'p', &value);
}

static int
ask(struct fusetaketest *t, struct say say, char answer)
{
	int value = 0;

	assert_int_equal(send(t->ctl, &say, sizeof say, MSG_NOSIGNAL), sizeof say);
	assert_true(hear_of(t, answer, &value));
	return value;
}

void
fusetaketest_add(struct fusetaketest *t, unsigned device)
{
	ask(t, (struct say){ .what = 'a', .value = (int)device }, 'a');
}

void
fusetaketest_give_up(struct fusetaketest *t, const char *name)
{
	struct say say = { .what = 'g' };

	snprintf(say.name, sizeof say.name, "%s", name != NULL ? name : "");
	ask(t, say, 'g');
}

void
fusetaketest_overdue(struct fusetaketest *t)
{
	ask(t, (struct say){ .what = 'v' }, 'v');
}

unsigned
fusetaketest_openers(struct fusetaketest *t, unsigned device)
{
	return (unsigned)ask(t, (struct say){ .what = 'o', .value = (int)device }, 'o');
}

void
fusetaketest_stop(struct fusetaketest *t)
{
	ask(t, (struct say){ .what = 's' }, 'X');
	fusetaketest_await_death(t);
}

void
fusetaketest_await(struct fusetaketest *t, const unsigned *count, unsigned least)
{
	struct say say;

	while (*count < least)
		assert_true(hear(t, &say));
}

void
fusetaketest_end(struct fusetaketest *t)
{
	if (t->pid != 0)
		fusetaketest_stop(t);
	fusetaketest_let_go(t);
	munmap(t->s, sizeof *t->s);
	(void)rmdir(t->dir); /* it may be one of a server that never came to removing it */
	assert_int_equal(rmdir(t->base), 0);
	guard_end(&t->guard);
}

pid_t
fusetaketest_user(
    struct fusetaketest *t, int (*fn)(struct fusetaketest *t, const char *path), unsigned device)
{
	char path[96];
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fusetaketest_let_go(t);
	close(t->ctl);
	close(t->guard.fd); /* it sees its test end when this is closed everywhere */
	snprintf(path, sizeof path, "%s/d%u", t->dir, device);
	_exit(fn(t, path));
}

int
fusetaketest_user_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool
fusetaketest_user_has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG), 0);
	return info.si_pid == pid;
}

void
fusetaketest_await_value(const _Atomic unsigned long *value, unsigned long least)
{
	while (atomic_load(value) < least)
		sched_yield(); /* the guard ends what never comes */
}
