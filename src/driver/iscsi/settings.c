#include "driver/iscsi/settings.h"

#include <sys/random.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "driver/chaphash.h"
#include "base/cut.h"
#include "sys/log.h"

/* The guide's three keys, which have members of their own in answers. */
static const enum key_id list_keys[] = { KEY_auth_method, KEY_header_digest, KEY_data_digest };
#define LIST_KEYS (sizeof list_keys / sizeof *list_keys)

void
settings_fault(const struct registry *r, struct fault *ret_fault)
{
	const struct registry_error *e = registry_error(r);

	fault_set(ret_fault, FAULT_INTERNAL, e->next, "%s", e->message);
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

enum registry_key
settings_registry_key(enum key_id key)
{
	static const enum registry_key keys[] = {
#define KEY_NUM(id, ...)  [KEY_##id] = REGISTRY_KEY_##id,
#define KEY_BOOL(id, ...) [KEY_##id] = REGISTRY_KEY_##id,
#define KEY_LIST(id, ...) [KEY_##id] = REGISTRY_KEY_##id,
#include "core/keys.def"
	};

	assert(key < sizeof keys / sizeof *keys);
	return keys[key];
}

/* Values of one level; the caller frees them. */
static void
read_level(struct registry *r, const struct registry_scope *scope, enum keys_level level,
    char *values[KEYS_LEVELS][KEY_COUNT])
{
	for (size_t k = 0; k < neg_param_count(); k++)
		if (registry_get(
			r, scope, settings_registry_key((enum key_id)k), &values[level][k]) != 0)
			values[level][k] = NULL;
}

void
settings_keys(struct registry *r, const struct registry_scope *scope, struct keys_effective *ret)
{
	char *values[KEYS_LEVELS][KEY_COUNT] = { 0 };
	struct keys_config config;

	read_level(r, NULL, KEYS_GLOBAL, values);
	if (scope != NULL && scope->target != NULL) {
		struct registry_scope target = { REGISTRY_TARGET, scope->target, NULL };

		read_level(r, &target, KEYS_TARGET, values);
	}
	if (scope != NULL && scope->address != NULL)
		read_level(r, scope, KEYS_ADDRESS, values);
	for (int i = 0; i < KEYS_LEVELS; i++)
		for (int k = 0; k < KEY_COUNT; k++)
			config.value[i][k] = values[i][k];
	keys_merge(&config, ret);
	for (int i = 0; i < KEYS_LEVELS; i++)
		for (int k = 0; k < KEY_COUNT; k++)
			free(values[i][k]);
}

static enum registry_key
timer_key(enum timer_id id)
{
	static const enum registry_key keys[TIMER_COUNT] = {
#define TIMER(id, ...) [TIMER_##id] = REGISTRY_KEY_timer_##id,
#include "ini/timers.def"
	};

	return keys[id];
}

enum registry_key
settings_change_key(const struct keys_change *c, unsigned i)
{
	switch (c->kind) {
	case KEYS_TIMER:
		return timer_key(c->timer);
	case KEYS_PATH:
		return c->path == KEYS_INTERFACE ? REGISTRY_KEY_interface
						 : REGISTRY_KEY_source_address;
	case KEYS_LOGIN:
		break;
	}
	return settings_registry_key(c->key[i]);
}

/* A value of another release's that is out of range is passed over. */
static uint32_t
read_timer(struct registry *r, const struct registry_scope *scope, enum timer_id id,
    enum registry_level *ret_level, bool *ret_is_default)
{
	static const struct registry_scope global = { REGISTRY_GLOBAL, NULL, NULL };
	uint32_t s = timers_info(id)->default_s;
	char *value;

	*ret_is_default = registry_effective(r, scope != NULL ? scope : &global, timer_key(id),
			      &value, ret_level) != 0;
	if (*ret_is_default)
		return s;
	*ret_is_default = !timers_parse(id, value, &s);
	free(value);
	return s;
}

void
settings_from(struct registry *r, const struct registry_scope *scope, struct dial_from *ret)
{
	char *source = settings_value(r, scope, REGISTRY_KEY_source_address);
	char *interface = settings_value(r, scope, REGISTRY_KEY_interface);

	cut_copy(ret->source, sizeof ret->source, source);
	cut_copy(ret->interface, sizeof ret->interface, interface);
	free(source);
	free(interface);
}

void
settings_timers(struct registry *r, const struct registry_scope *scope, struct timers *ret)
{
	enum registry_level level;
	bool is_default;

	for (int i = 0; i < TIMER_COUNT; i++)
		ret->s[i] = read_timer(r, scope, (enum timer_id)i, &level, &is_default);
}

/* Heap text that may be a secret. */
static void
wipe(char *value)
{
	explicit_bzero(value, strlen(value));
	free(value);
}

static bool
set_chap(struct registry *r, const struct registry_scope *scope, bool md5_only,
    struct nexus_login *login)
{
	uint8_t random[CHAPCFG_RANDOM_BYTES];
	struct chapcfg_how how = { .ops = &chaphash_ops,
		.is_available = chaphash_is_available,
		.md5_only = md5_only,
		.random = random };
	char *method = settings_value(r, scope, REGISTRY_KEY_chap_method),
	     *name = settings_value(r, scope, REGISTRY_KEY_chap_name),
	     *secret = settings_value(r, scope, REGISTRY_KEY_chap_secret),
	     *algorithms = settings_value(r, scope, REGISTRY_KEY_chap_algorithms),
	     *target_name = settings_value(r, scope, REGISTRY_KEY_target_chap_name),
	     *target_secret = settings_value(r, scope, REGISTRY_KEY_target_chap_secret);
	const struct chapcfg_values values = { .method = method,
		.name = name,
		.initiator_name = login->initiator_name,
		.secret = secret,
		.algorithms = algorithms,
		.target_name = target_name,
		.target_secret = target_secret };

	/* A challenge that somebody could foresee proves nothing. */
	login->has_chap = getrandom(random, sizeof random, 0) == sizeof random;
	if (login->has_chap)
		chapcfg_init(&login->chap, &values, &how);
	free(method);
	free(name);
	wipe(secret);
	free(algorithms);
	free(target_name);
	wipe(target_secret);
	return login->has_chap;
}

struct nexus_login *
settings_login(
    struct registry *r, const struct registry_scope *scope, bool md5_only, struct fault *ret_fault)
{
	struct nexus_login *login;
	struct keys_effective keys;
	char *value;

	if (registry_get(r, NULL, REGISTRY_KEY_initiator_name, &value) != 0) {
		settings_fault(r, ret_fault);
		return NULL;
	}
	login = call_alloc(sizeof *login);
	cut_copy(login->initiator_name, sizeof login->initiator_name, value);
	free(value);
	value = settings_value(r, NULL, REGISTRY_KEY_initiator_alias);
	cut_copy(login->initiator_alias, sizeof login->initiator_alias, value);
	free(value);
	login->expected_tpgt = -1;
	settings_keys(r, scope, &keys);
	login->offer = keys.offer;
	settings_timers(r, scope, &login->timers);
	for (size_t k = 0; k < neg_param_count(); k++)
		if (keys.is_bad[k])
			log_warn("a configured value of %s is not used: this release does not "
				 "know it",
			    neg_key_info((enum key_id)k)->name);
	if (neg_list_has(&login->offer.auth_method, NEG_AUTH_CHAP) &&
	    !set_chap(r, scope, md5_only, login)) {
		fault_set(ret_fault, FAULT_INTERNAL, "try again",
		    "there are no random bytes for a CHAP challenge");
		nexus_login_free(login);
		return NULL;
	}
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

/* Every key as it is offered, with the level it comes from; and what this scope itself has. */
static void
show_keys(const struct registry_scope *scope, const struct keys_effective *e, json_t *to)
{
	enum keys_level own = scope == NULL            ? KEYS_GLOBAL
			      : scope->address != NULL ? KEYS_ADDRESS
						       : KEYS_TARGET;
	json_t *keys = json_object(), *configured = json_object();
	char text[256];

	for (size_t k = 0; k < neg_param_count(); k++) {
		const char *name = neg_key_info((enum key_id)k)->name;

		if (!neg_format_offer(&e->offer, (enum key_id)k, text, sizeof text))
			continue;
		(void)json_object_set_new(keys, name,
		    json_pack("{s:s, s:s}", "value", text, "from",
			keys_level_name(e->from[k]))); /* no memory: one less, as below */
		if (e->from[k] == own)
			(void)json_object_set_new(configured, name, json_string(text));
	}
	(void)json_object_set_new(to, "keys", keys);
	(void)json_object_set_new(to, "configured", configured);
}

static void
show_timers(struct registry *r, const struct registry_scope *scope, json_t *to)
{
	static const char *const names[] = { [REGISTRY_GLOBAL] = "global",
		[REGISTRY_DISCOVERY] = "address",
		[REGISTRY_TARGET] = "target",
		[REGISTRY_TARGET_ADDRESS] = "address" };
	json_t *timers = json_object();

	for (int i = 0; i < TIMER_COUNT; i++) {
		enum registry_level level = REGISTRY_GLOBAL;
		bool is_default;
		uint32_t s = read_timer(r, scope, (enum timer_id)i, &level, &is_default);

		(void)json_object_set_new(timers, timers_info((enum timer_id)i)->name,
		    json_pack("{s:I, s:s}", "seconds", (json_int_t)s, "from",
			is_default ? "default" : names[level])); /* no memory: one less */
	}
	(void)json_object_set_new(to, "timers", timers);
}

static void
show_list(
    const struct registry_scope *scope, const struct keys_effective *e, enum key_id key, json_t *to)
{
	const char *name = registry_key_name(settings_registry_key(key));
	char text[256] = "", flag[64];

	(void)neg_format_offer(&e->offer, key, text, sizeof text); /* two words always fit */
	(void)json_object_set_new(to, name, split(text));
	if (scope == NULL) {
		(void)snprintf(flag, sizeof flag, "%s_is_default", name); /* fits */
		(void)json_object_set_new(to, flag, json_boolean(e->from[key] == KEYS_DEFAULT));
	}
}

static void
show_text(struct registry *r, const struct registry_scope *scope, enum registry_key key,
    const char *dflt, json_t *to)
{
	char *value = settings_value(r, scope, key);

	(void)json_object_set_new(
	    to, registry_key_name(key), json_string(value[0] != '\0' ? value : dflt));
	free(value);
}

/* Only whether there is one. */
static void
show_secret(struct registry *r, const struct registry_scope *scope, enum registry_key key,
    const char *member, json_t *to)
{
	char *value = settings_value(r, scope, key);

	(void)json_object_set_new(to, member, json_boolean(value[0] != '\0'));
	wipe(value);
}

void
settings_show(struct registry *r, const struct registry_scope *scope, json_t *to)
{
	struct keys_effective e;

	settings_keys(r, scope, &e);
	for (size_t i = 0; i < LIST_KEYS; i++)
		show_list(scope, &e, list_keys[i], to);
	show_text(r, scope, REGISTRY_KEY_chap_method, CHAPCFG_METHOD_DEFAULT, to);
	show_text(r, scope, REGISTRY_KEY_chap_name, "", to);
	show_text(r, scope, REGISTRY_KEY_chap_algorithms, "", to);
	show_text(r, scope, REGISTRY_KEY_target_chap_name, "", to);
	show_secret(r, scope, REGISTRY_KEY_chap_secret, "chap_secret_set", to);
	show_secret(r, scope, REGISTRY_KEY_target_chap_secret, "target_chap_secret_set", to);
	show_keys(scope, &e, to);
	show_timers(r, scope, to);
	show_text(r, scope, REGISTRY_KEY_source_address, "", to);
	show_text(r, scope, REGISTRY_KEY_interface, "", to);
}
