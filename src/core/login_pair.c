#include <string.h>

#include "base/visible.h"
#include "core/login_impl.h"

static bool
is_reserved_word(const char *value)
{
	return strcmp(value, "NotUnderstood") == 0 || strcmp(value, "Reject") == 0 ||
	       strcmp(value, "Irrelevant") == 0;
}

/* "a,b,c", cut where it does not fit. */
static void
note_name(char names[CULPRIT_BYTES + 1], const char *key)
{
	size_t at = strlen(names);
	struct put w = put_over(names + at, CULPRIT_BYTES + 1 - at);

	if (at > 0)
		text_put_printable(&w, ",");
	text_put_printable(&w, key);
	put_u8(&w, 0);
}

/* 6.2: "the answer for a key that is not understood MUST be key=NotUnderstood" */
static enum login_violation
receive_unknown(struct login *l, const struct text_pair *pair)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

	if (is_reserved_word(pair->value))
		return VIOLATION_RESERVED_VALUE;
	for (const char *p = pair->key; *p != '\0'; p++)
		hash = (hash ^ (uint8_t)*p) * 0x100000001b3u;
	for (size_t i = 0; i < l->n_unknown; i++) {
		if (l->unknown[i] == hash)
			return VIOLATION_DUPLICATE_KEY;
	}
	if (l->n_unknown == UNKNOWN_KEYS_MAX)
		return VIOLATION_TOO_MANY_KEYS;
	l->unknown[l->n_unknown++] = hash;
	note_name(l->unknown_names, pair->key);
	text_put(&l->out, pair->key, "NotUnderstood");
	return VIOLATION_NONE;
}

/* TargetAlias, TargetPortalGroupTag and their kin. */
static enum login_violation
receive_declaration(struct login *l, enum key_id key, const struct text_pair *pair)
{
	uint64_t v = 0;

	if (strcmp(pair->value, "NotUnderstood") == 0)
		return VIOLATION_NOT_UNDERSTOOD;
	if (strcmp(pair->value, "Reject") == 0)
		return VIOLATION_REJECTED;
	if ((neg_key_info(key)->senders & KEY_SENDERS_T) == 0)
		return VIOLATION_UNEXPECTED_KEY;
	switch ((int)key) {
	case KEY_target_alias:
		/* It is only shown (13.7), so nothing in it is a reason to refuse. */
		(void)visible_copy(pair->value, pair->value_len, l->target_alias,
		    sizeof l->target_alias); /* as much of it as fits */
		break;
	case KEY_tpgt:
		switch (text_number(pair->value, 0, UINT16_MAX, &v)) {
		case TEXT_NUMBER_BAD:
			return VIOLATION_BAD_NUMBER;
		case TEXT_NUMBER_RANGE:
			return VIOLATION_OUT_OF_RANGE;
		case TEXT_NUMBER_OK:
			break;
		}
		l->tpgt = (int32_t)v;
		break;
	}
	/* 13.26.2: behaviour must not depend on X#NodeArchitecture; TargetAddress matters to a
	 * redirection only. */
	return VIOLATION_NONE;
}

enum login_violation
login_pair_receive(struct login *l, const struct text_pair *pair)
{
	const struct key_info *k;
	enum login_violation bad;
	enum key_id key;
	bool needed = false;

	if (!neg_key_find(pair->key, &key))
		return receive_unknown(l, pair);
	k = neg_key_info(key);
	if (k->stage != KEY_STAGE_ANY &&
	    k->stage != (l->stage == LOGIN_SECURITY ? KEY_STAGE_SECURITY : KEY_STAGE_OPERATIONAL))
		return VIOLATION_WRONG_STAGE;
	/*
	 * 6.3: "An attempt to renegotiate/redeclare parameters not specifically
	 * allowed MUST be detected", TargetAddress being allowed.
	 */
	if (l->seen[key] && key != KEY_target_address)
		return VIOLATION_DUPLICATE_KEY;
	l->seen[key] = true;
	switch (k->type) {
	case KEY_TYPE_NUM:
	case KEY_TYPE_BOOL:
	case KEY_TYPE_LIST:
		bad = deal_receive(&l->deal, key, pair->value, &l->out, &needed);
		l->answer_needed |= needed;
		/* Where it ends the login, it is told as that. */
		if (bad == VIOLATION_NONE && deal_rejected(&l->deal, key))
			note_name(l->rejected_names, pair->key);
		return bad;
	case KEY_TYPE_DECL:
		return receive_declaration(l, key, pair);
	case KEY_TYPE_SEC:
		return chap_receive(&l->chap, key, pair->value);
	case KEY_TYPE_GONE:
		if (is_reserved_word(pair->value))
			return VIOLATION_RESERVED_VALUE;
		/* They were ANDed booleans and their intervals: "No" needed no answer even then. */
		l->answer_needed |= strcmp(pair->value, "No") != 0;
		text_put(&l->out, k->name, k->answer);
		return VIOLATION_NONE;
	}
	return VIOLATION_NONE;
}
