/*
 * A registry with rows that somebody else wrote: a file whose tables are right and whose rows are
 * anything, or whose bytes were changed.
 *
 * Input: what is done to the file, two bytes; then rows, each the number of its table and a value a
 * column.
 *
 * It is opened or refused with a sentence; every call ends with a value that its header allows, or
 * with an errno and a sentence; a copy in memory gives the same.
 *
 * Covers: src/registry/registry.c src/registry/targets.c src/registry/instances.c
 * Covers: src/registry/luns.c src/registry/settings.c src/registry/initiator.c
 * Covers: src/registry/migrate.c src/registry/copy.c src/registry/db.c
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/iname.h"
#include "registry_rows.h"

#define FILE_BYTES (1u << 20)
#define TABLES_MAX 24
#define ROWS_MAX   64

static struct {
	char insert[TABLES_MAX][256];
	unsigned columns[TABLES_MAX], n;
	uint8_t *bytes; /* of an empty registry */
	size_t len;
} model;

static int
compare_names(void *user, int a_len, const void *a, int b_len, const void *b)
{
	(void)user;
	return iname_compare(a, (size_t)a_len, b, (size_t)b_len);
}

static sqlite3 *
open_file(const char *path)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_create_collation(db, "INAME", SQLITE_UTF8, NULL, compare_names) != SQLITE_OK)
		abort();
	return db;
}

static void
add_table(const char *name, int columns)
{
	char *sql = model.insert[model.n];
	size_t max = sizeof model.insert[0] - 1;

	if (model.n == TABLES_MAX)
		abort();
	(void)snprintf(sql, max, "INSERT OR REPLACE INTO %s VALUES (?", name); /* names are short */
	for (int i = 1; i < columns; i++)
		strncat(sql, ", ?", max - strlen(sql));
	strncat(sql, ")", max - strlen(sql));
	model.columns[model.n++] = (unsigned)columns;
}

/* Once: an empty registry, and what tables it has. */
static void
make_model(const char *path)
{
	struct registry_error error;
	struct registry *r;
	sqlite3_stmt *stmt;
	sqlite3 *db;
	FILE *f;

	if (registry_open(path, &r, &error) != 0)
		abort();
	registry_close(r);
	db = open_file(path);
	if (sqlite3_prepare_v2(db,
		"SELECT m.name, count(*) FROM sqlite_master m, pragma_table_info(m.name)"
		" WHERE m.type = 'table' GROUP BY m.name ORDER BY m.name",
		-1, &stmt, NULL) != SQLITE_OK)
		abort();
	while (sqlite3_step(stmt) == SQLITE_ROW)
		add_table((const char *)sqlite3_column_text(stmt, 0), sqlite3_column_int(stmt, 1));
	sqlite3_finalize(stmt);
	if (sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_close(db) != SQLITE_OK)
		abort();
	f = fopen(path, "rbe");
	model.bytes = malloc(FILE_BYTES);
	if (f == NULL || model.bytes == NULL)
		abort();
	model.len = fread(model.bytes, 1, FILE_BYTES, f);
	(void)fclose(f); /* it was only read */
}

static void
bind(sqlite3_stmt *stmt, int i, struct cursor *in)
{
	uint8_t what = cursor_u8(in);
	size_t n = what >> 2, left = cursor_left(in);
	const char *name;

	switch (what & 3) {
	case 0:
		sqlite3_bind_int64(stmt, i, n < 40 ? (int64_t)n : (int64_t)cursor_be64(in));
		return;
	case 1:
		name = registry_key_name(n % REGISTRY_KEYS);
		sqlite3_bind_text(stmt, i, name, -1, SQLITE_STATIC);
		return;
	case 2:
		if (n == 0) {
			sqlite3_bind_null(stmt, i);
			return;
		}
		n = n * 16;
		break;
	}
	n = n < left ? n : left;
	sqlite3_bind_text(stmt, i, (const char *)cursor_bytes(in, n), (int)n, SQLITE_TRANSIENT);
}

static void
insert_rows(const char *path, struct cursor *in)
{
	sqlite3 *db = open_file(path);

	(void)sqlite3_exec(db, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL);
	for (unsigned rows = 0; rows < ROWS_MAX && cursor_left(in) > 0; rows++) {
		unsigned t = cursor_u8(in) % model.n;
		sqlite3_stmt *stmt;

		if (sqlite3_prepare_v2(db, model.insert[t], -1, &stmt, NULL) != SQLITE_OK)
			break;
		for (unsigned i = 1; i <= model.columns[t]; i++)
			bind(stmt, (int)i, in);
		(void)sqlite3_step(stmt); /* STRICT tables refuse some */
		sqlite3_finalize(stmt);
	}
	(void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL); /* what is refused is not there */
	sqlite3_close(db);
}

static void
write_file(const char *path, const uint8_t *bytes, size_t n)
{
	FILE *f = fopen(path, "wbe");

	if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		abort();
}

/* Bytes of the file, where the input says. */
static void
damage(const char *path, struct cursor *in)
{
	static uint8_t bytes[FILE_BYTES];
	size_t n = model.len;

	memcpy(bytes, model.bytes, n);
	while (cursor_left(in) >= 4) {
		size_t at = cursor_be24(in) % n;

		bytes[at] = cursor_u8(in);
	}
	write_file(path, bytes, n);
}

/* A copy's changes go nowhere. */
static void
changed(void *user, struct registry_change *change)
{
	(void)user;
	registry_change_free(change);
}

static void
read_it(const char *path)
{
	struct registry_error error = { .message = "" };
	struct registry *r, *copy;
	uint64_t hash;
	int err = registry_open(path, &r, &error);

	if (err != 0) {
		FUZZ_CHECK(err < 0 && error.message[0] != '\0');
		return;
	}
	hash = registry_rows(r);
	err = registry_copy(r, changed, NULL, &copy);
	if (err == 0) {
		FUZZ_CHECK(registry_rows(copy) == hash);
		registry_close(copy);
	} else {
		FUZZ_CHECK(registry_error(r)->message[0] != '\0');
	}
	registry_rows_change(r);
	registry_close(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ends[] = { "-wal", "-shm", "-journal" };
	static char path[128], other[160];
	struct cursor in = cursor_over(data, size);
	uint16_t what = cursor_be16(&in);

	if (model.n == 0) {
		(void)strncpy(path, fuzz_path("registry.db"), sizeof path - 1);
		make_model(path);
	}
	/* What an input before this left. */
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		(void)snprintf(other, sizeof other, "%s%s", path, ends[i]); /* it fits */
		(void)unlink(other); /* it may not be there */
	}
	write_file(path, model.bytes, model.len);
	if ((what & 0xff) == 0xff)
		damage(path, &in);
	else
		insert_rows(path, &in);
	read_it(path);
	return 0;
}
