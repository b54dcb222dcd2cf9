#include "registry/registry.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/addr.h"
#include "registry/db.h"
#include "sys/daemon.h"

/* "iSW!": tells our file from other programs' (PRAGMA application_id). */
#define APPLICATION_ID 0x69535721
/* How long another program (an administrator's sqlite3) may keep us waiting. */
#define BUSY_MS 5000

static const struct step {
	int version;
	const char *sql;
} steps[] = {
#define STEP(version, ...) { version, __VA_ARGS__ },
#include "registry/schema.def"
};
#define STEPS (sizeof steps / sizeof steps[0])

static int open_locked(struct registry *r);
static int make_file(struct registry *r);
static int set_up(struct registry *r);
static int check_integrity(struct registry *r);
static int migrate(struct registry *r);

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
	for (size_t i = 0; i < r->n_statements; i++)
		(void)sqlite3_finalize(r->statements[i].stmt); /* repeats an error that was told */
	(void)sqlite3_close(r->db); /* no statement is left; an open transaction is rolled back */
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
	if (!r->in_transaction)
		return db_refuse(r, -EINVAL, "This is a fault of OpenISW: please report it.",
		    "No transaction of the registry is open.");
	r->in_transaction = false;
	if (r->lost < 0) {
		int err = r->lost;

		r->lost = 0;
		return err;
	}
	return db_end(r, 0);
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

int
registry_address_normal(const char *address, char ret[LIMIT_ADDRESS_BYTES + 1])
{
	struct addr parsed;
	enum addr_result result = addr_parse_host(address, &parsed);

	if (result != ADDR_OK)
		return result == ADDR_TOO_LONG ? -ENAMETOOLONG : -EINVAL;
	memcpy(ret, parsed.host, strlen(parsed.host) + 1);
	return 0;
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
	int rc, err;

	r->lock_fd = daemon_pid_open(r->lock_path, &owner);
	if (r->lock_fd == -EEXIST)
		return db_refuse(r, -EBUSY,
		    "Stop that driver first ('iscsi stop'), or use another root.",
		    "The registry %s is in use by process %ld.", r->path, (long)owner);
	if (r->lock_fd < 0)
		return db_refuse(r, r->lock_fd,
		    "See that the directory exists, is writable, and belongs to the driver's user.",
		    "The registry's lock %s cannot be made: %s.", r->lock_path,
		    strerror(-r->lock_fd));
	err = make_file(r);
	if (err < 0)
		return err;
	rc = sqlite3_open_v2(r->path, &r->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc != SQLITE_OK)
		return db_failed(r, rc);
	err = set_up(r);
	if (err == 0)
		err = check_integrity(r);
	return err < 0 ? err : migrate(r);
}

/* Owner-only before the first secret is in it; the WAL and its index take over the file's mode. */
static int
make_file(struct registry *r)
{
	int fd = open(r->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), err = 0;

	if (fd < 0 || fchmod(fd, 0600) < 0) {
		err = -errno;
		(void)db_refuse(r, err,
		    "See that the file and its directory are writable and belong to the driver's "
		    "user.",
		    "The registry %s cannot be opened: %s.", r->path, strerror(errno));
	}
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return err;
}

static int
set_up(struct registry *r)
{
	/* secure_delete: a secret that was taken away is gone from the file, too. */
	static const char pragmas[] = "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
				      "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
				      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
	int rc = sqlite3_busy_timeout(r->db, BUSY_MS);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(r->db, pragmas, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : db_failed(r, rc);
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

static int
apply_steps(struct registry *r, int64_t from)
{
	char pragmas[96];
	int rc = SQLITE_OK;

	for (size_t i = 0; i < STEPS && rc == SQLITE_OK; i++)
		if (steps[i].version > from)
			rc = sqlite3_exec(r->db, steps[i].sql, NULL, NULL, NULL);
	(void)snprintf(pragmas, sizeof pragmas,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
	    steps[STEPS - 1].version); /* fits */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(r->db, pragmas, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : db_failed(r, rc);
}

/* Bring the tables to this program's version. */
static int
migrate(struct registry *r)
{
	int64_t id = 0, version = 0, tables = 0;
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
	if (version > steps[STEPS - 1].version)
		return db_refuse(r, -ENOTSUP, "Use that version, or one after it.",
		    "The registry %s was written by a newer version of OpenISW.", r->path);
	if (version == steps[STEPS - 1].version)
		return 0;
	err = db_begin(r);
	return err < 0 ? err : db_end(r, apply_steps(r, version));
}
