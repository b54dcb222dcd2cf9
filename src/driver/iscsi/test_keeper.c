/*
 * The keeper with a real file: nothing is said to be kept before the file has it; what cannot be
 * written is taken back where an operation did it, else it stands and follows; nothing that waits
 * grows without bound; the end writes what is left.
 */
#include <sys/resource.h>

#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/iname.h"
#include "driver/iscsi/keeper.h"

#define FULL_FILE 512

static char dir[64], path[128];
static struct loop *loop;
static struct mailbox *box;
static struct mail_slot slot;
static struct keeper *keeper;
static struct registry *reg;
static unsigned n_undone;

/* One who waits. */
struct answer {
	bool is_told, is_good;
	struct fault why;
};

static void
kept(void *user, const struct fault *why)
{
	struct answer *a = user;

	assert_false(a->is_told);
	a->is_told = true;
	a->is_good = why == NULL;
	if (why != NULL)
		a->why = *why;
	loop_stop(loop);
}

static void
undone(void *user)
{
	assert_ptr_equal(user, &slot);
	n_undone++;
}

static int
start(void **state)
{
	struct keeper_cfg cfg = { .undone = undone, .user = &slot };
	struct registry *file = NULL;
	struct registry_error e;
	struct fault f;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	n_undone = 0;
	strncpy(dir, "/tmp/openisw-keeper-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL || snprintf(path, sizeof path, "%s/registry.db", dir) < 0 ||
	    registry_open(path, &file, &e) != 0)
		return -1;
	loop = loop_new();
	box = mailbox_new(loop);
	mailbox_open(box, &slot, 1, 1, &slot);
	cfg.loop = loop;
	cfg.asker = slot.at;
	keeper = keeper_new(file, &cfg, &f);
	if (keeper == NULL)
		return -1;
	reg = keeper_copy(keeper);
	return 0;
}

static void
end_keeper(void)
{
	keeper_free(keeper);
	keeper = NULL;
}

static int
stop(void **state)
{
	static const char *const names[] = { "", "-wal", "-shm", ".lock" };
	char name[160];

	(void)state;
	end_keeper();
	mailbox_close(&slot);
	mailbox_free(box);
	loop_free(loop);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, names[i]);
		(void)unlink(name); /* mostly not there */
	}
	return rmdir(dir);
}

/* No file of this process may grow any more. */
static void
disk_is_full(bool is)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = is ? FULL_FILE : l.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static int
compare_names(void *user, int a_len, const void *a, int b_len, const void *b)
{
	(void)user;
	return iname_compare(a, (size_t)a_len, b, (size_t)b_len);
}

