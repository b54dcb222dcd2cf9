#include "registry/db.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "core/addr.h"

static int prepare(struct registry *r, const char *sql, sqlite3_stmt **ret);
static int bind(sqlite3_stmt *stmt, const char *types, va_list ap);
static int run(struct registry *r, const char *sql);

int
db_refuse(struct registry *r, int err, const char *next, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(
	    r->error.message, sizeof r->error.message, fmt, ap); /* cut is good enough */
	va_end(ap);
	(void)snprintf(r->error.next, sizeof r->error.next, "%s", next);
	return err;
}

int
db_failed(struct registry *r, int rc)
{
	/* Only sqlite's own words, which hold no value: secrets stay out. */
	const char *why = sqlite3_errstr(rc);
	const char *path = r->path;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		if (r->changed != NULL)
			return db_refuse(r, -ENOSPC, "Remove targets that are not needed any more.",
			    "The registry %s is as large as it may be (%d MiB).", path,
			    LIMIT_REGISTRY_FILE_BYTES >> 20);
		return db_refuse(r, -ENOSPC,
		    "Free some space on that file system; nothing is lost.",
		    "The registry %s cannot be written: its disk is full.", path);
	case SQLITE_READONLY:
		return db_refuse(r, -EROFS,
		    "Make the file system and the file writable for the driver's user.",
		    "The registry %s is read-only.", path);
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
	case SQLITE_AUTH:
		return db_refuse(r, -EACCES,
		    "See that its directory exists and belongs to the driver's user.",
		    "The registry %s cannot be opened: %s.", path, why);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return db_refuse(r, -EBUSY,
		    "End the other program that has it open, and try again.",
		    "The registry %s is locked by another program.", path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_TOOBIG: /* what we write is checked before */
		return db_refuse(r, -EUCLEAN,
		    "Move the file away or restore it from a backup, then start the driver again; "
		    "without it all configuration is to be made anew.",
		    "The registry %s is damaged: %s.", path, why);
	case SQLITE_NOMEM:
		return db_refuse(
		    r, -ENOMEM, "Free some memory.", "There is no memory for the registry.");
	case SQLITE_IOERR:
		return db_refuse(r, -EIO, "Look at the system's log for errors of its disk.",
		    "The registry %s cannot be read or written: %s.", path, why);
	default:
		return db_refuse(r, -EIO,
		    "This is a fault of OpenISW: please report it with its log.",
		    "The registry %s: %s.", path, why);
	}
}

/* What undoes is there from the beginning: there may be no memory for it when it is needed. */
static const char undo_all[] = "ROLLBACK", undo_call[] = "ROLLBACK TO one_call",
		  end_call[] = "RELEASE one_call";

int
db_prepare_undo(struct registry *r)
{
	sqlite3_stmt *stmt;
	int err = prepare(r, undo_all, &stmt);

	if (err == 0)
		err = prepare(r, undo_call, &stmt);
	return err == 0 ? prepare(r, end_call, &stmt) : err;
}

/* False: it is not undone. */
static bool
undo(struct registry *r, const char *sql)
{
	sqlite3_stmt *stmt;
	bool is_done;

	if (prepare(r, sql, &stmt) < 0)
		return false;
	is_done = sqlite3_step(stmt) == SQLITE_DONE;
	db_done(stmt);
	return is_done;
}

int
db_begin(struct registry *r)
{
	/* A savepoint without its transaction would be one, and keep what the user wants all or
	 * none of. */
	int err;

	if (r->lost < 0)
		return r->lost;
	if (r->in_transaction)
		return run(r, "SAVEPOINT one_call");
	/* What could not be undone before. */
	if (sqlite3_get_autocommit(r->db) == 0 && !undo(r, undo_all))
		return db_failed(r, SQLITE_NOMEM);
	err = copy_note(r);
	if (err == 0)
		err = run(r, "BEGIN IMMEDIATE");
	if (err < 0)
		copy_forget(r);
	return err;
}

void
db_forget(struct registry *r)
{
	(void)sqlite3_exec(r->db,
	    "BEGIN; INSERT INTO device (name, hw_path) VALUES (hex(zeroblob(450)), '')", NULL, NULL,
	    NULL);
	(void)undo(r, undo_all); /* or db_begin() does */
	(void)sqlite3_db_release_memory(r->db);
}

