/* Discovery targets and operational targets. */
#include <errno.h>
#include <stdlib.h>

#include "registry/db.h"

/* ---- discovery targets ---- */

int
registry_discovery_add(struct registry *r, const struct registry_address *a)
{
	struct db_address d;
	int err = db_check_address(r, a, &d);

	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	err = db_run(r,
	    "INSERT INTO discovery (address, normal, port, tpgt) VALUES (?, ?, ?, ?)"
	    " ON CONFLICT DO NOTHING",
	    "a", &d);
	if (err == 0)
		err = db_refuse(r, -EEXIST, "Nothing is to be done.",
		    "The discovery target %s, port %u, tag %u is there already.", d.address, d.port,
		    d.tpgt);
	return db_end(r, err);
}

int
registry_discovery_remove(struct registry *r, const struct registry_address *a)
{
	struct db_address d;
	int err = db_check_address(r, a, &d);

	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	err = db_run(r,
	    "DELETE FROM setting WHERE level = ? AND target = '' AND normal = ? AND port = ?"
	    " AND tpgt = ?",
	    "in", (int64_t)REGISTRY_DISCOVERY, &d);
	if (err >= 0)
		err = db_run(
		    r, "DELETE FROM found WHERE normal = ? AND port = ? AND tpgt = ?", "n", &d);
	if (err >= 0)
		err = db_run(
		    r, "DELETE FROM discovery WHERE normal = ? AND port = ? AND tpgt = ?", "n", &d);
	if (err == 0)
		err = db_refuse(r, -ENOENT, "List the discovery targets for those there are.",
		    "There is no discovery target %s, port %u, tag %u.", d.address, d.port, d.tpgt);
	return db_end(r, err);
}

static int
take_address(struct registry *r, sqlite3_stmt *stmt, void *ret)
{
	return db_column_address(r, stmt, 0, ret);
}

int
registry_discovery_list(struct registry *r, struct registry_address **ret, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int err = db_query(r, &stmt, "SELECT address, port, tpgt FROM discovery ORDER BY id", "");

	return err < 0 ? err : db_list(r, stmt, sizeof **ret, take_address, (void **)ret, ret_n);
}

/* ---- operational targets ---- */

const char *
registry_source_name(enum registry_source source)
{
	switch (source) {
	case REGISTRY_STATIC:
		return "static";
	case REGISTRY_SENDTARGETS:
		return "sendtargets";
	case REGISTRY_SLP:
		return "slp";
	case REGISTRY_ISNS:
		return "isns";
	}
	return "?";
}

/* The target's row, made where it is missing. */
static int
see_target(struct registry *r, const char *name, const char *alias, enum registry_source source,
    int64_t *ret_id)
{
	int err = db_run(r,
	    "INSERT INTO target (name, alias, source) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
	    "ssi", name, alias != NULL ? alias : "", (int64_t)source);

	if (err == 0 && alias != NULL)
		err = db_run(r, "UPDATE target SET alias = ?1 WHERE name = ?2 AND alias <> ?1",
		    "ss", alias, name);
	/* A user may have typed it in another case than the target itself writes it. */
	if (err >= 0 && source != REGISTRY_STATIC)
		err = db_run(r,
		    "UPDATE target SET name = ?1 WHERE name = ?1 AND CAST(name AS BLOB) <> CAST(?1 "
		    "AS BLOB)",
		    "s", name);
	if (err >= 0)
		err = db_number(r, ret_id, "SELECT id FROM target WHERE name = ?", "s", name);
	return err;
}

/*
 * A portal belongs to one portal group (RFC 7143, section 4.1.1), so another
 * tag for the same address and port means that the target was reconfigured.  The
 * row and the session's instance follow it, and hardware paths stay.
 */
static int
follow_tag(
    struct registry *r, const char *name, int64_t target, const struct db_address *a, int64_t now_s)
{
	int64_t id, old_tpgt;
	int err = db_number(r, &id,
	    "SELECT id FROM target_address WHERE target = ? AND normal = ? AND port = ?"
	    " AND tpgt <> ? AND source <> ? ORDER BY id LIMIT 1",
	    "ini", target, a, (int64_t)REGISTRY_STATIC);

