#include "export/portertest.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/porter_serve.h"
#include "sys/sock.h"

static const struct loopdev_kept none = { NULL, 0 };

/* ---- the porter ---- */

void
portertest_fork(struct portertest *f)
{
	char base[sizeof f->base];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		close(pair[0]);
		if (sock_recv(pair[1], base, sizeof base, NULL) <= 0)
			_exit(1);
		porter_serve(pair[1], base, &none);
	}
	close(pair[1]);
	f->fd = pair[0];
}

void
portertest_start(struct portertest *f, const char *base)
{
	assert_true(sock_send(f->fd, base, strlen(base) + 1, -1) > 0);
	assert_int_equal(sock_recv(f->fd, &f->a, sizeof f->a, NULL), sizeof f->a);
	assert_int_equal(f->a.result, 0);
}

void
portertest_setup(struct portertest *f)
{
	*f = (struct portertest){ .base = "/tmp/openisw-porter-XXXXXX" };
	assert_non_null(mkdtemp(f->base));
	guard_begin(&f->guard, f->base, 60);
	portertest_fork(f);
	portertest_start(f, f->base);
}

/* It ends with its channel, whatever its jobs do. */
void
portertest_stop(struct portertest *f)
{
	int status;

	close(f->fd);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void
portertest_teardown(struct portertest *f)
{
	char *argv[] = { "rm", "-rf", "--one-file-system", f->base, NULL };
	pid_t pid;

	portertest_stop(f);
	pid = fork();
	if (pid == 0)
		execvp(argv[0], argv);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(access(f->base, F_OK), -1);
	guard_end(&f->guard);
}

uint32_t
portertest_send(struct portertest *f, struct porter_question q, int fd)
{
	q.id = ++f->id;
	assert_int_equal(sock_send(f->fd, &q, sizeof q, fd), sizeof q);
	return q.id;
}

/* The next answer; its descriptor or -1. */
int
portertest_receive(struct portertest *f)
{
	int fd;

	assert_int_equal(sock_recv(f->fd, &f->a, sizeof f->a, &fd), sizeof f->a);
	return fd;
}

/* The result; a descriptor that came is returned, or closed where nobody wants it. */
int
portertest_ask(struct portertest *f, struct porter_question q, int fd, int *ret_fd)
{
	uint32_t id = portertest_send(f, q, fd);
	int got = portertest_receive(f);

	assert_int_equal(f->a.id, id);
	assert_int_equal(f->a.kind, PORTER_LAST);
	if (ret_fd != NULL)
		*ret_fd = got;
	else if (got >= 0)
		close(got);
	return f->a.result;
}

/* ---- what is there ---- */

const char *
portertest_below(const struct portertest *f, const char *name)
{
	static char path[160];

	snprintf(path, sizeof path, "%s/%s", f->base, name);
	return path;
}

void
portertest_make_dir(const struct portertest *f, const char *name)
{
	assert_int_equal(mkdir(portertest_below(f, name), 0700), 0);
}

void
portertest_make_file(const struct portertest *f, const char *name)
{
	int fd = open(portertest_below(f, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	close(fd);
}
