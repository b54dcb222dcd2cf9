#include <sys/stat.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/identity.h"
#include "sys/paths.h"

static char *
temp_dir(void)
{
	char *dir = strdup("/tmp/openisw-paths-XXXXXX");

	assert_non_null(dir);
	assert_non_null(mkdtemp(dir));
	return dir;
}

static void
remove_tree(char *dir)
{
	static const char *const below[] = { "dev/dsk", "dev/rdsk", "dev/nbd", "dev",
		"run/openisw/disk", "run/openisw/nbd", "run/openisw/ublk", "run/openisw/udev",
		"run/openisw/iswd", "run/openisw/iscsi_resolvd", "run/openisw/islpd",
		"run/openisw/iisnsd", "run/openisw/iradd", "run/openisw", "run", "var/lib/openisw",
		"var/lib", "var/log/openisw", "var/log", "var", "" };

	for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
		char path[256];

		assert_true(snprintf(path, sizeof path, "%s/%s", dir, below[i]) > 0);
		assert_int_equal(rmdir(path), 0);
	}
	free(dir);
}

static void
an_explicit_root_wins_over_the_environment(void **state)
{
	struct paths p;

	(void)state;
	setenv(PATHS_ENV, "/from/env", 1);
	assert_int_equal(paths_init(&p, "/from/option//"), 0);
	assert_string_equal(p.root, "/from/option");
	assert_string_equal(p.dev_iscsi, "/from/option/dev/iscsi");
	assert_string_equal(p.registry, "/from/option/var/lib/openisw/registry.db");
	paths_fini(&p);
	assert_int_equal(paths_init(&p, NULL), 0);
	assert_string_equal(p.dev_isw, "/from/env/dev/isw");
	paths_fini(&p);
	unsetenv(PATHS_ENV);
}

static void
without_a_word_the_root_is_the_system_s(void **state)
{
	struct paths p;

	(void)state;
	setenv(PATHS_ENV, "", 1);
	assert_int_equal(paths_init(&p, ""), 0);
	assert_string_equal(p.root, "/");
	assert_string_equal(p.dev_iscsi, "/dev/iscsi");
	assert_string_equal(p.iswd_sock, "/run/openisw/iswd/sock");
	assert_string_equal(paths_daemon_sock(&p, "iscsi_resolvd"), p.resolvd_sock);
	assert_string_equal(paths_daemon_pid(&p, "iradd"), "/run/openisw/iradd.pid");
	assert_null(paths_daemon_sock(&p, "../etc"));
	paths_fini(&p);
	unsetenv(PATHS_ENV);
}

static void
a_relative_root_becomes_absolute(void **state)
{
	char *dir = temp_dir(), *was = getcwd(NULL, 0);
	struct paths p;
	char want[256];

	(void)state;
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(paths_init(&p, "./a"), 0);
	assert_true(snprintf(want, sizeof want, "%s/a", dir) > 0);
	assert_string_equal(p.root, want);
	paths_fini(&p);
	assert_int_equal(paths_init(&p, "."), 0);
	assert_string_equal(p.root, dir);
	paths_fini(&p);
	assert_int_equal(chdir(was), 0);
	free(was);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

static void
a_root_that_leaves_no_room_is_refused(void **state)
{
	char root[4000];
	struct paths p;

	(void)state;
	memset(root, 'x', sizeof root);
	root[0] = '/';
	root[sizeof root - 1] = '\0';
	assert_int_equal(paths_init(&p, root), -ENAMETOOLONG);
	assert_null(p.root);
}

static void
directories_are_made_with_their_modes_and_secrets_are_closed_again(void **state)
{
	char *dir = temp_dir();
	char why[BENEATH_WHY_BYTES];
	struct paths p;
	struct daemon_identity who;
	struct stat st;
	mode_t was = umask(0077);

	(void)state;
	assert_int_equal(paths_init(&p, dir), 0);
	assert_int_equal(paths_mkdirs(&p, why), 0);
	assert_int_equal(stat(p.registry_dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(p.run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	/* A daemon's is for it alone. */
	assert_int_equal(stat(p.iswd_dir, &st), 0);
	if (geteuid() == 0 && identity_of("iswd", &who) == 0) {
		assert_int_equal(st.st_mode & 07777, 0710);
		assert_int_equal(st.st_gid, who.gid);
	} else {
		assert_int_equal(st.st_mode & 07777, 0700);
	}
	assert_int_equal(chmod(p.registry_dir, 0777), 0);
	assert_int_equal(paths_mkdirs(&p, why), 0);
	assert_int_equal(stat(p.registry_dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	umask(was);
	paths_fini(&p);
	remove_tree(dir);
}

static void
a_file_in_the_way_is_named(void **state)
{
	char *dir = temp_dir();
	char why[BENEATH_WHY_BYTES];
	struct paths p;
	char file[256];
	FILE *f;

	(void)state;
	assert_true(snprintf(file, sizeof file, "%s/dev", dir) > 0);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(paths_init(&p, dir), 0);
	assert_int_equal(paths_mkdirs(&p, why), -ENOTDIR);
	assert_non_null(strstr(why, file));
	paths_fini(&p);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_explicit_root_wins_over_the_environment),
		cmocka_unit_test(without_a_word_the_root_is_the_system_s),
		cmocka_unit_test(a_relative_root_becomes_absolute),
		cmocka_unit_test(a_root_that_leaves_no_room_is_refused),
		cmocka_unit_test(
		    directories_are_made_with_their_modes_and_secrets_are_closed_again),
		cmocka_unit_test(a_file_in_the_way_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
