/* A driver that was conquered asks its porter for mounts, for too much, and in the wrong way. */
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fusemnt.h"
#include "export/fusetest.h"
#include "export/looptest.h"
#include "export/mounts.h"
#include "export/porter.h"
#include "export/porter_serve.h"
#include "export/portertest.h"
#include "sys/sock.h"

struct counting {
	const char *path, *type;
	unsigned n;
};

static bool
count(const struct mounts_row *row, void *user)
{
	struct counting *c = user;

	c->n += strcmp(row->path, c->path) == 0 && strcmp(row->type, c->type) == 0;
	return false;
}

static unsigned
mounted(const struct portertest *f, const char *name, const char *type)
{
	struct counting c = { portertest_below(f, name), type, 0 };

	mounts_each(count, &c);
	return c.n;
}

/* A line of its /proc/PID/status, as a number of that base. */
static unsigned long long
status_of(pid_t pid, const char *key, int base)
{
	char path[64], line[256];
	unsigned long long value = ~0ull;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			value = strtoull(line + strlen(key) + 1, NULL, base);
	fclose(file);
	return value;
}

static unsigned
jobs_of(const struct portertest *f, pid_t *ret_last)
{
	char path[64];
	unsigned n = 0;
	FILE *file;
	int pid;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", f->pid, f->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	for (; fscanf(file, "%d", &pid) == 1; n++)
		*ret_last = pid;
	fclose(file);
	return n;
}

static const struct loopdev_kept none = { NULL, 0 };

/* ---- mounts ---- */

static void
only_a_directory_of_a_session_is_mounted_on(void **state)
{
	struct portertest f;
	int fd, other;

	(void)state;
	portertest_setup(&f);
	portertest_make_dir(&f, "3");
	portertest_make_dir(&f, "elsewhere");
	portertest_make_file(&f, "5");
	assert_int_equal(symlink("elsewhere", portertest_below(&f, "4")), 0);
	assert_int_equal(portertest_ask(&f,
			     (struct porter_question){ .op = PORTER_MOUNT, .session = 3 }, -1, &fd),
	    0);
	assert_true(fd >= 0);
	assert_int_equal(mounted(&f, "3", "fuse." FUSEMNT_NAME), 1);
	/* Not a second one on it, not through a link, not where nothing is. */
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_MOUNT, .session = 3), -EBUSY);
	assert_true(PORTERTEST_ASK(&f, .op = PORTER_MOUNT, .session = 4) < 0);
	assert_true(PORTERTEST_ASK(&f, .op = PORTER_MOUNT, .session = 5) < 0);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_MOUNT, .session = 6), -ENOENT);
	assert_int_equal(mounted(&f, "elsewhere", "fuse." FUSEMNT_NAME), 0);
	/* Once more only what is such a connection. */
	other = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(
	    portertest_ask(
		&f, (struct porter_question){ .op = PORTER_AGAIN, .session = 3 }, other, NULL),
	    -EINVAL);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_AGAIN, .session = 3), -EINVAL);
	assert_int_equal(
	    portertest_ask(
		&f, (struct porter_question){ .op = PORTER_MOUNT, .session = 3 }, other, NULL),
	    -EINVAL);
	assert_true(portertest_ask(&f, (struct porter_question){ .op = PORTER_AGAIN, .session = 4 },
			fd, NULL) < 0);
	close(other);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT, .session = 3), 0);
	assert_int_equal(mounted(&f, "3", "fuse." FUSEMNT_NAME), 0);
	close(fd);
	portertest_teardown(&f);
}

static void
a_mount_has_fixed_options(void **state)
{
	struct portertest f;
	char line[512];
	bool found = false;
	FILE *file;
	int fd;

	(void)state;
	portertest_setup(&f);
	portertest_make_dir(&f, "0");
	assert_int_equal(
	    portertest_ask(&f, (struct porter_question){ .op = PORTER_MOUNT }, -1, &fd), 0);
	file = fopen("/proc/self/mounts", "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		if (strstr(line, portertest_below(&f, "0")) != NULL) {
			found = true;
			for (size_t i = 0; i < 5; i++)
				assert_non_null(
				    strstr(line, (char *[]){ "nosuid", "nodev", "noexec",
						     "user_id=0", "default_permissions" }[i]));
			assert_null(strstr(line, "allow_other"));
		}
	fclose(file);
	assert_true(found);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT), 0);
	close(fd);
	portertest_teardown(&f);
}

