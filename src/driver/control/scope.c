#include "driver/control/scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "core/iname.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/unit_rule.h"

/* Of n addresses, step bytes apart: the one that is meant, or NULL. */
static const struct registry_address *
pick(const void *list, size_t n, size_t step, const struct registry_address *wanted, bool any_tpgt)
{
	const struct registry_address *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct registry_address *a = (const void *)((const char *)list + i * step);
		struct registry_address same = *wanted;

		if (registry_address_same(a, wanted))
			return a;
		same.tpgt = a->tpgt;
		if (!any_tpgt || !registry_address_same(a, &same))
			continue;
		if (found != NULL)
			return NULL; /* there are several */
		found = a;
	}
	return found;
}

static bool
find_discovery(struct driver *d, struct scope *s, bool any_tpgt, struct fault *ret_fault)
{
	char text[LIMIT_ADDRESS_BYTES + 16];
	const struct registry_address *a;
	struct registry_address *list;
	size_t n;

	if (registry_discovery_list(d->reg, &list, &n) != 0) {
		settings_fault(d->reg, ret_fault);
		return false;
	}
	a = pick(list, n, sizeof *list, &s->address, any_tpgt);
	if (a != NULL) {
		s->address = *a;
	} else {
		wanted_address_text(&s->address, text);
		fault_set(ret_fault, FAULT_NOTFOUND,
		    "list them with iscsiutil -pD, add it with iscsiutil -a -I; an operational "
		    "target's address needs -T",
		    "%s is not a discovery target address", text);
	}
	free(list);
	return a != NULL;
}

static bool
find_target(struct driver *d, struct scope *s, bool any_tpgt, struct fault *ret_fault)
{
	const struct registry_address *a = NULL;
	char text[LIMIT_ADDRESS_BYTES + 16];
	struct registry_target *list;
	bool is_known;
	size_t n;

	if (registry_target_list(d->reg, s->target, &list, &n) != 0) {
		settings_fault(d->reg, ret_fault);
		return false;
	}
	is_known = n > 0;
	if (is_known && s->scope.level == REGISTRY_TARGET_ADDRESS && list[0].n_addresses > 0)
		a = pick(&list[0].addresses[0].a, list[0].n_addresses, sizeof list[0].addresses[0],
		    &s->address, any_tpgt);
	if (a != NULL)
		s->address = *a;
	/* As the target spells itself, where it is known. */
	if (is_known)
		cut_copy(s->target, sizeof s->target, list[0].name);
	registry_targets_free(list, n);
	if (!is_known) {
		fault_set(ret_fault, FAULT_NOTFOUND,
		    "list them: iscsiutil -p -O; ioscan finds new ones",
		    "%s is not an operational target", s->target);
		return false;
	}
	if (s->scope.level == REGISTRY_TARGET || a != NULL)
		return true;
	wanted_address_text(&s->address, text);
	fault_set(ret_fault, FAULT_NOTFOUND, "list them: iscsiutil -p -T NAME",
	    "%s is not an address of %s", text, s->target);
	return false;
}

static bool
get_unit(struct driver *d, struct ipc_call *call, const char *unit, struct scope *ret)
{
	struct fault f = { 0 };

	if (!unit_rule_name(d, unit, ret->target, sizeof ret->target, &f)) {
		control_fail(call, &f, NULL);
		return false;
	}
	ret->scope.level = REGISTRY_UNIT;
	ret->scope.target = ret->target;
	ret->address.tpgt =
	    0; /* a path is known by its address; its portal group is of the target's */
	return true;
}

bool
scope_get(struct driver *d, struct ipc_call *call, struct scope *ret)
{
	const char *target = ipc_call_arg_string(call, "target", NULL);
	bool has_address = ipc_call_arg_given(call, "address");
	bool any_tpgt = !ipc_call_arg_given(call, "tpgt");
	struct fault f = { 0 };
	enum iname_result r;

	memset(ret, 0, sizeof *ret);
	if (has_address && !control_address(call, &ret->address))
		return false;
	ret->scope.level = target != NULL ? has_address ? REGISTRY_TARGET_ADDRESS : REGISTRY_TARGET
			   : has_address  ? REGISTRY_DISCOVERY
					  : REGISTRY_GLOBAL;
	if (has_address)
		ret->scope.address = &ret->address;
	if (ipc_call_arg_given(call, "unit"))
		return get_unit(d, call, ipc_call_arg_string(call, "unit", ""), ret);
	if (target == NULL) {
		if (!has_address || find_discovery(d, ret, any_tpgt, &f))
			return true;
		control_fail(call, &f, NULL);
		return false;
	}
	ret->scope.target = ret->target;
	r = iname_normalise(target, ret->target);
	if (r == INAME_OK && find_target(d, ret, any_tpgt, &f))
		return true;
	if (!f.is_set)
		fault_set(&f, FAULT_INVALID, "list them: iscsiutil -p -O",
		    "\"%s\" is not an iSCSI name: %s", target, iname_text(r));
	control_fail(call, &f, NULL);
	return false;
}

static bool
is_new(struct driver *d, const struct registry_scope *scope, const struct scope_change *c)
{
	char *old = NULL;
	bool is_same;

	if (registry_get(d->reg, scope, c->key, &old) != 0)
		old = NULL; /* none, as a rule */
	is_same = old != NULL ? strcmp(old, c->value) == 0 : c->value[0] == '\0';
	if (old != NULL)
		explicit_bzero(old, strlen(old));
	free(old);
	return !is_same;
}

bool
scope_store(struct driver *d, const struct registry_scope *scope, const struct scope_change *c,
    size_t n, bool *ret_is_new)
{
	bool any = false;

	if (registry_begin(d->reg) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (c[i].value == NULL)
			continue;
		any |= is_new(d, scope, &c[i]);
		if (registry_set(
			d->reg, scope, c[i].key, c[i].value[0] != '\0' ? c[i].value : NULL) != 0) {
			registry_rollback(d->reg);
			return false;
		}
	}
	if (registry_commit(d->reg) != 0)
		return false;
	*ret_is_new = any;
	return true;
}

const char *
scope_name(const struct scope *s)
{
	switch (s->scope.level) {
	case REGISTRY_GLOBAL:
		return "global";
	case REGISTRY_DISCOVERY:
		return "discovery";
	case REGISTRY_TARGET:
		return "target";
	case REGISTRY_TARGET_ADDRESS:
		return "address";
	case REGISTRY_UNIT:
		return s->scope.address != NULL ? "path" : "unit";
	}
	return "";
}

int
scope_sessions(const struct driver *d, const struct scope *s, bool is_new)
{
	int n = 0;

	if (s->scope.level == REGISTRY_UNIT)
		return 0; /* it counts at once */
	for (const struct wanted *w = wanted_next(d, &s->scope, NULL); is_new && w != NULL;
	     w = wanted_next(d, &s->scope, w))
		n += wanted_is_online(w);
	return n;
}
