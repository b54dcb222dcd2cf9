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
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
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

#include "sys/confined.h"

static struct confined place;

#define BIT(id)     (1u << CONFINE_##id)
#define ALL_DAEMONS (BIT(ISWD) | BIT(RESOLVD) | BIT(ISLPD) | BIT(ISNSD) | BIT(IRADD))
#define STREAMS     (BIT(ISWD) | BIT(RESOLVD) | BIT(ISLPD) | BIT(ISNSD))
#define RESOLVERS   (BIT(RESOLVD) | BIT(ISLPD) | BIT(ISNSD) | BIT(IRADD))

/* But for what is entered after another one. */
static const enum confine_profile all[] = { CONFINE_ISWD, CONFINE_RESOLVD, CONFINE_ISLPD,
	CONFINE_ISNSD, CONFINE_IRADD, CONFINE_HOLDER, CONFINE_PORTER, CONFINE_RESERVER,
	CONFINE_DRIVER };
static_assert(sizeof all / sizeof all[0] == CONFINE_SETTLED, "all of them, in order");
#define PROFILES (sizeof all / sizeof all[0])
static const char *const programs[] = {
#define PROFILE(id, program, ...) program,
#include "sys/confine.def"
};

/* ---- what is tried: 0 or an errno ---- */

#define SOCKET(name, ...)                                  \
	static int name(void)                              \
	{                                                  \
		return confined_made(socket(__VA_ARGS__)); \
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

/* There is no socket, which not all may have: whether the call is let through is the question. */
static int
take_callers(void)
{
	return accept4(-1, NULL, NULL, SOCK_CLOEXEC) >= 0 || errno == EBADF ? 0 : errno;
}

static int
inet_of_wide_word(void)
{
	/* The kernel looks at the lower half only. */
	return confined_made((int)syscall(SYS_socket, 1L << 32 | AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int
read_file(void)
{
	return confined_made(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
write_file(void)
{
	return confined_made(open(place.path, O_WRONLY));
}

static int
read_and_write_file(void)
{
	return confined_made(open(place.path, O_RDWR));
}

static int
truncate_by_opening(void)
{
	return confined_made(open(place.path, O_RDONLY | O_TRUNC));
}

static int
create_file(void)
{
	return confined_made(open("/dev/shm/test-confine-created", O_RDONLY | O_CREAT, 0600));
}

static int
create_nameless_file(void)
{
	return confined_made(open(place.dir, O_RDWR | O_TMPFILE, 0600));
}

static int
write_file_by_openat2(void)
{
	uint64_t how[3] = { O_WRONLY };

	return confined_made((int)syscall(SYS_openat2, AT_FDCWD, place.path, how, sizeof how));
}

static int
unlink_file(void)
{
	return confined_made(unlink(place.path));
}

static int
rename_file(void)
{
	return confined_made(rename(place.path, place.path));
}

static int
make_directory(void)
{
	return confined_made(mkdir(place.path, 0700));
}

static int
change_mode(void)
{
	return confined_made(chmod(place.path, 0600));
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
	int err = pthread_create(&t, NULL, thread, place.dir);

	if (err == 0)
		err = pthread_join(t, &ret);
	return err != 0 ? err : ret == place.dir ? 0 : WRONG;
}

static int
start_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return confined_made(pid);
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
	return confined_made((int)syscall(SYS_ptrace, 0, 0, 0, 0));
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
	return confined_made((int)syscall(SYS_pidfd_getfd, -1, 0, 0));
}

static int
look_into_memory(void)
{
	return confined_made((int)syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0));
}

static int
become_root(void)
{
	return confined_made((int)syscall(SYS_setresuid, 0, 0, 0));
}

static int
change_root(void)
{
	return confined_made(chroot("/"));
}

static int
set_clock(void)
{
	return confined_made((int)syscall(SYS_clock_settime, 0, NULL));
}

static int
make_device(void)
{
	return confined_made(mknod("/tmp/test-confine-device", S_IFBLK | 0600, 0x700));
}

static int
own_namespace(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return confined_made(pid);
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
	return confined_made((int)syscall(SYS_init_module, NULL, 0, ""));
}

static int
make_ring(void)
{
	struct io_uring_params p = { 0 };

	return confined_made((int)syscall(SYS_io_uring_setup, 1, &p));
}

static int
signal_others(void)
{
	return confined_made(kill(getppid(), 0));
}

static int
listen_to_all(void)
{
	return confined_made(listen(-1, 1)) == EBADF ? 0 : errno;
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
	A(unix_stream, ALL_DAEMONS | BIT(HOLDER) | BIT(DRIVER), EPERM),
	A(inet_stream, STREAMS, EPERM),
	A(inet6_stream, STREAMS, EPERM),
	A(take_callers, BIT(ISNSD) | BIT(HOLDER) | BIT(DRIVER), EPERM),
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
	A(make_ring, BIT(PORTER), EPERM),
	A(make_memory, ALL_DAEMONS | BIT(DRIVER), 0),
	A(make_code, RESOLVERS | BIT(DRIVER), EPERM),
	A(look_up_name, ALL_DAEMONS | BIT(DRIVER), 0),
	A(interface_number, ALL_DAEMONS | BIT(DRIVER), ENOENT),
	A(listen_to_all, BIT(ISNSD) | BIT(DRIVER), EPERM),
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

/* What becomes of what it has not got: the holder and the reserver open no file at all, and look
 * nothing up. */
static int
refusal(enum confine_profile p, const struct attempt *a)
{
	if (p != CONFINE_HOLDER && p != CONFINE_RESERVER)
		return a->otherwise;
	if (a->try == look_up_name)
		return WRONG;
	/* The library has another errno where there is no socket at all. */
	if (a->try == interface_number)
		return p == CONFINE_HOLDER ? EPERM : a->otherwise;
	return a->try == read_file || a->try == write_file_by_openat2 ? EPERM : a->otherwise;
}

static void
every_profile_can_do_its_work_and_nothing_else(void **state)
{
	int wrong = 0;

	(void)state;
	if (!confined_works())
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
			int want = may ? 0 : refusal(all[p], a), got, fd;

			fd = open(place.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); /* as it was */
			assert_true(fd >= 0 && fchmod(fd, 0666) == 0);
			close(fd);
			/* What is permitted to a profile may still be no use on this host. */
			got = confined_outcome(all[p], &cfg, false, a->try);
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
	return confined_made(socket(AF_PACKET, SOCK_RAW, 0));
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
	if (!confined_works())
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
	return mount("none", place.dir, "tmpfs", 0, "size=64k") == 0 ? 0 : errno;
}

static int
mount_for_all(void)
{
	return mount("none", place.dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		   "size=64k") == 0
		   ? 0
		   : errno;
}

static int
bind_elsewhere(void)
{
	return mount("/etc", place.dir, NULL, MS_BIND, NULL) == 0 ? 0 : errno;
}

static int
unmount_something(void)
{
	return umount2(place.dir, MNT_DETACH) == 0 ? 0 : errno;
}

/* Also with every capability: the driver mounts nothing, its porter nothing of another kind. */
static void
nothing_is_mounted_but_as_the_porter_mounts(void **state)
{
	const struct confine_cfg cfg = { .keep_caps = UINT64_MAX };

	(void)state;
	if (!confined_works() || mount_for_all() != 0)
		skip();
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, unmount_something), EPERM);
	assert_int_equal(confined_outcome(CONFINE_PORTER, &cfg, false, unmount_something), EPERM);
	assert_int_equal(umount2(place.dir, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
	for (unsigned i = 0; i < 3; i++) {
		int (*try)(void) =
		    (int (*[])(void)){ mount_something, mount_for_all, bind_elsewhere }[i];

		assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, try), EPERM);
		assert_int_equal(confined_outcome(CONFINE_PORTER, &cfg, false, try),
		    try == mount_for_all ? 0 : EPERM);
	}
	assert_int_equal(umount2(place.dir, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_profile_can_do_its_work_and_nothing_else),
		cmocka_unit_test(threads_that_were_there_before_are_filtered_too),
		cmocka_unit_test(nothing_is_mounted_but_as_the_porter_mounts),
	};
	int ret;

	if (!confined_begin(&place))
		return 2;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	confined_end(&place);
	return ret;
}