static void
what_others_mounted_is_not_taken_away(void **state)
{
	struct portertest f;

	(void)state;
	portertest_setup(&f);
	portertest_make_dir(&f, "8");
	portertest_make_dir(&f, "9");
	assert_int_equal(mount("tmpfs", portertest_below(&f, "8"), "tmpfs", 0, "size=64k"), 0);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT, .session = 8), -EINVAL);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT, .session = 9), -EINVAL);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT, .session = 10), -EINVAL);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_MOUNT, .session = 8), -EBUSY);
	assert_int_equal(mounted(&f, "8", "tmpfs"), 1);
	assert_int_equal(umount(portertest_below(&f, "8")), 0);
	portertest_teardown(&f);
}

/* ---- too much ---- */

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void
a_flood_has_a_pace(void **state)
{
	enum { MANY = PORTER_BURST + 2 * PORTER_PACE };
	struct porter_question q = { .op = PORTER_CHECK, .name = "c0t0d0" };
	struct portertest f;
	unsigned sent = 0, got = 0;
	double begin = seconds();
	pid_t last;

	(void)state;
	portertest_setup(&f);
	while (got < MANY) {
		if (sent < MANY && send(f.fd, &q, sizeof q, MSG_DONTWAIT) == sizeof q) {
			sent++;
			continue;
		}
		(void)portertest_receive(&f);
		assert_int_equal(f.a.result, -ENXIO);
		got++;
	}
	assert_true(seconds() - begin > 1.5);
	assert_int_equal(jobs_of(&f, &last), 0);
	/* What is no question counts, and does nothing. */
	for (unsigned op = PORTER_OPS; op < PORTER_OPS + 10; op++)
		assert_int_equal(PORTERTEST_ASK(&f, .op = op), -EINVAL);
	assert_int_equal(PORTERTEST_ASK(&f, .op = UINT32_MAX), -EINVAL);
	assert_int_equal(
	    PORTERTEST_ASK(&f, .op = PORTER_ATTACH, .name = "c0t0d0", .is_read_only = 7), -EINVAL);
	assert_int_equal(send(f.fd, &q, sizeof q - 1, 0), sizeof q - 1);
	assert_int_equal(send(f.fd, &(char[200]){ 0 }, 200, 0), 200);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT), -EINVAL);
	portertest_teardown(&f);
}

/* A mount that nobody serves, and jobs that wait for it. */
static void
hang(struct portertest *f, int *ret_fuse, unsigned jobs)
{
	portertest_make_dir(f, "0");
	assert_int_equal(
	    portertest_ask(f, (struct porter_question){ .op = PORTER_MOUNT }, -1, ret_fuse), 0);
	for (unsigned i = 0; i < jobs; i++)
		(void)portertest_send(f,
		    (struct porter_question){
			.op = PORTER_ATTACH, .block_bytes = 512, .name = "c0t0d0" },
		    -1);
}

static void
jobs_that_hang_are_few_and_do_not_hold_up_mounts(void **state)
{
	struct portertest f;
	pid_t last;
	int fuse;

	(void)state;
	portertest_setup(&f);
	hang(&f, &fuse, PORTER_LOOP_JOBS);
	assert_int_equal(
	    PORTERTEST_ASK(&f, .op = PORTER_ATTACH, .block_bytes = 512, .name = "c0t0d0"), -EAGAIN);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_USERS), -EAGAIN);
	assert_int_equal(jobs_of(&f, &last), PORTER_LOOP_JOBS);
	portertest_make_dir(&f, "1");
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_MOUNT, .session = 1), 0);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT, .session = 1), 0);
	/* Their driver dies: nobody else has its connection. */
	close(fuse);
	for (unsigned i = 0; i < PORTER_LOOP_JOBS; i++) {
		(void)portertest_receive(&f);
		assert_true(f.a.result < 0);
	}
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT), 0);
	portertest_teardown(&f);
}

static void
a_job_that_dies_is_answered(void **state)
{
	struct portertest f;
	pid_t job = 0;
	int fuse;

	(void)state;
	portertest_setup(&f);
	hang(&f, &fuse, 1);
	assert_int_equal(
	    PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT, .session = 9), -EINVAL); /* it has begun */
	while (jobs_of(&f, &job) != 1) /* the other one ends */
		assert_int_equal(poll(NULL, 0, 10), 0);
	kill(job, SIGKILL);
	(void)portertest_receive(&f);
	assert_int_equal(f.a.result, -EIO);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT), 0);
	close(fuse);
	portertest_teardown(&f);
}

