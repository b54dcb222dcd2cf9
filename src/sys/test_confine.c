/*
 * What is forbidden is tried, and what is needed is done, in a child of its
 * own each, for every profile.
 */
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/confine.h"

/* Exit statuses of a child besides errno values; SIGNALLED + number: a signal ended it. */
#define NOT_CONFINED 250
#define WRONG        251
#define SIGNALLED    1000

#define BIT(id)     (1u << CONFINE_##id)
#define ALL_DAEMONS (BIT(ISWD) | BIT(RESOLVD) | BIT(ISLPD) | BIT(IRADD))
#define RESOLVERS   (BIT(RESOLVD) | BIT(ISLPD) | BIT(IRADD))

/* But for what is entered after another one. */
static const enum confine_profile all[] = { CONFINE_ISWD, CONFINE_RESOLVD, CONFINE_ISLPD,
	CONFINE_IRADD, CONFINE_PORTER, CONFINE_DRIVER };
static_assert(sizeof all / sizeof all[0] == CONFINE_SETTLED, "all of them, in order");
#define PROFILES (sizeof all / sizeof all[0])
static const char *const programs[] = {
#define PROFILE(id, program, ...) program,
#include "sys/confine.def"
};

static char dir[] = "/tmp/test-confine-XXXXXX";
static char path[64];
static char names[] = "/tmp/test-confine-names-XXXXXX";
static char elsewhere[] = "/tmp/test-confine-file-XXXXXX";

/* ---- what is tried: 0 or an errno ---- */

static int
made(int fd)
{
	return fd >= 0 ? 0 : errno;
}

#define SOCKET(name, ...)                         \
	static int name(void)                     \
	{                                         \
		return made(socket(__VA_ARGS__)); \
	}
SOCKET(unix_stream, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)
SOCKET(inet_stream, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)
SOCKET(inet6_stream, AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)
SOCKET(inet_dgram, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
SOCKET(inet6_dgram, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0)
SOCKET(inet_raw, AF_INET, SOCK_RAW, IPPROTO_ICMP)
SOCKET(netlink_route, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)
SOCKET(netlink_audit, AF_NETLINK, SOCK_RAW, 9)
SOCKET(packet, AF_PACKET, SOCK_RAW, 0)

static int
inet_of_wide_word(void)
{
	/* The kernel looks at the lower half only. */
	return made((int)syscall(SYS_socket, 1L << 32 | AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int
read_file(void)
{
	return made(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
write_file(void)
{
	return made(open(path, O_WRONLY));
}

static int
read_and_write_file(void)
{
	return made(open(path, O_RDWR));
}

static int
truncate_by_opening(void)
{
	return made(open(path, O_RDONLY | O_TRUNC));
}

static int
create_file(void)
{
	return made(open("/dev/shm/test-confine-created", O_RDONLY | O_CREAT, 0600));
}

static int
create_nameless_file(void)
{
	return made(open(dir, O_RDWR | O_TMPFILE, 0600));
}

static int
write_file_by_openat2(void)
{
	uint64_t how[3] = { O_WRONLY };

	return made((int)syscall(SYS_openat2, AT_FDCWD, path, how, sizeof how));
}

static int
unlink_file(void)
{
	return made(unlink(path));
}

static int
rename_file(void)
{
	return made(rename(path, path));
}

static int
make_directory(void)
{
	return made(mkdir(path, 0700));
}

static int
change_mode(void)
{
	return made(chmod(path, 0600));
}

static void *
thread(void *arg)
{
	return arg;
}

static int
start_thread(void)
{
	void *ret = NULL;
	pthread_t t;
	int err = pthread_create(&t, NULL, thread, dir);

	if (err == 0)
		err = pthread_join(t, &ret);
	return err != 0 ? err : ret == dir ? 0 : WRONG;
}

static int
start_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return made(pid);
}

static int
run_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int
trace(void)
{
	return made((int)syscall(SYS_ptrace, 0, 0, 0, 0));
}

static int
run_program_by_descriptor(void)
{
	char *argv[] = { (char *)"true", NULL };

	syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, argv + 1, 0);
	return errno;
}

static int
take_descriptor(void)
{
	return made((int)syscall(SYS_pidfd_getfd, -1, 0, 0));
}

static int
look_into_memory(void)
{
	return made((int)syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0));
}

static int
become_root(void)
{
	return made((int)syscall(SYS_setresuid, 0, 0, 0));
}

static int
change_root(void)
{
	return made(chroot("/"));
}

static int
set_clock(void)
{
	return made((int)syscall(SYS_clock_settime, 0, NULL));
}

static int
make_device(void)
{
	return made(mknod("/tmp/test-confine-device", S_IFBLK | 0600, 0x700));
}

static int
own_namespace(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return made(pid);
}

static int
leave_no_core_file(void)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) < 0)
		return errno;
	return core.rlim_cur == 0 && core.rlim_max == 0 ? 0 : WRONG;
}

