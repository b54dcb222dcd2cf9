/*
 * Instances: of sessions, and of hardware paths in each class.  The lowest free
 * one is given out.  Looking for it from 0 each time would make a scan of n
 * devices cost n², so a hint says up to where none is free; it is only ever too
 * low: removals and rollbacks set it back.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/db.h"

static const struct class_row {
	const char *name;
	uint32_t limit;
} classes[REGISTRY_CLASSES] = {
#define CLASS(id, word, how_many) [REGISTRY_CLASS_##id] = { word, how_many },
#include "registry/classes.def"
};

/* ---- sessions ---- */

static int
allocate_session(
    struct registry *r, const char *target, const struct db_address *a, uint32_t *ret_instance)
{
	int64_t instance = r->session_hint, taken;
	int err = db_number(r, &taken, "SELECT 1 FROM session WHERE instance = ?", "i", instance);

	if (err == 0)
		err = db_number(r, &instance,
		    "SELECT instance + 1 FROM session AS s WHERE instance >= ? AND NOT EXISTS"
		    " (SELECT 1 FROM session WHERE instance = s.instance + 1)"
		    " ORDER BY instance LIMIT 1",
		    "i", (int64_t)r->session_hint);
	else if (err == -ENOENT)
		err = 0;
	if (err < 0)
		return err;
	if (instance >= LIMIT_SESSIONS)
		return db_refuse(r, -EUSERS, "Remove targets that are gone.",
		    "All %d session instances are taken.", LIMIT_SESSIONS);
	err = db_run(r,
	    "INSERT INTO session (instance, target, address, normal, port, tpgt)"
	    " VALUES (?, ?, ?, ?, ?, ?)",
	    "isa", instance, target, a);
	if (err < 0)
		return err;
	*ret_instance = (uint32_t)instance;
	return 0;
}

int
registry_session_instance(struct registry *r, const char *target, const struct registry_address *a,
    uint32_t *ret_instance)
{
	struct db_address d;
	uint32_t instance = 0;
	int64_t known;
	int err = db_check_address(r, a, &d);

	if (err == 0)
		err = db_check_text(r, target, LIMIT_ISCSI_NAME_BYTES, "target name");
	if (err < 0)
		return err;
	err = db_number(r, &known,
	    "SELECT instance FROM session WHERE target = ? AND normal = ? AND port = ? AND tpgt = "
	    "?",
	    "sn", target, &d);
	if (err == 0) {
		*ret_instance = (uint32_t)known;
		return 0;
	}
	if (err == -ENOENT)
		err = db_begin(r);
	if (err < 0)
		return err;
	err = db_end(r, allocate_session(r, target, &d, &instance));
	if (err == 0) {
		r->session_hint = instance + 1;
		*ret_instance = instance;
	}
	return err;
}

static int
take_session(struct registry *r, sqlite3_stmt *stmt, void *ret)
{
	struct registry_session *s = ret;
	int64_t instance = 0;
	int err = db_column_number(r, stmt, 0, LIMIT_SESSIONS - 1, &instance);

	if (err == 0)
		err = db_column_text(r, stmt, 1, s->target, sizeof s->target);
	s->instance = (uint32_t)instance;
	return err < 0 ? err : db_column_address(r, stmt, 2, &s->a);
}

int
registry_session_list(struct registry *r, struct registry_session **ret, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int err = db_query(r, &stmt,
	    "SELECT instance, target, address, port, tpgt FROM session ORDER BY instance", "");

	return err < 0 ? err : db_list(r, stmt, sizeof **ret, take_session, (void **)ret, ret_n);
}

/* Every row that has a hardware path like `pattern` (GLOB). */
static int
remove_paths(struct registry *r, const char *pattern)
{
	int err = db_run(r, "DELETE FROM io WHERE hw_path GLOB ?", "s", pattern);

	if (err >= 0)
		err = db_run(r, "DELETE FROM unit WHERE hw_path GLOB ?", "s", pattern);
	if (err >= 0)
		err = db_run(r, "DELETE FROM device WHERE hw_path GLOB ?", "s", pattern);
	return err;
}

static int
remove_session(struct registry *r, uint32_t instance)
{
	char pattern[REGISTRY_HW_PATH_BYTES + 1];
	int err = db_run(r, "DELETE FROM session WHERE instance = ?", "i", (int64_t)instance);

	if (err < 0)
		return err;
	if (err == 0)
		return db_refuse(r, -ENOENT, "List the sessions for those there are.",
		    "There is no session instance %u.", instance);
	/* ARCHITECTURE.md, "Disks": 255/0/<session>.<bus>.<target>.<lun> */
	(void)snprintf(pattern, sizeof pattern, "255/0/%u.*", instance); /* fits */
	return remove_paths(r, pattern);
}

int
registry_session_remove(struct registry *r, uint32_t instance)
{
	int err = db_begin(r);

	if (err < 0)
		return err;
	err = db_end(r, remove_session(r, instance));
	if (err == 0) {
		r->session_hint = 0;
		memset(r->io_hint, 0, sizeof r->io_hint);
	}
	return err;
}

/* ---- hardware paths ---- */

