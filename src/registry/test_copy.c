/*
 * A copy in memory and the file that its changes are made in: after any calls, in
 * any batches, both hold the same; what is undone was never there; a file that
 * somebody else changed, or a change that was lost, ends in the whole copy.
 */
#include <sys/resource.h>

#include <signal.h>

#include "base/list.h"
#include "registry/copy.h"
#include "registry/test_fixture.h"

#define ROUNDS 400
#define NAMES  12

static struct registry *copy;
static struct list told;
static size_t n_told;
static uint32_t seed;

static void
changed(void *user, struct registry_change *change)
{
	assert_ptr_equal(user, &told);
	list_push_back(&told, &change->link);
	n_told++;
}

static void
forget_told(void)
{
	struct list *node;

	while ((node = list_pop(&told)) != NULL)
		registry_change_free(LIST_ENTRY(node, struct registry_change, link));
	n_told = 0;
}

static int
start_copy(void **state)
{
	list_init(&told);
	n_told = 0;
	seed = 1;
	if (start(state) != 0)
		return -1;
	return registry_copy(r, changed, &told, &copy);
}

static int
stop_copy(void **state)
{
	forget_told();
	registry_close(copy);
	copy = NULL;
	return stop(state);
}

#define COPIED(f) cmocka_unit_test_setup_teardown(f, start_copy, stop_copy)

static uint32_t
pick(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 16) % n;
}

/* ---- what a database holds ---- */

static char *
dump(sqlite3 *db)
{
	static const char *const tables[] = { "setting", "discovery", "target", "target_address",
		"session", "io", "unit", "designator", "device", "redirect", "found" };
	char *text = NULL, sql[128];
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);

	assert_non_null(f);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		sqlite3_stmt *stmt;

		(void)snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1, 2, 3", tables[i]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
		(void)fprintf(f, "%s\n", tables[i]);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			for (int c = 0; c < sqlite3_column_count(stmt); c++)
				(void)fprintf(f, "|%s", (const char *)sqlite3_column_text(stmt, c));
			(void)fputc('\n', f);
		}
		assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	}
	assert_int_equal(fclose(f), 0);
	return text;
}

static sqlite3 *
with_names(const char *at)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(at, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_create_collation(db, "INAME", SQLITE_UTF8, NULL, compare_names), SQLITE_OK);
	return db;
}

static char *
dump_file(void)
{
	sqlite3 *db = with_names(path);
	char *text = dump(db);

	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return text;
}

static char *
dump_copy(void)
{
	struct registry_change *whole = NULL;
	sqlite3 *db = with_names(":memory:");
	sqlite3_int64 bytes;
	char *text;

	assert_int_equal(registry_whole(copy, &whole), 0);
	bytes = (sqlite3_int64)whole->bytes;
	assert_int_equal(
	    sqlite3_deserialize(db, "main", whole->data, bytes, bytes, SQLITE_DESERIALIZE_READONLY),
	    SQLITE_OK);
	text = dump(db);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	registry_change_free(whole);
	return text;
}

static void
assert_same(void)
{
	char *a = dump_copy(), *b = dump_file();

	assert_string_equal(a, b);
	free(a);
	free(b);
}

/* ---- random calls ---- */

static void
name_of(char *ret, size_t bytes)
{
	static const char *const form[] = { "iqn.2001-01.com.example:%u",
		"IQN.2001-01.com.EXAMPLE:%u" };

	(void)snprintf(ret, bytes, form[pick(2)], pick(NAMES));
}

static struct registry_address
any_address(void)
{
	char host[32];

	(void)snprintf(host, sizeof host, pick(2) ? "host-%u" : "HOST-%u", pick(4));
	return address(host, 3260, (uint16_t)pick(2));
}

static void
change_way(const char *name, const struct registry_address *a, const struct registry_address *b)
{
	const struct registry_nexus list[2] = { { "iqn.a", (int32_t)pick(3) - 1, 22, false },
		{ "iqn.b", 1, pick(100) } };

	if (pick(2) == 0)
		(void)registry_nexus_set(copy, name, pick(6), list, pick(3));
	else
		(void)(pick(2) ? registry_redirect_set(copy, name, a, b)
			       : registry_redirect_remove(copy, name, a));
}

