/* Which LUN a hardware path was, what device files it has, and where logins were redirected to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/db.h"

/* ---- identity ---- */

static int
check_identity(struct registry *r, const char *hw_path, const struct identity *id)
{
	int err = db_check_text(r, hw_path, REGISTRY_HW_PATH_BYTES, "hardware path");

	if (err == 0)
		err = db_check_text(r, id->serial, sizeof id->serial - 1, "serial number");
	if (err == 0)
		err = db_check_text(r, id->vendor, sizeof id->vendor - 1, "vendor");
	if (err == 0)
		err = db_check_text(r, id->product, sizeof id->product - 1, "product");
	for (const char *d = identity_first(id); d != NULL && err == 0; d = identity_next(id, d))
		err = db_check_text(r, d, IDENTITY_BYTES - 1, "designator");
	return err;
}

static int
put_identity(struct registry *r, const char *hw_path, const struct identity *id)
{
	int64_t place = 0;
	/* SQLite's numbers have a sign; the bits come back as they were. */
	int err = db_run(r,
	    "INSERT INTO unit (hw_path, serial, vendor, product, block_bytes, size_bytes)"
	    " VALUES (?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT DO UPDATE SET serial = excluded.serial, vendor = excluded.vendor,"
	    " product = excluded.product, block_bytes = excluded.block_bytes,"
	    " size_bytes = excluded.size_bytes",
	    "ssssii", hw_path, id->serial, id->vendor, id->product, (int64_t)id->block_bytes,
	    (int64_t)id->size_bytes);

	if (err >= 0)
		err = db_run(r, "DELETE FROM designator WHERE hw_path = ?", "s", hw_path);
	for (const char *d = identity_first(id); d != NULL && err >= 0; d = identity_next(id, d))
		err = db_run(r, "INSERT INTO designator (hw_path, place, text) VALUES (?, ?, ?)",
		    "sis", hw_path, place++, d);
	return err;
}

int
registry_identity_set(struct registry *r, const char *hw_path, const struct identity *id)
{
	int err = check_identity(r, hw_path, id);

	if (err == 0)
		err = db_begin(r);
	return err < 0 ? err : db_end(r, put_identity(r, hw_path, id));
}

/* The row of the table `unit`. */
static int
get_unit(struct registry *r, const char *hw_path, struct identity *id)
{
	sqlite3_stmt *stmt;
	int64_t block_bytes = 0;
	int err = db_query(r, &stmt,
	    "SELECT serial, vendor, product, block_bytes, size_bytes FROM unit WHERE hw_path = ?",
	    "s", hw_path);

	if (err < 0)
		return err;
	err = db_row(r, stmt);
	if (err == 0)
		err = db_refuse(r, -ENOENT, "It becomes known when the LUN is first used.",
		    "No identity is known for the hardware path %.63s.", hw_path);
	else if (err > 0)
		err = db_column_text(r, stmt, 0, id->serial, sizeof id->serial);
	if (err == 0)
		err = db_column_text(r, stmt, 1, id->vendor, sizeof id->vendor);
	if (err == 0)
		err = db_column_text(r, stmt, 2, id->product, sizeof id->product);
	if (err == 0)
		err = db_column_number(r, stmt, 3, UINT32_MAX, &block_bytes);
	id->block_bytes = (uint32_t)block_bytes;
	id->size_bytes = err == 0 ? (uint64_t)sqlite3_column_int64(stmt, 4) : 0;
	db_done(stmt);
	return err;
}

static int
get_designators(struct registry *r, const char *hw_path, struct identity *id)
{
	char text[IDENTITY_BYTES];
	sqlite3_stmt *stmt;
	int err = db_query(
	    r, &stmt, "SELECT text FROM designator WHERE hw_path = ? ORDER BY place", "s", hw_path);

	if (err < 0)
		return err;
	while ((err = db_row(r, stmt)) > 0) {
		err = db_column_text(r, stmt, 0, text, sizeof text);
		if (err == 0 && !identity_add(id, text))
			err = db_failed(r, SQLITE_CORRUPT); /* more than we wrote, or twice */
		if (err < 0)
			break;
	}
	db_done(stmt);
	return err;
}

int
registry_identity_get(struct registry *r, const char *hw_path, struct identity *ret)
{
	struct identity id = { 0 };
	int err = get_unit(r, hw_path, &id);

	if (err == 0)
		err = get_designators(r, hw_path, &id);
	if (err == 0)
		*ret = id;
	return err;
}

