/* A registry in a directory of its own, for the tests of this folder. */
#ifndef REGISTRY_TEST_FIXTURE_H
#define REGISTRY_TEST_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
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

static inline int
start(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/openisw-registry-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL || snprintf(path, sizeof path, "%s/registry.db", dir) < 0)
		return -1;
	return registry_open(path, &r, &error);
}

static inline int
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

static inline void
reopen(void)
{
	registry_close(r);
	assert_int_equal(registry_open(path, &r, &error), 0);
}

static inline struct registry_address
address(const char *text, uint16_t port, uint16_t tpgt)
{
	struct registry_address a = { .port = port, .tpgt = tpgt };

	(void)snprintf(a.address, sizeof a.address, "%s", text);
	return a;
}

/* The order of names, as every connection to the file needs it. */
static inline int
compare_names(void *user, int a_len, const void *a, int b_len, const void *b)
{
	(void)user;
	return iname_compare(a, (size_t)a_len, b, (size_t)b_len);
}

static inline void
execute(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

/* Closes r, and runs SQL on its file as another program would. */
static inline void
alter(const char *sql)
{
	sqlite3 *db;

	registry_close(r);
	r = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_create_collation(db, "INAME", SQLITE_UTF8, NULL, compare_names), SQLITE_OK);
	execute(db, sql);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The key's value at the scope, "-" where it is not set. */
static inline const char *
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

#define OPENED(f) cmocka_unit_test_setup_teardown(f, start, stop)

#endif
