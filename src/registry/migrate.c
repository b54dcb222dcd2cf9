/*
 * The tables of this program's version: made, brought up from an older one's,
 * and compared with what they should be.  A file whose tables are not those of
 * the version it claims (set back, mixed, or with triggers and views of a
 * stranger's) is refused as a whole: half-understood settings are worse than
 * none.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/iname.h"
#include "registry/db.h"

/* "iSW!": tells our file from other programs' (PRAGMA application_id). */
#define APPLICATION_ID 0x69535721

static const struct step {
	int version;
	const char *sql;
} steps[] = {
#define STEP(version, ...) { version, __VA_ARGS__ },
#include "registry/schema.def"
};
#define STEPS (sizeof steps / sizeof steps[0])

static int apply_steps(sqlite3 *db, int64_t from);
static int check_tables(struct registry *r);

static int
refuse_tables(struct registry *r, int64_t version)
{
	return db_refuse(r, -EUCLEAN,
	    "Restore it from a backup, or move it away; without it all configuration is to be made "
	    "anew.",
	    "The registry %s does not have the tables of its version %lld: something else has "
	    "changed it.",
	    r->path, (long long)version);
}

/* All steps or none. */
static int
bring_up(struct registry *r, int64_t from)
{
	int rc, err = db_begin(r);

	if (err < 0)
		return err;
	rc = apply_steps(r->db, from);
	if (rc != SQLITE_OK)
		err = (rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_CONSTRAINT
			  ? refuse_tables(r, from)
			  : db_failed(r, rc);
	return db_end(r, err);
}

int
migrate_run(struct registry *r)
{
	int64_t id = 0, version = 0, tables = 0;
	int newest = steps[STEPS - 1].version;
	int err = db_number(r, &id, "PRAGMA application_id", "");

	if (err == 0)
		err = db_number(r, &version, "PRAGMA user_version", "");
	if (err == 0)
		err = db_number(r, &tables, "SELECT count(*) FROM sqlite_schema", "");
	if (err < 0)
		return err;
	if (id != APPLICATION_ID && (tables > 0 || id != 0))
		return db_refuse(r, -EUCLEAN, "Move that file away, or use another root.",
		    "%s is a database, but no registry of OpenISW.", r->path);
	if (version > newest)
		return db_refuse(r, -ENOTSUP, "Use that version, or one after it.",
		    "The registry %s was written by a newer version of OpenISW.", r->path);
	if (version < 0)
		return refuse_tables(r, version);
	if (version < newest)
		err = bring_up(r, version);
	return err < 0 ? err : check_tables(r);
}

static int
compare_names(void *user, int a_len, const void *a, int b_len, const void *b)
{
	(void)user;
	return iname_compare(a, (size_t)a_len, b, (size_t)b_len);
}

int
migrate_add_order(sqlite3 *db)
{
	return sqlite3_create_collation_v2(db, "INAME", SQLITE_UTF8, NULL, compare_names, NULL);
}

/* What SQLite says of it. */
static int
apply_steps(sqlite3 *db, int64_t from)
{
	char pragmas[96];
	int rc = SQLITE_OK;

	for (size_t i = 0; i < STEPS && rc == SQLITE_OK; i++)
		if (steps[i].version > from)
			rc = sqlite3_exec(db, steps[i].sql, NULL, NULL, NULL);
	(void)snprintf(pragmas, sizeof pragmas,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
	    steps[STEPS - 1].version); /* fits */
	return rc == SQLITE_OK ? sqlite3_exec(db, pragmas, NULL, NULL, NULL) : rc;
}

/* Every table, index, trigger and view, with what it was made by; ANALYZE may add its own. */
static const char all_objects[] = "SELECT type, name, tbl_name, ifnull(sql, '') FROM sqlite_schema"
				  " WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'"
				  " ORDER BY type, name";

/* SQLITE_DONE: both have the same rows; SQLITE_MISMATCH: they have not; or an error. */
static int
compare_rows(sqlite3_stmt *a, sqlite3_stmt *b)
{
	int one, other;

	do {
		one = sqlite3_step(a);
		other = sqlite3_step(b);
		if (one != SQLITE_ROW && one != SQLITE_DONE)
			return one;
		if (other != SQLITE_ROW && other != SQLITE_DONE)
			return other;
		if (one != other)
			return SQLITE_MISMATCH;
		for (int i = 0; one == SQLITE_ROW && i < sqlite3_column_count(a); i++) {
			const char *x = (const char *)sqlite3_column_text(a, i);
			const char *y = (const char *)sqlite3_column_text(b, i);

			if (x == NULL || y == NULL || strcmp(x, y) != 0)
				return SQLITE_MISMATCH;
		}
	} while (one == SQLITE_ROW);
	return SQLITE_DONE;
}

/* With the same steps, applied to nothing. */
static int
check_tables(struct registry *r)
{
	sqlite3_stmt *ours = NULL, *wanted = NULL;
	sqlite3 *fresh = NULL;
	int rc = sqlite3_open_v2(":memory:", &fresh,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (rc == SQLITE_OK)
		rc = migrate_add_order(fresh);
	if (rc == SQLITE_OK)
		rc = apply_steps(fresh, 0);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(fresh, all_objects, -1, &wanted, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(r->db, all_objects, -1, &ours, NULL);
	if (rc == SQLITE_OK)
		rc = compare_rows(ours, wanted);
	(void)sqlite3_finalize(ours); /* these repeat an error that was told */
	(void)sqlite3_finalize(wanted);
	(void)sqlite3_close(fresh);
	if (rc == SQLITE_MISMATCH)
		return refuse_tables(r, steps[STEPS - 1].version);
	return rc == SQLITE_DONE ? 0 : db_failed(r, rc);
}