static void
change_once(void)
{
	struct registry_address a = any_address(), b = any_address();
	char name[64], hw[32], value[32];
	struct registry_scope at = { REGISTRY_TARGET_ADDRESS, name, &a };
	struct identity id = { 0 };
	uint32_t instance;

	name_of(name, sizeof name);
	(void)snprintf(hw, sizeof hw, "255/0/%u.0.0.%u", pick(6), pick(4));
	(void)snprintf(value, sizeof value, "%u", pick(3));
	(void)snprintf(id.serial, sizeof id.serial, "S%u", pick(5));
	/* Whether it can be done is not the question. */
	switch (pick(13)) {
	case 0:
		(void)registry_set(
		    copy, NULL, REGISTRY_KEY_initiator_alias, pick(3) ? value : NULL);
		break;
	case 1:
		(void)registry_set(
		    copy, &at, REGISTRY_KEY_header_digest, pick(3) ? "CRC32C" : NULL);
		break;
	case 2:
		(void)registry_discovery_add(copy, &a);
		break;
	case 3:
		(void)registry_discovery_remove(copy, &a);
		break;
	case 4:
	case 5:
		(void)registry_target_seen(
		    copy, name, value, (enum registry_source)pick(3), &a, pick(100000), NULL);
		break;
	case 6:
		(void)registry_target_found(
		    copy, name, REGISTRY_SENDTARGETS, &a, &b, 6, pick(100000), NULL);
		break;
	case 7:
		(void)registry_target_remove(copy, name, pick(2) ? &a : NULL);
		break;
	case 8:
		(void)registry_session_instance(copy, name, &a, &instance);
		break;
	case 9:
		(void)registry_session_remove(copy, pick(6));
		break;
	case 10:
		(void)registry_io_instance(copy, REGISTRY_CLASS_disk, hw, &instance);
		(void)registry_identity_set(copy, hw, &id);
		break;
	case 11:
		(void)(pick(2) ? registry_device_add(copy, hw, value)
			       : registry_device_remove(copy, value));
		break;
	case 12:
		change_way(name, &a, &b);
		break;
	default:
		fail();
	}
}

/* Calls by themselves and in transactions, some of them rolled back. */
static void
change_some(void)
{
	unsigned n = 1 + pick(4);

	if (pick(2) == 0) {
		change_once();
		return;
	}
	assert_int_equal(registry_begin(copy), 0);
	while (n-- > 0)
		change_once();
	if (pick(4) == 0)
		registry_rollback(copy);
	else
		assert_int_equal(registry_commit(copy), 0);
}

static void
a_file_has_what_its_copy_has_after_any_calls(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		change_some();
		if (pick(3) != 0)
			continue;
		assert_int_equal(registry_apply(r, &told), 0);
		forget_told();
		assert_same();
	}
	/* And it is there when the file is opened again. */
	assert_int_equal(registry_apply(r, &told), 0);
	reopen();
	assert_same();
}

/* The last one first; each undoing is told, too. */
static void
undo_told(void)
{
	struct list *node = told.prev;

	for (size_t n = n_told; n > 0; n--, node = node->prev)
		assert_int_equal(
		    registry_undo(copy, LIST_ENTRY(node, struct registry_change, link)), 0);
}

static void
what_is_undone_was_never_there(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		char *before, *after;

		change_some();
		assert_int_equal(registry_apply(r, &told), 0);
		forget_told();
		before = dump_copy();
		change_some();
		undo_told();
		after = dump_copy();
		assert_string_equal(before, after);
		free(before);
		free(after);
		/* The undoing is a change of its own, and the file follows both. */
		assert_int_equal(registry_apply(r, &told), 0);
		assert_same();
		forget_told();
	}
}

static void
what_another_made_of_a_row_survives_the_undoing(void **state)
{
	struct registry_change *first;
	char *value;

	(void)state;
	assert_int_equal(registry_set(copy, NULL, REGISTRY_KEY_initiator_alias, "one"), 0);
	first = LIST_ENTRY(told.next, struct registry_change, link);
	assert_int_equal(registry_set(copy, NULL, REGISTRY_KEY_initiator_alias, "two"), 0);
	assert_int_equal(registry_undo(copy, first), 0);
	assert_int_equal(registry_get(copy, NULL, REGISTRY_KEY_initiator_alias, &value), 0);
	assert_string_equal(value, "two");
	free(value);
}

static void
see(const char *name, const struct registry_address *at)
{
	assert_int_equal(registry_target_seen(copy, name, "", 0, at, 1, NULL), 0);
}

