#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/iname.h"
#include "registry/registry.h"

static char dir[64], path[128];
static struct registry *r;
static struct registry_error error;

static int
start(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/openisw-registry-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL || snprintf(path, sizeof path, "%s/registry.db", dir) < 0)
		return -1;
	return registry_open(path, &r, &error);
}

static int
stop(void **state)
{
	struct dirent *e;
	DIR *d;

	(void)state;
	registry_close(r);
	r = NULL;
	d = opendir(dir);
	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." stay */
	closedir(d);
	return rmdir(dir);
}

static void
reopen(void)
{
	registry_close(r);
	assert_int_equal(registry_open(path, &r, &error), 0);
}

static struct registry_address
address(const char *text, uint16_t port, uint16_t tpgt)
{
	struct registry_address a = { .port = port, .tpgt = tpgt };

	(void)snprintf(a.address, sizeof a.address, "%s", text);
	return a;
}

/* The key's value at the scope, "-" where it is not set. */
static const char *
value_of(const struct registry_scope *scope, enum registry_key key)
{
	static char text[256];
	char *value;
	int err = registry_get(r, scope, key, &value);

	if (err == -ENOENT)
		return "-";
	assert_int_equal(err, 0);
	(void)snprintf(text, sizeof text, "%s", value);
	free(value);
	return text;
}

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

/* Run SQL on the closed file, as an administrator or another version would. */
static void
alter(const char *sql)
{
	sqlite3 *db;

	registry_close(r);
	r = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
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

/* ---- settings ---- */

static void
a_setting_survives_and_can_be_taken_away(void **state)
{
	(void)state;
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_header_digest, "CRC32C,None"), 0);
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_header_digest, "CRC32C"), 0);
	reopen();
	assert_string_equal(value_of(NULL, REGISTRY_KEY_header_digest), "CRC32C");
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_header_digest, NULL), 0);
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_header_digest, NULL), 0);
	assert_string_equal(value_of(NULL, REGISTRY_KEY_header_digest), "-");
}

static void
the_closest_level_counts(void **state)
{
	struct registry_address a = address("Array.Example.com", 3260, 1);
	struct registry_address same = address("array.example.COM", 3260, 1);
	struct registry_scope target = { .level = REGISTRY_TARGET, .target = "iqn.t" };
	struct registry_scope one = { REGISTRY_TARGET_ADDRESS, "iqn.t", &a };
	struct registry_scope again = { REGISTRY_TARGET_ADDRESS, "iqn.t", &same };
	enum registry_level level;
	char *value;

	(void)state;
	assert_int_equal(
	    registry_effective(r, &one, REGISTRY_KEY_data_digest, &value, &level), -ENOENT);
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_data_digest, "global"), 0);
	assert_int_equal(registry_effective(r, &one, REGISTRY_KEY_data_digest, &value, &level), 0);
	assert_string_equal(value, "global");
	assert_int_equal(level, REGISTRY_GLOBAL);
	free(value);
	assert_int_equal(registry_set(r, &target, REGISTRY_KEY_data_digest, "target"), 0);
	assert_int_equal(registry_effective(r, &one, REGISTRY_KEY_data_digest, &value, &level), 0);
	assert_string_equal(value, "target");
	free(value);
	assert_int_equal(registry_set(r, &one, REGISTRY_KEY_data_digest, "address"), 0);
	assert_int_equal(
	    registry_effective(r, &again, REGISTRY_KEY_data_digest, &value, &level), 0);
	assert_string_equal(value, "address");
	assert_int_equal(level, REGISTRY_TARGET_ADDRESS);
	free(value);
	assert_string_equal(value_of(NULL, REGISTRY_KEY_data_digest), "global");
}

static void
bad_settings_are_refused_and_secrets_never_shown(void **state)
{
	struct registry_scope target = { .level = REGISTRY_TARGET, .target = "iqn.t" };
	char big[400];

	(void)state;
	memset(big, 's', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_chap_secret, big), -ENAMETOOLONG);
	assert_null(strstr(registry_error(r)->message, "sss"));
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_initiator_alias, "\xff"), -EINVAL);
	assert_int_equal(registry_set(r, &target, REGISTRY_KEY_nas_hostname, "x"), -ENOTSUP);
	assert_true(registry_key_is_secret(REGISTRY_KEY_nas_secret));
	assert_false(registry_key_is_secret(REGISTRY_KEY_chap_name));
	assert_string_equal(registry_key_name(REGISTRY_KEY_chap_secret), "chap_secret");
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

