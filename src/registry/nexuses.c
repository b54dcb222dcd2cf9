/* Where sessions may have left nexuses (ini/fence.h). */
#include <errno.h>
#include <string.h>

#include "core/iname.h"
#include "registry/db.h"

/* Time2Wait and Time2Retain together. */
#define RETAIN_MAX_S (2 * UINT16_MAX)

/* A row is known by it: were it kept as it is spelled, another spelling would be another row. */
static int
normal(struct registry *r, const char *target, char ret[LIMIT_ISCSI_NAME_BYTES + 1])
{
	int err = db_check_text(r, target, LIMIT_ISCSI_NAME_BYTES, "target name");

	if (err == 0 && iname_normalise(target, ret) != INAME_OK)
		memcpy(ret, target, strlen(target) + 1); /* it has one spelling */
	return err;
}

static int
check(struct registry *r, const struct registry_nexus *x)
{
	int err = db_check_text(r, x->name, LIMIT_ISCSI_NAME_BYTES, "initiator name");

	if (err == 0 && (x->tpgt < -1 || x->tpgt > UINT16_MAX || x->retain_s > RETAIN_MAX_S))
		err = db_refuse(
		    r, -EINVAL, "This is a fault of the caller.", "That is no nexus of a session.");
	return err;
}

static int
replace(struct registry *r, const char *target, uint32_t instance,
    const struct registry_nexus *list, size_t n)
{
	int err = db_run(r, "DELETE FROM nexus WHERE target = ? AND instance = ?", "si", target,
	    (int64_t)instance);

	for (size_t i = 0; err >= 0 && i < n; i++)
		err = db_run(r,
		    "INSERT INTO nexus (target, instance, name, tpgt, retain_s)"
		    " VALUES (?, ?, ?, ?, ?)"
		    " ON CONFLICT DO UPDATE SET retain_s = max(retain_s, excluded.retain_s)",
		    "sisii", target, (int64_t)instance, list[i].name, (int64_t)list[i].tpgt,
		    (int64_t)list[i].retain_s);
	return err;
}

int
registry_nexus_set(struct registry *r, const char *target, uint32_t instance,
    const struct registry_nexus *list, size_t n)
{
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	int err = normal(r, target, name);

	for (size_t i = 0; err == 0 && i < n; i++)
		err = check(r, &list[i]);
	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	return db_end(r, replace(r, name, instance, list, n));
}

int
registry_nexus_clear(struct registry *r, const char *target)
{
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	int err = normal(r, target, name);

	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	return db_end(r, db_run(r,
			     "DELETE FROM nexus WHERE target = ?1 AND instance NOT IN"
			     " (SELECT instance FROM session WHERE target = ?1)",
			     "s", name));
}

static int
take(struct registry *r, sqlite3_stmt *stmt, void *ret)
{
	struct registry_nexus *x = ret;
	int64_t tpgt = 0, retain_s = 0, is_left = 0;
	int err = db_column_text(r, stmt, 0, x->name, sizeof x->name);

	if (err == 0)
		err = db_column_number(r, stmt, 1, UINT16_MAX + 1, &tpgt);
	if (err == 0)
		err = db_column_number(r, stmt, 2, RETAIN_MAX_S, &retain_s);
	if (err == 0)
		err = db_column_number(r, stmt, 3, 1, &is_left);
	x->is_left = is_left != 0;
	x->tpgt = (int32_t)tpgt - 1;
	x->retain_s = (uint32_t)retain_s;
	return err;
}

int
registry_nexus_list(struct registry *r, const char *target, uint32_t instance,
    struct registry_nexus **ret, size_t *ret_n)
{
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	sqlite3_stmt *stmt;
	int err = normal(r, target, name);

	if (err == 0)
		err = db_query(r, &stmt,
		    "SELECT name, iif(instance = ?2, tpgt + 1, 0), retain_s, instance <> ?2 FROM "
		    "nexus"
		    " WHERE target = ?1 AND (instance = ?2 OR instance NOT IN"
		    " (SELECT instance FROM session WHERE target = ?1))"
		    " ORDER BY instance, name, tpgt",
		    "si", name, (int64_t)instance);
	if (err == 0)
		err = db_list(r, stmt, sizeof **ret, take, (void **)ret, ret_n);
	return err;
}