/* What another program reads in the file: the alias, or how many addresses. */
static const char *
in_file(const char *sql)
{
	static char text[64];
	sqlite3_stmt *stmt;
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(
	    sqlite3_create_collation(db, "INAME", SQLITE_UTF8, NULL, compare_names), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	text[0] = '\0';
	if (sqlite3_step(stmt) == SQLITE_ROW)
		(void)snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_finalize(stmt); /* it was only read */
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return text;
}
#define ALIAS     "SELECT value FROM setting WHERE key = 'initiator_alias'"
#define ADDRESSES "SELECT count(*) FROM discovery"

static const char *
alias(void)
{
	static char text[64];
	char *value;

	if (registry_get(reg, NULL, REGISTRY_KEY_initiator_alias, &value) != 0)
		return "";
	(void)snprintf(text, sizeof text, "%s", value);
	free(value);
	return text;
}

static void
set_alias(const char *text)
{
	assert_int_equal(registry_set(reg, NULL, REGISTRY_KEY_initiator_alias, text), 0);
}

/* A fact: it is no operation's to take back. */
static void
add_address(unsigned port)
{
	struct registry_address a = { .address = "192.0.2.1", .port = (uint16_t)port, .tpgt = 1 };

	assert_int_equal(registry_discovery_add(reg, &a), 0);
}

static void
wait_for(struct answer *a)
{
	while (!a->is_told)
		assert_int_equal(loop_run(loop), 0);
}

static void
end_turn(struct agenda_timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* A turn of the loop, or a few. */
static void
turn(void)
{
	struct agenda_timer t = { .expired = end_turn };

	agenda_set(loop_agenda(loop), &t, loop_now_update(loop) + 1000);
	assert_int_equal(loop_run(loop), 0);
}

/* As an operation does it. */
static void
operate(const char *text, struct answer *ret)
{
	*ret = (struct answer){ 0 };
	keeper_begin(keeper);
	set_alias(text);
	assert_true(keeper_wait(keeper, kept, ret));
	keeper_end(keeper);
}

static void
whoever_waits_is_told_when_the_file_has_it(void **state)
{
	struct answer a, b;

	(void)state;
	assert_false(keeper_wait(keeper, kept, &a)); /* nothing was changed */
	operate("one", &a);
	assert_string_equal(alias(), "one"); /* at once */
	assert_false(a.is_told);
	wait_for(&a);
	assert_true(a.is_good);
	assert_string_equal(in_file(ALIAS), "one");
	operate("two", &a);
	operate("three", &b);
	wait_for(&a);
	wait_for(&b);
	assert_true(a.is_good && b.is_good);
	assert_string_equal(in_file(ALIAS), "three");
	assert_int_equal(n_undone, 0);
}

static void
an_operation_that_cannot_be_kept_is_taken_back(void **state)
{
	struct keeper_state s;
	struct answer a, b;

	(void)state;
	operate("before", &a);
	wait_for(&a);
	disk_is_full(true);
	operate("after", &a);
	operate("later", &b);
	wait_for(&a);
	wait_for(&b);
	assert_false(a.is_good || b.is_good);
	assert_string_equal(alias(), "before");
	assert_true(n_undone > 0);
	assert_null(strstr(a.why.message, "counts until"));
	keeper_state(keeper, &s);
	assert_true(s.is_failing && s.last.message[0] != '\0');
	disk_is_full(false);
	operate("again", &a);
	wait_for(&a);
	assert_true(a.is_good);
	assert_string_equal(in_file(ALIAS), "again");
	keeper_state(keeper, &s);
	assert_true(s.is_kept && !s.is_failing);
}

static void
a_fact_that_cannot_be_kept_stands_and_follows(void **state)
{
	struct answer a = { 0 }, b;

	(void)state;
	disk_is_full(true);
	add_address(1);
	assert_true(keeper_wait(keeper, kept, &a));
	wait_for(&a);
	assert_false(a.is_good);
	assert_non_null(strstr(a.why.message, "counts until"));
	operate("refused", &b);
	wait_for(&b);
	assert_string_equal(alias(), "");
	disk_is_full(false);
	a = (struct answer){ 0 };
	assert_true(keeper_wait(keeper, kept, &a));
	wait_for(&a);
	assert_true(a.is_good);
	assert_string_equal(in_file(ADDRESSES), "1");
	assert_string_equal(in_file(ALIAS), "");
}

static void
a_fact_is_tried_again_without_anybody_who_waits(void **state)
{
	struct answer a = { 0 };
	struct keeper_state s;

	(void)state;
	disk_is_full(true);
	add_address(1);
	assert_true(keeper_wait(keeper, kept, &a));
	wait_for(&a);
	disk_is_full(false);
	do { /* its own timer */
		turn();
		keeper_state(keeper, &s);
	} while (!s.is_kept);
	assert_string_equal(in_file(ADDRESSES), "1");
}

static void
more_than_may_wait_becomes_one_change(void **state)
{
	char text[60], want[32];
	struct keeper_state s;
	struct answer a;
	unsigned n;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	/* Without a turn of the loop nothing is written. */
	for (n = 0; n < LIMIT_KEEPER_BYTES / 32; n++)
		add_address(1 + n);
	operate(text, &a);
	keeper_state(keeper, &s);
	assert_true(s.folded > 0);
	wait_for(&a);
	assert_true(a.is_good);
	(void)snprintf(want, sizeof want, "%u", n);
	assert_string_equal(in_file(ADDRESSES), want);
	/* Also what was folded is taken back. */
	disk_is_full(true);
	operate("no", &a);
	for (; n < LIMIT_KEEPER_BYTES / 16; n++)
		add_address(1 + n);
	wait_for(&a);
	assert_false(a.is_good);
	assert_string_equal(alias(), text);
	disk_is_full(false);
}

static void
so_many_may_wait(void **state)
{
	struct answer a[LIMIT_KEEPER_WAITS];
	struct fault f;
	char text[16];

	(void)state;
	for (unsigned i = 0; i < LIMIT_KEEPER_WAITS; i++) {
		assert_false(keeper_is_full(keeper, &f));
		(void)snprintf(text, sizeof text, "%u", i);
		operate(text, &a[i]);
	}
	assert_true(keeper_is_full(keeper, &f));
	assert_int_equal(f.code, FAULT_BUSY);
	for (unsigned i = 0; i < LIMIT_KEEPER_WAITS; i++)
		wait_for(&a[i]);
	assert_false(keeper_is_full(keeper, &f));
}

static void
the_end_writes_what_is_left_and_tells_who_waits(void **state)
{
	struct answer a, b;

	(void)state;
	operate("one", &a);
	agenda_run(loop_agenda(loop)); /* it is under way */
	operate("two", &b);
	keeper_flush(keeper);
	assert_true(a.is_told && a.is_good && b.is_told && b.is_good);
	assert_string_equal(in_file(ALIAS), "two");
	set_alias("three");
	end_keeper();
	assert_string_equal(in_file(ALIAS), "three");
}

static void
an_end_without_room_tells_it(void **state)
{
	struct answer a;

	(void)state;
	disk_is_full(true);
	operate("one", &a);
	keeper_flush(keeper);
	assert_true(a.is_told && !a.is_good);
	end_keeper();
	disk_is_full(false);
	assert_string_equal(in_file(ALIAS), "");
}

#define KEPT(f) cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KEPT(whoever_waits_is_told_when_the_file_has_it),
		KEPT(an_operation_that_cannot_be_kept_is_taken_back),
		KEPT(a_fact_that_cannot_be_kept_stands_and_follows),
		KEPT(a_fact_is_tried_again_without_anybody_who_waits),
		KEPT(more_than_may_wait_becomes_one_change),
		KEPT(so_many_may_wait),
		KEPT(the_end_writes_what_is_left_and_tells_who_waits),
		KEPT(an_end_without_room_tells_it),
	};

	return cmocka_run_group_tests_name("driver/iscsi/keeper", tests, NULL, NULL);
}
