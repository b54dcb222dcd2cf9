#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/common/say.h"
#include "tools/iscsidiag/place.h"

static char top[] = "/tmp/openisw-place-XXXXXX";
static char dir[64], other[64], file[96];
static FILE *said;
static char *said_text;
static size_t said_len;

static int
setup(void **state)
{
	(void)state;
	memcpy(top + strlen(top) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(top));
	snprintf(dir, sizeof dir, "%s/tmp/iscsidiag", top);
	snprintf(other, sizeof other, "%s/other", top);
	snprintf(file, sizeof file, "%s/f.log", dir);
	said = open_memstream(&said_text, &said_len);
	assert_non_null(said);
	say_init("iscsidiag", said);
	return 0;
}

static void
empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			char *inner = say_format("%s/%s", path, e->d_name);
			struct stat st;

			if (lstat(inner, &st) == 0 && S_ISDIR(st.st_mode))
				empty(inner);
			else
				unlink(inner);
			free(inner);
		}
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

static int
teardown(void **state)
{
	(void)state;
	empty(top);
	fclose(said);
	free(said_text);
	return 0;
}

/* Opening must be refused, with a sentence that has this word. */
static void
assert_refused(const char *where, bool is_chosen, const char *word)
{
	struct place p = { 0 };

	assert_int_equal(place_open(&p, where, "f.log", is_chosen), STATUS_FAILED);
	fflush(said);
	assert_non_null(strstr(said_text, word));
	assert_non_null(strstr(said_text, "-t"));
}

static void
make_dir(mode_t mode)
{
	char parent[64];

	snprintf(parent, sizeof parent, "%s/tmp", top);
	assert_int_equal(mkdir(parent, 0755), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, mode), 0);
}

static void
directory_and_file_are_the_owners_alone(void **state)
{
	struct place p = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(place_open(&p, dir, "f.log", false), STATUS_OK);
	fputs("x", p.file);
	assert_int_equal(place_close(&p), STATUS_OK);
	assert_string_equal(p.path, file);
	free(p.path);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 1);
}

static void
a_link_in_the_directorys_place_is_refused(void **state)
{
	char parent[64];

	(void)state;
	snprintf(parent, sizeof parent, "%s/tmp", top);
	assert_int_equal(mkdir(parent, 0755), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(symlink(other, dir), 0);
	assert_refused(dir, false, "link");
	snprintf(file, sizeof file, "%s/f.log", other);
	assert_int_equal(access(file, F_OK), -1);
}

static void
a_link_in_the_files_place_is_not_followed(void **state)
{
	struct stat st;

	(void)state;
	make_dir(0700);
	assert_int_equal(symlink(other, file), 0);
	assert_refused(dir, false, "f.log");
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void
an_old_file_is_replaced_a_hard_link_is_not_written(void **state)
{
	struct place p = { 0 };
	int fd;

	(void)state;
	make_dir(0700);
	fd = open(file, O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, "old", 3), 3);
	close(fd);
	assert_int_equal(place_open(&p, dir, "f.log", false), STATUS_OK);
	assert_int_equal(place_close(&p), STATUS_OK);
	free(p.path);
	assert_int_equal(link(file, other), 0);
	assert_refused(dir, false, "f.log");
}

static void
our_own_open_directory_is_closed_first(void **state)
{
	struct place p = { 0 };
	struct stat st;

	(void)state;
	make_dir(0777);
	assert_int_equal(place_open(&p, dir, "f.log", false), STATUS_OK);
	assert_int_equal(place_close(&p), STATUS_OK);
	free(p.path);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void
a_chosen_directory_must_not_be_writable_by_others(void **state)
{
	struct place p = { 0 };

	(void)state;
	make_dir(0755);
	assert_int_equal(place_open(&p, dir, "f.log", true), STATUS_OK);
	assert_int_equal(place_close(&p), STATUS_OK);
	free(p.path);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_refused(dir, true, "others may write");
	if (geteuid() != 0)
		return;
	/* /tmp itself is safe: root's, and sticky. */
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(place_open(&p, dir, "f.log", true), STATUS_OK);
	assert_int_equal(place_close(&p), STATUS_OK);
	free(p.path);
}

static void
another_users_directory_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	make_dir(0700);
	assert_int_equal(chown(dir, 65534, 65534), 0);
	assert_refused(dir, false, "another user");
	assert_refused(dir, true, "another user");
}

static void
a_full_disk_is_no_success(void **state)
{
	struct place p = { .file = fopen("/dev/full", "w"), .path = dir };

	(void)state;
	assert_non_null(p.file);
	fputs("x", p.file);
	assert_int_equal(place_close(&p), STATUS_FAILED);
	fflush(said);
	assert_non_null(strstr(said_text, "not complete"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(directory_and_file_are_the_owners_alone),
		TEST(a_link_in_the_directorys_place_is_refused),
		TEST(a_link_in_the_files_place_is_not_followed),
		TEST(an_old_file_is_replaced_a_hard_link_is_not_written),
		TEST(our_own_open_directory_is_closed_first),
		TEST(a_chosen_directory_must_not_be_writable_by_others),
		TEST(another_users_directory_is_refused),
		TEST(a_full_disk_is_no_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