/* ---- discovery targets ---- */

static void
an_address_is_kept_as_typed_but_compared_normalised(void **state)
{
	struct registry_address typed = address("[2001:DB8:0:0::1]", 3260, 1), *list;
	struct registry_address same = address("2001:db8::1", 3260, 1);
	struct registry_address other = address("2001:db8::1", 3261, 1);
	size_t n;

	(void)state;
	assert_true(registry_address_same(&typed, &same));
	assert_false(registry_address_same(&typed, &other));
	assert_int_equal(registry_discovery_add(r, &typed), 0);
	assert_int_equal(registry_discovery_add(r, &same), -EEXIST);
	assert_int_equal(registry_discovery_add(r, &other), 0);
	assert_int_equal(registry_discovery_list(r, &list, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].address, "2001:DB8:0:0::1");
	assert_int_equal(list[1].port, 3261);
	free(list);
	assert_int_equal(registry_discovery_remove(r, &same), 0);
	assert_int_equal(registry_discovery_remove(r, &same), -ENOENT);
}

static void
a_bad_address_is_refused_with_the_reason(void **state)
{
	struct registry_address bad = address("192.0.2.999", 3260, 1);

	(void)state;
	assert_int_equal(registry_discovery_add(r, &bad), -EINVAL);
	assert_non_null(strstr(registry_error(r)->message, "192.0.2.999"));
	bad = address("", 3260, 1);
	assert_int_equal(registry_discovery_add(r, &bad), -EINVAL);
}

static void
a_removed_discovery_target_takes_its_settings_along(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 1);
	struct registry_scope scope = { .level = REGISTRY_DISCOVERY, .address = &a };

	(void)state;
	assert_int_equal(registry_discovery_add(r, &a), 0);
	assert_int_equal(registry_set(r, &scope, REGISTRY_KEY_chap_name, "me"), 0);
	assert_string_equal(value_of(&scope, REGISTRY_KEY_chap_name), "me");
	assert_int_equal(registry_discovery_remove(r, &a), 0);
	assert_string_equal(value_of(&scope, REGISTRY_KEY_chap_name), "-");
}

/* ---- operational targets ---- */

/* Discovery (or a user) saw the address of iqn.t; whether it was new. */
static bool
seen(enum registry_source source, const char *host, uint16_t tpgt, int64_t now_s)
{
	struct registry_address a = address(host, 3260, tpgt);
	bool is_new;

	assert_int_equal(registry_target_seen(r, "iqn.t", NULL, source, &a, now_s, &is_new), 0);
	return is_new;
}

static void
discovery_adds_and_updates_what_it_found(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 1);
	struct registry_target *t;
	size_t n;

	(void)state;
	assert_int_equal(
	    registry_target_seen(r, "iqn.t", "Alias", REGISTRY_SENDTARGETS, &a, 100, NULL), 0);
	assert_false(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 200));
	assert_true(seen(REGISTRY_SLP, "192.0.2.2", 2, 300));
	reopen();
	assert_int_equal(registry_target_list(r, NULL, &t, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(t[0].name, "iqn.t");
	assert_string_equal(t[0].alias, "Alias");
	assert_int_equal(t[0].source, REGISTRY_SENDTARGETS);
	assert_int_equal(t[0].n_addresses, 2);
	assert_int_equal(t[0].addresses[0].first_seen_s, 100);
	assert_int_equal(t[0].addresses[0].last_seen_s, 200);
	assert_int_equal(t[0].addresses[1].source, REGISTRY_SLP);
	assert_int_equal(t[0].addresses[1].a.tpgt, 2);
	registry_targets_free(t, n);
	assert_int_equal(registry_target_list(r, "iqn.other", &t, &n), 0);
	assert_int_equal(n, 0);
	registry_targets_free(t, n);
	assert_int_equal(registry_target_alias(r, "iqn.t", "New"), 0);
	assert_int_equal(registry_target_alias(r, "iqn.other", "New"), -ENOENT);
}

static void
a_changed_tag_follows_and_the_session_stays(void **state)
{
	struct registry_address before = address("192.0.2.1", 3260, 1);
	struct registry_address after = address("192.0.2.1", 3260, 7);
	struct registry_target *t;
	uint32_t instance;
	size_t n;

	(void)state;
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.9", 1, 1));
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 1));
	assert_int_equal(registry_session_instance(r, "iqn.other", &before, &instance), 0);
	assert_int_equal(registry_session_instance(r, "iqn.t", &before, &instance), 0);
	assert_int_equal(instance, 1);
	assert_false(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 7, 2));
	assert_int_equal(registry_target_list(r, "iqn.t", &t, &n), 0);
	assert_int_equal(t[0].n_addresses, 2);
	assert_int_equal(t[0].addresses[1].a.tpgt, 7);
	registry_targets_free(t, n);
	assert_int_equal(registry_session_instance(r, "iqn.t", &after, &instance), 0);
	assert_int_equal(instance, 1);
}