int
db_end(struct registry *r, int err)
{
	struct registry_change *change = NULL;
	struct registry_error why = r->error;

	if (err >= 0) {
		err = r->in_transaction ? 0 : copy_take(r, &change);
		if (err == 0)
			err = run(r, r->in_transaction ? "RELEASE one_call" : "COMMIT");
		if (err == 0) {
			copy_tell(r, change);
			return 0;
		}
		why = r->error;
	}
	registry_change_free(change);
	/* The instances that were given out are free again; where the search begins is only a hint.
	 */
	r->session_hint = 0;
	memset(r->io_hint, 0, sizeof r->io_hint);
	/* SQLite rolls back by itself where it cannot go on (a full disk); what fails here was
	 * done. */
	if (!r->in_transaction) {
		copy_forget(r);
		(void)undo(r, undo_all); /* or db_begin() does */
		db_forget(r);
	} else if (sqlite3_get_autocommit(r->db) != 0) {
		r->lost = err;
	} else if (!undo(r, undo_call) || !undo(r, end_call)) {
		r->lost = err; /* a part of this call may be in it */
	}
	r->error = why;
	return err;
}

int
db_query(struct registry *r, sqlite3_stmt **ret, const char *sql, const char *types, ...)
{
	va_list ap;
	int err = prepare(r, sql, ret);

	if (err < 0)
		return err;
	va_start(ap, types);
	err = bind(*ret, types, ap);
	va_end(ap);
	if (err == SQLITE_OK)
		return 0;
	db_done(*ret);
	*ret = NULL;
	return db_failed(r, err);
}

int
db_row(struct registry *r, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_failed(r, rc);
}

void
db_done(sqlite3_stmt *stmt)
{
	if (stmt == NULL)
		return;
	(void)sqlite3_reset(stmt);          /* repeats the error of the last step, which was told */
	(void)sqlite3_clear_bindings(stmt); /* cannot fail */
}

int
db_run(struct registry *r, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;
	int rc, err = prepare(r, sql, &stmt);

	if (err < 0)
		return err;
	va_start(ap, types);
	rc = bind(stmt, types, ap);
	va_end(ap);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	err = rc == SQLITE_DONE ? sqlite3_changes(r->db) : db_failed(r, rc);
	db_done(stmt);
	return err;
}

int
db_number(struct registry *r, int64_t *ret, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;
	int rc, err = prepare(r, sql, &stmt);

	if (err < 0)
		return err;
	va_start(ap, types);
	rc = bind(stmt, types, ap);
	va_end(ap);
	err = rc == SQLITE_OK ? db_row(r, stmt) : db_failed(r, rc);
	if (err > 0)
		*ret = sqlite3_column_int64(stmt, 0);
	db_done(stmt);
	if (err == 0)
		return -ENOENT;
	return err < 0 ? err : 0;
}

static int
damaged(struct registry *r)
{
	return db_failed(r, SQLITE_CORRUPT);
}

const char *
db_column_borrow(struct registry *r, sqlite3_stmt *stmt, int column, size_t bytes_max)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	size_t n = (size_t)sqlite3_column_bytes(stmt, column);

	if (text != NULL && n <= bytes_max && strlen(text) == n && utf8_valid(text, n))
		return text;
	(void)damaged(r); /* the caller knows which error it is */
	return NULL;
}

