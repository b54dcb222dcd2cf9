/* keys.set: a login key at one of its levels (the guide, appendix A). */
#include <string.h>

#include "driver/control/ops.h"
#include "driver/control/scope.h"
#include "driver/iscsi/keys.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/unit_rule.h"

static bool
store(struct driver *d, const struct scope *s, const struct keys_change *k, bool *ret_is_new)
{
	struct scope_change c[2];

	for (unsigned i = 0; i < k->n; i++)
		c[i] =
		    (struct scope_change){ settings_change_key(k, i), k->is_unset ? "" : k->value };
	return scope_store(d, &s->scope, c, k->n, ret_is_new);
}

static void
warn_of_limits(struct driver *d, const struct scope *s, json_t *list)
{
	struct fault f = { 0 };
	struct settings *now = settings_snapshot(d->reg, &s->scope, &f);

	if (now != NULL && !timers_check(&now->timers, &f))
		(void)json_array_append_new(
		    list, json_sprintf("%s: %s", f.message, f.next)); /* no memory: one less */
	settings_free(now);
}

/* Of a path to a unit, where no session has this address. */
static void
warn_of_address(const struct driver *d, const struct registry_address *a, json_t *list)
{
	LIST_EACH(node, tmp, (struct list *)&d->sessions)
	{
		struct registry_address of_it = LIST_ENTRY(node, struct wanted, link)->a;

		of_it.tpgt = a->tpgt; /* scope.c */
		if (registry_address_same(&of_it, a))
			return;
	}
	(void)json_array_append_new(list,
	    json_sprintf("no session has the address %s port %u: this counts as soon as one has; "
			 "iscsiutil -pS lists them",
		a->address, a->port)); /* no memory: one less */
}

/* What works, and is hardly meant. */
static json_t *
warnings(struct driver *d, const struct scope *s, const struct keys_change *c)
{
	json_t *list = json_array();
	struct keys_effective e;
	char *secret;

	if (s->scope.level == REGISTRY_UNIT && s->scope.address != NULL && !c->is_unset)
		warn_of_address(d, s->scope.address, list);
	if (s->scope.level == REGISTRY_UNIT)
		return list;
	if (c->kind == KEYS_TIMER)
		warn_of_limits(d, s, list);
	if (c->kind != KEYS_LOGIN)
		return list;
	(void)settings_keys(d->reg, &s->scope, &e); /* warnings only */
	if (c->key[0] == KEY_first_burst && !c->is_unset &&
	    e.offer.first_burst < strtoul(c->value, NULL, 0))
		(void)json_array_append_new(list,
		    json_sprintf("FirstBurstLength may not exceed MaxBurstLength: %u is offered",
			e.offer.first_burst)); /* no memory: one less, as below */
	if (c->key[0] != KEY_auth_method || !neg_list_has(&e.offer.auth_method, NEG_AUTH_CHAP))
		return list;
	secret = settings_value(d->reg, &s->scope, REGISTRY_KEY_chap_secret);
	if (secret[0] == '\0')
		(void)json_array_append_new(list,
		    json_string("no CHAP secret is configured for this: a target that chooses "
				"CHAP cannot be logged in to; set one with iscsiutil -u -W -"));
	explicit_bzero(secret, strlen(secret));
	free(secret);
	return list;
}

void
op_keys_set(struct driver *d, struct ipc_call *call)
{
	const char *key = ipc_call_arg_string(call, "key", "");
	const char *values = ipc_call_arg_string(call, "values", "");
	char why[KEYS_WHY_BYTES];
	struct keys_change c;
	struct fault f = { 0 };
	json_t *names;
	struct scope s;
	bool is_new;

	if (!keys_parse(key, values, &c, why)) {
		/* It may be longer than a fault's: it names all the keys. */
		ipc_call_error(call, IPC_ERR_INVALID, why, "give one of these, or default", NULL);
		return;
	}
	if (!scope_get(d, call, &s))
		return;
	if (!store(d, &s, &c, &is_new)) {
		settings_fault(d->reg, &f);
		control_fail(call, &f, NULL);
		return;
	}
	is_new = is_new && keys_wait_for_login(&c);
	if (s.scope.level == REGISTRY_UNIT)
		unit_rule_push(d, s.target);
	else
		wanted_push(d, &s.scope, is_new);
	names = json_array();
	for (unsigned i = 0; i < c.n; i++)
		(void)json_array_append_new(names, json_string(keys_change_name(&c, i)));
	ipc_call_reply(call,
	    json_pack("{s:o, s:o, s:s, s:o, s:i}", "keys", names, "value",
		c.is_unset ? json_null() : settings_show_value(settings_change_key(&c, 0), c.value),
		"scope", scope_name(&s), "warnings", warnings(d, &s, &c), "active_sessions",
		scope_sessions(d, &s, is_new)));
}