static void
discovery_leaves_what_a_user_configured(void **state)
{
	struct registry_target *t;
	size_t n;

	(void)state;
	assert_true(seen(REGISTRY_STATIC, "192.0.2.1", 1, 1));
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 7, 2)); /* another one, not a change */
	assert_false(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 3));
	assert_int_equal(registry_target_list(r, "iqn.t", &t, &n), 0);
	assert_int_equal(t[0].source, REGISTRY_STATIC);
	assert_int_equal(t[0].n_addresses, 2);
	assert_int_equal(t[0].addresses[0].source, REGISTRY_STATIC);
	assert_int_equal(t[0].addresses[0].a.tpgt, 1);
	registry_targets_free(t, n);
}

static void
a_target_goes_with_its_last_address(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 1),
				b = address("192.0.2.2", 3260, 1);
	struct registry_scope target = { .level = REGISTRY_TARGET, .target = "iqn.t" };
	struct registry_target *t;
	size_t n;

	(void)state;
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 1));
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.2", 1, 1));
	assert_int_equal(registry_set(r, &target, REGISTRY_KEY_chap_name, "me"), 0);
	assert_int_equal(registry_target_remove(r, "iqn.t", &a), 0);
	assert_int_equal(registry_target_remove(r, "iqn.t", &a), -ENOENT);
	assert_string_equal(value_of(&target, REGISTRY_KEY_chap_name), "me");
	assert_int_equal(registry_target_remove(r, "iqn.t", &b), 0);
	assert_string_equal(value_of(&target, REGISTRY_KEY_chap_name), "-");
	assert_int_equal(registry_target_list(r, NULL, &t, &n), 0);
	assert_int_equal(n, 0);
	registry_targets_free(t, n);
	assert_true(seen(REGISTRY_SLP, "192.0.2.1", 1, 1));
	assert_int_equal(registry_target_remove(r, "iqn.t", NULL), 0);
	assert_int_equal(registry_target_remove(r, "iqn.t", NULL), -ENOENT);
}

static void
a_target_has_only_so_many_addresses(void **state)
{
	struct registry_address a;
	char host[32];

	(void)state;
	assert_int_equal(registry_begin(r), 0);
	for (int i = 0; i < LIMIT_SENDTARGETS_ADDRESSES; i++) {
		assert_true(snprintf(host, sizeof host, "192.0.2.%d", i) > 0);
		assert_true(seen(REGISTRY_SENDTARGETS, host, 1, 1));
	}
	a = address("192.0.3.1", 3260, 1);
	assert_int_equal(
	    registry_target_seen(r, "iqn.t", NULL, REGISTRY_SENDTARGETS, &a, 1, NULL), -EDQUOT);
	assert_int_equal(registry_commit(r), 0);
}

/* ---- instances ---- */

static uint32_t
session(const char *target)
{
	struct registry_address a = address("192.0.2.1", 3260, 1);
	uint32_t instance;

	assert_int_equal(registry_session_instance(r, target, &a, &instance), 0);
	return instance;
}

static uint32_t
io(enum registry_class c, const char *hw_path)
{
	uint32_t instance;

	assert_int_equal(registry_io_instance(r, c, hw_path, &instance), 0);
	return instance;
}

