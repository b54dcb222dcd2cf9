#include "core/neg.h"

#include <assert.h>
#include <string.h>

#include "core/text.h"

/* The compiler checks each row: defaults and offers lie in the key's range. */
#define KEY_NUM(                                                                              \
    id, name, section, since, use, stage, senders, scope, irr, rule, def, lo, hi, offer, can) \
	static_assert((lo) <= (def) && (def) <= (hi), name ": default out of range");         \
	static_assert((lo) <= (offer) && (offer) <= (can), name ": offer out of range");      \
	static_assert((can) <= (hi), name ": we cannot do more than the key allows");
#define KEY_BOOL(                                                                        \
    id, name, section, since, use, stage, senders, scope, irr, rule, def, offer, fixed)  \
	static_assert(KEY_RULE_##rule == KEY_RULE_AND || KEY_RULE_##rule == KEY_RULE_OR, \
	    name ": a boolean is decided by AND or OR");
#define KEY_LIST(id, name, section, since, use, stage, senders, scope, irr, set, def, ...) \
	static_assert(sizeof(uint8_t[]){ __VA_ARGS__ } <= NEG_LIST_MAX, name ": offer too long");
#include "core/keys.def"

static const struct key_value values_AUTH[] = {
#define VALUE_AUTH(id, name, can) { name, can },
#include "core/keys.def"
};
static const struct key_value values_DIGEST[] = {
#define VALUE_DIGEST(id, name, can) { name, can },
#include "core/keys.def"
};
static const struct key_value values_TASK[] = {
#define VALUE_TASK(id, name, can) { name, can },
#include "core/keys.def"
};
enum {
	AUTH_COUNT = sizeof values_AUTH / sizeof values_AUTH[0],
	DIGEST_COUNT = sizeof values_DIGEST / sizeof values_DIGEST[0],
	TASK_COUNT = sizeof values_TASK / sizeof values_TASK[0],
};
static_assert(AUTH_COUNT <= NEG_LIST_MAX, "an offer can name every method");

static const struct key_info keys[KEY_COUNT] = {
#define KEY_NUM(id, name_, section_, since_, use_, stage_, senders_, scope_, irr, rule_, def, lo, \
    hi, offer_, can)                                                                              \
	[KEY_##id] = { .name = name_,                                                             \
		.section = section_,                                                              \
		.since = since_,                                                                  \
		.type = KEY_TYPE_NUM,                                                             \
		.use = KEY_USE_##use_,                                                            \
		.stage = KEY_STAGE_##stage_,                                                      \
		.senders = KEY_SENDERS_##senders_,                                                \
		.scope = KEY_SCOPE_##scope_,                                                      \
		.irrelevant = KEY_##irr,                                                          \
		.rule = KEY_RULE_##rule_,                                                         \
		.default_value = (def),                                                           \
		.min = (lo),                                                                      \
		.max = (hi),                                                                      \
		.can_min = (lo),                                                                  \
		.can_max = (can),                                                                 \
		.params_offset = offsetof(struct neg_params, id),                                 \
		.offer_offset = offsetof(struct neg_offer, id) },
#define KEY_BOOL(                                                                                \
    id, name_, section_, since_, use_, stage_, senders_, scope_, irr, rule_, def, offer_, fixed) \
	[KEY_##id] = { .name = name_,                                                            \
		.section = section_,                                                             \
		.since = since_,                                                                 \
		.type = KEY_TYPE_BOOL,                                                           \
		.use = KEY_USE_##use_,                                                           \
		.stage = KEY_STAGE_##stage_,                                                     \
		.senders = KEY_SENDERS_##senders_,                                               \
		.scope = KEY_SCOPE_##scope_,                                                     \
		.irrelevant = KEY_##irr,                                                         \
		.rule = KEY_RULE_##rule_,                                                        \
		.default_value = (def),                                                          \
		.min = 0,                                                                        \
		.max = 1,                                                                        \
		.can_min = (fixed) ? (offer_) : 0,                                               \
		.can_max = (fixed) ? (offer_) : 1,                                               \
		.params_offset = offsetof(struct neg_params, id),                                \
		.offer_offset = offsetof(struct neg_offer, id) },
#define KEY_LIST(id, name_, section_, since_, use_, stage_, senders_, scope_, irr, set, def, ...) \
	[KEY_##id] = { .name = name_,                                                             \
		.section = section_,                                                              \
		.since = since_,                                                                  \
		.type = KEY_TYPE_LIST,                                                            \
		.use = KEY_USE_##use_,                                                            \
		.stage = KEY_STAGE_##stage_,                                                      \
		.senders = KEY_SENDERS_##senders_,                                                \
		.scope = KEY_SCOPE_##scope_,                                                      \
		.irrelevant = KEY_##irr,                                                          \
		.rule = KEY_RULE_CHOICE,                                                          \
		.default_value = NEG_##set##_##def,                                               \
		.min = 0,                                                                         \
		.max = set##_COUNT - 1,                                                           \
		.can_min = 0,                                                                     \
		.can_max = set##_COUNT - 1,                                                       \
		.values = values_##set,                                                           \
		.n_values = set##_COUNT,                                                          \
		.params_offset = offsetof(struct neg_params, id),                                 \
		.offer_offset = offsetof(struct neg_offer, id) },
