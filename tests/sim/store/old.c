#include "old.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

/* The tables as each version made them. */
static const struct {
	int version;
	const char *sql;
} steps[] = {
#define STEP(version, ...) { version, __VA_ARGS__ },
#include "registry/schema.def"
};

const int OLD_VERSIONS = (int)(sizeof steps / sizeof *steps) - 1;

/* Names that some versions told apart, and others did not: IGNORE. */
static const struct {
	int since, before; /* 0: for ever */
	const char *sql;
} rows[] = {
	{ 1, 2,
	    "INSERT INTO identity VALUES ('255/0/0.0.0.0', 'naa.6', 'S1', 1048576),"
	    " ('255/0/0.0.0.1', '', 'S2', -1), ('255/0/0.0.0.2', '', '', 0);" },
	{ 1, 0,
	    "INSERT OR IGNORE INTO setting VALUES (0, '', '', 0, 0, 'initiator_alias', 'us'),"
	    " (2, 'iqn.2001-01.com.example:Big', '', 0, 0, 'chap_method', 'CHAP_BI'),"
	    " (2, 'iqn.2001-01.com.example:big', '', 0, 0, 'initiator_chap_name', 'joe');"
	    "INSERT OR IGNORE INTO discovery VALUES (1, '192.0.2.1', '192.0.2.1', 3260, 1);"
	    "INSERT OR IGNORE INTO target VALUES (3, 'iqn.2001-01.com.example:Big', 'a', 1),"
	    " (5, 'iqn.2001-01.com.example:big', 'b', 0),"
	    " (7, 'iqn.2026-11.org.openisw:target1', '', 0);"
	    "INSERT INTO target_address VALUES (1, 3, 'h', 'h', 3260, 1, 1, 10, 20),"
	    " (4, 7, 'h', 'h', 3260, 1, 0, 13, 23);"
	    "INSERT OR IGNORE INTO target_address SELECT 2, id, 'h', 'h', 3260, 1, 0, 11, 21"
	    " FROM target WHERE id = 5;"
	    "INSERT OR IGNORE INTO target_address SELECT 3, id, 'i', 'i', 3260, 1, 0, 12, 22"
	    " FROM target WHERE id = 5;"
	    "INSERT OR IGNORE INTO session VALUES"
	    " (0, 'iqn.2001-01.com.example:Big', 'h', 'h', 3260, 1),"
	    " (1, 'iqn.2001-01.com.example:big', 'h', 'h', 3260, 1),"
	    " (4, 'iqn.2026-11.org.openisw:target1', 'h', 'h', 3260, 1);"
	    "INSERT INTO io VALUES ('disk', 3, '255/0/0.0.0.0');"
	    "INSERT INTO device VALUES (1, 'c0t0d0', '255/0/0.0.0.0');"
	    "INSERT INTO redirect VALUES"
	    " ('iqn.2026-11.org.openisw:target1', 'h', 'h', 3260, 1, 'elsewhere', 3260, 1);" },
	{ 2, 0,
	    "INSERT INTO unit VALUES ('255/0/0.0.0.0', 'S1', 'OPENISW', '', 512, 1048576);"
	    "INSERT INTO designator VALUES ('255/0/0.0.0.0', 0, 'naa.6'),"
	    " ('255/0/0.0.0.0', 1, 't10.x');" },
	{ 4, 0, "INSERT INTO found VALUES ('d', 3260, 1, 1), ('d', 3260, 1, 4);" },
};

/* The order of names until version 4, for the names here: the small letters of ASCII. */
static int
compare_small(void *user, int a_len, const void *a, int b_len, const void *b)
{
	int n = strncasecmp(a, b, (size_t)(a_len < b_len ? a_len : b_len));

	(void)user;
	return n != 0 ? n : a_len - b_len;
}

static int
fill(sqlite3 *db, int version)
{
	char pragmas[96];
	int rc = SQLITE_OK;

	(void)snprintf(pragmas, sizeof pragmas,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d", 0x69535721, version);
	for (int i = 0; i < version && rc == SQLITE_OK; i++)
		rc = sqlite3_exec(db, steps[i].sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows && rc == SQLITE_OK; i++)
		if (version >= rows[i].since && (rows[i].before == 0 || version < rows[i].before))
			rc = sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL);
	return rc;
}

const char *
old_make(const char *path, int version)
{
	static char why[200];
	sqlite3 *db;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_create_collation(db, "INAME", SQLITE_UTF8, NULL, compare_small);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(
		    db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = fill(db, version);
	(void)snprintf(why, sizeof why, "%s", sqlite3_errmsg(db));
	if (sqlite3_close(db) != SQLITE_OK && rc == SQLITE_OK)
		return "it does not close";
	return rc == SQLITE_OK ? NULL : why;
}