static void
session_instances_are_stable_and_the_lowest_free(void **state)
{
	struct registry_session *list;
	size_t n;

	(void)state;
	assert_int_equal(session("iqn.a"), 0);
	assert_int_equal(session("iqn.b"), 1);
	assert_int_equal(session("iqn.c"), 2);
	reopen();
	assert_int_equal(session("iqn.d"), 3);
	assert_int_equal(session("iqn.b"), 1);
	assert_int_equal(registry_session_remove(r, 1), 0);
	assert_int_equal(registry_session_remove(r, 1), -ENOENT);
	assert_int_equal(session("iqn.e"), 1);
	assert_int_equal(session("iqn.b"), 4);
	assert_int_equal(registry_session_list(r, &list, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(list[1].instance, 1);
	assert_string_equal(list[1].target, "iqn.e");
	assert_string_equal(list[1].a.address, "192.0.2.1");
	free(list);
}

static void
hardware_paths_have_an_instance_per_class_that_stays(void **state)
{
	struct registry_io *list;
	size_t n;

	(void)state;
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/0.0.0.0"), 0);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/0.0.0.1"), 1);
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/0.0"), 0);
	reopen();
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/0.0.0.1"), 1);
	assert_int_equal(registry_io_remove(r, "255/0/0.0.0.0"), 0);
	assert_int_equal(registry_io_remove(r, "255/0/0.0.0.0"), -ENOENT);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/0.0.0.7"), 0);
	assert_int_equal(registry_io_list(r, &list, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].class, REGISTRY_CLASS_ext_bus);
	assert_string_equal(list[1].hw_path, "255/0/0.0.0.7");
	assert_int_equal(list[2].instance, 1);
	free(list);
}

static void
a_removed_session_frees_what_is_below_it_and_nothing_else(void **state)
{
	struct registry_identity id = { .designator = "naa.6", .serial = "1", .size_bytes = ~0ull };
	struct registry_device *devices;
	size_t n;

	(void)state;
	assert_int_equal(session("iqn.a"), 0);
	assert_int_equal(session("iqn.b"), 1);
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/1.0"), 0);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/1.0.0.0"), 0);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/11.0.0.0"), 1);
	assert_int_equal(registry_identity_set(r, "255/0/1.0.0.0", &id), 0);
	assert_int_equal(registry_identity_set(r, "255/0/11.0.0.0", &id), 0);
	assert_int_equal(registry_device_add(r, "255/0/1.0.0.0", "c0t0d0"), 0);
	assert_int_equal(registry_session_remove(r, 1), 0);
	assert_int_equal(registry_identity_get(r, "255/0/1.0.0.0", &id), -ENOENT);
	memset(&id, 0, sizeof id);
	assert_int_equal(registry_identity_get(r, "255/0/11.0.0.0", &id), 0);
	assert_true(id.size_bytes == ~0ull);
	assert_string_equal(id.designator, "naa.6");
	assert_int_equal(registry_device_list(r, &devices, &n), 0);
	assert_int_equal(n, 0);
	free(devices);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/11.0.0.0"), 1);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/2.0.0.0"), 0);
}

static void
ext_bus_has_256_instances(void **state)
{
	char hw_path[32];
	uint32_t instance;

	(void)state;
	assert_int_equal(registry_begin(r), 0);
	for (int i = 0; i < LIMIT_EXT_BUS; i++) {
		assert_true(snprintf(hw_path, sizeof hw_path, "255/0/%d.0", i) > 0);
		assert_int_equal(io(REGISTRY_CLASS_ext_bus, hw_path), i);
	}
	assert_int_equal(
	    registry_io_instance(r, REGISTRY_CLASS_ext_bus, "255/0/256.0", &instance), -ENOSPC);
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/7.0"), 7);
	assert_int_equal(registry_commit(r), 0);
	assert_int_equal(registry_io_remove(r, "255/0/9.0"), 0);
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/256.0"), 9);
}

static void
thousands_of_disks_get_instances_in_time(void **state)
{
	char hw_path[32];

	(void)state;
	assert_int_equal(registry_begin(r), 0);
	for (int i = 0; i < LIMIT_LUNS; i++) {
		assert_true(snprintf(hw_path, sizeof hw_path, "255/0/0.%d.%d.%d", i / 128,
				i % 128 / 8, i % 8) > 0);
		assert_int_equal(io(REGISTRY_CLASS_disk, hw_path), i);
	}
	assert_int_equal(registry_commit(r), 0);
}

