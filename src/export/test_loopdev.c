/* Loop devices on files that this process serves. */
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fusetest.h"
#include "export/loopdev.h"

#define MIB (1u << 20)

struct fixture {
	struct fusetest t;
	struct loop *loop;
	struct loopdev *ld;
	struct loopdev_job job;
	unsigned slow_count;
};

static void
job_done(struct loopdev_job *job)
{
	loop_stop(job->user);
}

static void
setup(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	fusetest_start(&f->t);
	f->loop = loop_new();
	f->ld = loopdev_new(f->loop);
	assert_non_null(f->ld);
	f->job.done = job_done;
	f->job.user = f->loop;
}

static void
teardown(struct fixture *f)
{
	loopdev_free(f->ld);
	loop_free(f->loop);
	fusetest_end(&f->t);
}

/* Run a job and wait for it. */
static int
run(struct fixture *f, enum loopdev_what what)
{
	f->job.what = what;
	loopdev_run(f->ld, &f->job);
	assert_int_equal(loop_run(f->loop), 0);
	if (f->job.result < 0)
		printf("           (%s)\n", f->job.why);
	assert_int_equal(f->job.result < 0, f->job.why[0] != '\0');
	return f->job.result;
}

/* Who uses the job's device?  NULL: nobody; good until the next call. */
static const char *
user_of(struct fixture *f)
{
	static struct loopuse use;

	use.number = f->job.number;
	f->job.users = &use;
	f->job.n_numbers = 1;
	assert_int_equal(run(f, LOOPDEV_USERS), 0);
	return use.is_used ? use.who : NULL;
}

static void
attach(struct fixture *f, const struct memdev *m)
{
	snprintf(f->job.file, sizeof f->job.file, "%s/%s", f->t.dir, m->dev.name);
	f->job.block_bytes = m->dev.block_bytes;
	f->job.is_read_only = m->dev.read_only;
	f->job.is_forced = false;
	assert_int_equal(run(f, LOOPDEV_ATTACH), 0);
	assert_int_equal(strncmp(f->job.path, "/dev/loop", 9), 0);
}