static int
load_module(void)
{
	return made((int)syscall(SYS_init_module, NULL, 0, ""));
}

static int
make_ring(void)
{
	return made((int)syscall(SYS_io_uring_setup, 1, NULL));
}

static int
signal_others(void)
{
	return made(kill(getppid(), 0));
}

static int
listen_to_all(void)
{
	return made(listen(-1, 1)) == EBADF ? 0 : errno;
}

static int
make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED ? 0 : errno;
}

static int
make_memory(void)
{
	void *p = malloc(8u << 20);

	if (p == NULL)
		return errno;
	memset(p, 1, 8u << 20);
	free(p);
	return 0;
}

static int
look_up_name(void)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	int eai = getaddrinfo("localhost", NULL, &hints, &list);

	if (eai == 0)
		freeaddrinfo(list);
	return eai == 0 ? 0 : WRONG;
}

static int
interface_number(void)
{
	return if_nametoindex("lo") != 0 || errno == ENODEV ? 0 : errno;
}

static int
say_something(void)
{
	time_t now = time(NULL);
	struct tm tm;

	return localtime_r(&now, &tm) != NULL && dprintf(STDERR_FILENO, "%s", "") == 0 ? 0 : errno;
}

static int
abort_process(void)
{
	abort();
}

/* ---- what comes of it ---- */

