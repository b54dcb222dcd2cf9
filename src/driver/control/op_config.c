/*
 * config.get: all that is configured, as the operations that would configure it
 * again, in an order in which they can be done.  What is not configured but known
 * (instances, device files, who a unit is) is not in it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/iname.h"
#include "driver/control/configured.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/settings.h"
#include "ipc/pieces.h"
#include "sys/log.h"

#define TARGETS_AT_ONCE 16

/* What one operation sets beside keys.set: its arguments, and the registry's keys. */
static const struct row {
	enum ipc_op op;
	const char *arg;
	enum registry_key key;
	bool is_secret;
} rows[] = {
	{ IPC_OP_initiator_set, "name", REGISTRY_KEY_initiator_name, false },
	{ IPC_OP_initiator_set, "alias", REGISTRY_KEY_initiator_alias, false },
	{ IPC_OP_log_level, "level", REGISTRY_KEY_debug_level, false },
	{ IPC_OP_slp_set, "scopes", REGISTRY_KEY_slp_scopes, false },
	{ IPC_OP_isns_set, "servers", REGISTRY_KEY_isns_servers, false },
	{ IPC_OP_radius_set, "nas_hostname", REGISTRY_KEY_nas_hostname, false },
	{ IPC_OP_radius_set, "nas_secret", REGISTRY_KEY_nas_secret, true },
	{ IPC_OP_radius_set, "server", REGISTRY_KEY_radius_server, false },
	{ IPC_OP_auth_set, "method", REGISTRY_KEY_chap_method, false },
	{ IPC_OP_auth_set, "name", REGISTRY_KEY_chap_name, false },
	{ IPC_OP_auth_set, "secret", REGISTRY_KEY_chap_secret, true },
	{ IPC_OP_auth_set, "algorithms", REGISTRY_KEY_chap_algorithms, false },
	{ IPC_OP_auth_set, "target_name", REGISTRY_KEY_target_chap_name, false },
	{ IPC_OP_auth_set, "target_secret", REGISTRY_KEY_target_chap_secret, true },
};
static const enum ipc_op ops[] = { IPC_OP_initiator_set, IPC_OP_log_level, IPC_OP_slp_set,
	IPC_OP_isns_set, IPC_OP_radius_set, IPC_OP_auth_set };

enum stage { STAGE_GLOBAL, STAGE_DISCOVERY, STAGE_TARGETS, STAGE_UNITS, STAGE_END };

struct config {
	struct later later; /* first: freed as one */
	struct ipc_pieces pieces;
	bool with_secrets;
	enum stage stage;
	json_t *ready; /* operations of the scope that was read last; `at` is next */
	size_t at;
	struct registry_address *portals; /* n_portals, owned */
	size_t portal, n_portals;
	struct registry_target *targets; /* n_targets, owned, of a page of the registry */
	size_t target, n_targets;
	int64_t after;
	struct registry_unit *units; /* n_units, owned */
	size_t unit, n_units;
};

/* Nobody may take what follows for all there is. */
static void
is_cut(struct config *c, const char *why)
{
	log_err("what is configured is not told to its end: %s", why);
	control_set(c->pieces.rest, "is_complete", json_false());
}

/* ---- operations ---- */

static void
add(struct config *c, enum ipc_op op, json_t *args, json_t *not_told)
{
	json_t *o = json_pack("{s:s, s:o}", "op", ipc_op_row(op)->name, "args", args);

	if (json_array_size(not_told) > 0 && o != NULL)
		control_set(o, "not_told", json_incref(not_told));
	json_decref(not_told);
	if (o == NULL || json_array_append_new(c->ready, o) != 0)
		is_cut(c, "out of memory");
}

/* Where a setting belongs to, as scope_get() reads it. */
static json_t *
scope_args(const struct registry_scope *s)
{
	json_t *args = json_object();

	if (s->target != NULL)
		control_set(
		    args, s->level == REGISTRY_UNIT ? "unit" : "target", json_string(s->target));
	if (s->address == NULL)
		return args;
	control_set(args, "address", json_string(s->address->address));
	control_set(args, "port", json_integer(s->address->port));
	if (s->level != REGISTRY_UNIT)
		control_set(args, "tpgt", json_integer(s->address->tpgt));
	return args;
}

static void
set_arg(json_t *args, const struct row *r, const char *value)
{
	control_set(args, r->arg,
	    r->op == IPC_OP_log_level ? json_integer(strtol(value, NULL, 10)) : json_string(value));
}

/* One operation of the table, with all that this scope has for it. */
static void
add_rows(struct config *c, const struct registry_scope *s, char *const *value, enum ipc_op op)
{
	json_t *args = scope_args(s), *not_told = json_array();
	bool any = false;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];

		if (r->op != op || value[r->key] == NULL)
			continue;
		any = true;
		if (r->is_secret && !c->with_secrets)
			(void)json_array_append_new(not_told, json_string(r->arg));
		else
			set_arg(args, r, value[r->key]);
	}
	if (any) {
		add(c, op, args, not_told);
		return;
	}
	json_decref(args);
	json_decref(not_told);
}

