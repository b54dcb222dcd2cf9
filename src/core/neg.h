/*
 * Text keys: what each key is, what we offer, what came out.  RFC 7143,
 * section 6.2 and chapters 12 and 13.  One row per key in keys.def.
 */
#ifndef CORE_NEG_H
#define CORE_NEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/put.h"

/* The values of list keys: None and CRC32C (13.1), authentication methods (12.1), TaskReporting
 * (13.23). */
enum neg_digest {
#define VALUE_DIGEST(id, ...) NEG_DIGEST_##id,
#include "core/keys.def"
};
enum neg_auth {
#define VALUE_AUTH(id, ...) NEG_AUTH_##id,
#include "core/keys.def"
};
enum neg_task {
#define VALUE_TASK(id, ...) NEG_TASK_##id,
#include "core/keys.def"
};

/* Every key; those that have a field in neg_params come first. */
enum key_id {
#define KEY_NUM(id, ...)  KEY_##id,
#define KEY_BOOL(id, ...) KEY_##id,
#define KEY_LIST(id, ...) KEY_##id,
#define KEY_DECL(id, ...) KEY_##id,
#define KEY_SEC(id, ...)  KEY_##id,
#define KEY_GONE(id, ...) KEY_##id,
#include "core/keys.def"
	KEY_COUNT
};

/* The negotiated value of every operational key; the defaults before a login. */
struct neg_params {
#define KEY_NUM(id, ...)  uint32_t id;
#define KEY_BOOL(id, ...) bool id;
#define KEY_LIST(id, ...) uint8_t id;
#include "core/keys.def"
	uint32_t peer_max_recv_dsl; /* MaxRecvDataSegmentLength the target declared (ours is
				       max_recv_dsl) */
};

/* What to propose.  Lists are in order of preference; an empty list is not proposed. */
#define NEG_LIST_MAX 4
struct neg_list {
	uint8_t n;
	uint8_t value[NEG_LIST_MAX];
};
struct neg_offer {
#define KEY_NUM(id, ...)  uint32_t id;
#define KEY_BOOL(id, ...) bool id;
#define KEY_LIST(id, ...) struct neg_list id;
#include "core/keys.def"
	uint32_t silent; /* bits NEG_BIT(key): not proposed by us, only answered where the target
			    proposes */
};
#define NEG_BIT(key) (1u << (key))

enum key_type {
	KEY_TYPE_NUM,
	KEY_TYPE_BOOL,
	KEY_TYPE_LIST,
	KEY_TYPE_DECL,
	KEY_TYPE_SEC,
	KEY_TYPE_GONE
};
enum key_use { KEY_USE_LO, KEY_USE_IO, KEY_USE_FFPO, KEY_USE_ALL };
enum key_stage { KEY_STAGE_SECURITY, KEY_STAGE_OPERATIONAL, KEY_STAGE_ANY, KEY_STAGE_FULL_FEATURE };
enum key_senders { KEY_SENDERS_I = 1, KEY_SENDERS_T = 2, KEY_SENDERS_IT = 3 };
enum key_scope { KEY_SCOPE_SW, KEY_SCOPE_CO };
enum key_irrelevant { KEY_NEVER, KEY_DISCOVERY, KEY_NO_UNSOL };
enum key_rule {
	KEY_RULE_MIN,
	KEY_RULE_MAX,
	KEY_RULE_AND,
	KEY_RULE_OR,
	KEY_RULE_CHOICE,
	KEY_RULE_DECLARE
};

/* A row of the table; static. */
struct key_info {
	const char *name, *section;
	uint16_t since; /* RFC */
	enum key_type type;
	enum key_use use;
	enum key_stage stage;
	enum key_senders senders;
	enum key_scope scope;
	enum key_irrelevant irrelevant;
	enum key_rule rule;
	uint32_t default_value, min, max; /* a list's default is an index into values */
	uint32_t can_min, can_max;        /* what we may offer, within min and max */
	const struct key_value *values;   /* of a list: n_values names, in the order of its enum */
	size_t n_values;
	const char *answer; /* KEY_TYPE_GONE: what such an offer is answered with */
	size_t params_offset, offer_offset;
};
struct key_value {
	const char *name;
	bool can; /* we can do it, so it may be offered */
};

/* The first so many of the KEY_COUNT keys have a value in neg_params. */
size_t neg_param_count(void);
const struct key_info *neg_key_info(enum key_id key);
/* By its name on the wire, case and all; false when there is no such key. */
bool neg_key_find(const char *name, enum key_id *ret_key);

/* Of a list key: the value of that name (n bytes), or -1. */
int neg_value_find(const struct key_info *k, const char *name, size_t n);
bool neg_list_has(const struct neg_list *list, int value);
/* A key's field; numbers, booleans (0, 1) and list values alike. */
uint32_t neg_param(const struct neg_params *params, enum key_id key);
void neg_param_set(struct neg_params *params, enum key_id key, uint32_t value);
/* A number's or boolean's offer; and a list's. */
uint32_t neg_offer_value(const struct neg_offer *offer, enum key_id key);
const struct neg_list *neg_offer_list(const struct neg_offer *offer, enum key_id key);
/* A value of the key, or the offer of it, as it stands on the wire. */
void neg_put_value(struct put *w, enum key_id key, uint32_t value);
void neg_put_offer(struct put *w, enum key_id key, const struct neg_offer *offer);

/* The offer we make unless told otherwise (keys.def, column "offer"). */
void neg_offer_default(struct neg_offer *ret_offer);
/* What holds before anything is negotiated (keys.def, column "default"). */
void neg_params_default(struct neg_params *ret_params);

/*
 * A key's value as it stands on the wire, NUL-terminated, into n bytes.
 * False when the key has no value in neg_params or it does not fit.
 */
bool neg_format(const struct neg_params *params, enum key_id key, char *buf, size_t n);
/* The same of an offer: lists in order, separated by commas. */
bool neg_format_offer(const struct neg_offer *offer, enum key_id key, char *buf, size_t n);

enum neg_parse {
	NEG_PARSE_OK,
	NEG_PARSE_NOT_SETTABLE, /* the key has no value that is negotiated */
	NEG_PARSE_NOT_A_NUMBER,
	NEG_PARSE_OUT_OF_RANGE,  /* outside the RFC's range, or beyond what this initiator can do */
	NEG_PARSE_NOT_A_BOOLEAN, /* neither Yes nor No */
	NEG_PARSE_FIXED,         /* this initiator can do only the other value */
	NEG_PARSE_UNKNOWN_VALUE, /* a list names a value the key does not have, or one we cannot do
				  */
	NEG_PARSE_TWICE,         /* a list names a value twice */
	NEG_PARSE_EMPTY,
};
/* Text a user gave as offer for a key, e.g. "None,CRC32C"; *offer is changed only with
 * NEG_PARSE_OK. */
enum neg_parse neg_parse_value(enum key_id key, const char *text, struct neg_offer *offer);
/* A sentence for each result; static text. */
const char *neg_parse_text(enum neg_parse p);

#endif
