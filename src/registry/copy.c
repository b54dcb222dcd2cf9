#include "registry/copy.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/db.h"

/* ---- memory ---- */

static void *
take_memory(int n)
{
	return malloc((size_t)n);
}

static int
memory_size(void *p)
{
	return p != NULL ? (int)malloc_usable_size(p) : 0;
}

static void
free_wiped(void *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
resize_memory(void *p, int n)
{
	size_t had = malloc_usable_size(p);
	void *q = malloc((size_t)n);

	if (q == NULL)
		return NULL;
	memcpy(q, p, had < (size_t)n ? had : (size_t)n);
	free_wiped(p);
	return q;
}

static int
round_up(int n)
{
	return (n + 7) & ~7;
}

static int
begin_memory(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void
end_memory(void *arg)
{
	(void)arg;
}

void
registry_wipe_memory(void)
{
	static const sqlite3_mem_methods wiped = { take_memory, free_wiped, resize_memory,
		memory_size, round_up, begin_memory, end_memory, NULL };

	/* It is refused only where SQLite is in use already. */
	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, &wiped);
}

/* ---- changes ---- */

void
registry_change_free(struct registry_change *change)
{
	if (change == NULL)
		return;
	if (change->data != NULL)
		explicit_bzero(change->data, change->bytes);
	sqlite3_free(change->data);
	free(change);
}

int
copy_note(struct registry *r)
{
	int rc;

	if (r->changed == NULL)
		return 0;
	rc = sqlite3session_create(r->db, "main", &r->session);
	if (rc == SQLITE_OK)
		rc = sqlite3session_attach(r->session, NULL);
	return rc == SQLITE_OK ? 0 : db_failed(r, rc);
}

void
copy_forget(struct registry *r)
{
	if (r->session != NULL)
		sqlite3session_delete(r->session);
	r->session = NULL;
}

int
copy_take(struct registry *r, struct registry_change **ret)
{
	struct registry_change *change;
	int rc, bytes = 0;

	*ret = NULL;
	/* One that found no memory for a change looks empty, and only tells when it is asked. */
	if (r->session == NULL)
		return 0;
	change = calloc(1, sizeof *change);
	if (change == NULL)
		return db_failed(r, SQLITE_NOMEM);
	list_init(&change->link);
	rc = sqlite3session_changeset(r->session, &bytes, &change->data);
	change->bytes = (size_t)bytes;
	if (rc == SQLITE_OK && bytes > 0) {
		*ret = change;
		return 0;
	}
	registry_change_free(change);
	return rc == SQLITE_OK ? 0 : db_failed(r, rc);
}

void
copy_tell(struct registry *r, struct registry_change *change)
{
	if (!r->in_transaction)
		copy_forget(r);
	if (change == NULL)
		return;
	db_forget(r);
	r->changed(r->user, change);
}

/* ---- copies ---- */

/* All of one database over another.  What SQLite says. */
static int
copy_all(sqlite3 *to, sqlite3 *from)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");

	if (b == NULL)
		return sqlite3_errcode(to);
	(void)sqlite3_backup_step(b, -1); /* what it says is said again: */
	return sqlite3_backup_finish(b);
}