/* By profile; whoever has no bit in `permitted` gets `otherwise`. */
static const struct attempt {
	const char *what;
	int (*try)(void);
	unsigned permitted;
	int otherwise;
	bool is_sanitizers; /* they need it where we do not */
} attempts[] = {
#define A(name, permitted, otherwise)                    \
	{                                                \
#name, name, permitted, otherwise, false \
	}
#define U(name, permitted, otherwise)                   \
	{                                               \
#name, name, permitted, otherwise, true \
	}
	A(unix_stream, ALL_DAEMONS | BIT(DRIVER), EPERM),
	A(inet_stream, BIT(ISWD) | BIT(RESOLVD) | BIT(ISLPD), EPERM),
	A(inet6_stream, BIT(ISWD) | BIT(RESOLVD) | BIT(ISLPD), EPERM),
	A(inet_dgram, RESOLVERS, EPERM),
	A(inet6_dgram, RESOLVERS, EPERM),
	A(inet_raw, 0, EPERM),
	A(inet_of_wide_word, 0, EPERM),
	A(netlink_route, RESOLVERS, EPERM),
	A(netlink_audit, 0, EPERM),
	A(packet, 0, EPERM),
	A(read_file, ALL_DAEMONS | BIT(DRIVER), 0),
	A(write_file, BIT(DRIVER) | BIT(PORTER), EPERM),
	A(read_and_write_file, BIT(DRIVER) | BIT(PORTER), EPERM),
	A(truncate_by_opening, BIT(DRIVER) | BIT(PORTER), EPERM),
	A(create_file, BIT(DRIVER) | BIT(PORTER), EPERM),
	A(create_nameless_file, BIT(DRIVER) | BIT(PORTER), EPERM),
	A(write_file_by_openat2, BIT(DRIVER) | BIT(PORTER), ENOSYS),
	A(rename_file, BIT(DRIVER), EPERM),
	A(change_mode, BIT(DRIVER), EPERM),
	A(unlink_file, BIT(DRIVER), EPERM),
	A(make_directory, BIT(DRIVER), EPERM),
	A(make_ring, 0, EPERM),
	A(make_memory, ALL_DAEMONS | BIT(DRIVER), 0),
	A(make_code, RESOLVERS | BIT(DRIVER), EPERM),
	A(look_up_name, ALL_DAEMONS | BIT(DRIVER), 0),
	A(interface_number, ALL_DAEMONS | BIT(DRIVER), ENOENT),
	A(listen_to_all, BIT(DRIVER), EPERM),
	A(say_something, ALL_DAEMONS | BIT(DRIVER), 0),
	A(load_module, 0, SIGNALLED + SIGSYS),
	A(take_descriptor, 0, SIGNALLED + SIGSYS),
	A(look_into_memory, 0, SIGNALLED + SIGSYS),
	A(become_root, 0, SIGNALLED + SIGSYS),
	A(change_root, 0, SIGNALLED + SIGSYS),
	A(set_clock, 0, SIGNALLED + SIGSYS),
	A(make_device, 0, EPERM),
	U(own_namespace, 0, EPERM),
	A(leave_no_core_file, ALL_DAEMONS | BIT(DRIVER), 0),
	A(abort_process, 0, SIGNALLED + SIGABRT),
	U(start_thread, RESOLVERS | BIT(DRIVER), EPERM),
	U(start_process, BIT(DRIVER) | BIT(PORTER), EPERM),
	U(signal_others, 0, EPERM),
	U(trace, 0, SIGNALLED + SIGSYS),
	U(run_program, 0, SIGNALLED + SIGSYS),
	U(run_program_by_descriptor, 0, SIGNALLED + SIGSYS),
};

/* Ends without what atexit() has: the child is not the test. */
static int
outcome(enum confine_profile profile, const struct confine_cfg *cfg, int (*try)(void))
{
	pid_t pid = fork();
	int st;

	assert_true(pid >= 0);
	if (pid == 0) {
		char note[CONFINE_NOTE_BYTES];

		signal(SIGABRT, SIG_DFL); /* cmocka has one */
		signal(SIGSYS, SIG_DFL);
		if (confine_enter(profile, cfg, note) < 0) {
			fprintf(stderr, "%s\n", note);
			_exit(NOT_CONFINED);
		}
		_exit(try());
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : SIGNALLED + WTERMSIG(st);
}

static bool
has_seccomp(void)
{
	const struct confine_cfg cfg = { .strict = true };

	return outcome(CONFINE_ISWD, &cfg, unix_stream) != NOT_CONFINED;
}

static void
every_profile_can_do_its_work_and_nothing_else(void **state)
{
	int wrong = 0;

	(void)state;
	if (!has_seccomp())
		skip();
	for (size_t p = 0; p < PROFILES; p++) {
		const struct confine_cfg cfg = { .strict = true,
			.keep_caps = all[p] == CONFINE_DRIVER ? UINT64_MAX : 0 };

		for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
			const struct attempt *a = &attempts[i];
			bool may = (a->permitted >> all[p] & 1) != 0;
#ifdef CONFINE_SANITIZED
			if (a->is_sanitizers)
				continue;
#endif
			int want = may ? 0 : a->otherwise, got, fd;

			fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); /* as it was */
			assert_true(fd >= 0 && fchmod(fd, 0666) == 0);
			close(fd);
			/* What is permitted to a profile may still be no use on this host. */
			got = outcome(all[p], &cfg, a->try);
			if (a->try == make_directory && got == EEXIST)
				got = 0;
			if (may && got == EAFNOSUPPORT)
				got = 0;
			if (got != want) {
				print_error("%s: %s: %d instead of %d\n", programs[all[p]], a->what,
				    got, want);
				wrong++;
			}
		}
	}
	(void)unlink("/dev/shm/test-confine-created");
	assert_int_equal(wrong, 0);
}

