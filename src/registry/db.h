/*
 * The registry's way to SQLite; for this folder only.  Every function that can
 * fail leaves its sentence in the registry, so that callers only pass on the
 * negative errno.
 */
#ifndef REGISTRY_DB_H
#define REGISTRY_DB_H

#include <sys/types.h>

#include <sqlite3.h>

#include "registry/copy.h"
#include "registry/registry.h"

/* Statements are prepared once, and found again by their text's address: literals of this folder.
 */
struct db_statement {
	const char *sql;
	sqlite3_stmt *stmt;
};

struct registry {
	sqlite3 *db;
	char *path;
	char *lock_path;
	int lock_fd;
	bool in_transaction; /* of the user's */
	int lost;            /* why SQLite gave that up by itself, or 0 */
	struct registry_error error;
	uint32_t session_hint;              /* no instance below it is free */
	uint32_t io_hint[REGISTRY_CLASSES]; /* the same for each class */
	struct db_statement *statements;
	size_t n_statements;
	/* Of a copy in memory; NULL: it is a file. */
	registry_changed *changed;
	void *user;
	struct sqlite3_session
	    *session; /* notes what its transaction changes, while there is one */
};

/* An address in both its forms. */
struct db_address {
	char address[LIMIT_ADDRESS_BYTES + 1], normal[LIMIT_ADDRESS_BYTES + 1];
	uint16_t port, tpgt;
};

/* Leaves a sentence; returns err. */
int db_refuse(struct registry *r, int err, const char *next, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for what SQLite returned (not SQLITE_OK, _ROW, _DONE). */
int db_failed(struct registry *r, int rc);

/* A connection as we use them.  `journal`: its mode. */
int db_open(struct registry *r, const char *path, const char *journal);
void db_close(struct registry *r);

/*
 * A call that writes: all of it or nothing, alone or inside the user's
 * transaction.  db_end() takes the call's result and returns what the call
 * returns: err where that is negative (everything is undone), else 0 or why it
 * could not be kept.
 */
int db_begin(struct registry *r);
int db_end(struct registry *r, int err);
/*
 * SQLite keeps the row that it wrote last, the page that it took back last, and pages that it read:
 * some have secrets.  A row that is longer, in a table that has none, takes their place and is
 * taken back; the pages are given back.  Outside of transactions.
 */
void db_forget(struct registry *r);
/* Once, when it is opened.  -ENOMEM */
int db_prepare_undo(struct registry *r);

/*
 * What a transaction of a copy changes: noted from its beginning; taken before it
 * is committed (*ret NULL: nothing; a negative errno where there is no memory for
 * it); told when it is.  Of a file nothing is noted.
 */
int copy_note(struct registry *r);
int copy_take(struct registry *r, struct registry_change **ret);
void copy_tell(struct registry *r, struct registry_change *change);
void copy_forget(struct registry *r);

/*
 * Bind the arguments: 's' const char *, 'i' int64_t, 'a' const struct
 * db_address * (address, normal, port, tpgt: four places), 'n' the same without
 * address (three places).  `sql` is a literal.  Texts stay borrowed until
 * db_done() or the end of db_run().
 */
int db_query(struct registry *r, sqlite3_stmt **ret, const char *sql, const char *types, ...);
/* 1: a row.  0: no more.  Negative: an error.  Call db_done() in every case. */
int db_row(struct registry *r, sqlite3_stmt *stmt);
void db_done(sqlite3_stmt *stmt);
/* A statement without rows; how many rows it changed, or a negative errno. */
int db_run(struct registry *r, const char *sql, const char *types, ...);
/*
 * The order of names, for a connection that will have our tables; what SQLite
 * says of it.  And the tables: made, brought up from an older version's, or
 * refused.
 */
int migrate_add_order(sqlite3 *db);
int migrate_run(struct registry *r);
/* A query of one number.  -ENOENT where there is no row. */
int db_number(struct registry *r, int64_t *ret, const char *sql, const char *types, ...);

/*
 * Columns.  The file may have been touched by others: what does not fit what we
 * wrote is -EUCLEAN.
 */
/* UTF-8 without NUL of at most bytes_max, borrowed from the row; NULL: it is not (there is a
 * sentence). */
const char *db_column_borrow(struct registry *r, sqlite3_stmt *stmt, int column, size_t bytes_max);
int db_column_text(struct registry *r, sqlite3_stmt *stmt, int column, char *ret, size_t ret_bytes);
int db_column_number(struct registry *r, sqlite3_stmt *stmt, int column, int64_t max, int64_t *ret);
/* address, port and tpgt in three columns. */
int db_column_address(
    struct registry *r, sqlite3_stmt *stmt, int column, struct registry_address *ret);

/* Is it valid UTF-8 of at most bytes_max bytes?  -EINVAL, -ENAMETOOLONG; `what` is for the
 * sentence. */
int db_check_text(struct registry *r, const char *text, size_t bytes_max, const char *what);
int db_check_address(struct registry *r, const struct registry_address *a, struct db_address *ret);

/*
 * One more element for an array of n; its memory is zeroed.  NULL: no memory
 * (there is a sentence), the array stays.
 */
void *db_grow(struct registry *r, void **array, size_t n, size_t element_bytes);

/*
 * All rows of a query, which is done afterwards: *ret_n elements, zeroed before take()
 * fills them, in memory for free().
 */
typedef int db_take(struct registry *r, sqlite3_stmt *stmt, void *ret_element);
int db_list(struct registry *r, sqlite3_stmt *stmt, size_t element_bytes, db_take *take, void **ret,
    size_t *ret_n);

#endif