#define KEY_DECL(id, name_, section_, since_, use_, stage_, senders_, scope_, type_) \
	[KEY_##id] = { .name = name_,                                                \
		.section = section_,                                                 \
		.since = since_,                                                     \
		.type = KEY_TYPE_DECL,                                               \
		.use = KEY_USE_##use_,                                               \
		.stage = KEY_STAGE_##stage_,                                         \
		.senders = KEY_SENDERS_##senders_,                                   \
		.scope = KEY_SCOPE_##scope_,                                         \
		.rule = KEY_RULE_DECLARE },
#define KEY_SEC(id, name_, section_, method_, senders_, type_) \
	[KEY_##id] = { .name = name_,                          \
		.section = section_,                           \
		.since = 3720,                                 \
		.type = KEY_TYPE_SEC,                          \
		.use = KEY_USE_IO,                             \
		.stage = KEY_STAGE_SECURITY,                   \
		.senders = KEY_SENDERS_##senders_,             \
		.scope = KEY_SCOPE_CO,                         \
		.rule = KEY_RULE_DECLARE },
#define KEY_GONE(id, name_, section_, answer_)  \
	[KEY_##id] = { .name = name_,           \
		.section = section_,            \
		.since = 3720,                  \
		.type = KEY_TYPE_GONE,          \
		.use = KEY_USE_IO,              \
		.stage = KEY_STAGE_OPERATIONAL, \
		.senders = KEY_SENDERS_IT,      \
		.scope = KEY_SCOPE_CO,          \
		.rule = KEY_RULE_DECLARE,       \
		.answer = answer_ },
#include "core/keys.def"
};

/* The keys with a value come first. */
#define PARAM_COUNT KEY_session_type
static_assert(PARAM_COUNT == 0
#define KEY_NUM(...)  +1
#define KEY_BOOL(...) +1
#define KEY_LIST(...) +1
#include "core/keys.def"
    ,
    "keys.def: KEY_NUM, KEY_BOOL and KEY_LIST rows stand first");
static_assert(PARAM_COUNT <= 32, "neg_offer.silent has a bit for each");

size_t
neg_param_count(void)
{
	return PARAM_COUNT;
}

const struct key_info *
neg_key_info(enum key_id key)
{
	assert(key < KEY_COUNT);
	return &keys[key];
}

bool
neg_key_find(const char *name, enum key_id *ret_key)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].name, name) == 0) {
			*ret_key = (enum key_id)i;
			return true;
		}
	}
	return false;
}

void
neg_offer_default(struct neg_offer *ret_offer)
{
	*ret_offer = (struct neg_offer){
#define KEY_NUM(                                                                              \
    id, name, section, since, use, stage, senders, scope, irr, rule, def, lo, hi, offer, can) \
	.id = (offer),
#define KEY_BOOL(                                                                       \
    id, name, section, since, use, stage, senders, scope, irr, rule, def, offer, fixed) \
	.id = (offer),
#define KEY_LIST(id, name, section, since, use, stage, senders, scope, irr, set, def, ...) \
	.id = { sizeof(uint8_t[]){ __VA_ARGS__ }, { __VA_ARGS__ } },
#include "core/keys.def"
	};
}

uint32_t
neg_param(const struct neg_params *params, enum key_id key)
{
	const struct key_info *k = &keys[key];
	const char *field = (const char *)params + k->params_offset;

	assert(key < PARAM_COUNT);
	if (k->type == KEY_TYPE_NUM)
		return *(const uint32_t *)(const void *)field;
	if (k->type == KEY_TYPE_BOOL)
		return *(const bool *)(const void *)field;
	return *(const uint8_t *)field;
}

void
neg_param_set(struct neg_params *params, enum key_id key, uint32_t v)
{
	const struct key_info *k = &keys[key];
	char *field = (char *)params + k->params_offset;

	assert(key < PARAM_COUNT);
	if (k->type == KEY_TYPE_NUM)
		*(uint32_t *)(void *)field = v;
	else if (k->type == KEY_TYPE_BOOL)
		*(bool *)(void *)field = v != 0;
	else
		*(uint8_t *)field = (uint8_t)v;
}

uint32_t
neg_offer_value(const struct neg_offer *offer, enum key_id key)
{
	const struct key_info *k = &keys[key];
	const char *field = (const char *)offer + k->offer_offset;

	assert(k->type == KEY_TYPE_NUM || k->type == KEY_TYPE_BOOL);
	return k->type == KEY_TYPE_BOOL ? *(const bool *)(const void *)field
					: *(const uint32_t *)(const void *)field;
}

const struct neg_list *
neg_offer_list(const struct neg_offer *offer, enum key_id key)
{
	assert(keys[key].type == KEY_TYPE_LIST);
	return (const void *)((const char *)offer + keys[key].offer_offset);
}

