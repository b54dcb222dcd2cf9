/* The registry's file, transactions and the initiator's name. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>

#include "registry/db.h"
#include "registry/test_fixture.h"

/* ---- the file ---- */

static void
only_the_owner_can_open_any_of_its_files(void **state)
{
	mode_t was = umask(0);
	struct dirent *e;
	int n = 0;
	DIR *d;

	(void)state;
	reopen();
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_chap_secret, "secret"), 0);
	umask(was);
	d = opendir(dir);
	while ((e = readdir(d)) != NULL) {
		struct stat st;

		if (e->d_name[0] == '.' || strcmp(e->d_name, "registry.db.lock") == 0)
			continue;
		assert_int_equal(fstatat(dirfd(d), e->d_name, &st, 0), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		n++;
	}
	closedir(d);
	assert_true(n >= 2); /* the file and its log */
}

static void
a_second_process_is_refused_and_told_who_has_it(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct registry *other;
		char owner[32];

		(void)snprintf(owner, sizeof owner, "process %ld.", (long)getppid());
		if (registry_open(path, &other, &error) != -EBUSY)
			_exit(1);
		_exit(strstr(error.message, owner) != NULL && error.next[0] != '\0' ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
write_file(const char *name, const void *bytes, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static void
a_file_that_is_no_database_is_refused_and_left_alone(void **state)
{
	char bytes[5000];
	struct stat st;

	(void)state;
	registry_close(r);
	memset(bytes, 'x', sizeof bytes);
	write_file(path, bytes, sizeof bytes);
	r = NULL;
	assert_int_equal(registry_open(path, &r, &error), -EUCLEAN);
	assert_non_null(strstr(error.message, "damaged"));
	assert_null(r);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, sizeof bytes);
}

static void
a_newer_version_s_and_a_stranger_s_file_are_refused(void **state)
{
	(void)state;
	alter("PRAGMA user_version = 9999");
	assert_int_equal(registry_open(path, &r, &error), -ENOTSUP);
	assert_non_null(strstr(error.message, "newer"));
	alter("PRAGMA application_id = 7");
	assert_int_equal(registry_open(path, &r, &error), -EUCLEAN);
	assert_non_null(strstr(error.message, "no registry"));
}

static void
rows_that_do_not_fit_are_damage_not_overruns(void **state)
{
	struct registry_address *list;
	struct registry_session *sessions;
	char *value;
	size_t n;

	(void)state;
	alter("INSERT INTO discovery (address, normal, port, tpgt)"
	      " VALUES (printf('%.*c', 5000, 'a'), 'a', 3260, 1);"
	      "INSERT INTO session VALUES (70000, 't', 'a', 'a', 1, 1);"
	      "INSERT INTO setting VALUES (0, '', '', 0, 0, 'initiator_name',"
	      " printf('%.*c', 5000, 'a'))");
	assert_int_equal(registry_open(path, &r, &error), 0);
	assert_int_equal(registry_discovery_list(r, &list, &n), -EUCLEAN);
	assert_int_equal(registry_session_list(r, &sessions, &n), -EUCLEAN);
	assert_int_equal(registry_get(r, NULL, REGISTRY_KEY_initiator_name, &value), -EUCLEAN);
}

static void
text_that_is_no_text_is_damage(void **state)
{
	struct registry_target *targets;
	struct registry_values all;
	char *value;
	size_t n;

	(void)state;
	alter("INSERT INTO target VALUES (1, 't', CAST(x'c3' AS TEXT), 1);"
	      "INSERT INTO target_address VALUES (1, 1, 'a', 'a', 1, 1, 1, 1, 1);"
	      "INSERT INTO setting VALUES (0, '', '', 0, 0, 'initiator_name', CAST(x'ff' AS TEXT));"
	      "INSERT INTO setting VALUES (0, '', '', 0, 0, 'initiator_alias', 'a' || char(0))");
	assert_int_equal(registry_open(path, &r, &error), 0);
	assert_int_equal(registry_target_list(r, NULL, &targets, &n), -EUCLEAN);
	assert_int_equal(registry_get(r, NULL, REGISTRY_KEY_initiator_name, &value), -EUCLEAN);
	assert_int_equal(registry_get(r, NULL, REGISTRY_KEY_initiator_alias, &value), -EUCLEAN);
	assert_int_equal(registry_effective_all(r, NULL, &all), -EUCLEAN);
	assert_string_not_equal(registry_error(r)->message, "");
}

static void
a_setting_counts_only_in_a_place_that_it_can_have(void **state)
{
	struct registry_values all;
	char *value;

	(void)state;
	alter("INSERT INTO setting VALUES (0, 'x', '', 0, 0, 'initiator_alias', 'a');"
	      "INSERT INTO setting VALUES (0, '', 'x', 1, 1, 'debug_level', '7')");
	assert_int_equal(registry_open(path, &r, &error), 0);
	assert_int_equal(registry_get(r, NULL, REGISTRY_KEY_initiator_alias, &value), -ENOENT);
	assert_int_equal(registry_effective_all(r, NULL, &all), 0);
	assert_null(registry_values_get(&all, REGISTRY_KEY_initiator_alias, NULL));
	assert_null(registry_values_get(&all, REGISTRY_KEY_debug_level, NULL));
	registry_values_fini(&all);
}

static void
a_disk_that_takes_no_more_is_an_error_and_nothing_is_lost(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_initiator_alias, "before"), 0);
	registry_close(r);
	r = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit limit = { .rlim_cur = 60000, .rlim_max = 60000 };
		int err = 0;

		signal(SIGXFSZ, SIG_IGN);
		if (registry_open(path, &r, &error) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
			_exit(1);
		for (int i = 0; i < 1000 && err == 0; i++) {
			struct registry_address a = address("host", (uint16_t)(i + 1), 1);

			err = registry_discovery_add(r, &a);
		}
		if (err == 0 || registry_error(r)->message[0] == '\0')
			_exit(2);
		_exit(strcmp(value_of(NULL, REGISTRY_KEY_initiator_alias), "before") == 0 ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(registry_open(path, &r, &error), 0);
	assert_string_equal(value_of(NULL, REGISTRY_KEY_initiator_alias), "before");
}

static void
a_directory_that_is_missing_is_told(void **state)
{
	struct registry *other;

	(void)state;
	assert_int_equal(registry_open("/nonexistent/registry.db", &other, &error), -ENOENT);
	assert_non_null(strstr(error.message, "/nonexistent"));
	assert_true(strlen(error.next) > 0);
}

/* Each literal of the folder is one more; however many there are, none is refused. */
static void
any_number_of_statements_is_kept(void **state)
{
	static char sql[300][32];
	int64_t n;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 300; i++) {
			(void)snprintf(sql[i], sizeof sql[i], "SELECT %d", i);
			assert_int_equal(db_number(r, &n, sql[i], ""), 0);
			assert_int_equal(n, i);
		}
	assert_in_range(r->n_statements, 300, 330);
}

/* ---- transactions ---- */

static void
a_transaction_is_all_or_nothing(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 1), *list;
	uint32_t instance;
	size_t n;

	(void)state;
	assert_int_equal(registry_begin(r), 0);
	assert_int_equal(registry_begin(r), -EBUSY);
	assert_int_equal(registry_discovery_add(r, &a), 0);
	assert_int_equal(registry_session_instance(r, "iqn.t", &a, &instance), 0);
	assert_int_equal(registry_discovery_add(r, &a), -EEXIST);
	registry_rollback(r);
	assert_int_equal(registry_discovery_list(r, &list, &n), 0);
	assert_int_equal(n, 0);
	free(list);
	assert_int_equal(registry_session_instance(r, "iqn.u", &a, &instance), 0);
	assert_int_equal(instance, 0); /* free again */
	assert_int_equal(registry_begin(r), 0);
	assert_int_equal(registry_discovery_add(r, &a), 0);
	assert_int_equal(registry_discovery_add(r, &a), -EEXIST);
	assert_int_equal(registry_commit(r), 0);
	assert_int_equal(registry_commit(r), -EINVAL);
	reopen();
	assert_int_equal(registry_discovery_list(r, &list, &n), 0);
	assert_int_equal(n, 1);
	free(list);
}