static int
spawn(char *const argv[])
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		return -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
a_disk_is_a_block_device_with_its_own_block_size(void **state)
{
	struct fixture f;
	uint8_t *buf = NULL;

	(void)state;
	assert_int_equal(posix_memalign((void **)&buf, 4096, MIB), 0);
	setup(&f);
	for (uint32_t block = 512; block <= 4096; block *= 8) {
		struct memdev *m = fusetest_add(&f.t, block == 512 ? "a" : "b", 8 * MIB, block);
		int fd, logical;
		uint64_t size;

		attach(&f, m);
		assert_true(f.job.is_direct);
		assert_int_equal(fusetest_openers(&f.t, m), 1);
		fd = open(f.job.path, O_RDWR | O_DIRECT | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(ioctl(fd, BLKSSZGET, &logical), 0);
		assert_int_equal(logical, block);
		assert_int_equal(ioctl(fd, BLKGETSIZE64, &size), 0);
		assert_int_equal(size, 8 * MIB);
		for (unsigned i = 0; i < MIB; i++)
			buf[i] = (uint8_t)(i * 7 >> 2);
		assert_int_equal(pwrite(fd, buf, MIB, 2 * MIB), MIB);
		assert_memory_equal(m->mem + 2 * MIB, buf, MIB);
		memset(m->mem + 4096, 0x99, 4096);
		assert_int_equal(pread(fd, buf, 4096, 4096), 4096);
		assert_memory_equal(buf, m->mem + 4096, 4096);
		assert_int_equal(fsync(fd), 0);
		assert_true(m->answered[BLK_FLUSH] > 0);
		m->bad_from = 0;
		m->bad_to = 512;
		assert_int_equal(pread(fd, buf, 4096, 0), -1);
		assert_int_equal(errno, EIO);
		m->bad_to = 0;
		close(fd);
		assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
		assert_int_equal(run(&f, LOOPDEV_DETACH), -ENXIO);
		assert_int_equal(fusetest_openers(&f.t, m), 0);
	}
	teardown(&f);
	free(buf);
}

static void
a_read_only_disk_is_a_read_only_block_device(void **state)
{
	struct fixture f;
	struct memdev *m;
	char buf[4096] = { 0 };
	int fd, ro = 0;

	(void)state;
	setup(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	m->dev.read_only = true;
	attach(&f, m);
	fd = open(f.job.path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, BLKROGET, &ro), 0);
	assert_int_equal(ro, 1);
	assert_int_equal(write(fd, buf, sizeof buf), -1);
	/* Others do not get the file itself for writing. */
	assert_int_equal(spawn((char *[]){ "sh", "-c", "exec 3<>\"$0\"",
			     (char *)fusetest_path(&f.t, "d"), NULL }),
	    2);
	/* Lifted and raised while it is open, for later writers. */
	m->dev.read_only = false;
	f.job.is_read_only = false;
	assert_int_equal(run(&f, LOOPDEV_CHANGE), 0);
	assert_int_equal(ioctl(fd, BLKROGET, &ro), 0);
	assert_int_equal(ro, 0);
	close(fd);
	fd = open(f.job.path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, buf, sizeof buf), sizeof buf);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	m->dev.read_only = f.job.is_read_only = true;
	assert_int_equal(run(&f, LOOPDEV_CHANGE), 0);
	fd = open(f.job.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(ioctl(fd, BLKROGET, &ro), 0);
	assert_int_equal(ro, 1);
	close(fd);
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	teardown(&f);
}

/* Make `count` files of different sizes, or check them. */
static void
handle_files(const char *dir, unsigned count, bool is_check)
{
	static char want[70000], got[sizeof want];
	char path[128];

	for (unsigned i = 0; i < count; i++) {
		size_t n = i * 997 % sizeof want;
		int fd;

		memset(want, (int)(i & 0xff), sizeof want);
		snprintf(path, sizeof path, "%s/file%u", dir, i);
		fd = open(path, is_check ? O_RDONLY : O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0);
		if (is_check) {
			assert_int_equal(read(fd, got, sizeof got), n);
			assert_memory_equal(got, want, n);
		} else {
			assert_int_equal(write(fd, want, n), n);
		}
		close(fd);
	}
}

static void
a_file_system_on_it_survives_a_copy(void **state)
{
	struct fixture f;
	struct memdev *m;
	char mnt[80];

	(void)state;
	setup(&f);
	m = fusetest_add(&f.t, "d", 64 * MIB, 512);
	m->reorder_seed = 12;
	attach(&f, m);
	snprintf(mnt, sizeof mnt, "%s/mnt", f.t.base);
	assert_int_equal(mkdir(mnt, 0700), 0);
	assert_int_equal(spawn((char *[]){ "mkfs.ext4", "-q", "-F", f.job.path, NULL }), 0);
	assert_int_equal(mount(f.job.path, mnt, "ext4", 0, ""), 0);
	handle_files(mnt, 300, false);

	assert_non_null(strstr(user_of(&f), mnt));
	assert_int_equal(run(&f, LOOPDEV_DETACH), -EBUSY);
	assert_non_null(strstr(f.job.why, mnt));

	assert_int_equal(umount(mnt), 0);
	assert_int_equal(spawn((char *[]){ "fsck.ext4", "-f", "-n", f.job.path, NULL }), 0);
	/* The page cache has nothing to do with it: through another loop device it is the same. */
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	attach(&f, m);
	assert_int_equal(mount(f.job.path, mnt, "ext4", MS_RDONLY, ""), 0);
	handle_files(mnt, 300, true);
	assert_int_equal(umount(mnt), 0);
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	assert_int_equal(rmdir(mnt), 0);
	teardown(&f);
}

static void
discarded_blocks_are_zeros(void **state)
{
	struct fixture f;
	struct memdev *m;
	char buf[4096];
	int fd;

	(void)state;
	setup(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 4096);
	memset(m->mem, 0xaa, 8 * MIB);
	attach(&f, m);
	assert_int_equal(
	    spawn((char *[]){ "blkdiscard", "-o", "1048576", "-l", "1048576", f.job.path, NULL }),
	    0);
	assert_true(m->submitted[BLK_WRITE_ZEROES] > 0);
	fd = open(f.job.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, buf, 4096, MIB), 4096);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(buf[i], 0);
	close(fd);
	assert_int_equal(m->mem[MIB - 1], 0xaa);
	assert_int_equal(m->mem[2 * MIB], 0xaa);
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	teardown(&f);
}