void
neg_params_default(struct neg_params *ret_params)
{
	memset(ret_params, 0, sizeof *ret_params);
	for (size_t i = 0; i < (size_t)PARAM_COUNT; i++)
		neg_param_set(ret_params, (enum key_id)i, keys[i].default_value);
	ret_params->peer_max_recv_dsl = keys[KEY_max_recv_dsl].default_value;
}

void
neg_put_value(struct put *w, enum key_id key, uint32_t v)
{
	const struct key_info *k = &keys[key];

	if (k->type == KEY_TYPE_NUM)
		text_put_decimal(w, v);
	else if (k->type == KEY_TYPE_BOOL)
		put_str(w, v != 0 ? "Yes" : "No");
	else
		put_str(w, k->values[v].name);
}

void
neg_put_offer(struct put *w, enum key_id key, const struct neg_offer *offer)
{
	const struct neg_list *list;

	if (keys[key].type != KEY_TYPE_LIST) {
		neg_put_value(w, key, neg_offer_value(offer, key));
		return;
	}
	list = neg_offer_list(offer, key);
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			put_u8(w, ',');
		neg_put_value(w, key, list->value[i]);
	}
}

bool
neg_format(const struct neg_params *params, enum key_id key, char *buf, size_t n)
{
	struct put w = put_over(buf, n);

	if (key >= PARAM_COUNT)
		return false;
	neg_put_value(&w, key, neg_param(params, key));
	put_u8(&w, 0);
	return !w.overflow;
}

bool
neg_format_offer(const struct neg_offer *offer, enum key_id key, char *buf, size_t n)
{
	struct put w = put_over(buf, n);

	if (key >= PARAM_COUNT)
		return false;
	neg_put_offer(&w, key, offer);
	put_u8(&w, 0);
	return !w.overflow;
}

int
neg_value_find(const struct key_info *k, const char *name, size_t n)
{
	for (size_t i = 0; i < k->n_values; i++) {
		if (strlen(k->values[i].name) == n && memcmp(k->values[i].name, name, n) == 0)
			return (int)i;
	}
	return -1;
}

bool
neg_list_has(const struct neg_list *list, int value)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->value[i] == value)
			return true;
	}
	return false;
}

static enum neg_parse
parse_list(const struct key_info *k, const char *text, struct neg_list *ret_list)
{
	struct neg_list list = { 0 };
	const char *item;
	size_t n;

	if (*text == '\0')
		return NEG_PARSE_EMPTY;
	while (text_list_next(&text, &item, &n)) {
		int v = neg_value_find(k, item, n);

		if (v < 0 || !k->values[v].can)
			return NEG_PARSE_UNKNOWN_VALUE;
		if (neg_list_has(&list, v))
			return NEG_PARSE_TWICE;
		list.value[list.n++] = (uint8_t)v;
	}
	*ret_list = list;
	return NEG_PARSE_OK;
}

enum neg_parse
neg_parse_value(enum key_id key, const char *text, struct neg_offer *offer)
{
	const struct key_info *k = neg_key_info(key);
	char *field = (char *)offer + k->offer_offset;
	uint64_t v = 0;
	bool yes = false;

	if (key >= PARAM_COUNT)
		return NEG_PARSE_NOT_SETTABLE;
	if (k->type == KEY_TYPE_LIST)
		return parse_list(k, text, (struct neg_list *)(void *)field);
	if (k->type == KEY_TYPE_BOOL) {
		if (!text_boolean(text, &yes))
			return NEG_PARSE_NOT_A_BOOLEAN;
		if (yes < k->can_min || yes > k->can_max)
			return NEG_PARSE_FIXED;
		*(bool *)(void *)field = yes;
		return NEG_PARSE_OK;
	}
	switch (text_number(text, k->can_min, k->can_max, &v)) {
	case TEXT_NUMBER_BAD:
		return NEG_PARSE_NOT_A_NUMBER;
	case TEXT_NUMBER_RANGE:
		return NEG_PARSE_OUT_OF_RANGE;
	case TEXT_NUMBER_OK:
		break;
	}
	*(uint32_t *)(void *)field = (uint32_t)v;
	return NEG_PARSE_OK;
}

const char *
neg_parse_text(enum neg_parse p)
{
	switch (p) {
	case NEG_PARSE_OK:
		return "the value is valid";
	case NEG_PARSE_NOT_SETTABLE:
		return "this key has no value that can be set";
	case NEG_PARSE_NOT_A_NUMBER:
		return "the value is not a number";
	case NEG_PARSE_OUT_OF_RANGE:
		return "the number is out of the key's range, or more than this initiator can do";
	case NEG_PARSE_NOT_A_BOOLEAN:
		return "the value is neither Yes nor No";
	case NEG_PARSE_FIXED:
		return "this initiator can do only the other value";
	case NEG_PARSE_UNKNOWN_VALUE:
		return "the list names a value that this initiator does not know";
	case NEG_PARSE_TWICE:
		return "the list names a value twice";
	case NEG_PARSE_EMPTY:
		return "the list is empty";
	}
	return "";
}