/* ---- the initiator's name ---- */

static void
a_name_is_made_once_and_kept(void **state)
{
	struct registry_made_name first, again;

	(void)state;
	assert_int_equal(registry_initiator_name(r, "/nonexistent/file", &first), 0);
	assert_true(first.made);
	assert_int_equal(first.file_err, 0);
	assert_int_equal(iname_check(first.name, strlen(first.name)), INAME_OK);
	reopen();
	assert_int_equal(registry_initiator_name(r, "/nonexistent/file", &again), 0);
	assert_false(again.made);
	assert_string_equal(again.name, first.name);
}

static void
a_name_comes_from_the_file_of_other_tools(void **state)
{
	static const char text[] = "## DO NOT EDIT\n#InitiatorName=iqn.2001-01.com.example:no\n"
				   "  InitiatorName=IQN.2001-01.com.example:Host \nother=1\n";
	struct registry_made_name n;
	char file[160];

	(void)state;
	assert_true(snprintf(file, sizeof file, "%s/initiatorname.iscsi", dir) > 0);
	write_file(file, text, sizeof text - 1);
	assert_int_equal(registry_initiator_name(r, file, &n), 0);
	assert_true(n.from_file);
	assert_false(n.made);
	assert_string_equal(n.name, "iqn.2001-01.com.example:host");
	assert_string_equal(value_of(NULL, REGISTRY_KEY_initiator_name), n.name);
}

