/* Files of other versions, of strangers, cut off, and killed while they were made. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>
#include <time.h>

#include "registry/db.h"
#include "registry/test_fixture.h"

#define KILLS 60

/* The tables as each version made them. */
static const struct {
	int version;
	const char *sql;
} steps[] = {
#define STEP(version, ...) { version, __VA_ARGS__ },
#include "registry/schema.def"
};
#define NEWEST ((int)(sizeof steps / sizeof steps[0]))

static const char wal[] = "PRAGMA journal_mode = WAL";

/* The order of names until version 4, for the names here: the small letters of ASCII. */
static int
compare_small(void *user, int a_len, const void *a, int b_len, const void *b)
{
	int n = strncasecmp(a, b, (size_t)(a_len < b_len ? a_len : b_len));

	(void)user;
	return n != 0 ? n : a_len - b_len;
}

/* A file as `version` left it, with `rows` in it. */
static void
make_old(int version, const char *rows)
{
	char pragmas[96];
	sqlite3 *db;

	registry_close(r);
	r = NULL;
	(void)unlink(path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_create_collation(db, "INAME", SQLITE_UTF8, NULL, compare_small), SQLITE_OK);
	execute(db, wal);
	for (int i = 0; i < version; i++)
		execute(db, steps[i].sql);
	(void)snprintf(pragmas, sizeof pragmas,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d", 0x69535721, version);
	execute(db, pragmas);
	execute(db, rows);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static const char old_rows[] =
    "INSERT INTO identity VALUES ('255/0/0.0.0.0', 'naa.6', 'S1', 1048576),"
    " ('255/0/0.0.0.1', '', 'S2', -1), ('255/0/0.0.0.2', '', '', 0);"
    "INSERT INTO setting VALUES (0, '', '', 0, 0, 'initiator_alias', 'us'),"
    " (2, 'iqn.2001-01.com.example:Big', '', 0, 0, 'chap_method', 'CHAP_BI'),"
    " (2, 'iqn.2001-01.com.example:big', '', 0, 0, 'initiator_chap_name', 'joe');"
    "INSERT INTO target VALUES (3, 'iqn.2001-01.com.example:Big', 'a', 1),"
    " (5, 'iqn.2001-01.com.example:big', 'b', 0), (7, 'iqn.2001-01.com.example:c', '', 0);"
    "INSERT INTO target_address VALUES (1, 3, 'h', 'h', 3260, 1, 1, 10, 20),"
    " (2, 5, 'h', 'h', 3260, 1, 0, 11, 21), (3, 5, 'i', 'i', 3260, 1, 0, 12, 22),"
    " (4, 7, 'h', 'h', 3260, 1, 0, 13, 23);"
    "INSERT INTO session VALUES (0, 'iqn.2001-01.com.example:Big', 'h', 'h', 3260, 1),"
    " (4, 'iqn.2001-01.com.example:c', 'h', 'h', 3260, 1);"
    "INSERT INTO redirect VALUES"
    " ('iqn.2001-01.com.example:c', 'h', 'h', 3260, 1, 'elsewhere', 3260, 1);";

/* What old_rows says, by today's calls. */
static void
expect_old_rows(void)
{
	struct registry_scope big = { REGISTRY_TARGET, "IQN.2001-01.com.example:BIG", NULL };
	struct registry_address to, from = address("h", 3260, 1);
	struct registry_session *sessions;
	struct registry_target *targets;
	struct identity id;
	size_t n;

	assert_int_equal(registry_identity_get(r, "255/0/0.0.0.0", &id), 0);
	assert_string_equal(identity_first(&id), "naa.6");
	assert_null(identity_next(&id, identity_first(&id)));
	assert_string_equal(id.serial, "S1");
	assert_int_equal(id.size_bytes, 1048576);
	assert_int_equal(registry_identity_get(r, "255/0/0.0.0.1", &id), 0);
	assert_null(identity_first(&id));
	assert_string_equal(id.serial, "S2");
	assert_true(id.size_bytes == UINT64_MAX);
	assert_int_equal(registry_identity_get(r, "255/0/0.0.0.2", &id), 0);
	assert_false(identity_has_name(&id));
	assert_int_equal(registry_identity_get(r, "255/0/0.0.0.3", &id), -ENOENT);
	assert_string_equal(value_of(NULL, REGISTRY_KEY_initiator_alias), "us");
	assert_string_equal(value_of(&big, REGISTRY_KEY_chap_method), "CHAP_BI");
	assert_string_equal(value_of(&big, REGISTRY_KEY_chap_name), "joe");
	assert_int_equal(registry_target_list(r, NULL, &targets, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(targets[0].name, "iqn.2001-01.com.example:Big");
	assert_int_equal(targets[0].n_addresses, 2);
	assert_string_equal(targets[0].addresses[1].a.address, "i");
	assert_string_equal(targets[1].name, "iqn.2001-01.com.example:c");
	registry_targets_free(targets, n);
	assert_int_equal(registry_session_list(r, &sessions, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(sessions[1].instance, 4);
	free(sessions);
	assert_int_equal(registry_redirect_get(r, "iqn.2001-01.com.EXAMPLE:c", &from, &to), 0);
	assert_string_equal(to.address, "elsewhere");
}

static void
rows_of_the_first_version_are_kept(void **state)
{
	(void)state;
	make_old(1, old_rows);
	assert_int_equal(registry_open(path, &r, &error), 0);
	expect_old_rows();
	reopen();
	expect_old_rows();
}

/* Names that version 4 told apart, or found in another order. */
#define E_ACUTE    "\xc3\xa9"  /* composed */
#define E_ACUTE_KD "e\xcc\x81" /* decomposed: before the other */
#define S_SHARP    "\xc3\x9f"  /* not among s any more */
#define P          "iqn.2001-01.com.example:"
static const char rows_of_4[] =
    "INSERT INTO setting VALUES"
    " (2, '" P "caf" E_ACUTE "', '', 0, 0, 'chap_method', 'CHAP_BI'),"
    " (2, '" P "caf" E_ACUTE_KD "', '', 0, 0, 'chap_method', 'CHAP_UNI'),"
    " (2, '" P "CAF" E_ACUTE_KD "', '', 0, 0, 'initiator_chap_name', 'joe'),"
    " (2, '" P "stra" S_SHARP "e', '', 0, 0, 'initiator_chap_name', 'jim'),"
    " (2, '" P "strate', '', 0, 0, 'initiator_chap_name', 'jon');"
    "INSERT INTO target VALUES (3, '" P "caf" E_ACUTE "', 'a', 1),"
    " (5, '" P "Caf" E_ACUTE_KD "', 'b', 0), (7, '" P "Stra" S_SHARP "e', '', 0),"
    " (9, '" P "strb', '', 0), (11, '" P "strate', '', 0);"
    "INSERT INTO target_address VALUES (1, 3, 'h', 'h', 3260, 1, 1, 10, 20),"
    " (2, 5, 'h', 'h', 3260, 1, 0, 11, 21), (3, 5, 'i', 'i', 3260, 1, 0, 12, 22),"
    " (4, 7, 'h', 'h', 3260, 1, 0, 13, 23), (5, 9, 'h', 'h', 3260, 1, 0, 14, 24),"
    " (6, 11, 'h', 'h', 3260, 1, 0, 15, 25);"
    "INSERT INTO found VALUES ('d', 3260, 1, 1), ('d', 3260, 1, 2), ('d', 3260, 1, 4),"
    " ('e', 3260, 1, 2), ('e', 3260, 1, 3);"
    "INSERT INTO session VALUES (0, '" P "caf" E_ACUTE "', 'h', 'h', 3260, 1),"
    " (1, '" P "Caf" E_ACUTE_KD "', 'h', 'h', 3260, 1),"
    " (4, '" P "Stra" S_SHARP "e', 'h', 'h', 3260, 1);"
    "INSERT INTO redirect VALUES ('" P "caf" E_ACUTE "', 'h', 'h', 3260, 1, 'first', 3260, 1),"
    " ('" P "caf" E_ACUTE_KD "', 'h', 'h', 3260, 1, 'second', 3260, 1),"
    " ('" P "stra" S_SHARP "e', 'h', 'h', 3260, 1, 'elsewhere', 3260, 1),"
    " ('" P "strate', 'h', 'h', 3260, 1, 'nowhere', 3260, 1);";

static void
make_fourth(void)
{
	make_old(4, rows_of_4);
}

static const char *
value_for(const char *target, enum registry_key key)
{
	return value_of(&(struct registry_scope){ REGISTRY_TARGET, target, NULL }, key);
}

/* What rows_of_4 says, whichever way a name is spelled. */
static void
expect_rows_of_4(void)
{
	static const char *const spelled[] = { P "caf" E_ACUTE, P "CAF" E_ACUTE_KD,
		P "\xef\xbd\x83\xef\xbd\x81\xef\xbd\x86" E_ACUTE };
	struct registry_address to, from = address("h", 3260, 1);
	struct registry_session *sessions;
	struct registry_target *targets;
	int64_t number;
	size_t n;

	for (size_t i = 0; i < sizeof spelled / sizeof *spelled; i++) {
		assert_string_equal(value_for(spelled[i], REGISTRY_KEY_chap_method), "CHAP_BI");
		assert_string_equal(value_for(spelled[i], REGISTRY_KEY_chap_name), "joe");
		assert_int_equal(registry_target_list(r, spelled[i], &targets, &n), 0);
		assert_int_equal(n, 1);
		assert_string_equal(targets[0].name, P "caf" E_ACUTE);
		assert_string_equal(targets[0].alias, "a");
		assert_int_equal(targets[0].n_addresses, 2);
		assert_string_equal(targets[0].addresses[1].a.address, "i");
		registry_targets_free(targets, n);
		assert_int_equal(registry_redirect_get(r, spelled[i], &from, &to), 0);
		assert_string_equal(to.address, "first");
	}
	assert_string_equal(value_for(P "STRASSE", REGISTRY_KEY_chap_name), "jim");
	assert_string_equal(value_for(P "strate", REGISTRY_KEY_chap_name), "jon");
	assert_int_equal(registry_target_list(r, NULL, &targets, &n), 0);
	assert_int_equal(n, 4);
	registry_targets_free(targets, n);
	assert_int_equal(registry_session_list(r, &sessions, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(sessions[0].instance, 0);
	assert_int_equal(sessions[1].instance, 4);
	free(sessions);
	assert_int_equal(registry_redirect_get(r, P "strasse", &from, &to), 0);
	assert_string_equal(to.address, "elsewhere");
	assert_int_equal(registry_redirect_get(r, P "strate", &from, &to), 0);
	assert_string_equal(to.address, "nowhere");
	/* Both addresses named the one that is left. */
	assert_int_equal(
	    db_number(r, &number, "SELECT count(*) FROM found WHERE address IN (1, 3)", ""), 0);
	assert_int_equal(number, 3);
	assert_int_equal(db_number(r, &number, "SELECT count(*) FROM found", ""), 0);
	assert_int_equal(number, 4);
	assert_int_equal(db_number(r, &number,
			     "SELECT count(*) FROM pragma_integrity_check"
			     " WHERE integrity_check <> 'ok'",
			     ""),
	    0);
	assert_int_equal(number, 0);
	assert_int_equal(
	    db_number(r, &number, "SELECT count(*) FROM pragma_foreign_key_check", ""), 0);
	assert_int_equal(number, 0);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A process opens the registry and is killed after so long; UINT64_MAX: when it has. */
static bool
open_and_kill(uint64_t after_ns)
{
	int status, fds[2];
	uint64_t begin;
	char byte;
	pid_t pid;

	registry_close(r);
	r = NULL;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (write(fds[1], "", 1) != 1)
			_exit(2);
		_exit(registry_open(path, &r, &error) == 0 ? 0 : 1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	begin = now_ns();
	while (after_ns != UINT64_MAX && now_ns() - begin < after_ns)
		;
	if (after_ns != UINT64_MAX)
		assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFEXITED(status);
}

/* At any moment of what open() has to do with what make() leaves: nothing is lost. */
static void
kill_at_any_moment(void (*make)(void), void (*expect)(void))
{
	int finished = 0;
	uint64_t all_ns;

	make();
	all_ns = now_ns();
	assert_true(open_and_kill(UINT64_MAX));
	all_ns = now_ns() - all_ns;
	for (unsigned round = 0; round < KILLS; round++) {
		make();
		finished += open_and_kill(all_ns * round / (KILLS / 2));
		assert_int_equal(registry_open(path, &r, &error), 0);
		expect();
	}
	assert_true(finished < KILLS); /* the others were killed */
}

static void
make_first(void)
{
	make_old(1, old_rows);
}

static void
a_kill_while_tables_are_brought_up_loses_nothing(void **state)
{
	(void)state;
	kill_at_any_moment(make_first, expect_old_rows);
}

static void
names_that_are_the_same_by_rfc_3722_become_one(void **state)
{
	(void)state;
	make_fourth();
	assert_int_equal(registry_open(path, &r, &error), 0);
	expect_rows_of_4();
	reopen();
	expect_rows_of_4();
}

static void
make_none(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char name[160];

	registry_close(r);
	r = NULL;
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
		(void)unlink(name);
	}
}

static void
expect_empty(void)
{
	struct registry_address *list;
	size_t n;

	assert_int_equal(registry_discovery_list(r, &list, &n), 0);
	assert_int_equal(n, 0);
	free(list);
}

/* It is there with all its tables, or not at all. */
static void
a_kill_while_a_registry_is_made_does_no_harm(void **state)
{
	(void)state;
	kill_at_any_moment(make_none, expect_empty);
}

static void
refused(int err, const char *word)
{
	struct stat before, after;

	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(registry_open(path, &r, &error), err);
	assert_null(r);
	assert_non_null(strstr(error.message, word));
	assert_non_null(strstr(error.message, path));
	assert_true(strlen(error.next) > 0);
	/* It is left as it is. */
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
}

static void
a_file_whose_tables_are_not_its_version_s_is_refused(void **state)
{
	static const char *const changes[] = {
		"PRAGMA user_version = 3",
		"PRAGMA user_version = 2",
		"PRAGMA user_version = 1",
		"PRAGMA user_version = 0",
		"PRAGMA user_version = -3",
		"DROP TABLE setting",
		"DROP INDEX io_hw_path",
		"ALTER TABLE discovery ADD COLUMN more TEXT",
		"CREATE TABLE more (a INTEGER)",
		"CREATE VIEW more AS SELECT 1",
		"CREATE TRIGGER evil AFTER INSERT ON setting BEGIN DELETE FROM setting; END",
		"DROP TABLE discovery; CREATE VIEW discovery AS SELECT 1 AS id",
	};

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		alter(changes[i]);
		refused(-EUCLEAN, "does not have the tables");
		(void)unlink(path);
		assert_int_equal(registry_open(path, &r, &error), 0);
	}
	/* What administrators may do. */
	alter("ANALYZE; VACUUM");
	assert_int_equal(registry_open(path, &r, &error), 0);
}

static void
a_file_that_was_cut_off_is_refused_at_every_length(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 1);
	struct stat st;

	(void)state;
	assert_int_equal(registry_discovery_add(r, &a), 0);
	registry_close(r);
	r = NULL;
	assert_int_equal(stat(path, &st), 0);
	while (st.st_size > 0) {
		st.st_size = st.st_size > 5000 ? st.st_size - 2048 : st.st_size * 2 / 3;
		assert_int_equal(truncate(path, st.st_size), 0);
		assert_int_equal(registry_open(path, &r, &error), -EUCLEAN);
		assert_true(strlen(error.message) > 0 && strlen(error.next) > 0);
	}
	refused(-EUCLEAN, "is empty");
}

static void
a_log_without_its_file_is_refused(void **state)
{
	char log[160];
	int fd;

	(void)state;
	registry_close(r);
	r = NULL;
	(void)unlink(path);
	(void)snprintf(log, sizeof log, "%s-wal", path);
	fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(registry_open(path, &r, &error), -EUCLEAN);
	assert_non_null(strstr(error.message, "missing"));
	(void)unlink(log);
	assert_int_equal(registry_open(path, &r, &error), 0);
}

static void
what_is_no_file_is_refused(void **state)
{
	(void)state;
	registry_close(r);
	r = NULL;
	(void)unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(registry_open(path, &r, &error), -EUCLEAN);
	(void)unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(registry_open(path, &r, &error) < 0);
	assert_int_equal(rmdir(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		OPENED(rows_of_the_first_version_are_kept),
		OPENED(a_kill_while_tables_are_brought_up_loses_nothing),
		OPENED(names_that_are_the_same_by_rfc_3722_become_one),
		OPENED(a_kill_while_a_registry_is_made_does_no_harm),
		OPENED(a_file_whose_tables_are_not_its_version_s_is_refused),
		OPENED(a_file_that_was_cut_off_is_refused_at_every_length),
		OPENED(a_log_without_its_file_is_refused),
		OPENED(what_is_no_file_is_refused),
	};

	assert_int_equal(steps[NEWEST - 1].version, NEWEST);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