	if (err < 0)
		return err;
	err = db_number(r, &old_tpgt, "SELECT tpgt FROM target_address WHERE id = ?", "i", id);
	if (err == 0)
		err = db_run(r, "UPDATE target_address SET tpgt = ?, last_seen = ? WHERE id = ?",
		    "iii", (int64_t)a->tpgt, now_s, id);
	/* Where the new tag has an instance of its own, that one is kept. */
	if (err >= 0)
		err = db_run(r,
		    "UPDATE OR IGNORE session SET tpgt = ?"
		    " WHERE target = ? AND normal = ? AND port = ? AND tpgt = ?",
		    "issii", (int64_t)a->tpgt, name, a->normal, (int64_t)a->port, old_tpgt);
	if (err >= 0)
		err = db_run(r,
		    "UPDATE OR IGNORE setting SET tpgt = ? WHERE level = ? AND target = ?"
		    " AND normal = ? AND port = ? AND tpgt = ?",
		    "iissii", (int64_t)a->tpgt, (int64_t)REGISTRY_TARGET_ADDRESS, name, a->normal,
		    (int64_t)a->port, old_tpgt);
	return err;
}

static int
add_address(struct registry *r, const char *name, int64_t target, enum registry_source source,
    const struct db_address *a, int64_t now_s)
{
	int64_t n;
	int err =
	    db_number(r, &n, "SELECT count(*) FROM target_address WHERE target = ?", "i", target);

	if (err < 0)
		return err;
	if (n >= LIMIT_SENDTARGETS_ADDRESSES)
		return db_refuse(r, -EDQUOT, "Remove addresses that it has no more.",
		    "The target %s has %d addresses already, which is as many as are kept.", name,
		    LIMIT_SENDTARGETS_ADDRESSES);
	return db_run(r,
	    "INSERT INTO target_address"
	    " (target, address, normal, port, tpgt, source, first_seen, last_seen)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	    "iaiii", target, a, (int64_t)source, now_s, now_s);
}

#define SEEN_S 3600

/* It is there already: when it was seen last is kept to the hour, so that a scan which finds
 * nothing new writes nothing.  -ENOENT: it is not there. */
static int
see_again(struct registry *r, int64_t target, const struct db_address *a, int64_t now_s)
{
	int64_t last;
	int err = db_number(r, &last,
	    "SELECT last_seen FROM target_address WHERE target = ? AND normal = ? AND port = ? AND "
	    "tpgt = ?",
	    "in", target, a);

	if (err < 0 || (now_s >= last && now_s - last < SEEN_S))
		return err;
	err = db_run(r,
	    "UPDATE target_address SET last_seen = ?"
	    " WHERE target = ? AND normal = ? AND port = ? AND tpgt = ?",
	    "iin", now_s, target, a);
	return err < 0 ? err : 0;
}

/* *ret_new is written in every case. */
static int
see_address(struct registry *r, const char *name, int64_t target, enum registry_source source,
    const struct db_address *a, int64_t now_s, bool *ret_new)
{
	int err;

	*ret_new = false;
	/* What a user configures again is his from now on; what he configured discovery leaves. */
	if (source == REGISTRY_STATIC) {
		err = db_run(r,
		    "UPDATE target_address SET last_seen = ?, source = ?"
		    " WHERE target = ? AND normal = ? AND port = ? AND tpgt = ?",
		    "iiin", now_s, (int64_t)source, target, a);
		if (err != 0)
			return err;
	} else {
		err = see_again(r, target, a, now_s);
		if (err == -ENOENT)
			err = follow_tag(r, name, target, a, now_s);
		if (err != -ENOENT)
			return err;
	}
	*ret_new = true;
	return add_address(r, name, target, source, a, now_s);
}

/* It has named this address; one that is new counts against its share. */
static int
see_found(struct registry *r, int64_t target, const struct db_address *a,
    const struct db_address *by, uint32_t share, bool is_new)
{
	int64_t id, n = 0;
	int err = db_number(r, &id,
	    "SELECT id FROM target_address WHERE target = ? AND normal = ? AND port = ?"
	    " AND tpgt = ?",
	    "in", target, a);

	if (err == 0 && is_new)
		err = db_number(r, &n,
		    "SELECT count(*) FROM found WHERE normal = ? AND port = ? AND tpgt = ?", "n",
		    by);
	if (err < 0)
		return err;
	if (n >= share)
		return db_refuse(r, -EDQUOT,
		    "If all of them are wanted, raise its share: iscsiutil -t DiscoveryShare; "
		    "else remove it with them: iscsiutil -d -I ADDRESS --targets.",
		    "%s, port %u, has named %u addresses of targets, which is its share.",
		    by->address, by->port, share);
	err = db_run(r,
	    "INSERT INTO found (normal, port, tpgt, address) VALUES (?, ?, ?, ?)"
	    " ON CONFLICT DO NOTHING",
	    "ni", by, id);
	return err < 0 ? err : 0;
}

/* by NULL: nobody's share. */
static int
see(struct registry *r, const char *name, const char *alias, enum registry_source source,
    const struct registry_address *a, const struct registry_address *by, uint32_t share,
    int64_t now_s, bool *ret_new)
{
	struct db_address d, b;
	bool is_new = false;
	int64_t id;
	int err = db_check_address(r, a, &d);

	if (err == 0 && by != NULL)
		err = db_check_address(r, by, &b);
	if (err == 0)
		err = db_check_text(r, name, LIMIT_ISCSI_NAME_BYTES, "target name");
	if (err == 0 && alias != NULL)
		err = db_check_text(r, alias, LIMIT_ALIAS_BYTES, "target alias");
	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	err = see_target(r, name, alias, source, &id);
	if (err >= 0)
		err = see_address(r, name, id, source, &d, now_s, &is_new);
	if (err >= 0 && by != NULL)
		err = see_found(r, id, &d, &b, share, is_new);
	err = db_end(r, err);
	if (err == 0 && ret_new != NULL)
		*ret_new = is_new;
	return err;
}

int
registry_target_seen(struct registry *r, const char *name, const char *alias,
    enum registry_source source, const struct registry_address *a, int64_t now_s, bool *ret_new)
{
	return see(r, name, alias, source, a, NULL, 0, now_s, ret_new);
}

int
registry_target_found(struct registry *r, const char *name, enum registry_source source,
    const struct registry_address *a, const struct registry_address *by, uint32_t share,
    int64_t now_s, bool *ret_new)
{
	return see(r, name, NULL, source, a, by, share, now_s, ret_new);
}

static int
take_found(struct registry *r, sqlite3_stmt *stmt, void *ret)
{
	struct registry_found *f = ret;
	int64_t source = 0;
	int err = db_column_text(r, stmt, 0, f->target, sizeof f->target);

	if (err == 0)
		err = db_column_address(r, stmt, 1, &f->a);
	if (err == 0)
		err = db_column_number(r, stmt, 4, REGISTRY_ISNS, &source);
	f->source = (enum registry_source)source;
	f->is_alone = sqlite3_column_int64(stmt, 5) == 1;
	return err;
}

#define FOUND_ROWS                                                                    \
	"SELECT t.name, a.address, a.port, a.tpgt, a.source,"                         \
	" (SELECT count(*) FROM found o WHERE o.address = f.address) FROM found f"    \
	" JOIN target_address a ON a.id = f.address JOIN target t ON t.id = a.target" \
	" WHERE f.normal = ? AND f.port = ? AND f.tpgt = ?"

int
registry_found_list(struct registry *r, const struct registry_address *by,
    struct registry_found **ret, size_t *ret_n)
{
	struct db_address d;
	sqlite3_stmt *stmt;
	int err = db_check_address(r, by, &d);

	if (err == 0)
		err = db_query(r, &stmt,
		    FOUND_ROWS " AND a.source <> ?"
			       " AND (SELECT count(*) FROM found o WHERE o.address = f.address) = 1"
			       " ORDER BY a.id",
		    "ni", &d, (int64_t)REGISTRY_STATIC);
	return err < 0 ? err : db_list(r, stmt, sizeof **ret, take_found, (void **)ret, ret_n);
}

int
registry_found_all(struct registry *r, const struct registry_address *by,
    struct registry_found **ret, size_t *ret_n)
{
	struct db_address d;
	sqlite3_stmt *stmt;
	int err = db_check_address(r, by, &d);

	if (err == 0)
		err = db_query(r, &stmt, FOUND_ROWS " ORDER BY a.id", "n", &d);
	return err < 0 ? err : db_list(r, stmt, sizeof **ret, take_found, (void **)ret, ret_n);
}

int
registry_found_forget(
    struct registry *r, const struct registry_address *by, const struct registry_found *f)
{
	struct db_address d, a;
	int err = db_check_address(r, by, &d);

	if (err == 0 && f != NULL)
		err = db_check_address(r, &f->a, &a);
	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	if (f == NULL)
		err = db_run(
		    r, "DELETE FROM found WHERE normal = ? AND port = ? AND tpgt = ?", "n", &d);
	else
		err = db_run(r,
		    "DELETE FROM found WHERE normal = ? AND port = ? AND tpgt = ? AND address IN"
		    " (SELECT a.id FROM target_address a JOIN target t ON t.id = a.target"
		    " WHERE t.name = ? AND a.normal = ? AND a.port = ? AND a.tpgt = ?)",
		    "nsn", &d, f->target, &a);
	return db_end(r, err);
}

static int
no_target(struct registry *r, const char *name)
{
	return db_refuse(r, -ENOENT, "List the operational targets for those there are.",
	    "There is no operational target %s.", name);
}

int
registry_target_alias(struct registry *r, const char *name, const char *alias)
{
	int err = db_check_text(r, alias, LIMIT_ALIAS_BYTES, "target alias");

	if (err == 0)
		err = db_check_text(r, name, LIMIT_ISCSI_NAME_BYTES, "target name");
	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	err = db_run(r, "UPDATE target SET alias = ? WHERE name = ?", "ss", alias, name);
	return db_end(r, err == 0 ? no_target(r, name) : err);
}

static int
remove_all(struct registry *r, const char *name)
{
	int err = db_run(r, "DELETE FROM setting WHERE target = ?", "s", name);

	if (err >= 0)
		err = db_run(r, "DELETE FROM redirect WHERE target = ?", "s", name);
	if (err >= 0)
		err = db_run(r, "DELETE FROM target WHERE name = ?", "s", name);
	return err == 0 ? no_target(r, name) : err;
}

static int
remove_one(struct registry *r, const char *name, const struct db_address *a)
{
	int err = db_run(r,
	    "DELETE FROM setting WHERE level = ? AND target = ? AND normal = ? AND port = ?"
	    " AND tpgt = ?",
	    "isn", (int64_t)REGISTRY_TARGET_ADDRESS, name, a);

	if (err >= 0)
		err = db_run(r,
		    "DELETE FROM redirect WHERE target = ? AND from_normal = ? AND from_port = ?"
		    " AND from_tpgt = ?",
		    "sn", name, a);
	if (err >= 0)
		err = db_run(r,
		    "DELETE FROM target_address WHERE target = (SELECT id FROM target WHERE name = "
		    "?)"
		    " AND normal = ? AND port = ? AND tpgt = ?",
		    "sn", name, a);
	if (err == 0)
		return db_refuse(r, -ENOENT, "List the operational targets for those there are.",
		    "The target %s has no address %s, port %u, tag %u.", name, a->address, a->port,
		    a->tpgt);
	/* A target without an address is none. */
	if (err > 0)
		err = db_run(r,
		    "DELETE FROM target WHERE name = ?1 AND NOT EXISTS"
		    " (SELECT 1 FROM target_address WHERE target_address.target = target.id)",
		    "s", name);
	if (err > 0) /* the last one: what was configured for the target goes with it */
		err = db_run(r, "DELETE FROM setting WHERE target = ?", "s", name);
	return err;
}

int
registry_target_remove(struct registry *r, const char *name, const struct registry_address *a)
{
	struct db_address d;
	int err = db_check_text(r, name, LIMIT_ISCSI_NAME_BYTES, "target name");

	if (err == 0 && a != NULL)
		err = db_check_address(r, a, &d);
	if (err == 0)
		err = db_begin(r);
	if (err < 0)
		return err;
	return db_end(r, a != NULL ? remove_one(r, name, &d) : remove_all(r, name));
}

/* One row of the join: a target's first row begins a new element. */
static int
take_row(struct registry *r, sqlite3_stmt *stmt, void **list, size_t *n, int64_t *last_id)
{
	struct registry_target *t;
	struct registry_target_address *a;
	int64_t id = sqlite3_column_int64(stmt, 0), source = 0;
	void *addresses;
	int err = 0;

	if (*n == 0 || id != *last_id) {
		t = db_grow(r, list, *n, sizeof *t);
		if (t == NULL)
			return -ENOMEM;
		++*n;
		*last_id = id;
		err = db_column_text(r, stmt, 1, t->name, sizeof t->name);
		if (err == 0)
			err = db_column_text(r, stmt, 2, t->alias, sizeof t->alias);
		if (err == 0)
			err = db_column_number(r, stmt, 3, REGISTRY_ISNS, &source);
		t->source = (enum registry_source)source;
	}
	t = (struct registry_target *)*list + (*n - 1);
	addresses = t->addresses;
	a = err < 0 ? NULL : db_grow(r, &addresses, t->n_addresses, sizeof *a);
	t->addresses = addresses;
	if (a == NULL)
		return err < 0 ? err : -ENOMEM;
	t->n_addresses++;
	err = db_column_address(r, stmt, 4, &a->a);
	if (err == 0)
		err = db_column_number(r, stmt, 7, REGISTRY_ISNS, &source);
	a->source = (enum registry_source)source;
	a->first_seen_s = sqlite3_column_int64(stmt, 8);
	a->last_seen_s = sqlite3_column_int64(stmt, 9);
	return err;
}

/* n_max 0: all of the query's targets.  *last_id is the last one's. */
static int
take_rows(struct registry *r, sqlite3_stmt *stmt, size_t n_max, struct registry_target **ret,
    size_t *ret_n, int64_t *last_id)
{
	void *list = NULL;
	size_t n = 0;
	int err;

	while ((err = db_row(r, stmt)) > 0) {
		if (n_max > 0 && n == n_max && sqlite3_column_int64(stmt, 0) != *last_id) {
			err = 0;
			break;
		}
		err = take_row(r, stmt, &list, &n, last_id);
		if (err < 0)
			break;
	}
	db_done(stmt);
	if (err < 0) {
		registry_targets_free(list, n);
		return err;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

#define TARGET_ROWS                                                       \
	"SELECT t.id, t.name, t.alias, t.source,"                         \
	" a.address, a.port, a.tpgt, a.source, a.first_seen, a.last_seen" \
	" FROM target t JOIN target_address a ON a.target = t.id"

int
registry_target_list(
    struct registry *r, const char *name, struct registry_target **ret, size_t *ret_n)
{
	int64_t last_id = 0;
	sqlite3_stmt *stmt;
	int err = name != NULL ? db_query(r, &stmt,
				     TARGET_ROWS " WHERE t.name = ? ORDER BY t.id, a.id", "s", name)
			       : db_query(r, &stmt, TARGET_ROWS " ORDER BY t.id, a.id", "");

	return err < 0 ? err : take_rows(r, stmt, 0, ret, ret_n, &last_id);
}

int
registry_target_page(
    struct registry *r, int64_t *after, size_t n_max, struct registry_target **ret, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int err =
	    db_query(r, &stmt, TARGET_ROWS " WHERE t.id > ? ORDER BY t.id, a.id", "i", *after);

	return err < 0 ? err : take_rows(r, stmt, n_max, ret, ret_n, after);
}

void
registry_targets_free(struct registry_target *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(t[i].addresses);
	free(t);
}