static void
a_file_without_a_valid_name_is_passed_over(void **state)
{
	struct registry_made_name n;
	char file[160];

	(void)state;
	assert_true(snprintf(file, sizeof file, "%s/initiatorname.iscsi", dir) > 0);
	write_file(file, "InitiatorName=nonsense\n", 23);
	assert_int_equal(registry_initiator_name(r, file, &n), 0);
	assert_true(n.made);
	assert_int_equal(n.file_err, -EINVAL);
}

static void
a_user_s_name_is_left_alone(void **state)
{
	struct registry_made_name n;

	(void)state;
	assert_int_equal(
	    registry_set(r, NULL, REGISTRY_KEY_initiator_name, "iqn.2001-01.com.example:mine"), 0);
	assert_int_equal(registry_initiator_name(r, "/nonexistent/file", &n), 0);
	assert_false(n.made || n.from_file);
	assert_string_equal(n.name, "iqn.2001-01.com.example:mine");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		OPENED(only_the_owner_can_open_any_of_its_files),
		OPENED(a_second_process_is_refused_and_told_who_has_it),
		OPENED(a_file_that_is_no_database_is_refused_and_left_alone),
		OPENED(a_newer_version_s_and_a_stranger_s_file_are_refused),
		OPENED(rows_that_do_not_fit_are_damage_not_overruns),
		OPENED(text_that_is_no_text_is_damage),
		OPENED(a_setting_counts_only_in_a_place_that_it_can_have),
		OPENED(a_disk_that_takes_no_more_is_an_error_and_nothing_is_lost),
		OPENED(a_directory_that_is_missing_is_told),
		OPENED(any_number_of_statements_is_kept),
		OPENED(a_transaction_is_all_or_nothing),
		OPENED(a_name_is_made_once_and_kept),
		OPENED(a_name_comes_from_the_file_of_other_tools),
		OPENED(a_file_without_a_valid_name_is_passed_over),
		OPENED(a_user_s_name_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
