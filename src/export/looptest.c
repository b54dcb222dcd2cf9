#include "export/looptest.h"

#include <sys/wait.h>

#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
looptest_job_done(struct loopdev_job *job)
{
	loop_stop(job->user);
}

void
looptest_begin(struct looptest *f)
{
	memset(f, 0, sizeof *f);
	fusetest_start(&f->t);
	f->loop = loop_new();
	f->ld = loopdev_new(f->loop);
	assert_non_null(f->ld);
	f->job.done = looptest_job_done;
	f->job.user = f->loop;
}

void
looptest_end(struct looptest *f)
{
	loopdev_free(f->ld);
	loop_free(f->loop);
	fusetest_end(&f->t);
}

int
looptest_run(struct looptest *f, enum loopdev_what what)
{
	f->job.what = what;
	loopdev_run(f->ld, &f->job);
	assert_int_equal(loop_run(f->loop), 0);
	if (f->job.result < 0)
		printf("           (%s)\n", f->job.why);
	assert_int_equal(f->job.result < 0, f->job.why[0] != '\0');
	return f->job.result;
}

const char *
looptest_user_of(struct looptest *f)
{
	static struct loopuse use;

	use.number = f->job.number;
	f->job.users = &use;
	f->job.n_numbers = 1;
	assert_int_equal(looptest_run(f, LOOPDEV_USERS), 0);
	return use.is_used ? use.who : NULL;
}

void
looptest_attach(struct looptest *f, const struct memdev *m)
{
	snprintf(f->job.file, sizeof f->job.file, "%s/%s", f->t.dir, m->dev.name);
	f->job.block_bytes = m->dev.block_bytes;
	f->job.is_read_only = m->dev.read_only;
	f->job.is_forced = false;
	assert_int_equal(looptest_run(f, LOOPDEV_ATTACH), 0);
	assert_int_equal(strncmp(f->job.path, "/dev/loop", 9), 0);
}

int
looptest_spawn(char *const argv[])
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		return -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
looptest_main(const char *name, const struct CMUnitTest *tests, size_t n)
{
	const char *obstacle = fusetest_obstacle();
	char why[256];

	if (obstacle == NULL && loopdev_check(why, sizeof why) < 0)
		obstacle = why;
	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
