/* Processes that are killed while they serve a file that a loop device is on. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/looptest.h"

#define MIB (1u << 20)

/* A child that serves a disk and attaches a loop device. */
struct child {
	struct loop *loop;
	const char *dir;
	int fd;
};

static void
child_attached(struct loopdev_job *job)
{
	const struct child *c = job->user;

	if (job->result < 0 || write(c->fd, &job->number, sizeof job->number) < 0)
		_exit(1);
}

/* The kernel answers a stat only after it has settled with the server how they talk. */
static void *
child_stat(void *arg)
{
	const struct child *c = arg;
	struct stat st;

	if (stat(c->dir, &st) < 0)
		_exit(1);
	loop_stop(c->loop);
	return NULL;
}

/* Take the job's first request from the kernel and never answer it. */
static void
child_swallow(const struct child *c)
{
	static char buf[2 * MIB];
	char path[64], link[64];
	int number = -1;

	for (int fd = 3; fd < 64; fd++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, link, sizeof link - 1);
		link[n > 0 ? n : 0] = '\0';
		if (strcmp(link, "/dev/fuse") == 0 && poll(&p, 1, -1) == 1 &&
		    read(fd, buf, sizeof buf) > 0 && write(c->fd, &number, sizeof number) > 0)
			pause();
	}
	_exit(1);
}

static void
child_run(const char *dir, int fd, bool hang)
{
	struct child c = { loop_new(), dir, fd };
	struct loopdev *ld = loopdev_new(c.loop);
	struct loopdev_job job = { .what = LOOPDEV_ATTACH, .block_bytes = 512 };
	struct memdev *m = memdev_new(c.loop, "d", 8 * MIB, 512);
	struct fusetest_ex x;
	pthread_t thread;

	if (ld == NULL || fusetest_start_on(c.loop, dir, &x) < 0 ||
	    export_find("fuse")->add(x.ex, &m->dev) < 0 ||
	    pthread_create(&thread, NULL, child_stat, &c) != 0 || loop_run(c.loop) < 0)
		_exit(1);
	pthread_join(thread, NULL);
	snprintf(job.file, sizeof job.file, "%s/d", dir);
	job.done = child_attached;
	job.user = &c;
	loopdev_run(ld, &job);
	if (hang)
		child_swallow(&c);
	for (;;)
		loop_run(c.loop);
}

static pid_t
serve_in_child(const char *dir, bool hang, int *ret_number)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		child_run(dir, fds[1], hang);
	close(fds[1]);
	assert_int_equal(read(fds[0], ret_number, sizeof *ret_number), sizeof *ret_number);
	close(fds[0]);
	return pid;
}

static void
what_a_dead_process_left_is_swept_up(void **state)
{
	char base[] = "/tmp/openisw-fuse-XXXXXX", dir[80], file[96];
	struct looptest f = { .loop = loop_new() };
	struct guard guard;
	int number;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(base));
	guard_begin(&guard, base, 60);
	snprintf(dir, sizeof dir, "%s/disk", base);
	snprintf(file, sizeof file, "%s/d", dir);
	f.ld = loopdev_new(f.loop);
	f.job.done = looptest_job_done;
	f.job.user = f.loop;
	for (unsigned round = 0; round < 3; round++) {
		pid = serve_in_child(dir, false, &number);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		/* By its file, by its directory, and after the mount was taken away lazily. */
		snprintf(f.job.file, sizeof f.job.file, "%s%s", round == 1 ? base : file,
		    round == 1 ? "/" : "");
		if (round == 2)
			assert_int_equal(umount2(dir, MNT_DETACH), 0);
		assert_int_equal(looptest_run(&f, LOOPDEV_SWEEP), 0);
		free(f.job.numbers);
		/* A directory's has dead disks of others, too. */
		assert_true(round == 1 ? f.job.count >= 1 : f.job.count == 1);
		f.job.number = number;
		assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -ENXIO);
		umount2(dir, MNT_DETACH);
	}
	loopdev_free(f.ld);
	loop_free(f.loop);
	rmdir(dir);
	assert_int_equal(rmdir(base), 0);
	guard_end(&guard);
}

static void
a_process_that_is_killed_in_the_middle_of_a_job_dies(void **state)
{
	char base[] = "/tmp/openisw-fuse-XXXXXX", dir[80];
	struct looptest f = { .loop = loop_new() };
	struct guard guard;
	int number;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(base));
	guard_begin(&guard, base, 60);
	snprintf(dir, sizeof dir, "%s/disk", base);
	/* Its own thread waits for an answer that it never gives. */
	pid = serve_in_child(dir, true, &number);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	f.ld = loopdev_new(f.loop);
	f.job.done = looptest_job_done;
	f.job.user = f.loop;
	snprintf(f.job.file, sizeof f.job.file, "%s/", dir);
	assert_int_equal(looptest_run(&f, LOOPDEV_SWEEP), 0);
	free(f.job.numbers);
	loopdev_free(f.ld);
	loop_free(f.loop);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	assert_int_equal(rmdir(base), 0);
	guard_end(&guard);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_dead_process_left_is_swept_up),
		cmocka_unit_test(a_process_that_is_killed_in_the_middle_of_a_job_dies),
	};

	return looptest_main("loopdead", tests, sizeof tests / sizeof tests[0]);
}