/* Rows get the numbers of those that are removed in the same transaction. */
static void
a_removal_beside_additions_is_undone(void **state)
{
	struct registry_address a = address("a", 3260, 1), b = address("b", 3260, 1);
	struct registry_change *change;
	char *before, *after;

	(void)state;
	see("iqn.2001-01.com.example:one", &a);
	see("iqn.2001-01.com.example:one", &b);
	before = dump_copy();
	forget_told();
	assert_int_equal(registry_begin(copy), 0);
	assert_int_equal(registry_target_remove(copy, "iqn.2001-01.com.example:one", NULL), 0);
	see("iqn.2001-01.com.example:zero", &a);
	see("iqn.2001-01.com.example:two", &b);
	assert_int_equal(registry_commit(copy), 0);
	change = LIST_ENTRY(told.next, struct registry_change, link);
	assert_int_equal(registry_undo(copy, change), 0);
	after = dump_copy();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* An address comes back, and its target does not: another one took that away since. */
static void
an_undoing_that_would_leave_orphans_is_refused(void **state)
{
	struct registry_address a = address("a", 3260, 1), b = address("b", 3260, 1);
	struct registry_change *change;
	char *before, *after;

	(void)state;
	see("iqn.2001-01.com.example:one", &a);
	see("iqn.2001-01.com.example:one", &b);
	forget_told();
	assert_int_equal(registry_target_remove(copy, "iqn.2001-01.com.example:one", &a), 0);
	change = LIST_ENTRY(told.next, struct registry_change, link);
	assert_int_equal(registry_target_remove(copy, "iqn.2001-01.com.example:one", NULL), 0);
	before = dump_copy();
	assert_true(registry_undo(copy, change) < 0);
	after = dump_copy();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void
a_call_that_changes_nothing_tells_nothing(void **state)
{
	struct registry_address a = address("host", 3260, 1);
	uint32_t instance;

	(void)state;
	assert_int_equal(
	    registry_session_instance(copy, "iqn.2001-01.com.example:a", &a, &instance), 0);
	assert_int_equal(n_told, 1);
	assert_int_equal(
	    registry_session_instance(copy, "iqn.2001-01.com.example:a", &a, &instance), 0);
	assert_int_equal(registry_begin(copy), 0);
	assert_int_equal(registry_commit(copy), 0);
	assert_int_equal(registry_begin(copy), 0);
	assert_int_equal(registry_discovery_add(copy, &a), 0);
	registry_rollback(copy);
	assert_int_equal(n_told, 1);
}

static void
a_file_that_others_changed_is_told_and_overwritten_whole(void **state)
{
	const struct registry_address a = address("host", 3260, 1);
	struct registry_change *whole = NULL;
	char *before, *after;
	struct list one;

	(void)state;
	assert_int_equal(registry_set(copy, NULL, REGISTRY_KEY_initiator_alias, "mine"), 0);
	assert_int_equal(registry_apply(r, &told), 0);
	forget_told();
	registry_close(copy);
	alter("UPDATE setting SET value = 'theirs'");
	assert_int_equal(registry_open(path, &r, &error), 0);
	assert_int_equal(registry_copy(r, changed, &told, &copy), 0);
	alter("UPDATE setting SET value = 'theirs again'");
	assert_int_equal(registry_open(path, &r, &error), 0);
	/* The first of them would fit. */
	assert_int_equal(registry_discovery_add(copy, &a), 0);
	assert_int_equal(registry_set(copy, NULL, REGISTRY_KEY_initiator_alias, "mine again"), 0);
	before = dump_file();
	assert_int_equal(registry_apply(r, &told), -ESTALE);
	after = dump_file();
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_string_equal(value_of(NULL, REGISTRY_KEY_initiator_alias), "theirs again");
	assert_int_equal(registry_whole(copy, &whole), 0);
	list_init(&one);
	list_push_back(&one, &whole->link);
	assert_int_equal(registry_apply(r, &one), 0);
	list_remove(&whole->link);
	registry_change_free(whole);
	assert_same();
	reopen();
	assert_string_equal(value_of(NULL, REGISTRY_KEY_initiator_alias), "mine again");
}

/* The disk is full: no file of this process may grow any more. */
static void
limit_files(rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void
a_change_that_cannot_be_written_leaves_the_file_as_it_was(void **state)
{
	struct registry_change *whole = NULL;
	char *before = dump_file(), *after;
	struct list one;
	int err, err_whole;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < 40; i++)
		change_once();
	assert_int_equal(registry_whole(copy, &whole), 0);
	list_init(&one);
	list_push_back(&one, &whole->link);
	limit_files(512);
	err = registry_apply(r, &told);
	err_whole = registry_apply(r, &one);
	limit_files(RLIM_INFINITY);
	assert_true(err < 0 && err != -ESTALE);
	assert_true(err_whole < 0 && err_whole != -ESTALE);
	assert_true(registry_error(r)->message[0] != '\0');
	after = dump_file();
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* And when there is room again, both ways lead to the same. */
	assert_int_equal(registry_apply(r, &told), 0);
	assert_same();
	assert_int_equal(registry_apply(r, &one), 0);
	assert_same();
	list_remove(&whole->link);
	registry_change_free(whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		COPIED(a_file_has_what_its_copy_has_after_any_calls),
		COPIED(what_is_undone_was_never_there),
		COPIED(what_another_made_of_a_row_survives_the_undoing),
		COPIED(a_removal_beside_additions_is_undone),
		COPIED(an_undoing_that_would_leave_orphans_is_refused),
		COPIED(a_call_that_changes_nothing_tells_nothing),
		COPIED(a_file_that_others_changed_is_told_and_overwritten_whole),
		COPIED(a_change_that_cannot_be_written_leaves_the_file_as_it_was),
	};

	return cmocka_run_group_tests_name("registry/copy", tests, NULL, NULL);
}