static void
jobs_end_with_the_porter(void **state)
{
	struct portertest f;
	pid_t job = 0;
	int fuse;

	(void)state;
	portertest_setup(&f);
	hang(&f, &fuse, 1);
	assert_int_equal(
	    PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT, .session = 9), -EINVAL); /* it has begun */
	while (jobs_of(&f, &job) != 1) /* the other one ends */
		assert_int_equal(poll(NULL, 0, 10), 0);
	portertest_stop(&f);
	while (kill(job, 0) == 0)
		assert_int_equal(poll(NULL, 0, 10), 0);
	close(fuse);
	portertest_fork(&f);
	portertest_start(&f, f.base);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_UNMOUNT), 0);
	portertest_teardown(&f);
}

/* ---- rights ---- */

static void
it_has_the_rights_it_needs_and_no_others(void **state)
{
	const unsigned long long all =
	    1ull << CAP_SYS_ADMIN | 1ull << CAP_SYS_PTRACE | 1ull << CAP_DAC_READ_SEARCH;
	struct portertest f;

	(void)state;
	portertest_setup(&f);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    status_of(f.pid, (char *[]){ "CapEff", "CapPrm", "CapBnd" }[i], 16) & ~all, 0);
	assert_int_equal(status_of(f.pid, "CapInh", 16), 0);
	assert_int_equal(status_of(f.pid, "CapAmb", 16), 0);
	assert_int_equal(status_of(f.pid, "NoNewPrivs", 10), 1);
	assert_int_equal(status_of(f.pid, "Seccomp", 10), 2);
	portertest_teardown(&f);
}

/* ---- the driver's side ---- */

/* In a process of its own, which has a porter for its life.  0: as it should be. */
static int
driver_whose_porter_dies(const char *base)
{
	struct loopdev_job job = { .what = LOOPDEV_ATTACH, .block_bytes = 512 };
	char note[512], path[96], why[512];
	struct loop *loop = loop_new();
	FILE *file;
	int pid = 0;

	if (porter_is_there() || porter_start(base, &none, note, sizeof note) < 0 ||
	    !porter_is_there())
		return 1;
	snprintf(path, sizeof path, "%s/elsewhere", base);
	if (porter_mount(path) != -EINVAL || porter_mount("/etc") != -EINVAL)
		return 2;
	snprintf(job.file, sizeof job.file, "%s/0/../x", base);
	porter_run(&job);
	if (job.result != -EINVAL || job.why[0] == '\0')
		return 3;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", getpid(), getpid());
	file = fopen(path, "re");
	if (file == NULL || fscanf(file, "%d", &pid) != 1 || !porter_is_own(pid) ||
	    porter_is_own(getpid()))
		return 4;
	fclose(file);
	if (loop == NULL || porter_watch(loop) < 0 || kill(pid, SIGKILL) < 0)
		return 5;
	snprintf(path, sizeof path, "%s/0", base);
	snprintf(job.file, sizeof job.file, "%s/0/c0t0d0", base);
	porter_run(&job);
	if (porter_mount(path) != -EPIPE || porter_loops(why, sizeof why) != -EPIPE ||
	    job.result != -EPIPE || strstr(job.why, "start iscsi_driverd anew") == NULL)
		return 6;
	porter_end();
	return waitpid(pid, NULL, 0) < 0 ? 0 : 7;
}

static void
without_its_porter_a_driver_gets_an_error_and_a_next_step(void **state)
{
	struct portertest f;
	int status;
	pid_t pid;

	(void)state;
	portertest_setup(&f);
	pid = fork();
	if (pid == 0)
		_exit(driver_whose_porter_dies(f.base));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	portertest_teardown(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_directory_of_a_session_is_mounted_on),
		cmocka_unit_test(a_mount_has_fixed_options),
		cmocka_unit_test(what_others_mounted_is_not_taken_away),
		cmocka_unit_test(a_flood_has_a_pace),
		cmocka_unit_test(jobs_that_hang_are_few_and_do_not_hold_up_mounts),
		cmocka_unit_test(a_job_that_dies_is_answered),
		cmocka_unit_test(jobs_end_with_the_porter),
		cmocka_unit_test(it_has_the_rights_it_needs_and_no_others),
		cmocka_unit_test(without_its_porter_a_driver_gets_an_error_and_a_next_step),
	};

	return looptest_main("porter", tests, sizeof tests / sizeof *tests);
}