int
db_column_text(struct registry *r, sqlite3_stmt *stmt, int column, char *ret, size_t ret_bytes)
{
	const char *text = db_column_borrow(r, stmt, column, ret_bytes - 1);

	if (text == NULL)
		return -EUCLEAN;
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

int
db_column_number(struct registry *r, sqlite3_stmt *stmt, int column, int64_t max, int64_t *ret)
{
	int64_t n = sqlite3_column_int64(stmt, column);

	if (sqlite3_column_type(stmt, column) != SQLITE_INTEGER || n < 0 || n > max)
		return damaged(r);
	*ret = n;
	return 0;
}

int
db_column_address(struct registry *r, sqlite3_stmt *stmt, int column, struct registry_address *ret)
{
	int64_t port = 0, tpgt = 0;
	int err = db_column_text(r, stmt, column, ret->address, sizeof ret->address);

	if (err == 0)
		err = db_column_number(r, stmt, column + 1, UINT16_MAX, &port);
	if (err == 0)
		err = db_column_number(r, stmt, column + 2, UINT16_MAX, &tpgt);
	ret->port = (uint16_t)port;
	ret->tpgt = (uint16_t)tpgt;
	return err;
}

int
db_check_text(struct registry *r, const char *text, size_t bytes_max, const char *what)
{
	size_t n = strnlen(text, bytes_max + 1);

	if (n > bytes_max)
		return db_refuse(r, -ENAMETOOLONG, "Use a shorter one.",
		    "The %s is longer than %zu bytes.", what, bytes_max);
	if (!utf8_valid(text, n))
		return db_refuse(
		    r, -EINVAL, "Write it in UTF-8.", "The %s is not valid UTF-8.", what);
	return 0;
}

int
db_check_address(struct registry *r, const struct registry_address *a, struct db_address *ret)
{
	const char *from = a->address;
	struct addr parsed;
	enum addr_result result;
	size_t n = strnlen(from, sizeof a->address);

	/* Not even ended: our caller's array. */
	assert(n < sizeof a->address);
	result = addr_parse_host(from, &parsed);
	if (result != ADDR_OK)
		return db_refuse(r, result == ADDR_TOO_LONG ? -ENAMETOOLONG : -EINVAL,
		    "Use an IPv4 or IPv6 address or a host name.", "The address '%.64s': %s.", from,
		    addr_text(result));
	memset(ret, 0, sizeof *ret);
	if (n >= 2 && from[0] == '[' && from[n - 1] == ']')
		memcpy(ret->address, from + 1, n - 2);
	else
		memcpy(ret->address, from, n);
	memcpy(ret->normal, parsed.host, strlen(parsed.host) + 1);
	ret->port = a->port;
	ret->tpgt = a->tpgt;
	return 0;
}

void *
db_grow(struct registry *r, void **array, size_t n, size_t element_bytes)
{
	/* Room doubles at each power of two. */
	if ((n & (n - 1)) == 0) {
		void *bigger = reallocarray(*array, n == 0 ? 1 : 2 * n, element_bytes);

		if (bigger == NULL) {
			(void)db_failed(r, SQLITE_NOMEM); /* leaves the sentence */
			return NULL;
		}
		*array = bigger;
	}
	return memset((char *)*array + n * element_bytes, 0, element_bytes);
}

int
db_list(struct registry *r, sqlite3_stmt *stmt, size_t element_bytes, db_take *take, void **ret,
    size_t *ret_n)
{
	void *list = NULL, *element;
	size_t n = 0;
	int err;

	while ((err = db_row(r, stmt)) > 0) {
		element = db_grow(r, &list, n, element_bytes);
		err = element == NULL ? -ENOMEM : take(r, stmt, element);
		if (err < 0)
			break;
		n++;
	}
	db_done(stmt);
	if (err < 0) {
		free(list);
		return err;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

static int
prepare(struct registry *r, const char *sql, sqlite3_stmt **ret)
{
	struct db_statement *s;
	void *list;
	int rc;

	for (size_t i = 0; i < r->n_statements; i++) {
		if (r->statements[i].sql == sql) {
			*ret = r->statements[i].stmt;
			return 0;
		}
	}
	list = r->statements;
	s = db_grow(r, &list, r->n_statements, sizeof *s);
	r->statements = list;
	if (s == NULL)
		return -ENOMEM;
	rc = sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	if (rc != SQLITE_OK)
		return db_failed(r, rc);
	*s = (struct db_statement){ .sql = sql, .stmt = *ret };
	r->n_statements++;
	return 0;
}

/* Texts are borrowed: a secret gets no copy that nobody wipes. */
static int
bind_text(sqlite3_stmt *stmt, int place, const char *text)
{
	return sqlite3_bind_text(stmt, place, text, -1, SQLITE_STATIC);
}

static int
bind(sqlite3_stmt *stmt, const char *types, va_list ap)
{
	int place = 1, rc = SQLITE_OK;

	for (; *types != '\0' && rc == SQLITE_OK; types++) {
		const struct db_address *a;

		if (*types == 's') {
			rc = bind_text(stmt, place++, va_arg(ap, const char *));
		} else if (*types == 'i') {
			rc = sqlite3_bind_int64(stmt, place++, va_arg(ap, int64_t));
		} else {
			a = va_arg(ap, const struct db_address *);
			if (*types == 'a')
				rc = bind_text(stmt, place++, a->address);
			else
				assert(*types == 'n');
			if (rc == SQLITE_OK)
				rc = bind_text(stmt, place++, a->normal);
			if (rc == SQLITE_OK)
				rc = sqlite3_bind_int(stmt, place++, a->port);
			if (rc == SQLITE_OK)
				rc = sqlite3_bind_int(stmt, place++, a->tpgt);
		}
	}
	return rc;
}

static int
run(struct registry *r, const char *sql)
{
	int rc = sqlite3_exec(r->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_failed(r, rc);
}