int
registry_identity_remove(struct registry *r, const char *hw_path)
{
	int err = db_begin(r);

	if (err < 0)
		return err;
	return db_end(r, db_run(r, "DELETE FROM unit WHERE hw_path = ?", "s", hw_path));
}

/* ---- device files ---- */

static int
add_device(struct registry *r, const char *hw_path, const char *name)
{
	int64_t known;
	int err =
	    db_run(r, "INSERT INTO device (name, hw_path) VALUES (?, ?) ON CONFLICT DO NOTHING",
		"ss", name, hw_path);

	if (err != 0)
		return err;
	err = db_number(
	    r, &known, "SELECT 1 FROM device WHERE name = ? AND hw_path = ?", "ss", name, hw_path);
	return err == -ENOENT ? db_refuse(r, -EEXIST, "Remove that device with rmsf first.",
				    "The device %s belongs to another hardware path.", name)
			      : err;
}

int
registry_device_add(struct registry *r, const char *hw_path, const char *name)
{
	int err = db_check_text(r, hw_path, REGISTRY_HW_PATH_BYTES, "hardware path");

	if (err == 0)
		err = db_check_text(r, name, REGISTRY_DEVICE_BYTES, "device name");
	if (err == 0)
		err = db_begin(r);
	return err < 0 ? err : db_end(r, add_device(r, hw_path, name));
}

int
registry_device_remove(struct registry *r, const char *name)
{
	int err = db_begin(r);

	if (err < 0)
		return err;
	err = db_run(r, "DELETE FROM device WHERE name = ?", "s", name);
	if (err == 0)
		err = db_refuse(r, -ENOENT, "Nothing is to be done.",
		    "There is no installed device %.31s.", name);
	return db_end(r, err);
}

static int
take_device(struct registry *r, sqlite3_stmt *stmt, void *ret)
{
	struct registry_device *d = ret;
	int err = db_column_text(r, stmt, 0, d->name, sizeof d->name);

	return err < 0 ? err : db_column_text(r, stmt, 1, d->hw_path, sizeof d->hw_path);
}

int
registry_device_list(struct registry *r, struct registry_device **ret, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int err = db_query(r, &stmt, "SELECT name, hw_path FROM device ORDER BY id", "");

	return err < 0 ? err : db_list(r, stmt, sizeof **ret, take_device, (void **)ret, ret_n);
}

/* ---- redirections ---- */

int
registry_redirect_set(struct registry *r, const char *target, const struct registry_address *from,
    const struct registry_address *to)
{
	struct db_address f, t;
	int err = db_check_address(r, from, &f);

	if (err == 0)
		err = db_check_address(r, to, &t);
	if (err == 0)
		err = db_check_text(r, target, LIMIT_ISCSI_NAME_BYTES, "target name");
	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	return db_end(
	    r, db_run(r,
		   "INSERT INTO redirect (target, from_address, from_normal, from_port, from_tpgt,"
		   " to_address, to_port, to_tpgt) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
		   " ON CONFLICT DO UPDATE SET to_address = excluded.to_address,"
		   " to_port = excluded.to_port, to_tpgt = excluded.to_tpgt",
		   "sasii", target, &f, t.address, (int64_t)t.port, (int64_t)t.tpgt));
}

int
registry_redirect_get(struct registry *r, const char *target, const struct registry_address *from,
    struct registry_address *ret_to)
{
	struct registry_address to;
	struct db_address f;
	sqlite3_stmt *stmt;
	int err = db_check_address(r, from, &f);

	if (err == 0)
		err = db_query(r, &stmt,
		    "SELECT to_address, to_port, to_tpgt FROM redirect"
		    " WHERE target = ? AND from_normal = ? AND from_port = ? AND from_tpgt = ?",
		    "sn", target, &f);
	if (err < 0)
		return err;
	err = db_row(r, stmt);
	if (err == 0)
		err = db_refuse(r, -ENOENT, "Nothing is to be done.",
		    "Logins to %s there are not redirected.", target);
	else if (err > 0)
		err = db_column_address(r, stmt, 0, &to);
	if (err == 0)
		*ret_to = to;
	db_done(stmt);
	return err;
}

int
registry_redirect_remove(
    struct registry *r, const char *target, const struct registry_address *from)
{
	struct db_address f;
	int err = db_check_address(r, from, &f);

	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	return db_end(
	    r, db_run(r,
		   "DELETE FROM redirect WHERE target = ? AND from_normal = ? AND from_port = ?"
		   " AND from_tpgt = ?",
		   "sn", target, &f));
}
