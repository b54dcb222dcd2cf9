#include <stdlib.h>
#include <string.h>

#include "core/iname.h"
#include "driver/call.h"
#include "driver/control/configured.h"
#include "driver/control/control.h"
#include "driver/control/ops.h"
#include "driver/control/scope.h"
#include "driver/iscsi/isns.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"
#include "sys/log.h"

static void
set_value(struct driver *d, json_t *to, const char *member, enum registry_key key)
{
	char *value = settings_value(d->reg, NULL, key);

	control_set(to, member, json_string(value));
	free(value);
}

static json_t *
scopes(struct driver *d)
{
	char *value = settings_value(d->reg, NULL, REGISTRY_KEY_slp_scopes);
	json_t *list = settings_show_value(
	    REGISTRY_KEY_slp_scopes, value[0] != '\0' ? value : SETTINGS_SLP_SCOPES_DEFAULT);

	free(value);
	return list;
}

void
op_initiator_get(struct driver *d, struct ipc_call *call)
{
	json_t *o = json_object();
	char *secret = settings_value(d->reg, NULL, REGISTRY_KEY_nas_secret);

	set_value(d, o, "name", REGISTRY_KEY_initiator_name);
	set_value(d, o, "alias", REGISTRY_KEY_initiator_alias);
	configured_show(d, NULL, o);
	set_value(d, o, "nas_hostname", REGISTRY_KEY_nas_hostname);
	control_set(o, "nas_secret_set", json_boolean(secret[0] != '\0'));
	explicit_bzero(secret, strlen(secret));
	free(secret);
	set_value(d, o, "radius_server_hostname", REGISTRY_KEY_radius_server);
	control_set(o, "slp_scopes", scopes(d));
	control_set(o, "log_level", json_integer(log_get_level()));
	ipc_call_reply(call, o);
}

/* An alias is shown on terminals and sent to targets. */
static bool
is_good_alias(const char *alias)
{
	if (strlen(alias) > LIMIT_ALIAS_BYTES)
		return false;
	for (; *alias != '\0'; alias++)
		if ((unsigned char)*alias < 0x20 || *alias == 0x7f)
			return false;
	return true;
}

static int
active_sessions(const struct driver *d)
{
	int n = 0;

	LIST_EACH(node, tmp, &d->sessions)
	n += wanted_is_online(LIST_ENTRY(node, struct wanted, link));
	return n;
}

void
op_initiator_set(struct driver *d, struct ipc_call *call)
{
	const char *text = ipc_call_arg_string(call, "name", "");
	const char *alias = ipc_call_arg_string(call, "alias", NULL);
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	enum iname_result r = iname_normalise(text, name);
	const struct scope_change c[] = { { REGISTRY_KEY_initiator_name, name },
		{ REGISTRY_KEY_initiator_alias, alias } };
	struct fault f = { 0 };
	bool is_new = false;
	char *kept;

	if (r != INAME_OK)
		fault_set(&f, FAULT_INVALID,
		    "give a name such as iqn.2001-04.com.example:host, eui.02004567a425678d or "
		    "naa.52004567ba64678d",
		    "\"%s\" is not an iSCSI name: %s", text, iname_text(r));
	else if (alias != NULL && !is_good_alias(alias))
		fault_set(&f, FAULT_INVALID, "give a shorter, printable one",
		    "the alias is longer than %d bytes or has control characters",
		    LIMIT_ALIAS_BYTES);
	else if (!scope_store(d, NULL, c, 2, &is_new))
		settings_fault(d->reg, &f);
	if (f.is_set) {
		control_fail(call, &f, NULL);
		return;
	}
	wanted_push(d, NULL, is_new);
	if (is_new)
		isns_push(d);
	kept = settings_value(d->reg, NULL, REGISTRY_KEY_initiator_alias);
	ipc_call_reply(call, json_pack("{s:s, s:s, s:i}", "name", name, "alias", kept,
				 "active_sessions", is_new ? active_sessions(d) : 0));
	free(kept);
}
