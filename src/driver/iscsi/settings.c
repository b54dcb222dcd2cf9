#include "driver/iscsi/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/chaphash.h"
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
settings_read(struct registry *r, const struct registry_scope *scope, enum registry_key key,
    struct fault *ret_fault)
{
	static const struct registry_scope global = { REGISTRY_GLOBAL, NULL, NULL };
	enum registry_level level;
	char *value;
	int err = registry_effective(r, scope != NULL ? scope : &global, key, &value, &level);

	if (err == 0)
		return value;
	if (err == -ENOENT)
		return call_strdup("");
	settings_fault(r, ret_fault);
	return NULL;
}

char *
settings_value(struct registry *r, const struct registry_scope *scope, enum registry_key key)
{
	struct fault unread = { 0 };
	char *value = settings_read(r, scope, key, &unread);

	return value != NULL ? value : call_strdup("");
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

/* Values of one level; the caller frees them.  False: one could not be read. */
static bool
read_level(struct registry *r, const struct registry_scope *scope, enum keys_level level,
    char *values[KEYS_LEVELS][KEY_COUNT])
{
	bool ok = true;

	for (size_t k = 0; k < neg_param_count(); k++) {
		int err = registry_get(
		    r, scope, settings_registry_key((enum key_id)k), &values[level][k]);

		if (err != 0)
			values[level][k] = NULL;
		/* A level that does not have this key (-ENOTSUP) has no value of it. */
		ok &= err == 0 || err == -ENOENT || err == -ENOTSUP;
	}
	return ok;
}

bool
settings_keys(struct registry *r, const struct registry_scope *scope, struct keys_effective *ret)
{
	char *values[KEYS_LEVELS][KEY_COUNT] = { 0 };
	struct keys_config config;
	bool ok = read_level(r, NULL, KEYS_GLOBAL, values);

	if (scope != NULL && scope->target != NULL) {
		struct registry_scope target = { REGISTRY_TARGET, scope->target, NULL };

		ok &= read_level(r, &target, KEYS_TARGET, values);
	}
	if (scope != NULL && scope->address != NULL)
		ok &= read_level(r, scope, KEYS_ADDRESS, values);
	for (int i = 0; i < KEYS_LEVELS; i++)
		for (int k = 0; k < KEY_COUNT; k++)
			config.value[i][k] = values[i][k];
	keys_merge(&config, ret);
	for (int i = 0; i < KEYS_LEVELS; i++)
		for (int k = 0; k < KEY_COUNT; k++)
			free(values[i][k]);
	return ok;
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

/* A value of another release's that is out of range is passed over.  False: it could not be read.
 */
static bool
read_timer(struct registry *r, const struct registry_scope *scope, enum timer_id id,
    uint32_t *ret_ms, enum registry_level *ret_level, bool *ret_is_default)
{
	static const struct registry_scope global = { REGISTRY_GLOBAL, NULL, NULL };
	char *value;
	int err = registry_effective(
	    r, scope != NULL ? scope : &global, timer_key(id), &value, ret_level);

	*ret_ms = timers_info(id)->default_ms;
	*ret_is_default = err != 0;
	if (err != 0)
		return err == -ENOENT;
	*ret_is_default = !timers_parse(id, value, ret_ms);
	free(value);
	return true;
}

/* Heap text that may be a secret. */
static void
wipe(char *value)
{
	explicit_bzero(value, strlen(value));
	free(value);
}

static const enum registry_key chap_keys[] = { REGISTRY_KEY_chap_method, REGISTRY_KEY_chap_name,
	REGISTRY_KEY_chap_secret, REGISTRY_KEY_chap_algorithms, REGISTRY_KEY_target_chap_name,
	REGISTRY_KEY_target_chap_secret };
#define CHAP_KEYS (sizeof chap_keys / sizeof *chap_keys)

static bool
set_chap(struct registry *r, const struct registry_scope *scope, struct settings *to,
    struct fault *ret_fault)
{
	char *v[CHAP_KEYS] = { NULL };
	bool ok = true;

	for (size_t i = 0; i < CHAP_KEYS && ok; i++) {
		v[i] = settings_read(r, scope, chap_keys[i], ret_fault);
		ok = v[i] != NULL;
	}
	if (ok) {
		const struct chapcfg_values values = { .method = v[0],
			.name = v[1],
			.initiator_name = to->initiator_name,
			.secret = v[2],
			.algorithms = v[3],
			.target_name = v[4],
			.target_secret = v[5] };

		chapcfg_init(&to->chap, &values, &chaphash_ops, chaphash_is_available);
		to->has_chap = true;
		to->is_chap_default = v[3][0] == '\0';
	}
	for (size_t i = 0; i < CHAP_KEYS; i++)
		if (v[i] != NULL)
			wipe(v[i]);
	return ok;
}

static bool
set_keys(struct registry *r, const struct registry_scope *scope, struct settings *to,
    struct fault *ret_fault)
{
	struct keys_effective keys;
	enum registry_level level;
	bool ok = settings_keys(r, scope, &keys), is_default;

	for (int i = 0; i < TIMER_COUNT; i++)
		ok &=
		    read_timer(r, scope, (enum timer_id)i, &to->timers.ms[i], &level, &is_default);
	if (!ok) {
		settings_fault(r, ret_fault);
		return false;
	}
	to->offer = keys.offer;
	for (size_t k = 0; k < neg_param_count(); k++)
		if (keys.is_bad[k])
			log_warn("a configured value of %s is not used: this release does not "
				 "know it",
			    neg_key_info((enum key_id)k)->name);
	return true;
}

/* A setting into a field of n bytes. */
static bool
set_text(struct registry *r, const struct registry_scope *scope, enum registry_key key, char *to,
    size_t n, struct fault *ret_fault)
{
	char *value = settings_read(r, scope, key, ret_fault);

	if (value == NULL)
		return false;
	cut_copy(to, n, value);
	free(value);
	return true;
}

static bool
set_redirect(struct registry *r, const struct registry_scope *scope, struct settings *to,
    struct fault *ret_fault)
{
	struct registry_address a;
	int err;

	if (scope->level != REGISTRY_TARGET_ADDRESS)
		return true;
	err = registry_redirect_get(r, scope->target, scope->address, &a);
	if (err == 0) {
		to->redirect.is_set = true;
		cut_copy(to->redirect.to.host, sizeof to->redirect.to.host, a.address);
		to->redirect.to.port = a.port;
		to->redirect.to.tpgt = a.tpgt;
	} else if (err != -ENOENT) {
		settings_fault(r, ret_fault);
		return false;
	}
	return true;
}

struct settings *
settings_snapshot(struct registry *r, const struct registry_scope *scope, struct fault *ret_fault)
{
	struct settings *s = settings_new();

	if (s == NULL) {
		fault_set(ret_fault, FAULT_INTERNAL, "free some memory", "out of memory");
		return NULL;
	}
	if (set_text(r, NULL, REGISTRY_KEY_initiator_name, s->initiator_name,
		sizeof s->initiator_name, ret_fault) &&
	    set_text(r, NULL, REGISTRY_KEY_initiator_alias, s->initiator_alias,
		sizeof s->initiator_alias, ret_fault) &&
	    set_text(r, scope, REGISTRY_KEY_source_address, s->from.source, sizeof s->from.source,
		ret_fault) &&
	    set_text(r, scope, REGISTRY_KEY_interface, s->from.interface, sizeof s->from.interface,
		ret_fault) &&
	    set_keys(r, scope, s, ret_fault) && set_redirect(r, scope, s, ret_fault) &&
	    (!neg_list_has(&s->offer.auth_method, NEG_AUTH_CHAP) ||
		set_chap(r, scope, s, ret_fault)))
		return s;
	settings_free(s);
	return NULL;
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
		uint32_t ms;

		/* One that cannot be read is shown as its default. */
		(void)read_timer(r, scope, (enum timer_id)i, &ms, &level, &is_default);
		(void)json_object_set_new(timers, timers_info((enum timer_id)i)->name,
		    json_pack("{s:o, s:s}", "seconds",
			ms % 1000 == 0 ? json_integer(ms / 1000) : json_real(ms / 1000.0), "from",
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

	(void)settings_keys(r, scope, &e); /* what cannot be read is shown as its default */
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
