/*
 * Where files may be opened, what a driver that has started may not, and as whom and with which
 * capabilities a confined process goes on.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
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

static char names[] = "/tmp/test-confine-names-XXXXXX";
static char elsewhere[] = "/tmp/test-confine-file-XXXXXX";

static int
inet_stream(void)
{
	return confined_made(socket(AF_INET, SOCK_STREAM, 0));
}

static int
inet_dgram(void)
{
	return confined_made(socket(AF_INET, SOCK_DGRAM, 0));
}

static int
change_mode(void)
{
	return confined_made(chmod(place.path, 0600));
}

static int
set_clock(void)
{
	return confined_made((int)syscall(SYS_clock_settime, 0, NULL));
}

/* ---- files ---- */

static int
write_below(void)
{
	return confined_made(open(place.path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
}

static int
make_elsewhere(void)
{
	return confined_made(open("/tmp/test-confine-elsewhere", O_WRONLY | O_CREAT, 0600));
}

static int
write_elsewhere(void)
{
	return confined_made(open(elsewhere, O_WRONLY));
}

static int
remove_elsewhere(void)
{
	return confined_made(unlink(elsewhere));
}

static int
link_out(void)
{
	return confined_made(rename(place.path, "/tmp/test-confine-elsewhere"));
}

static int
read_elsewhere(void)
{
	return confined_made(open(elsewhere, O_RDONLY));
}

static int
use_null(void)
{
	return confined_made(open("/dev/null", O_RDWR));
}

static void
nothing_is_written_but_below_one_directory(void **state)
{
	const struct confine_cfg cfg = { .write_below = place.dir, .keep_caps = UINT64_MAX };
	int fd;

	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0)
		skip();
	fd = mkstemp(elsewhere);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, write_below), 0);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, use_null), 0);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, read_elsewhere), 0);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, make_elsewhere), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, write_elsewhere), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, remove_elsewhere), EACCES);
	assert_int_not_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, link_out), 0);
	assert_int_equal(unlink(elsewhere), 0);
}

static int
list_elsewhere(void)
{
	return confined_made(open("/tmp", O_RDONLY | O_DIRECTORY));
}

static int
read_listed(void)
{
	return confined_made(open("/etc/passwd", O_RDONLY));
}

static int
write_listed(void)
{
	return confined_made(open("/etc/passwd", O_WRONLY));
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
	return confined_made(open(file, O_RDWR | O_CREAT, 0600));
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
	const struct confine_place places[] = { { place.dir, CONFINE_WRITE },
		{ names, CONFINE_NAMES }, { "/etc", CONFINE_READ }, { "/dev/null", CONFINE_WRITE },
		{ "/proc", CONFINE_READ }, { "/nonexistent", CONFINE_READ } };
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
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, write_below), 0);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, use_null), 0);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, read_listed), 0);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, write_listed), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, read_elsewhere), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, list_elsewhere), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, write_elsewhere), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, make_elsewhere), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, remove_elsewhere), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, make_socket_file), 0);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, make_named_file), EACCES);
	assert_int_equal(confined_outcome(CONFINE_DRIVER, &cfg, false, look_at_open_files), EACCES);
	assert_int_equal(unlink(elsewhere), 0);
	assert_int_equal(rmdir(names), 0);
}

/* ---- a driver that has started ---- */

static int
make_set_user_id(void)
{
	return confined_made(open(place.path, O_RDWR | O_CREAT | O_TRUNC, 04755));
}

static int
make_nameless_set_group_id(void)
{
	return confined_made(open(place.dir, O_RDWR | O_TMPFILE, 02755));
}

/* Without such a flag nobody looks at the mode, which may be anything. */
static int
open_with_stray_mode(void)
{
	return confined_made((int)syscall(SYS_openat, AT_FDCWD, place.path, O_RDONLY, 06777));
}

static int
make_set_user_id_by_openat2(void)
{
	uint64_t how[3] = { O_RDWR | O_CREAT, 04755 };

	return confined_made((int)syscall(SYS_openat2, AT_FDCWD, place.path, how, sizeof how));
}

static int
change_mode_by_number(void)
{
	return confined_made((int)syscall(452, AT_FDCWD, place.path, 04755, 0));
}

static int
change_owner(void)
{
	return confined_made(chown(place.path, geteuid(), getegid()));
}

static int
as_started(int (*try)(void))
{
	const struct confine_cfg cfg = { .keep_caps = UINT64_MAX };

	return confined_outcome(CONFINE_DRIVER, &cfg, true, try);
}

static void
a_driver_that_has_started_changes_no_owners_and_modes(void **state)
{
	int fd = open(place.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	if (!confined_works())
		skip();
	assert_int_equal(as_started(change_mode), EPERM);
	assert_int_equal(as_started(change_mode_by_number), ENOSYS);
	assert_int_equal(as_started(change_owner), EPERM);
	assert_int_equal(as_started(make_set_user_id), EPERM);
	assert_int_equal(as_started(make_nameless_set_group_id), EPERM);
	assert_int_equal(as_started(open_with_stray_mode), 0);
	assert_int_equal(as_started(make_set_user_id_by_openat2), ENOSYS);
	assert_int_equal(as_started(write_below), 0);
	assert_int_equal(as_started(inet_stream), EPERM);
	assert_int_equal(as_started(set_clock), SIGNALLED + SIGSYS);
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
	if (!confined_works() || (geteuid() == 0 && !is_full_root()))
		skip();
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(12345, 12345, 12345) < 0)
			_exit(WRONG);
		_exit(confined_outcome(CONFINE_ISWD, &cfg, false, inet_dgram));
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), EPERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_written_but_below_one_directory),
		cmocka_unit_test(nothing_is_opened_but_in_the_places_that_are_listed),
		cmocka_unit_test(a_driver_that_has_started_changes_no_owners_and_modes),
		cmocka_unit_test(root_becomes_the_daemon_s_user_without_capabilities),
		cmocka_unit_test(capability_that_is_needed_survives_the_change_of_the_user),
		cmocka_unit_test(ordinary_user_is_confined_as_well),
	};
	int ret;

	if (!confined_begin(&place))
		return 2;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	confined_end(&place);
	return ret;
}