static int
all_threads_are_filtered(void)
{
	return made(socket(AF_PACKET, SOCK_RAW, 0));
}

static pthread_barrier_t barrier;

static void *
early_thread(void *arg)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	*(int *)arg = all_threads_are_filtered();
	return NULL;
}

static void
threads_that_were_there_before_are_filtered_too(void **state)
{
	pid_t pid;
	int st;

	(void)state;
	if (!has_seccomp())
		skip();
	pid = fork();
	if (pid == 0) {
		const struct confine_cfg cfg = { .strict = true };
		char note[CONFINE_NOTE_BYTES];
		pthread_t t;
		int got = WRONG;

		pthread_barrier_init(&barrier, NULL, 2);
		if (pthread_create(&t, NULL, early_thread, &got) != 0)
			_exit(WRONG);
		pthread_barrier_wait(&barrier);
		if (confine_enter(CONFINE_DRIVER, &cfg, note) < 0)
			_exit(NOT_CONFINED);
		pthread_barrier_wait(&barrier);
		pthread_join(t, NULL);
		_exit(got);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), EPERM);
}

/* ---- mounts ---- */

static int
mount_something(void)
{
	return mount("none", dir, "tmpfs", 0, "size=64k") == 0 ? 0 : errno;
}

static int
mount_for_all(void)
{
	return mount("none", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		   "size=64k") == 0
		   ? 0
		   : errno;
}

static int
bind_elsewhere(void)
{
	return mount("/etc", dir, NULL, MS_BIND, NULL) == 0 ? 0 : errno;
}

static int
unmount_something(void)
{
	return umount2(dir, MNT_DETACH) == 0 ? 0 : errno;
}

/* Also with every capability: the driver mounts nothing, its porter nothing of another kind. */
static void
nothing_is_mounted_but_as_the_porter_mounts(void **state)
{
	const struct confine_cfg cfg = { .keep_caps = UINT64_MAX };

	(void)state;
	if (!has_seccomp() || mount_for_all() != 0)
		skip();
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, unmount_something), EPERM);
	assert_int_equal(outcome(CONFINE_PORTER, &cfg, unmount_something), EPERM);
	assert_int_equal(umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
	for (unsigned i = 0; i < 3; i++) {
		int (*try)(void) =
		    (int (*[])(void)){ mount_something, mount_for_all, bind_elsewhere }[i];

		assert_int_equal(outcome(CONFINE_DRIVER, &cfg, try), EPERM);
		assert_int_equal(
		    outcome(CONFINE_PORTER, &cfg, try), try == mount_for_all ? 0 : EPERM);
	}
	assert_int_equal(umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
}

/* ---- files ---- */

static int
write_below(void)
{
	return made(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
}

static int
make_elsewhere(void)
{
	return made(open("/tmp/test-confine-elsewhere", O_WRONLY | O_CREAT, 0600));
}

static int
write_elsewhere(void)
{
	return made(open(elsewhere, O_WRONLY));
}

static int
remove_elsewhere(void)
{
	return made(unlink(elsewhere));
}

static int
link_out(void)
{
	return made(rename(path, "/tmp/test-confine-elsewhere"));
}

static int
read_elsewhere(void)
{
	return made(open(elsewhere, O_RDONLY));
}

static int
use_null(void)
{
	return made(open("/dev/null", O_RDWR));
}

static void
nothing_is_written_but_below_one_directory(void **state)
{
	const struct confine_cfg cfg = { .write_below = dir, .keep_caps = UINT64_MAX };
	int fd;

	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0)
		skip();
	fd = mkstemp(elsewhere);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, write_below), 0);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, use_null), 0);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, read_elsewhere), 0);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, make_elsewhere), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, write_elsewhere), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, remove_elsewhere), EACCES);
	assert_int_not_equal(outcome(CONFINE_DRIVER, &cfg, link_out), 0);
	assert_int_equal(unlink(elsewhere), 0);
}

static int
list_elsewhere(void)
{
	return made(open("/tmp", O_RDONLY | O_DIRECTORY));
}