/* ---- devices, redirections ---- */

static void
a_device_name_belongs_to_one_path(void **state)
{
	struct registry_device *list;
	size_t n;

	(void)state;
	assert_int_equal(registry_device_add(r, "255/0/0.0.0.0", "c0t0d0"), 0);
	assert_int_equal(registry_device_add(r, "255/0/0.0.0.0", "c0t0d0"), 0);
	assert_int_equal(registry_device_add(r, "255/0/0.0.0.1", "c0t0d0"), -EEXIST);
	reopen();
	assert_int_equal(registry_device_list(r, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].name, "c0t0d0");
	assert_string_equal(list[0].hw_path, "255/0/0.0.0.0");
	free(list);
	assert_int_equal(registry_device_remove(r, "c0t0d0"), 0);
	assert_int_equal(registry_device_remove(r, "c0t0d0"), -ENOENT);
}

static void
a_redirection_is_kept_and_replaced(void **state)
{
	struct registry_address from = address("Array.example.com", 3260, 1);
	struct registry_address same = address("array.example.com", 3260, 1);
	struct registry_address to = address("192.0.2.1", 3260, 1), got;
	struct registry_redirect *list;
	size_t n;

	(void)state;
	assert_int_equal(registry_redirect_get(r, "iqn.t", &from, &got), -ENOENT);
	assert_int_equal(registry_redirect_set(r, "iqn.t", &from, &to), 0);
	to.port = 3261;
	assert_int_equal(registry_redirect_set(r, "iqn.t", &same, &to), 0);
	assert_int_equal(registry_redirect_get(r, "iqn.t", &from, &got), 0);
	assert_int_equal(got.port, 3261);
	assert_int_equal(registry_redirect_list(r, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].from.address, "Array.example.com");
	free(list);
	assert_int_equal(registry_redirect_remove(r, "iqn.t", &same), 0);
	assert_int_equal(registry_redirect_get(r, "iqn.t", &from, &got), -ENOENT);
}

#define OPENED(f) cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		OPENED(only_the_owner_can_open_any_of_its_files),
		OPENED(a_second_process_is_refused_and_told_who_has_it),
		OPENED(a_file_that_is_no_database_is_refused_and_left_alone),
		OPENED(a_newer_version_s_and_a_stranger_s_file_are_refused),
		OPENED(rows_that_do_not_fit_are_damage_not_overruns),
		OPENED(a_disk_that_takes_no_more_is_an_error_and_nothing_is_lost),
		OPENED(a_directory_that_is_missing_is_told),
		OPENED(a_transaction_is_all_or_nothing),
		OPENED(a_setting_survives_and_can_be_taken_away),
		OPENED(the_closest_level_counts),
		OPENED(bad_settings_are_refused_and_secrets_never_shown),
		OPENED(a_name_is_made_once_and_kept),
		OPENED(a_name_comes_from_the_file_of_other_tools),
		OPENED(a_file_without_a_valid_name_is_passed_over),
		OPENED(a_user_s_name_is_left_alone),
		OPENED(an_address_is_kept_as_typed_but_compared_normalised),
		OPENED(a_bad_address_is_refused_with_the_reason),
		OPENED(a_removed_discovery_target_takes_its_settings_along),
		OPENED(discovery_adds_and_updates_what_it_found),
		OPENED(a_changed_tag_follows_and_the_session_stays),
		OPENED(discovery_leaves_what_a_user_configured),
		OPENED(a_target_goes_with_its_last_address),
		OPENED(a_target_has_only_so_many_addresses),
		OPENED(session_instances_are_stable_and_the_lowest_free),
		OPENED(hardware_paths_have_an_instance_per_class_that_stays),
		OPENED(a_removed_session_frees_what_is_below_it_and_nothing_else),
		OPENED(ext_bus_has_256_instances),
		OPENED(thousands_of_disks_get_instances_in_time),
		OPENED(a_device_name_belongs_to_one_path),
		OPENED(a_redirection_is_kept_and_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
