#include "registry/registry.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cursor.h"
#include "core/addr.h"
#include "registry/db.h"
#include "sys/daemon.h"

/* How long another program (an administrator's sqlite3) may keep us waiting. */
#define BUSY_MS 5000

static int open_locked(struct registry *r);
static int make_new(struct registry *r);
static int check_file(struct registry *r);
static int check_size(struct registry *r);
static int check_integrity(struct registry *r);

int
registry_open(const char *path, struct registry **ret, struct registry_error *ret_err)
{
	struct registry *r = calloc(1, sizeof *r);
	int err;

	if (r == NULL) {
		*ret_err =
		    (struct registry_error){ .message = "There is no memory for the registry.",
			    .next = "Free some memory." };
		return -ENOMEM;
	}
	r->lock_fd = -1;
	r->path = strdup(path);
	if (r->path == NULL || asprintf(&r->lock_path, "%s.lock", path) < 0) {
		r->lock_path = NULL;
		err = db_failed(r, SQLITE_NOMEM);
	} else {
		err = open_locked(r);
	}
	if (err < 0) {
		*ret_err = r->error;
		registry_close(r);
		return err;
	}
	*ret = r;
	return 0;
}

void
registry_close(struct registry *r)
{
	if (r == NULL)
		return;
	db_close(r);
	if (r->lock_fd >= 0)
		daemon_pid_close(r->lock_path, r->lock_fd);
	free(r->lock_path);
	free(r->path);
	free(r);
}

const struct registry_error *
registry_error(const struct registry *r)
{
	return &r->error;
}

int
registry_begin(struct registry *r)
{
	int err;

	if (r->in_transaction)
		return db_refuse(r, -EBUSY, "This is a fault of OpenISW: please report it.",
		    "A transaction of the registry is open already.");
	err = db_begin(r);
	if (err == 0)
		r->in_transaction = true;
	return err;
}

int
registry_commit(struct registry *r)
{
	int err = r->lost;

	if (!r->in_transaction)
		return db_refuse(r, -EINVAL, "This is a fault of OpenISW: please report it.",
		    "No transaction of the registry is open.");
	r->in_transaction = false;
	r->lost = 0;
	return db_end(r, err); /* a part of it that is lost takes the rest along */
}

void
registry_rollback(struct registry *r)
{
	if (!r->in_transaction)
		return;
	r->in_transaction = false;
	r->lost = 0;
	(void)db_end(r, -ECANCELED); /* that is what it was told */
}

bool
registry_address_same(const struct registry_address *a, const struct registry_address *b)
{
	struct addr x, y;

	return a->port == b->port && a->tpgt == b->tpgt &&
	       addr_parse_host(a->address, &x) == ADDR_OK &&
	       addr_parse_host(b->address, &y) == ADDR_OK && strcmp(x.host, y.host) == 0;
}

/* One process at a time: two drivers would give the same instance to different LUNs. */
static int
open_locked(struct registry *r)
{
	pid_t owner = 0;
	int err;

	r->lock_fd = daemon_pid_open(r->lock_path, &owner);
	if (r->lock_fd == -EEXIST)
		return db_refuse(r, -EBUSY,
		    "Stop that driver first ('iscsi stop'; where that does not find it, end the "
		    "process), or use another root.",
		    "The registry %s is in use by process %ld.", r->path, (long)owner);
	if (r->lock_fd < 0)
		return db_refuse(r, r->lock_fd,
		    "See that the directory exists, is writable, and belongs to the driver's user.",
		    "The registry's lock %s cannot be made: %s.", r->lock_path,
		    strerror(-r->lock_fd));
	err = access(r->path, F_OK) == 0 ? 0 : make_new(r);
	if (err == 0)
		err = check_file(r);
	if (err == 0)
		err = db_open(r, r->path, "WAL");
	if (err == 0)
		err = check_size(r);
	if (err == 0)
		err = check_integrity(r);
	return err < 0 ? err : migrate_run(r);
}

static int
refuse_file(struct registry *r, int err)
{
	return db_refuse(r, err,
	    "See that the file and its directory are writable and belong to the driver's user.",
	    "The registry %s cannot be opened: %s.", r->path, strerror(-err));
}

/* What is in the directory stays there. */
static int
sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, err;

	free(copy);
	if (fd < 0)
		return -errno;
	err = fsync(fd) < 0 ? -errno : 0;
	(void)close(fd); /* only read */
	return err;
}