static int
read_listed(void)
{
	return made(open("/etc/passwd", O_RDONLY));
}

static int
write_listed(void)
{
	return made(open("/etc/passwd", O_WRONLY));
}

static int
make_socket_file(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s/socket", names);
	return bind(fd, (struct sockaddr *)&un, sizeof un) == 0 && unlink(un.sun_path) == 0 ? 0
											    : errno;
}

static int
make_named_file(void)
{
	char file[80];

	snprintf(file, sizeof file, "%s/file", names);
	return made(open(file, O_RDWR | O_CREAT, 0600));
}

static int
look_at_open_files(void)
{
	char file[64], link[64];

	/* Of a process that is outside. */
	snprintf(file, sizeof file, "/proc/%d/fd/0", (int)getppid());
	return readlink(file, link, sizeof link) >= 0 ? 0 : errno;
}

static void
nothing_is_opened_but_in_the_places_that_are_listed(void **state)
{
	const struct confine_place places[] = { { dir, CONFINE_WRITE }, { names, CONFINE_NAMES },
		{ "/etc", CONFINE_READ }, { "/dev/null", CONFINE_WRITE }, { "/proc", CONFINE_READ },
		{ "/nonexistent", CONFINE_READ } };
	const struct confine_cfg cfg = { .places = places,
		.n_places = sizeof places / sizeof places[0],
		.keep_caps = UINT64_MAX };
	int fd;

	(void)state;
	if (!confine_has_places())
		skip();
	assert_non_null(mkdtemp(names));
	fd = open(elsewhere, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, write_below), 0);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, use_null), 0);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, read_listed), 0);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, write_listed), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, read_elsewhere), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, list_elsewhere), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, write_elsewhere), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, make_elsewhere), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, remove_elsewhere), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, make_socket_file), 0);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, make_named_file), EACCES);
	assert_int_equal(outcome(CONFINE_DRIVER, &cfg, look_at_open_files), EACCES);
	assert_int_equal(unlink(elsewhere), 0);
	assert_int_equal(rmdir(names), 0);
}

/* ---- a driver that has started ---- */

static int
make_set_user_id(void)
{
	return made(open(path, O_RDWR | O_CREAT | O_TRUNC, 04755));
}

static int
make_nameless_set_group_id(void)
{
	return made(open(dir, O_RDWR | O_TMPFILE, 02755));
}

/* Without such a flag nobody looks at the mode, which may be anything. */
static int
open_with_stray_mode(void)
{
	return made((int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 06777));
}

static int
make_set_user_id_by_openat2(void)
{
	uint64_t how[3] = { O_RDWR | O_CREAT, 04755 };

	return made((int)syscall(SYS_openat2, AT_FDCWD, path, how, sizeof how));
}

static int
change_mode_by_number(void)
{
	return made((int)syscall(452, AT_FDCWD, path, 04755, 0));
}

static int
change_owner(void)
{
	return made(chown(path, geteuid(), getegid()));
}

static int
settled(int (*try)(void))
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		const struct confine_cfg cfg = { .keep_caps = UINT64_MAX };
		char note[CONFINE_NOTE_BYTES];

		if (confine_enter(CONFINE_DRIVER, &cfg, note) < 0 || confine_settle() < 0)
			_exit(NOT_CONFINED);
		_exit(try());
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : SIGNALLED + WTERMSIG(st);
}

static void
a_driver_that_has_started_changes_no_owners_and_modes(void **state)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	if (!has_seccomp())
		skip();
	assert_int_equal(settled(change_mode), EPERM);
	assert_int_equal(settled(change_mode_by_number), ENOSYS);
	assert_int_equal(settled(change_owner), EPERM);
	assert_int_equal(settled(make_set_user_id), EPERM);
	assert_int_equal(settled(make_nameless_set_group_id), EPERM);
	assert_int_equal(settled(open_with_stray_mode), 0);
	assert_int_equal(settled(make_set_user_id_by_openat2), ENOSYS);
	assert_int_equal(settled(write_below), 0);
	assert_int_equal(settled(inet_stream), EPERM);
	assert_int_equal(settled(set_clock), SIGNALLED + SIGSYS);
}

