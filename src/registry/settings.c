/* registry_get() and its kin: what keys.def has, at each level. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/db.h"

/* Bits of the column `levels`. */
enum {
	G = 1 << REGISTRY_GLOBAL,
	GD = G | 1 << REGISTRY_DISCOVERY,
	GDTA = G | 1 << REGISTRY_DISCOVERY | 1 << REGISTRY_TARGET | 1 << REGISTRY_TARGET_ADDRESS,
};
enum secrecy { PLAIN, SECRET };
static_assert(REGISTRY_GLOBAL == 0 && REGISTRY_TARGET == 2 && REGISTRY_TARGET_ADDRESS == 3,
    "they stand in a query");

static const struct key_row {
	const char *name;
	unsigned levels;
	enum secrecy secrecy;
	size_t bytes_max;
} rows[REGISTRY_KEYS] = {
#define KEY(id, word, where, privacy, limit, ...) \
	[REGISTRY_KEY_##id] = { word, where, privacy, limit },
#include "registry/keys.def"
};

/* A scope as it stands in the table. */
struct place {
	int64_t level;
	const char *target;
	struct db_address a;
};

const char *
registry_key_name(enum registry_key key)
{
	assert(key < REGISTRY_KEYS);
	return rows[key].name;
}

static int
find_place(struct registry *r, const struct registry_scope *scope, struct place *ret)
{
	bool is_unit = scope != NULL && scope->level == REGISTRY_UNIT;
	int err = 0;

	*ret = (struct place){ .target = "" };
	if (scope == NULL)
		return 0;
	ret->level = scope->level;
	if (scope->level == REGISTRY_TARGET || scope->level == REGISTRY_TARGET_ADDRESS || is_unit) {
		err = db_check_text(r, scope->target, LIMIT_ISCSI_NAME_BYTES,
		    is_unit ? "name of a unit" : "target name");
		ret->target = scope->target;
	}
	if (err == 0 &&
	    (scope->level == REGISTRY_DISCOVERY || scope->level == REGISTRY_TARGET_ADDRESS ||
		(is_unit && scope->address != NULL)))
		err = db_check_address(r, scope->address, &ret->a);
	return err;
}

/* May it be set there?  Of a unit only how its paths are used, of a path of it whether it is
 * preferred. */
static bool
is_for(enum registry_key key, const struct registry_scope *scope)
{
	if (scope == NULL || scope->level != REGISTRY_UNIT)
		return (rows[key].levels & 1u << (scope != NULL ? scope->level : 0)) != 0;
	if (scope->address != NULL)
		return key == REGISTRY_KEY_choice_path_preferred;
	return key == REGISTRY_KEY_choice_path_policy || key == REGISTRY_KEY_timer_failback;
}

static int
get_at(struct registry *r, const struct place *p, enum registry_key key, char **ret_value)
{
	sqlite3_stmt *stmt;
	int err = db_query(r, &stmt,
	    "SELECT value FROM setting WHERE level = ? AND target = ?"
	    " AND normal = ? AND port = ? AND tpgt = ? AND key = ?",
	    "isns", p->level, p->target, &p->a, rows[key].name);

	if (err < 0)
		return err;
	err = db_row(r, stmt);
	if (err == 0) {
		err = db_refuse(r, -ENOENT, "Set it, or use its default.",
		    "The registry has no %s there.", rows[key].name);
	} else if (err > 0) {
		const char *text = db_column_borrow(r, stmt, 0, rows[key].bytes_max);

		err = text == NULL ? -EUCLEAN : 0;
		if (err == 0) {
			*ret_value = strdup(text);
			err = *ret_value == NULL ? db_failed(r, SQLITE_NOMEM) : 0;
		}
	}
	db_done(stmt);
	return err;
}

int
registry_get(
    struct registry *r, const struct registry_scope *scope, enum registry_key key, char **ret_value)
{
	struct place p;
	char *value;
	int err = find_place(r, scope, &p);

	assert(key < REGISTRY_KEYS);
	if (err == 0)
		err = get_at(r, &p, key, &value);
	if (err == 0)
		*ret_value = value;
	return err;
}

static int
put(struct registry *r, const struct place *p, enum registry_key key, const char *value)
{
	if (value == NULL)
		return db_run(r,
		    "DELETE FROM setting WHERE level = ? AND target = ?"
		    " AND normal = ? AND port = ? AND tpgt = ? AND key = ?",
		    "isns", p->level, p->target, &p->a, rows[key].name);
	return db_run(r,
	    "INSERT INTO setting (level, target, normal, port, tpgt, key, value)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT DO UPDATE SET value = excluded.value",
	    "isnss", p->level, p->target, &p->a, rows[key].name, value);
}

int
registry_set(struct registry *r, const struct registry_scope *scope, enum registry_key key,
    const char *value)
{
	struct place p;
	int err = find_place(r, scope, &p);

	assert(key < REGISTRY_KEYS);
	if (err < 0)
		return err;
	if (p.level == REGISTRY_UNIT && !is_for(key, scope))
		return db_refuse(r, -ENOTSUP,
		    "Set it for a target, an address, or the initiator as a whole.",
		    "The key %s cannot be set for %s unit.", rows[key].name,
		    scope->address != NULL ? "one path of a" : "a");
	if (!is_for(key, scope))
		return db_refuse(r, -ENOTSUP, "Set it for the initiator as a whole.",
		    "The key %s cannot be set for one target or address.", rows[key].name);
	if (value != NULL)
		err = db_check_text(r, value, rows[key].bytes_max, rows[key].name);
	if (err == 0)
		err = db_begin(r);
	return err < 0 ? err : db_end(r, put(r, &p, key, value));
}

int
registry_effective(struct registry *r, const struct registry_scope *scope, enum registry_key key,
    char **ret_value, enum registry_level *ret_level)
{
	struct place p;
	char *value;
	int err = find_place(r, scope, &p);

	assert(key < REGISTRY_KEYS);
	if (err < 0)
		return err;
	for (;;) {
		err = get_at(r, &p, key, &value);
		if (err != -ENOENT || p.level == REGISTRY_GLOBAL)
			break;
		/* From an address of a target to the target; from all others to the initiator. */
		if (p.level == REGISTRY_TARGET_ADDRESS) {
			p.level = REGISTRY_TARGET;
		} else {
			p.level = REGISTRY_GLOBAL;
			p.target = "";
		}
		p.a = (struct db_address){ 0 };
	}
	if (err == 0) {
		*ret_value = value;
		*ret_level = (enum registry_level)p.level;
	}
	return err;
}

/* One row into its place.  A key that another release knows is passed over. */
static int
take_value(struct registry *r, sqlite3_stmt *stmt, struct registry_values *v)
{
	int64_t level;
	int err = db_column_number(r, stmt, 0, REGISTRY_LEVELS - 1, &level);
	const char *name = db_column_borrow(r, stmt, 1, LIMIT_KEY_VALUE_BYTES), *text;
	size_t k;

	if (err < 0 || name == NULL)
		return -EUCLEAN;
	for (k = 0; k < REGISTRY_KEYS && strcmp(rows[k].name, name) != 0; k++)
		;
	if (k == REGISTRY_KEYS)
		return 0;
	text = db_column_borrow(r, stmt, 2, rows[k].bytes_max);
	if (text == NULL)
		return -EUCLEAN;
	if (v->at[level][k] != NULL)
		return db_failed(r, SQLITE_CORRUPT);
	v->at[level][k] = strdup(text);
	return v->at[level][k] != NULL ? 0 : db_failed(r, SQLITE_NOMEM);
}

int
registry_effective_all(
    struct registry *r, const struct registry_scope *scope, struct registry_values *ret)
{
	sqlite3_stmt *stmt;
	struct place p;
	int err = find_place(r, scope, &p);

	memset(ret, 0, sizeof *ret);
	/* 0, 2 and 3: REGISTRY_GLOBAL, REGISTRY_TARGET, and REGISTRY_TARGET_ADDRESS below it. */
	if (err == 0)
		err = db_query(r, &stmt,
		    "SELECT level, key, value FROM setting"
		    " WHERE level = 0 AND target = '' AND normal = '' AND port = 0 AND tpgt = 0"
		    " UNION ALL SELECT level, key, value FROM setting"
		    " WHERE ?1 > 0 AND level = ?1 AND target = ?2 AND normal = ?3 AND port = ?4"
		    " AND tpgt = ?5"
		    " UNION ALL SELECT level, key, value FROM setting"
		    " WHERE ?1 = 3 AND level = 2 AND target = ?2"
		    " AND normal = '' AND port = 0 AND tpgt = 0",
		    "isn", p.level, p.target, &p.a);
	if (err < 0)
		return err;
	while ((err = db_row(r, stmt)) > 0) {
		err = take_value(r, stmt, ret);
		if (err < 0)
			break;
	}
	db_done(stmt);
	if (err < 0)
		registry_values_fini(ret);
	return err;
}

const char *
registry_values_get(
    const struct registry_values *v, enum registry_key key, enum registry_level *ret_level)
{
	assert(key < REGISTRY_KEYS);
	/* The closest first: only levels of one scope are filled. */
	for (int level = REGISTRY_LEVELS - 1; level >= 0; level--) {
		if (v->at[level][key] == NULL)
			continue;
		if (ret_level != NULL)
			*ret_level = (enum registry_level)level;
		return v->at[level][key];
	}
	return NULL;
}

static int
take_unit(struct registry *r, sqlite3_stmt *stmt, void *ret)
{
	struct registry_unit *u = ret;
	int64_t port = 0, tpgt = 0;
	int err = db_column_text(r, stmt, 0, u->name, sizeof u->name);

	if (err == 0)
		err = db_column_text(r, stmt, 1, u->address.address, sizeof u->address.address);
	if (err == 0)
		err = db_column_number(r, stmt, 2, UINT16_MAX, &port);
	if (err == 0)
		err = db_column_number(r, stmt, 3, UINT16_MAX, &tpgt);
	u->has_address = u->address.address[0] != '\0';
	u->address.port = (uint16_t)port;
	u->address.tpgt = (uint16_t)tpgt;
	return err;
}

int
registry_unit_list(struct registry *r, struct registry_unit **ret, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int err = db_query(r, &stmt,
	    "SELECT DISTINCT target, normal, port, tpgt FROM setting WHERE level = ?"
	    " ORDER BY target, normal, port, tpgt",
	    "i", (int64_t)REGISTRY_UNIT);

	return err < 0 ? err : db_list(r, stmt, sizeof **ret, take_unit, (void **)ret, ret_n);
}

void
registry_values_fini(struct registry_values *v)
{
	for (int level = 0; level < REGISTRY_LEVELS; level++)
		for (int k = 0; k < REGISTRY_KEYS; k++) {
			char *value = v->at[level][k];

			if (value != NULL && rows[k].secrecy == SECRET)
				explicit_bzero(value, strlen(value));
			free(value);
			v->at[level][k] = NULL;
		}
}