static void
it_grows_with_the_disk(void **state)
{
	struct fixture f;
	struct memdev *m;
	uint64_t size = 0;
	static uint8_t buf[4096] __attribute__((aligned(4096)));
	int fd;

	(void)state;
	setup(&f);
	m = fusetest_add(&f.t, "d", 16 * MIB, 512);
	m->dev.size_bytes = 8 * MIB;
	attach(&f, m);
	m->dev.size_bytes = 16 * MIB;
	assert_int_equal(run(&f, LOOPDEV_CHANGE), 0);
	fd = open(f.job.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	assert_int_equal(ioctl(fd, BLKGETSIZE64, &size), 0);
	assert_int_equal(size, 16 * MIB);
	memset(buf, 0x31, 4096);
	assert_int_equal(pwrite(fd, buf, 4096, 16 * MIB - 4096), 4096);
	memset(buf, 0, 4096);
	assert_int_equal(pread(fd, buf, 4096, 16 * MIB - 4096), 4096);
	assert_int_equal(buf[4095], 0x31);
	close(fd);
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	teardown(&f);
}

static void
an_open_device_is_in_use_by_name_and_detached_only_by_force(void **state)
{
	struct fixture f;
	struct memdev *m;
	char pid_text[32], byte;
	int ready[2], status;
	pid_t pid;

	(void)state;
	setup(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	attach(&f, m);
	assert_null(user_of(&f));
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		/* Nothing of the parent's, or it would keep the mount. */
		int fd = open(f.job.path, O_RDONLY);

		dup2(fd, 3);
		dup2(ready[1], 4);
		close_range(5, ~0u, 0);
		if (write(4, "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	snprintf(pid_text, sizeof pid_text, "(process %d)", pid);
	assert_non_null(strstr(user_of(&f), pid_text));
	assert_int_equal(run(&f, LOOPDEV_DETACH), -EBUSY);
	assert_non_null(strstr(f.job.why, pid_text));
	f.job.is_forced = true;
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* It went with its last user. */
	assert_int_equal(run(&f, LOOPDEV_DETACH), -ENXIO);
	assert_int_equal(fusetest_openers(&f.t, m), 0);
	teardown(&f);
}

static void
what_cannot_be_attached_is_refused_with_a_sentence(void **state)
{
	struct fixture f;
	struct memdev *m;

	(void)state;
	setup(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	snprintf(f.job.file, sizeof f.job.file, "%s/none", f.t.dir);
	f.job.block_bytes = 512;
	assert_int_equal(run(&f, LOOPDEV_ATTACH), -ENOENT);
	assert_non_null(strstr(f.job.why, f.job.file));
	assert_string_equal(f.job.path, "");
	snprintf(f.job.file, sizeof f.job.file, "%s/d", f.t.dir);
	f.job.block_bytes = 520;
	assert_int_equal(run(&f, LOOPDEV_ATTACH), -EINVAL);
	assert_int_equal(fusetest_openers(&f.t, m), 0);
	/* Somebody else's device is not ours to detach. */
	f.job.block_bytes = 512;
	assert_int_equal(run(&f, LOOPDEV_ATTACH), 0);
	snprintf(f.job.file, sizeof f.job.file, "%s/e", f.t.dir);
	assert_int_equal(run(&f, LOOPDEV_DETACH), -ENXIO);
	snprintf(f.job.file, sizeof f.job.file, "%s/d", f.t.dir);
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	teardown(&f);
}

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
	struct fixture f = { .loop = loop_new() };
	struct guard guard;
	int number;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(base));
	guard_begin(&guard, base, 60);
	snprintf(dir, sizeof dir, "%s/disk", base);
	snprintf(file, sizeof file, "%s/d", dir);
	f.ld = loopdev_new(f.loop);
	f.job.done = job_done;
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
		assert_int_equal(run(&f, LOOPDEV_SWEEP), 0);
		free(f.job.numbers);
		/* A directory's has dead disks of others, too. */
		assert_true(round == 1 ? f.job.count >= 1 : f.job.count == 1);
		f.job.number = number;
		assert_int_equal(run(&f, LOOPDEV_DETACH), -ENXIO);
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
	struct fixture f = { .loop = loop_new() };
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
	f.job.done = job_done;
	f.job.user = f.loop;
	snprintf(f.job.file, sizeof f.job.file, "%s/", dir);
	assert_int_equal(run(&f, LOOPDEV_SWEEP), 0);
	free(f.job.numbers);
	loopdev_free(f.ld);
	loop_free(f.loop);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	assert_int_equal(rmdir(base), 0);
	guard_end(&guard);
}

/* Put a plain file on this number, as another program would. */
static int
take_number(struct fixture *f, int number, char *ret_node, size_t size)
{
	char file[96];
	int fd, status;

	snprintf(file, sizeof file, "%s/plain", f->t.base);
	snprintf(ret_node, size, "/dev/loop%d", number);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, MIB), 0);
	close(fd);
	status = spawn((char *[]){ "losetup", ret_node, file, NULL });
	unlink(file);
	return status;
}

static void
a_number_that_is_anothers_by_now_is_not_touched(void **state)
{
	struct fixture f;
	struct memdev *m;
	char node[32];
	bool is_plain;

	(void)state;
	setup(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	for (unsigned forced = 0; forced < 2; forced++) {
		attach(&f, m);
		assert_int_equal(run(&f, LOOPDEV_CHECK), 0);
		assert_int_equal(spawn((char *[]){ "losetup", "-d", f.job.path, NULL }), 0);
		assert_int_equal(run(&f, LOOPDEV_CHECK), -ENXIO);
		/* Where that fails, somebody else was faster, and it is his. */
		is_plain = take_number(&f, f.job.number, node, sizeof node) == 0;
		f.job.is_forced = forced;
		assert_int_equal(run(&f, LOOPDEV_CHECK), -ENXIO);
		assert_int_equal(run(&f, LOOPDEV_CHANGE), -ENXIO);
		assert_int_equal(run(&f, LOOPDEV_DETACH), -ENXIO);
		/* The other one has it still. */
		if (is_plain)
			assert_int_equal(spawn((char *[]){ "losetup", "-d", node, NULL }), 0);
	}
	/* The same name on another inode is another file. */
	attach(&f, m);
	f.job.id.inode++;
	assert_int_equal(run(&f, LOOPDEV_DETACH), -ENXIO);
	f.job.id.inode--;
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	teardown(&f);
}

static void
a_device_that_was_opened_before_it_was_let_go_stays(void **state)
{
	struct fixture f;
	struct memdev *m;
	char buf[512];
	int fd, ready[2], status;
	pid_t pid;

	(void)state;
	setup(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	attach(&f, m);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		dup2(open(f.job.path, O_RDONLY), 3);
		dup2(ready[1], 4);
		close_range(5, ~0u, 0);
		if (write(4, "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], buf, 1), 1);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(run(&f, LOOPDEV_DETACH), -EBUSY);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* A refusal changes nothing: the device is there when its user has closed it. */
	assert_int_equal(run(&f, LOOPDEV_CHECK), 0);
	fd = open(f.job.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, buf, sizeof buf), sizeof buf);
	close(fd);
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	teardown(&f);
}

static void
users_of_many_devices_are_found_in_one_walk(void **state)
{
	struct loopuse uses[3];
	struct fixture f;
	struct loopdev_job jobs[3];
	int fds[2], status;
	char byte;
	pid_t pid;

	(void)state;
	setup(&f);
	for (unsigned i = 0; i < 3; i++) {
		attach(&f, fusetest_add(&f.t, (char *[]){ "a", "b", "c" }[i], 8 * MIB, 512));
		jobs[i] = f.job;
		uses[2 - i].number = f.job.number;
	}
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(open(jobs[0].path, O_RDONLY), 3);
		dup2(open(jobs[2].path, O_RDONLY), 4);
		dup2(fds[1], 5);
		close_range(6, ~0u, 0);
		if (write(5, "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	f.job.users = uses;
	f.job.n_numbers = 3;
	assert_int_equal(run(&f, LOOPDEV_USERS), 0);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++)
			if (uses[i].number == jobs[k].number)
				assert_int_equal(uses[i].is_used, k != 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (unsigned i = 0; i < 3; i++) {
		f.job = jobs[i];
		assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	}
	teardown(&f);
}

static void
slow_done(struct loopdev_job *job)
{
	struct fixture *f = job->user;

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
	struct fixture f;
	struct obstacle o = { .msg.run = wait_there };
	int fd;

	(void)state;
	setup(&f);
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
	assert_int_equal(run(&f, LOOPDEV_ATTACH), 0);
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	assert_int_equal(f.slow_count, 0);
	unlink(f.job.file);

	sem_post(&o.go_on);
	assert_int_equal(loop_run(f.loop), 0);
	assert_int_equal(f.slow_count, 1);
	assert_int_equal(slow.result, 0);
	f.job = slow;
	f.job.done = job_done;
	f.job.user = f.loop;
	assert_int_equal(run(&f, LOOPDEV_DETACH), 0);
	sem_destroy(&o.go_on);
	teardown(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_a_block_device_with_its_own_block_size),
		cmocka_unit_test(a_read_only_disk_is_a_read_only_block_device),
		cmocka_unit_test(a_file_system_on_it_survives_a_copy),
		cmocka_unit_test(discarded_blocks_are_zeros),
		cmocka_unit_test(it_grows_with_the_disk),
		cmocka_unit_test(an_open_device_is_in_use_by_name_and_detached_only_by_force),
		cmocka_unit_test(what_cannot_be_attached_is_refused_with_a_sentence),
		cmocka_unit_test(what_a_dead_process_left_is_swept_up),
		cmocka_unit_test(a_process_that_is_killed_in_the_middle_of_a_job_dies),
		cmocka_unit_test(a_number_that_is_anothers_by_now_is_not_touched),
		cmocka_unit_test(a_device_that_was_opened_before_it_was_let_go_stays),
		cmocka_unit_test(users_of_many_devices_are_found_in_one_walk),
		cmocka_unit_test(a_job_that_hangs_does_not_hold_up_another),
	};
	const char *obstacle = fusetest_obstacle();
	char why[256];

	if (obstacle == NULL && loopdev_check(why, sizeof why) < 0)
		obstacle = why;
	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