/* ---- user and capabilities ---- */

static uint64_t
effective(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };

	if (syscall(SYS_capget, &head, caps) < 0)
		return UINT64_MAX;
	return caps[0].effective | (uint64_t)caps[1].effective << 32;
}

/* In a child, which goes on as cfg says, look at what is left; no filter is in the way of looking.
 */
static int
identity(const struct confine_cfg *cfg, uid_t want_uid, uint64_t want_caps, const char *word)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		char note[CONFINE_NOTE_BYTES];
		uid_t r, e, s;

		if (confine_enter(CONFINE_DRIVER, cfg, note) < 0)
			_exit(NOT_CONFINED);
		if (getresuid(&r, &e, &s) < 0 || r != want_uid || e != want_uid || s != want_uid)
			_exit(1);
		if (want_uid != 0 && (getgid() == 0 || getegid() == 0 || getgroups(0, NULL) != 0))
			_exit(2);
		if (effective() != want_caps)
			_exit(3);
		if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
		    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
			_exit(4);
		for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
			if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
			    (want_caps >> cap & 1) == 0)
				_exit(5);
		_exit(word == NULL ? note[0] != '\0' : strstr(note, word) == NULL);
	}
	if (waitpid(pid, &st, 0) != pid || !WIFEXITED(st))
		return WRONG;
	return WEXITSTATUS(st);
}

static bool
is_full_root(void)
{
	return geteuid() == 0 && (effective() >> CAP_SETUID & 1) != 0 &&
	       (effective() >> CAP_SETPCAP & 1) != 0 && (effective() >> CAP_NET_RAW & 1) != 0 &&
	       (effective() >> CAP_CHOWN & 1) != 0;
}

static void
root_becomes_the_daemon_s_user_without_capabilities(void **state)
{
	struct daemon_identity who;
	const struct confine_cfg cfg = { .user = &who };

	(void)state;
	if (!is_full_root())
		skip();
	assert_int_equal(identity_of("iradd", &who), 0);
	assert_int_equal(identity(&cfg, who.uid, 0, NULL), 0);
}

static void
capability_that_is_needed_survives_the_change_of_the_user(void **state)
{
	struct daemon_identity who;
	const struct confine_cfg cfg = { .keep_caps = 1u << CAP_NET_RAW, .user = &who };

	(void)state;
	if (!is_full_root())
		skip();
	assert_int_equal(identity_of("iswd", &who), 0);
	assert_int_equal(identity(&cfg, who.uid, 1u << CAP_NET_RAW, NULL), 0);
}

static void
ordinary_user_is_confined_as_well(void **state)
{
	const struct confine_cfg cfg = { .strict = true };
	pid_t pid;
	int st;

	(void)state;
	if (!has_seccomp() || (geteuid() == 0 && !is_full_root()))
		skip();
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(12345, 12345, 12345) < 0)
			_exit(WRONG);
		_exit(outcome(CONFINE_ISWD, &cfg, inet_dgram));
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), EPERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_profile_can_do_its_work_and_nothing_else),
		cmocka_unit_test(threads_that_were_there_before_are_filtered_too),
		cmocka_unit_test(nothing_is_mounted_but_as_the_porter_mounts),
		cmocka_unit_test(nothing_is_written_but_below_one_directory),
		cmocka_unit_test(nothing_is_opened_but_in_the_places_that_are_listed),
		cmocka_unit_test(a_driver_that_has_started_changes_no_owners_and_modes),
		cmocka_unit_test(root_becomes_the_daemon_s_user_without_capabilities),
		cmocka_unit_test(capability_that_is_needed_survives_the_change_of_the_user),
		cmocka_unit_test(ordinary_user_is_confined_as_well),
	};
	int ret;

	if (mkdtemp(dir) == NULL)
		return 2;
	snprintf(path, sizeof path, "%s/file", dir);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(dir);
	return ret;
}
