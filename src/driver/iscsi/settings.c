#include "driver/iscsi/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "driver/cut.h"
#include "sys/log.h"

/* Registry keys that are lists of a login key's values. */
static const struct list_key {
	enum registry_key key;
	enum key_id login_key;
} list_keys[] = {
	{ REGISTRY_KEY_auth_method, KEY_auth_method },
	{ REGISTRY_KEY_header_digest, KEY_header_digest },
	{ REGISTRY_KEY_data_digest, KEY_data_digest },
};
#define LIST_KEYS (sizeof list_keys / sizeof *list_keys)

#define CHAP_METHOD_DEFAULT "CHAP_UNI"

void
settings_fault(const struct registry *r, struct fault *ret_fault)
{
	const struct registry_error *e = registry_error(r);

	fault_set(ret_fault, IPC_ERR_INTERNAL, e->next, "%s", e->message);
}

char *
settings_value(struct registry *r, const struct registry_scope *scope, enum registry_key key)
{
	static const struct registry_scope global = { REGISTRY_GLOBAL, NULL, NULL };
	enum registry_level level;
	char *value;

	if (registry_effective(r, scope != NULL ? scope : &global, key, &value, &level) != 0)
		return call_strdup("");
	return value;
}

/* Only what we can do is offered; a value that is not understood costs its key's default. */
static void
apply(struct registry *r, const struct registry_scope *scope, const struct list_key *k,
    struct neg_offer *offer)
{
	char *value = settings_value(r, scope, k->key);
	enum neg_parse p = NEG_PARSE_OK;

	if (value[0] != '\0')
		p = neg_parse_value(k->login_key, value, offer);
	if (p != NEG_PARSE_OK)
		log_warn("the configured %s \"%s\" is not used: %s", registry_key_name(k->key),
		    value, neg_parse_text(p));
	free(value);
}

struct nexus_login *
settings_login(struct registry *r, const struct registry_scope *scope, struct fault *ret_fault)
{
	struct nexus_login *login = call_alloc(sizeof *login);
	char *value;

	if (registry_get(r, NULL, REGISTRY_KEY_initiator_name, &value) != 0) {
		settings_fault(r, ret_fault);
		free(login);
		return NULL;
	}
	cut_copy(login->initiator_name, sizeof login->initiator_name, value);
	free(value);
	value = settings_value(r, NULL, REGISTRY_KEY_initiator_alias);
	cut_copy(login->initiator_alias, sizeof login->initiator_alias, value);
	free(value);
	login->expected_tpgt = -1;
	neg_offer_default(&login->offer);
	for (size_t i = 0; i < LIST_KEYS; i++)
		apply(r, scope, &list_keys[i], &login->offer);
	return login;
}

/* "None,CRC32C" as ["None","CRC32C"]. */
static json_t *
split(const char *list)
{
	json_t *array = json_array();

	while (*list != '\0') {
		size_t n = strcspn(list, ",");

		(void)json_array_append_new(array, json_stringn(list, n)); /* no memory: shorter */
		list += n + (list[n] == ',');
	}
	return array;
}

/* A list key with its default where it is not set. */
static void
show_list(
    struct registry *r, const struct registry_scope *scope, const struct list_key *k, json_t *to)
{
	char *value = settings_value(r, scope, k->key);
	char text[256], flag[64];
	struct neg_offer offer;
	bool is_default = value[0] == '\0';

	neg_offer_default(&offer);
	if (is_default && neg_format_offer(&offer, k->login_key, text, sizeof text)) {
		free(value);
		value = call_strdup(text);
	}
	(void)json_object_set_new(to, registry_key_name(k->key), split(value));
	if (scope == NULL) {
		(void)snprintf(flag, sizeof flag, "%s_is_default", registry_key_name(k->key));
		(void)json_object_set_new(to, flag, json_boolean(is_default));
	}
	free(value);
}

void
settings_show(struct registry *r, const struct registry_scope *scope, json_t *to)
{
	char *value;

	for (size_t i = 0; i < LIST_KEYS; i++)
		show_list(r, scope, &list_keys[i], to);
	value = settings_value(r, scope, REGISTRY_KEY_chap_method);
	(void)json_object_set_new(to, registry_key_name(REGISTRY_KEY_chap_method),
	    json_string(value[0] != '\0' ? value : CHAP_METHOD_DEFAULT));
	free(value);
	value = settings_value(r, scope, REGISTRY_KEY_chap_name);
	(void)json_object_set_new(
	    to, registry_key_name(REGISTRY_KEY_chap_name), json_string(value));
	free(value);
	value = settings_value(r, scope, REGISTRY_KEY_chap_secret);
	(void)json_object_set_new(to, "chap_secret_set", json_boolean(value[0] != '\0'));
	explicit_bzero(value, strlen(value));
	free(value);
}