/* Owner-only before the first secret is in it; what a process before us left half-made goes. */
static int
make_tables(struct registry *r, const char *path, const char *journal_path)
{
	int fd, err;

	(void)unlink(path); /* mostly not there */
	(void)unlink(journal_path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse_file(r, -errno);
	(void)close(fd); /* nothing was written */
	err = db_open(r, path, "DELETE");
	if (err == 0)
		err = migrate_run(r);
	db_close(r);
	return err;
}

/*
 * A registry that has its name has its tables: it is made under another one.  So
 * an empty file, or a log without its file, is one that something was taken from.
 */
static int
make_new(struct registry *r)
{
	char *path = NULL, *journal_path = NULL, *wal_path = NULL;
	int err = 0;

	if (asprintf(&path, "%s.new", r->path) < 0 ||
	    asprintf(&journal_path, "%s.new-journal", r->path) < 0 ||
	    asprintf(&wal_path, "%s-wal", r->path) < 0)
		err = db_failed(r, SQLITE_NOMEM);
	else if (access(wal_path, F_OK) == 0)
		err = db_refuse(r, -EUCLEAN,
		    "Restore both from a backup, or move the log away, too; then all configuration "
		    "is to be made anew.",
		    "The registry %s is missing, but its log %s is there.", r->path, wal_path);
	else
		err = make_tables(r, path, journal_path);
	if (err == 0 && rename(path, r->path) < 0)
		err = refuse_file(r, -errno);
	if (err == 0 && (err = sync_directory(r->path)) < 0)
		(void)refuse_file(r, err); /* leaves the sentence */
	free(path);
	free(journal_path);
	free(wal_path);
	return err;
}

/*
 * Pages at the end that hold nothing now are missed by nobody, so quick_check
 * does not see that they are gone; but then somebody cut the file.  Its header
 * (SQLite's file format, section 1.3) tells its size, where no log has newer pages.
 */
static bool
is_cut_off(struct registry *r, int fd, off_t size)
{
	struct cursor c;
	uint32_t page_bytes, pages;
	uint8_t head[32];
	struct stat wal;
	char *wal_path;
	bool has_log;

	if (asprintf(&wal_path, "%s-wal", r->path) < 0)
		return false; /* what needs memory next says so */
	has_log = stat(wal_path, &wal) == 0 && wal.st_size > 0;
	free(wal_path);
	if (has_log)
		return false;
	if (pread(fd, head, sizeof head, 0) != sizeof head)
		return true;
	c = cursor_over(head + 16, sizeof head - 16);
	page_bytes = cursor_be16(&c);
	c = cursor_over(head + 28, sizeof head - 28);
	pages = cursor_be32(&c);
	return size < (off_t)pages * (page_bytes == 1 ? 65536 : (off_t)page_bytes);
}

/* The WAL and its index take over the file's mode. */
static int
check_file(struct registry *r)
{
	/* Not blocking: it may be a FIFO that somebody left there. */
	int fd = open(r->path, O_RDWR | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fchmod(fd, 0600) < 0)
		err = refuse_file(r, -errno);
	else if (!S_ISREG(st.st_mode))
		err = db_refuse(r, -EUCLEAN, "Move it away, or use another root.",
		    "%s is no file, and so no registry.", r->path);
	else if (st.st_size == 0)
		err = db_refuse(r, -EUCLEAN,
		    "Restore it from a backup, or remove it; without it all configuration is to be "
		    "made anew.",
		    "The registry %s is empty: what was in it is lost.", r->path);
	else if (is_cut_off(r, fd, st.st_size))
		err = db_failed(r, SQLITE_CORRUPT);
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return err;
}

int
db_open(struct registry *r, const char *path, const char *journal)
{
	/* secure_delete: a secret that was taken away is gone from the file, too. */
	char text[256];
	int rc = sqlite3_open_v2(path, &r->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	(void)snprintf(text, sizeof text,
	    "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;"
	    "PRAGMA secure_delete = ON; PRAGMA journal_mode = %s; PRAGMA synchronous = FULL;",
	    journal); /* fits */
	/* Nothing of ours is as long; what somebody else put there is damage. */
	if (rc == SQLITE_OK)
		(void)sqlite3_limit(
		    r->db, SQLITE_LIMIT_LENGTH, LIMIT_REGISTRY_BYTES); /* what it was */
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(r->db, BUSY_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = migrate_add_order(r->db);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(r->db, text, NULL, NULL, NULL);
	return rc == SQLITE_OK ? db_prepare_undo(r) : db_failed(r, rc);
}

void
db_close(struct registry *r)
{
	for (size_t i = 0; i < r->n_statements; i++)
		(void)sqlite3_finalize(r->statements[i].stmt); /* repeats an error that was told */
	free(r->statements);
	r->statements = NULL;
	r->n_statements = 0;
	(void)sqlite3_close(r->db); /* no statement is left; an open transaction is rolled back */
	r->db = NULL;
}

/* A copy of it is held in memory, as large as it is. */
static int
check_size(struct registry *r)
{
	int64_t pages = 0, page_bytes = 0;
	int err = db_number(r, &pages, "PRAGMA page_count", "");

	if (err == 0)
		err = db_number(r, &page_bytes, "PRAGMA page_size", "");
	if (err == 0 && pages * page_bytes > LIMIT_REGISTRY_FILE_BYTES)
		err = db_refuse(r, -EUCLEAN,
		    "Somebody else has put something in: restore it from a backup, or move it "
		    "away; without it all configuration is to be made anew.",
		    "The registry %s holds %lld MiB: no registry has more than %d.", r->path,
		    (long long)(pages * page_bytes >> 20), LIMIT_REGISTRY_FILE_BYTES >> 20);
	return err;
}

static int
check_integrity(struct registry *r)
{
	sqlite3_stmt *stmt;
	const char *word;
	int err = db_query(r, &stmt, "PRAGMA quick_check(1)", "");

	if (err < 0)
		return err;
	err = db_row(r, stmt);
	word = err > 0 ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
	if (err >= 0)
		err = word != NULL && strcmp(word, "ok") == 0 ? 0 : db_failed(r, SQLITE_CORRUPT);
	db_done(stmt);
	return err;
}
