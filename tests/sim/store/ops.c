#include "ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/db.h"

/* ---- few names, so that they meet again ---- */

static struct registry_address
address(struct rng *rng)
{
	struct registry_address a = { .port = 3260, .tpgt = (uint16_t)(1 + rng_below(rng, 2)) };

	(void)snprintf(a.address, sizeof a.address, "192.0.2.%u", rng_below(rng, 6));
	return a;
}

static const char *
target(struct rng *rng)
{
	static char name[64];

	(void)snprintf(name, sizeof name, "iqn.2026-11.org.openisw:target%u", rng_below(rng, 5));
	return name;
}

static const char *
hw_path(struct rng *rng)
{
	static char path[32];

	(void)snprintf(path, sizeof path, "255/0/%u.0.0.%u", rng_below(rng, 3), rng_below(rng, 4));
	return path;
}

static struct identity
unit(struct rng *rng)
{
	struct identity id = { .vendor = "OPENISW", .block_bytes = 512 };
	char text[64];

	for (unsigned i = rng_below(rng, 3); i > 0; i--) {
		(void)snprintf(text, sizeof text, "naa.5001405%09x", rng_below(rng, 20));
		(void)identity_add(&id, text); /* it may be there */
	}
	(void)snprintf(id.serial, sizeof id.serial, "%u", rng_below(rng, 20));
	id.size_bytes = rng_next(rng);
	return id;
}

/* ---- one call each ---- */

static void
set(struct registry *r, struct rng *rng)
{
	struct registry_address a = address(rng);
	struct registry_scope scope = { (enum registry_level)rng_below(rng, REGISTRY_LEVELS),
		target(rng), &a };
	char value[32];

	(void)snprintf(value, sizeof value, "%u", rng_below(rng, 100));
	(void)registry_set(r, &scope, (enum registry_key)rng_below(rng, REGISTRY_KEYS),
	    rng_chance(rng, 250) ? NULL : value);
}

static void
discovery(struct registry *r, struct rng *rng)
{
	struct registry_address a = address(rng);

	if (rng_chance(rng, 600))
		(void)registry_discovery_add(r, &a);
	else
		(void)registry_discovery_remove(r, &a);
}

static void
seen(struct registry *r, struct rng *rng)
{
	struct registry_address a = address(rng), by = address(rng);
	int64_t now = (int64_t)rng_below(rng, 1000000);

	if (rng_chance(rng, 500))
		(void)registry_target_found(
		    r, target(rng), REGISTRY_SENDTARGETS, &a, &by, 8, now, NULL);
	else
		(void)registry_target_seen(
		    r, target(rng), NULL, (enum registry_source)rng_below(rng, 3), &a, now, NULL);
}

static void
alias(struct registry *r, struct rng *rng)
{
	(void)registry_target_alias(r, target(rng), rng_chance(rng, 500) ? "an alias" : "another");
}

static void
instance(struct registry *r, struct rng *rng)
{
	struct registry_address a = address(rng);
	uint32_t n;

	if (rng_chance(rng, 500))
		(void)registry_session_instance(r, target(rng), &a, &n);
	else
		(void)registry_io_instance(
		    r, (enum registry_class)rng_below(rng, REGISTRY_CLASSES), hw_path(rng), &n);
}

static void
forget(struct registry *r, struct rng *rng)
{
	struct registry_address a = address(rng);

	if (rng_chance(rng, 600))
		(void)registry_target_remove(r, target(rng), rng_chance(rng, 500) ? &a : NULL);
	else
		(void)registry_session_remove(r, rng_below(rng, 6));
}

static void
identity(struct registry *r, struct rng *rng)
{
	struct identity id = unit(rng);

	if (rng_chance(rng, 800))
		(void)registry_identity_set(r, hw_path(rng), &id);
	else
		(void)registry_identity_remove(r, hw_path(rng));
}

static void
device(struct registry *r, struct rng *rng)
{
	char name[16];

	(void)snprintf(name, sizeof name, "c0t0d%u", rng_below(rng, 8));
	if (rng_chance(rng, 700))
		(void)registry_device_add(r, hw_path(rng), name);
	else
		(void)registry_device_remove(r, name);
}

static void
redirection(struct registry *r, struct rng *rng)
{
	struct registry_address a = address(rng), to = address(rng);

	if (rng_chance(rng, 700))
		(void)registry_redirect_set(r, target(rng), &a, &to);
	else
		(void)registry_redirect_remove(r, target(rng), &a);
}

static void
nexus(struct registry *r, struct rng *rng)
{
	struct registry_nexus list[2] = { { "iqn.a", (int32_t)rng_below(rng, 3), 22 },
		{ "iqn.b", -1, rng_below(rng, 100) } };

	(void)registry_nexus_set(r, target(rng), rng_below(rng, 4), list, rng_below(rng, 3));
}

void
ops_one(struct registry *r, struct rng *rng)
{
	static void (*const ops[])(struct registry *, struct rng *) = { set, discovery, seen, seen,
		instance, identity, device, redirection, nexus, alias, forget, forget };

	ops[rng_below(rng, sizeof ops / sizeof *ops)](r, rng);
}

/* ---- all that is in it ---- */

static uint64_t
mix(uint64_t h, const void *bytes, int n)
{
	const uint8_t *p = bytes;

	for (int i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return (h ^ 0xff) * UINT64_C(0x100000001b3);
}

static bool
digest_rows(sqlite3 *db, const char *table, uint64_t *h)
{
	sqlite3_stmt *stmt;
	char sql[128];
	int rc;

	(void)snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
	*h = mix(*h, table, (int)strlen(table));
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return false;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		uint64_t row = UINT64_C(0xcbf29ce484222325);

		for (int i = 0; i < sqlite3_column_count(stmt); i++)
			row = mix(row, sqlite3_column_text(stmt, i), sqlite3_column_bytes(stmt, i));
		*h += row * row; /* whatever their order is */
	}
	(void)sqlite3_finalize(stmt); /* repeats an error */
	return rc == SQLITE_DONE;
}

uint64_t
ops_digest(struct registry *r)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	sqlite3_stmt *stmt;
	bool is_good = true;
	int rc;

	if (sqlite3_prepare_v2(r->db,
		"SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", -1, &stmt,
		NULL) != SQLITE_OK)
		return 0;
	while (is_good && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		is_good = digest_rows(r->db, (const char *)sqlite3_column_text(stmt, 0), &h);
	(void)sqlite3_finalize(stmt); /* repeats an error */
	return is_good && h != 0 ? h : 0;
}
