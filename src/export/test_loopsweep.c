/* Loop devices that earlier runs left, and a machine that has many. */
#include <sys/ioctl.h>

#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/loopdev.h"

struct fixture {
	struct loop *loop;
	struct loopdev *ld;
	struct loopdev_job job;
};

static void
job_done(struct loopdev_job *job)
{
	loop_stop(job->user);
}

static int
run(struct fixture *f, enum loopdev_what what)
{
	f->job.what = what;
	loopdev_run(f->ld, &f->job);
	assert_int_equal(loop_run(f->loop), 0);
	return f->job.result;
}

/* A number that no program expects, which nobody has.  -1: none. */
static int
add_number(void)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number = -1;

	for (int n = 900; number < 0 && n < 950; n++)
		number = ioctl(control, LOOP_CTL_ADD, n);
	close(control);
	return number;
}

static void
free_numbers_of_earlier_runs_are_taken_out(void **state)
{
	struct fixture f = { .loop = loop_new() };
	int mine[2] = { add_number(), add_number() };
	bool found[2] = { false };
	char path[64];

	(void)state;
	f.ld = loopdev_new(f.loop);
	f.job.done = job_done;
	f.job.user = f.loop;
	snprintf(f.job.file, sizeof f.job.file, "/nonexistent/");
	assert_int_equal(run(&f, LOOPDEV_SWEEP), 0);
	for (size_t i = 0; i < f.job.n_numbers; i++) {
		assert_true(f.job.numbers[i] >= LOOPDEV_KEPT);
		for (unsigned k = 0; k < 2; k++)
			found[k] |= f.job.numbers[i] == mine[k];
	}
	assert_true(found[0] && found[1]);
	/* Only these two: other tests run beside this one. */
	memcpy(f.job.numbers, mine, sizeof mine);
	f.job.n_numbers = 2;
	while (f.job.n_numbers > 0)
		assert_int_equal(run(&f, LOOPDEV_TIDY), 0);
	for (unsigned k = 0; k < 2; k++) {
		snprintf(path, sizeof path, "/sys/block/loop%d", mine[k]);
		assert_int_equal(access(path, F_OK), -1);
	}
	free(f.job.numbers);
	loopdev_free(f.ld);
	loop_free(f.loop);
}

/* Free ones are left alone: finding one would take longer the more there are. */
static void
among_many_a_new_one_is_made(void **state)
{
	struct fixture f = { .loop = loop_new() };
	int fd;

	(void)state;
	f.ld = loopdev_new(f.loop);
	f.job.done = job_done;
	f.job.user = f.loop;
	f.job.block_bytes = 512;
	snprintf(f.job.file, sizeof f.job.file, "%s/crowd.XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	fd = mkstemp(f.job.file);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	for (unsigned i = 0; i < 2; i++) {
		f.job.is_crowded = true;
		assert_int_equal(run(&f, LOOPDEV_ATTACH), 0);
		/* The kernel's first ones are always there, so none of them can be new. */
		assert_true(f.job.number >= LOOPDEV_KEPT);
		assert_int_equal(run(&f, LOOPDEV_CHECK), 0);
		assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
		f.job.numbers = &f.job.number;
		f.job.n_numbers = 1;
		while (f.job.n_numbers > 0)
			assert_int_equal(run(&f, LOOPDEV_TIDY), 0);
	}
	close(fd);
	unlink(f.job.file);
	loopdev_free(f.ld);
	loop_free(f.loop);
}

/* Numbers that do not exist: nobody uses them, and the walk does not grow with them. */
static void
ten_thousand_devices_are_one_question(void **state)
{
	enum { MANY = 10000 };
	struct fixture f = { .loop = loop_new() };
	struct loopuse *uses = calloc(MANY, sizeof *uses);
	unsigned used = 0;

	(void)state;
	assert_non_null(uses);
	f.ld = loopdev_new(f.loop);
	f.job.done = job_done;
	f.job.user = f.loop;
	for (int i = 0; i < MANY; i++)
		uses[i].number = 500000 + (i * 7919) % MANY;
	f.job.users = uses;
	f.job.n_numbers = MANY;
	assert_int_equal(run(&f, LOOPDEV_USERS), 0);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(uses[i].number, 500000 + i);
		used += uses[i].is_used;
	}
	assert_int_equal(used, 0);
	free(uses);
	loopdev_free(f.ld);
	loop_free(f.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_numbers_of_earlier_runs_are_taken_out),
		cmocka_unit_test(among_many_a_new_one_is_made),
		cmocka_unit_test(ten_thousand_devices_are_one_question),
	};
	char why[256];

	if (loopdev_check(why, sizeof why) < 0) {
		printf("skipped: %s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
