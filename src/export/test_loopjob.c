/* Jobs of loop devices: those that fail, and one that hangs. */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "export/looptest.h"

#define MIB (1u << 20)

static void
what_cannot_be_attached_is_refused_with_a_sentence(void **state)
{
	struct looptest f;
	struct memdev *m;

	(void)state;
	looptest_begin(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	snprintf(f.job.file, sizeof f.job.file, "%s/none", f.t.dir);
	f.job.block_bytes = 512;
	assert_int_equal(looptest_run(&f, LOOPDEV_ATTACH), -ENOENT);
	assert_non_null(strstr(f.job.why, f.job.file));
	assert_string_equal(f.job.path, "");
	snprintf(f.job.file, sizeof f.job.file, "%s/d", f.t.dir);
	f.job.block_bytes = 520;
	assert_int_equal(looptest_run(&f, LOOPDEV_ATTACH), -EINVAL);
	assert_int_equal(fusetest_openers(&f.t, m), 0);
	/* Somebody else's device is not ours to detach. */
	f.job.block_bytes = 512;
	assert_int_equal(looptest_run(&f, LOOPDEV_ATTACH), 0);
	snprintf(f.job.file, sizeof f.job.file, "%s/e", f.t.dir);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -ENXIO);
	snprintf(f.job.file, sizeof f.job.file, "%s/d", f.t.dir);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	looptest_end(&f);
}

static void
slow_done(struct loopdev_job *job)
{
	struct looptest *f = job->user;

	f->slow_count++;
	loop_stop(f->loop);
}

/* Whoever runs it waits. */
struct obstacle {
	struct loop_msg msg;
	sem_t go_on;
};

static void
wait_there(struct loop_msg *m)
{
	while (sem_wait(&LIST_ENTRY(m, struct obstacle, msg)->go_on) < 0)
		continue;
}

static void
a_job_that_hangs_does_not_hold_up_another(void **state)
{
	struct loopdev_job slow = { .what = LOOPDEV_ATTACH, .block_bytes = 512, .done = slow_done };
	struct looptest f;
	struct obstacle o = { .msg.run = wait_there };
	int fd;

	(void)state;
	looptest_begin(&f);
	fusetest_add(&f.t, "slow", 8 * MIB, 512);
	/* The thread that serves the file of one job waits. */
	sem_init(&o.go_on, 0, 0);
	loop_post(worker_loop(f.t.worker), &o.msg);
	snprintf(slow.file, sizeof slow.file, "%s/slow", f.t.dir);
	slow.user = &f;
	loopdev_run(f.ld, &slow);

	snprintf(f.job.file, sizeof f.job.file, "%s/plain", f.t.base);
	fd = open(f.job.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, MIB), 0);
	close(fd);
	f.job.block_bytes = 512;
	assert_int_equal(looptest_run(&f, LOOPDEV_ATTACH), 0);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	assert_int_equal(f.slow_count, 0);
	unlink(f.job.file);

	sem_post(&o.go_on);
	assert_int_equal(loop_run(f.loop), 0);
	assert_int_equal(f.slow_count, 1);
	assert_int_equal(slow.result, 0);
	f.job = slow;
	f.job.done = looptest_job_done;
	f.job.user = f.loop;
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	sem_destroy(&o.go_on);
	looptest_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_attached_is_refused_with_a_sentence),
		cmocka_unit_test(a_job_that_hangs_does_not_hold_up_another),
	};

	return looptest_main("loopjob", tests, sizeof tests / sizeof tests[0]);
}
