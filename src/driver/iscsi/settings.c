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

/* What a scope has at each level, borrowed from v. */
static void
merge_keys(const struct registry_values *v, struct keys_effective *ret)
{
	static const enum registry_level levels[KEYS_LEVELS] = { [KEYS_GLOBAL] = REGISTRY_GLOBAL,
		[KEYS_TARGET] = REGISTRY_TARGET,
		[KEYS_ADDRESS] = REGISTRY_TARGET_ADDRESS };
	struct keys_config config = { 0 };

	for (size_t k = 0; k < neg_param_count(); k++) {
		enum registry_key key = settings_registry_key((enum key_id)k);

		for (int i = KEYS_GLOBAL; i < KEYS_LEVELS; i++)
			config.value[i][k] = v->at[levels[i]][key];
		/* The values of one scope are those of a target's address or of a discovery
		 * address. */
		if (config.value[KEYS_ADDRESS][k] == NULL)
			config.value[KEYS_ADDRESS][k] = v->at[REGISTRY_DISCOVERY][key];
	}
	keys_merge(&config, ret);
}

bool
settings_keys(struct registry *r, const struct registry_scope *scope, struct keys_effective *ret)
{
	struct registry_values v;
	bool ok = registry_effective_all(r, scope, &v) == 0; /* else all is not set */

	merge_keys(&v, ret);
	registry_values_fini(&v);
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

static enum registry_key
choice_key(enum choice_id id)
{
	static const enum registry_key keys[CHOICE_COUNT] = {
#define CHOICE(id, ...) [CHOICE_##id] = REGISTRY_KEY_choice_##id,
#include "ini/choices.def"
	};

	return keys[id];
}

static const enum registry_key path_keys[KEYS_PATHS] = {
#define ROUTE(id, ...) [KEYS_PATH_##id] = REGISTRY_KEY_##id,
#include "ini/routes.def"
};

enum registry_key
settings_change_key(const struct keys_change *c, unsigned i)
{
	switch (c->kind) {
	case KEYS_TIMER:
		return timer_key(c->timer);
	case KEYS_PATH:
		return path_keys[c->path];
	case KEYS_SHARE:
		return REGISTRY_KEY_discovery_share;
	case KEYS_CHOICE:
		return choice_key(c->choice);
	case KEYS_LOGIN:
		break;
	}
	return settings_registry_key(c->key[i]);
}

/* A value of another release's that is out of range is passed over. */
static uint32_t
timer_of(const struct registry_values *v, enum timer_id id, enum registry_level *ret_level,
    bool *ret_is_default)
{
	const char *value = registry_values_get(v, timer_key(id), ret_level);
	uint32_t ms = timers_info(id)->default_ms;

	*ret_is_default = value == NULL || !timers_parse(id, value, &ms);
	return ms;
}

/* Likewise. */
static unsigned
choice_of(const struct registry_values *v, enum choice_id id, enum registry_level *ret_level,
    bool *ret_is_default)
{
	const char *value = registry_values_get(v, choice_key(id), ret_level);
	unsigned way = 0;

	*ret_is_default = value == NULL || !choices_parse(id, value, &way);
	return way;
}

/* "" where none is set; borrowed. */
static const char *
text_of(const struct registry_values *v, enum registry_key key)
{
	const char *value = registry_values_get(v, key, NULL);

	return value != NULL ? value : "";
}

static void
set_chap(const struct registry_values *v, struct settings *to)
{
	const char *algorithms = text_of(v, REGISTRY_KEY_chap_algorithms);
	const struct chapcfg_values values = { .method = text_of(v, REGISTRY_KEY_chap_method),
		.name = text_of(v, REGISTRY_KEY_chap_name),
		.initiator_name = to->initiator_name,
		.secret = text_of(v, REGISTRY_KEY_chap_secret),
		.algorithms = algorithms,
		.target_name = text_of(v, REGISTRY_KEY_target_chap_name),
		.target_secret = text_of(v, REGISTRY_KEY_target_chap_secret) };

	chapcfg_init(&to->chap, &values, &chaphash_ops, chaphash_is_available);
	to->has_chap = true;
	to->is_chap_default = algorithms[0] == '\0';
}

static void
set_keys(const struct registry_values *v, struct settings *to)
{
	struct keys_effective keys;
	enum registry_level level;
	bool is_default;

	merge_keys(v, &keys);
	for (int i = 0; i < TIMER_COUNT; i++)
		to->timers.ms[i] = timer_of(v, (enum timer_id)i, &level, &is_default);
	for (int i = 0; i < CHOICE_COUNT; i++)
		to->choices.way[i] = choice_of(v, (enum choice_id)i, &level, &is_default);
	to->offer = keys.offer;
	for (size_t k = 0; k < neg_param_count(); k++)
		if (keys.is_bad[k])
			log_warn("a configured value of %s is not used: this release does not "
				 "know it",
			    neg_key_info((enum key_id)k)->name);
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

static void
set_values(const struct registry_values *v, struct settings *s)
{
	cut_copy(
	    s->initiator_name, sizeof s->initiator_name, text_of(v, REGISTRY_KEY_initiator_name));
	cut_copy(s->initiator_alias, sizeof s->initiator_alias,
	    text_of(v, REGISTRY_KEY_initiator_alias));
	cut_copy(s->from.source, sizeof s->from.source, text_of(v, REGISTRY_KEY_source_address));
	cut_copy(s->from.interface, sizeof s->from.interface, text_of(v, REGISTRY_KEY_interface));
	cut_copy(s->from.congestion_control, sizeof s->from.congestion_control,
	    text_of(v, REGISTRY_KEY_congestion_control));
	cut_copy(s->filters, sizeof s->filters, text_of(v, REGISTRY_KEY_filters));
	set_keys(v, s);
	if (neg_list_has(&s->offer.auth_method, NEG_AUTH_CHAP))
		set_chap(v, s);
}

struct settings *
settings_snapshot(struct registry *r, const struct registry_scope *scope, struct fault *ret_fault)
{
	struct settings *s = settings_new();
	struct registry_values v;

	if (s == NULL) {
		fault_set(ret_fault, FAULT_INTERNAL, "free some memory", "out of memory");
		return NULL;
	}
	if (registry_effective_all(r, scope, &v) != 0) {
		settings_fault(r, ret_fault);
		settings_free(s);
		return NULL;
	}
	set_values(&v, s);
	registry_values_fini(&v);
	if (set_redirect(r, scope, s, ret_fault))
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

static bool
is_list(enum registry_key key)
{
	for (size_t i = 0; i < LIST_KEYS; i++)
		if (settings_registry_key(list_keys[i]) == key)
			return true;
	return key == REGISTRY_KEY_chap_algorithms || key == REGISTRY_KEY_slp_scopes;
}

json_t *
settings_show_value(enum registry_key key, const char *value)
{
	return is_list(key) ? split(value) : json_string(value);
}

/* Every key as it is offered, with the level it comes from. */
static void
show_keys(const struct keys_effective *e, json_t *to)
{
	json_t *keys = json_object();
	char text[256];

	for (size_t k = 0; k < neg_param_count(); k++) {
		const char *name = neg_key_info((enum key_id)k)->name;

		if (!neg_format_offer(&e->offer, (enum key_id)k, text, sizeof text))
			continue;
		(void)json_object_set_new(keys, name,
		    json_pack("{s:o, s:s}", "value",
			settings_show_value(settings_registry_key((enum key_id)k), text), "from",
			keys_level_name(e->from[k]))); /* no memory: one less */
	}
	(void)json_object_set_new(to, "keys", keys);
}

static const char *const level_names[] = { [REGISTRY_GLOBAL] = "global",
	[REGISTRY_DISCOVERY] = "address",
	[REGISTRY_TARGET] = "target",
	[REGISTRY_TARGET_ADDRESS] = "address" };

static void
show_choices(const struct registry_values *v, json_t *to)
{
	json_t *choices = json_object();

	for (int i = 0; i < CHOICE_COUNT; i++) {
		enum choice_id id = (enum choice_id)i;
		enum registry_level level = REGISTRY_GLOBAL;
		bool is_default;
		unsigned way = choice_of(v, id, &level, &is_default);

		(void)json_object_set_new(choices, choices_name(id),
		    json_pack("{s:s, s:s}", "value", choices_word(id, way), "from",
			is_default ? "default" : level_names[level])); /* no memory: one less */
	}
	(void)json_object_set_new(to, "choices", choices);
}

static void
show_timers(const struct registry_values *v, json_t *to)
{
	json_t *timers = json_object();

	for (int i = 0; i < TIMER_COUNT; i++) {
		enum registry_level level = REGISTRY_GLOBAL;
		bool is_default;
		uint32_t ms = timer_of(v, (enum timer_id)i, &level, &is_default);

		(void)json_object_set_new(timers, timers_info((enum timer_id)i)->name,
		    json_pack("{s:o, s:s}", "seconds",
			ms % 1000 == 0 ? json_integer(ms / 1000) : json_real(ms / 1000.0), "from",
			is_default ? "default" : level_names[level])); /* no memory: one less */
	}
	(void)json_object_set_new(to, "timers", timers);
}

static void
show_list(
    const struct registry_scope *scope, const struct keys_effective *e, enum key_id key, json_t *to)
{
	const enum registry_key row = settings_registry_key(key);
	const char *name = registry_key_name(row);
	char text[256] = "", flag[64];

	(void)neg_format_offer(&e->offer, key, text, sizeof text); /* two words always fit */
	(void)json_object_set_new(to, name, settings_show_value(row, text));
	if (scope == NULL) {
		(void)snprintf(flag, sizeof flag, "%s_is_default", name); /* fits */
		(void)json_object_set_new(to, flag, json_boolean(e->from[key] == KEYS_DEFAULT));
	}
}

static void
show_text(const struct registry_values *v, enum registry_key key, const char *dflt, json_t *to)
{
	const char *value = text_of(v, key);

	(void)json_object_set_new(
	    to, registry_key_name(key), settings_show_value(key, value[0] != '\0' ? value : dflt));
}

/* Only whether there is one. */
static void
show_secret(const struct registry_values *v, enum registry_key key, const char *member, json_t *to)
{
	(void)json_object_set_new(to, member, json_boolean(text_of(v, key)[0] != '\0'));
}

static uint32_t
share_of(const struct registry_values *v)
{
	const char *text = text_of(v, REGISTRY_KEY_discovery_share);
	unsigned long n = strtoul(text, NULL, 10);

	return text[0] == '\0' || n > LIMIT_SESSIONS ? LIMIT_DISCOVERY_SHARE : (uint32_t)n;
}

uint32_t
settings_share(struct registry *r, const struct registry_address *by)
{
	const struct registry_scope scope = { REGISTRY_DISCOVERY, NULL, by };
	struct registry_values v;
	uint32_t share;

	(void)registry_effective_all(r, &scope, &v); /* what cannot be read is the default */
	share = share_of(&v);
	registry_values_fini(&v);
	return share;
}

void
settings_show(struct registry *r, const struct registry_scope *scope, json_t *to)
{
	struct keys_effective e;
	struct registry_values v;

	(void)registry_effective_all(
	    r, scope, &v); /* what cannot be read is shown as its default */
	merge_keys(&v, &e);
	for (size_t i = 0; i < LIST_KEYS; i++)
		show_list(scope, &e, list_keys[i], to);
	show_text(&v, REGISTRY_KEY_chap_method, CHAPCFG_METHOD_DEFAULT, to);
	show_text(&v, REGISTRY_KEY_chap_name, "", to);
	show_text(&v, REGISTRY_KEY_chap_algorithms, "", to);
	show_text(&v, REGISTRY_KEY_target_chap_name, "", to);
	show_secret(&v, REGISTRY_KEY_chap_secret, "chap_secret_set", to);
	show_secret(&v, REGISTRY_KEY_target_chap_secret, "target_chap_secret_set", to);
	show_keys(&e, to);
	show_timers(&v, to);
	show_choices(&v, to);
	for (int i = 0; i < KEYS_PATHS; i++)
		show_text(&v, path_keys[i], "", to);
	if (scope == NULL || scope->level == REGISTRY_DISCOVERY)
		(void)json_object_set_new(to, "discovery_share",
		    json_integer(share_of(&v))); /* no memory: it stays away */
	registry_values_fini(&v);
}