/* All settings of a scope itself. */
static void
add_scope(struct config *c, const struct registry_scope *s)
{
	struct registry_values v;
	char *const *value;
	json_t *args;

	if (registry_effective_all(c->later.d->reg, s, &v) != 0)
		is_cut(c, registry_error(c->later.d->reg)->message);
	value = v.at[s->level];
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		add_rows(c, s, value, ops[i]);
	for (int k = 0; k < REGISTRY_KEYS; k++) {
		const char *word = configured_word((enum registry_key)k);

		if (value[k] == NULL || word == NULL)
			continue;
		args = scope_args(s);
		control_set(args, "key", json_string(word));
		control_set(args, "values", json_string(value[k]));
		add(c, IPC_OP_keys_set, args, NULL);
	}
	registry_values_fini(&v);
}

static void
add_portal(struct config *c, const struct registry_address *a)
{
	const struct registry_scope s = { REGISTRY_DISCOVERY, NULL, a };

	add(c, IPC_OP_discovery_add, scope_args(&s), NULL);
	add_scope(c, &s);
}

static void
add_target(struct config *c, const struct registry_target *t)
{
	const struct registry_scope s = { REGISTRY_TARGET, t->name, NULL };

	for (size_t i = 0; i < t->n_addresses; i++) {
		const struct registry_scope at = { REGISTRY_TARGET_ADDRESS, NULL,
			&t->addresses[i].a };
		json_t *args = scope_args(&at);

		control_set(args, "name", json_string(t->name));
		if (iname_check(t->name, strlen(t->name)) == INAME_UPPER_CASE)
			control_set(args, "as_is", json_true());
		if (t->addresses[i].source != REGISTRY_STATIC)
			control_set(args, "found", json_true());
		add(c, IPC_OP_target_add, args, NULL);
	}
	add_scope(c, &s);
	for (size_t i = 0; i < t->n_addresses; i++)
		add_scope(c, &(struct registry_scope){
				 REGISTRY_TARGET_ADDRESS, t->name, &t->addresses[i].a });
}

/* ---- one scope after the other ---- */

static void
next_page(struct config *c)
{
	registry_targets_free(c->targets, c->n_targets);
	c->targets = NULL;
	c->target = c->n_targets = 0;
	if (registry_target_page(
		c->later.d->reg, &c->after, TARGETS_AT_ONCE, &c->targets, &c->n_targets) != 0)
		is_cut(c, registry_error(c->later.d->reg)->message);
	if (c->n_targets == 0)
		c->stage = STAGE_UNITS;
}

static void
add_unit(struct config *c, const struct registry_unit *u)
{
	add_scope(c, &(struct registry_scope){
			 REGISTRY_UNIT, u->name, u->has_address ? &u->address : NULL });
}

static void
next_scope(struct config *c)
{
	static const struct registry_scope global = { REGISTRY_GLOBAL, NULL, NULL };

	json_array_clear(c->ready);
	c->at = 0;
	switch (c->stage) {
	case STAGE_GLOBAL:
		add_scope(c, &global);
		c->stage = STAGE_DISCOVERY;
		break;
	case STAGE_DISCOVERY:
		if (c->portal < c->n_portals)
			add_portal(c, &c->portals[c->portal++]);
		else
			c->stage = STAGE_TARGETS;
		break;
	case STAGE_TARGETS:
		if (c->target == c->n_targets)
			next_page(c);
		if (c->target < c->n_targets)
			add_target(c, &c->targets[c->target++]);
		break;
	case STAGE_UNITS:
		if (c->unit < c->n_units)
			add_unit(c, &c->units[c->unit++]);
		else
			c->stage = STAGE_END;
		break;
	case STAGE_END:
		break;
	}
}

static json_t *
next_operation(struct ipc_pieces *p)
{
	struct config *c = LIST_ENTRY(p, struct config, pieces);

	while (c->at == json_array_size(c->ready) && c->stage != STAGE_END)
		next_scope(c);
	return c->at < json_array_size(c->ready) ? json_incref(json_array_get(c->ready, c->at++))
						 : NULL;
}

static void
told(struct ipc_pieces *p)
{
	struct config *c = LIST_ENTRY(p, struct config, pieces);

	registry_targets_free(c->targets, c->n_targets);
	json_decref(c->ready);
	free(c->portals);
	free(c->units);
	later_free(&c->later);
}

static const struct ipc_pieces_ops pieces = { next_operation, told };

void
op_config_get(struct driver *d, struct ipc_call *call)
{
	struct config *c = call_alloc(sizeof *c);
	struct fault f;

	c->later = (struct later){ d, call };
	c->pieces = (struct ipc_pieces){ .ops = &pieces, .member = "operations" };
	c->pieces.rest = json_pack("{s:b}", "is_complete", 1);
	c->with_secrets = ipc_call_arg_bool(call, "secrets", false);
	if (registry_discovery_list(d->reg, &c->portals, &c->n_portals) != 0 ||
	    registry_unit_list(d->reg, &c->units, &c->n_units) != 0) {
		settings_fault(d->reg, &f);
		control_fail(call, &f, NULL);
		json_decref(c->pieces.rest);
		free(c->portals);
		later_free(&c->later);
		return;
	}
	c->ready = json_array();
	ipc_call_reply_pieces(call, &c->pieces);
}