static int
fill(struct registry *copy, sqlite3 *file)
{
	char limit[64];
	int rc = copy_all(copy->db, file);

	(void)snprintf(limit, sizeof limit, "PRAGMA max_page_count = %d",
	    LIMIT_REGISTRY_FILE_BYTES / 4096); /* fits */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(copy->db, limit, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : db_failed(copy, rc);
}

/* Whether what belongs to a row goes with it by itself.  Outside of transactions. */
static int
set_rules(struct registry *r, bool are_on)
{
	int rc = sqlite3_exec(r->db,
	    are_on ? "PRAGMA foreign_keys = ON" : "PRAGMA foreign_keys = OFF", NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_failed(r, rc);
}

int
registry_copy(struct registry *file, registry_changed *changed, void *user, struct registry **ret)
{
	struct registry *copy = calloc(1, sizeof *copy);
	int err;

	if (copy == NULL)
		return db_failed(file, SQLITE_NOMEM);
	copy->lock_fd = -1;
	copy->path = strdup(file->path); /* for its sentences */
	copy->user = user;
	err = copy->path != NULL ? db_open(copy, ":memory:", "MEMORY")
				 : db_failed(copy, SQLITE_NOMEM);
	if (err == 0)
		err = fill(copy, file->db);
	if (err < 0)
		file->error = copy->error;
	else
		err = set_rules(file, false); /* what goes with a row is a part of the change */
	if (err < 0) {
		registry_close(copy);
		return err;
	}
	db_forget(file);
	copy->changed = changed;
	*ret = copy;
	return 0;
}

int
registry_whole(struct registry *copy, struct registry_change **ret)
{
	struct registry_change *change = calloc(1, sizeof *change);
	sqlite3_int64 bytes = 0;

	if (change == NULL)
		return db_failed(copy, SQLITE_NOMEM);
	list_init(&change->link);
	change->is_whole = true;
	change->data = sqlite3_serialize(copy->db, "main", &bytes, 0);
	change->bytes = (size_t)bytes;
	if (change->data == NULL) {
		registry_change_free(change);
		return db_failed(copy, SQLITE_NOMEM);
	}
	/* The file that it came from had a log (SQLite's file format, section 1.3.3); an image has
	 * none. */
	memset((uint8_t *)change->data + 18, 1, 2);
	*ret = change;
	return 0;
}

/* ---- what changes do ---- */

static int
apply_whole(struct registry *file, const struct registry_change *change)
{
	sqlite3_int64 bytes = (sqlite3_int64)change->bytes;
	sqlite3 *from = NULL;
	int rc = sqlite3_open_v2(":memory:", &from,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_deserialize(
		    from, "main", change->data, bytes, bytes, SQLITE_DESERIALIZE_READONLY);
	if (rc == SQLITE_OK)
		rc = copy_all(file->db, from);
	(void)sqlite3_close(from); /* it was only read */
	return rc == SQLITE_OK ? 0 : db_failed(file, rc);
}

static int
differs(void *ctx, int what, sqlite3_changeset_iter *at)
{
	(void)ctx;
	(void)what;
	(void)at;
	return SQLITE_CHANGESET_ABORT;
}

static int
apply_one(struct registry *file, const struct registry_change *change)
{
	/* Not for writing: the type has no const. */
	int rc =
	    sqlite3changeset_apply(file->db, (int)change->bytes, change->data, NULL, differs, NULL);

	if (rc == SQLITE_OK)
		return 0;
	if (rc == SQLITE_ABORT || rc == SQLITE_SCHEMA || (rc & 0xff) == SQLITE_CONSTRAINT)
		return db_refuse(file, -ESTALE, "Change it with iscsiutil only.",
		    "The registry %s was changed by another program.", file->path);
	return db_failed(file, rc);
}

static int
apply_each(struct registry *file, const struct list *changes)
{
	int err = db_begin(file);

	if (err < 0)
		return err;
	LIST_EACH(node, tmp, changes)
	{
		if (err == 0)
			err = apply_one(file, LIST_ENTRY(node, struct registry_change, link));
	}
	return db_end(file, err);
}

int
registry_apply(struct registry *file, const struct list *changes)
{
	const struct registry_change *first =
	    LIST_ENTRY(changes->next, struct registry_change, link);
	int err;

	if (list_empty(changes))
		return 0;
	err = first->is_whole ? apply_whole(file, first) : apply_each(file, changes);
	db_forget(file);
	return err;
}

/* What somebody else made of a row since then counts. */
static int
keep_theirs(void *ctx, int what, sqlite3_changeset_iter *at)
{
	(void)ctx;
	(void)at;
	return what == SQLITE_CHANGESET_FOREIGN_KEY ? SQLITE_CHANGESET_ABORT
						    : SQLITE_CHANGESET_OMIT;
}

/* Rows that belong to one that is not there. */
static int
find_orphans(struct registry *copy)
{
	sqlite3_stmt *stmt;
	int err = db_query(copy, &stmt, "PRAGMA foreign_key_check", "");

	if (err < 0)
		return err;
	err = db_row(copy, stmt);
	db_done(stmt);
	return err > 0 ? db_failed(copy, SQLITE_CONSTRAINT) : err;
}

/*
 * What went with a row is a part of the change, so nothing is taken away by itself meanwhile: a new
 * row may have the number of one that was removed, and what belongs to the one the number of
 * what belonged to the other.
 */
static int
take_back(struct registry *copy, void *back, int bytes)
{
	int err = set_rules(copy, false), rc;

	if (err == 0)
		err = db_begin(copy);
	if (err == 0) {
		rc = sqlite3changeset_apply(copy->db, bytes, back, NULL, keep_theirs, NULL);
		err = db_end(copy, rc == SQLITE_OK ? find_orphans(copy) : db_failed(copy, rc));
	}
	return err;
}

int
registry_undo(struct registry *copy, const struct registry_change *change)
{
	void *back = NULL;
	int bytes = 0;
	/* Not for writing: the type has no const. */
	int rc = sqlite3changeset_invert((int)change->bytes, change->data, &bytes, &back);
	int err = rc == SQLITE_OK ? 0 : db_failed(copy, rc), rules;

	if (err == 0) {
		err = take_back(copy, back, bytes);
		rules = set_rules(copy, true);
		err = err < 0 ? err : rules;
		copy->session_hint = 0; /* an instance may be free again */
		memset(copy->io_hint, 0, sizeof copy->io_hint);
	}
	if (back != NULL)
		explicit_bzero(back, (size_t)bytes);
	sqlite3_free(back);
	return err;
}