static int
remove_io(struct registry *r, const char *hw_path)
{
	int64_t known;
	int err = db_number(r, &known, "SELECT 1 FROM io WHERE hw_path = ?", "s", hw_path);

	if (err == -ENOENT)
		return db_refuse(r, -ENOENT, "List those there are: ioscan -k.",
		    "The hardware path %s is not known.", hw_path);
	/* Digits, dots and slashes are a pattern of themselves alone. */
	return err < 0 ? err : remove_paths(r, hw_path);
}

int
registry_io_remove(struct registry *r, const char *hw_path)
{
	int err = db_check_text(r, hw_path, REGISTRY_HW_PATH_BYTES, "hardware path");

	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	err = db_end(r, remove_io(r, hw_path));
	if (err >= 0) {
		memset(r->io_hint, 0, sizeof r->io_hint);
		err = 0;
	}
	return err;
}

const char *
registry_class_name(enum registry_class c)
{
	assert(c < REGISTRY_CLASSES);
	return classes[c].name;
}

bool
registry_class_find(const char *name, enum registry_class *ret_class)
{
	for (enum registry_class c = 0; c < REGISTRY_CLASSES; c++) {
		if (strcmp(name, classes[c].name) == 0) {
			*ret_class = c;
			return true;
		}
	}
	return false;
}

static int
is_taken(struct registry *r, enum registry_class c, int64_t instance)
{
	int64_t taken;

	return db_number(r, &taken, "SELECT 1 FROM io WHERE class = ? AND instance = ?", "si",
	    classes[c].name, instance);
}

static int
allocate_io(struct registry *r, enum registry_class c, const char *hw_path, int64_t wish,
    uint32_t *ret_instance)
{
	int64_t instance = wish >= 0 && wish < classes[c].limit ? wish : r->io_hint[c];
	int err = is_taken(r, c, instance);

	if (err == 0 && instance != r->io_hint[c]) {
		instance = r->io_hint[c];
		err = is_taken(r, c, instance);
	}
	if (err == 0)
		err = db_number(r, &instance,
		    "SELECT instance + 1 FROM io AS i WHERE class = ?1 AND instance >= ?2"
		    " AND NOT EXISTS"
		    " (SELECT 1 FROM io WHERE class = ?1 AND instance = i.instance + 1)"
		    " ORDER BY instance LIMIT 1",
		    "si", classes[c].name, (int64_t)r->io_hint[c]);
	else if (err == -ENOENT)
		err = 0;
	if (err < 0)
		return err;
	if (instance >= classes[c].limit)
		return db_refuse(r, -EUSERS, "Remove targets that are gone.",
		    "All %u instances of the class %s are taken.", classes[c].limit,
		    classes[c].name);
	err = db_run(r, "INSERT INTO io (class, instance, hw_path) VALUES (?, ?, ?)", "sis",
	    classes[c].name, instance, hw_path);
	if (err < 0)
		return err;
	*ret_instance = (uint32_t)instance;
	return 0;
}

int
registry_io_instance(
    struct registry *r, enum registry_class c, const char *hw_path, uint32_t *ret_instance)
{
	return registry_io_instance_as(r, c, hw_path, -1, ret_instance);
}

int
registry_io_instance_as(struct registry *r, enum registry_class c, const char *hw_path,
    int64_t wish, uint32_t *ret_instance)
{
	uint32_t instance = 0;
	int64_t known;
	int err = db_check_text(r, hw_path, REGISTRY_HW_PATH_BYTES, "hardware path");

	assert(c < REGISTRY_CLASSES);
	if (err < 0)
		return err;
	err = db_number(r, &known, "SELECT instance FROM io WHERE class = ? AND hw_path = ?", "ss",
	    classes[c].name, hw_path);
	if (err == 0) {
		*ret_instance = (uint32_t)known;
		return 0;
	}
	if (err == -ENOENT)
		err = db_begin(r);
	if (err < 0)
		return err;
	err = db_end(r, allocate_io(r, c, hw_path, wish, &instance));
	if (err == 0) {
		/* Below it none is free; of a wish that is known only where it was the next. */
		if (wish < 0 || instance == r->io_hint[c])
			r->io_hint[c] = instance + 1;
		*ret_instance = instance;
	}
	return err;
}

static int
take_io(struct registry *r, sqlite3_stmt *stmt, void *ret)
{
	struct registry_io *io = ret;
	char name[32];
	int64_t instance = 0;
	int err = db_column_text(r, stmt, 0, name, sizeof name);

	if (err == 0 && !registry_class_find(name, &io->class))
		err = db_failed(r, SQLITE_CORRUPT);
	if (err == 0)
		err = db_column_number(r, stmt, 1, UINT32_MAX, &instance);
	if (err == 0)
		err = db_column_text(r, stmt, 2, io->hw_path, sizeof io->hw_path);
	io->instance = (uint32_t)instance;
	return err;
}

static int
compare_io(const void *x, const void *y)
{
	const struct registry_io *a = x, *b = y;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	return a->instance < b->instance ? -1 : a->instance > b->instance;
}

int
registry_io_list(struct registry *r, struct registry_io **ret, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int err = db_query(r, &stmt, "SELECT class, instance, hw_path FROM io", "");

	if (err == 0)
		err = db_list(r, stmt, sizeof **ret, take_io, (void **)ret, ret_n);
	/* In the order of classes.def, which SQL does not know. */
	if (err == 0 && *ret_n > 0)
		qsort(*ret, *ret_n, sizeof **ret, compare_io);
	return err;
}
