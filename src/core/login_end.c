#include <assert.h>
#include <string.h>

#include "core/addr.h"
#include "core/login_impl.h"

enum login_step
login_end(struct login *l, enum login_violation why, const char *key, const char *value)
{
	struct put w = put_over(l->culprit, sizeof l->culprit);
	enum key_id id;

	l->ended = true;
	l->violation = why;
	if (key != NULL) {
		text_put_printable(&w, key);
		if (value != NULL && put_len(&w) < CULPRIT_BYTES) {
			put_u8(&w, '=');
			text_put_printable(&w, value);
		}
	}
	put_u8(&w, 0);
	l->proposed[0] = '\0';
	if (key != NULL && neg_key_find(key, &id) && id < neg_param_count() &&
	    deal_proposed(&l->deal, id) &&
	    !neg_format_offer(&l->deal.offer, id, l->proposed, sizeof l->proposed))
		l->proposed[0] = '\0';

	w = put_over(l->reason, sizeof l->reason);
	put_str(&w, violation_text(why));
	if (l->culprit[0] != '\0') {
		put_str(&w, " (");
		put_str(&w, l->culprit);
		if (l->proposed[0] != '\0') {
			put_str(&w, "; proposed was ");
			put_str(&w, l->proposed);
		}
		put_str(&w, ")");
	}
	put_u8(&w, 0);
	assert(!w.overflow);
	return LOGIN_VIOLATION;
}

enum login_step
login_end_number(struct login *l, enum login_violation why, const char *name, uint32_t number)
{
	char text[12];
	struct put w = put_over(text, sizeof text);

	text_put_decimal(&w, number);
	put_u8(&w, 0);
	return login_end(l, why, name, text);
}

enum login_step
login_end_text(struct login *l, enum text_result r)
{
	enum login_violation why = VIOLATION_NONE;

	switch (r) {
	case TEXT_PAIR:
	case TEXT_END:
		assert(false);
		break;
	case TEXT_NO_EQUAL:
		why = VIOLATION_NO_EQUAL;
		break;
	case TEXT_BAD_KEY:
		why = VIOLATION_BAD_KEY_NAME;
		break;
	case TEXT_KEY_TOO_LONG:
		why = VIOLATION_KEY_TOO_LONG;
		break;
	case TEXT_PAIR_TOO_LONG:
		why = VIOLATION_PAIR_TOO_LONG;
		break;
	case TEXT_TOO_LONG:
		why = VIOLATION_TEXT_TOO_LONG;
		break;
	case TEXT_NO_NUL:
		why = VIOLATION_NO_NUL;
		break;
	case TEXT_INCOMPLETE:
		why = VIOLATION_TEXT_INCOMPLETE;
		break;
	}
	return login_end(l, why, text_reader_rest(&l->reader), NULL);
}

/* 11.13.5: "All of the redirection Status-Class responses MUST return [...] TargetAddress". */
static enum login_step
redirected(struct login *l, const struct login_rsp *rsp)
{
	enum login_violation why = VIOLATION_REDIRECT_MISSING;
	char key[CULPRIT_BYTES] = "", value[CULPRIT_BYTES] = "";
	struct text_pair pair;
	struct addr addr;

	text_reader_init(&l->reader, LIMIT_LOGIN_TEXT_BYTES);
	text_reader_feed(&l->reader, rsp->text, rsp->text_len);
	while (text_reader_next(&l->reader, &pair) == TEXT_PAIR) {
		bool is_address = strcmp(pair.key, neg_key_info(KEY_target_address)->name) == 0;
		struct put w;

		if (is_address && pair.value_len <= LIMIT_ADDRESS_BYTES &&
		    addr_parse(pair.value, &addr) == ADDR_OK) {
			if (l->redirect[0] == '\0')
				memcpy(l->redirect, pair.value, pair.value_len + 1);
			continue;
		}
		/* A bad address is the better culprit than a key that has no place here. */
		if (why == VIOLATION_REDIRECT_ADDRESS)
			continue;
		why = is_address ? VIOLATION_REDIRECT_ADDRESS : VIOLATION_REDIRECT_KEY;
		w = put_over(key, sizeof key);
		text_put_printable(&w, pair.key);
		put_u8(&w, 0);
		w = put_over(value, sizeof value);
		text_put_printable(&w, pair.value);
		put_u8(&w, 0);
	}
	if (l->redirect[0] == '\0')
		return login_end(l, why, key[0] != '\0' ? key : NULL, value);
	/* What stands beside a good address is not worth a failure, but it is said. */
	if (why == VIOLATION_REDIRECT_KEY)
		memcpy(l->culprit, key, sizeof key);
	l->ended = true;
	return LOGIN_REDIRECTED;
}

enum login_step
login_end_status(struct login *l, const struct login_rsp *rsp)
{
	struct put w = put_over(l->reason, sizeof l->reason);

	put_str(&w, login_status_text(rsp->status_class, rsp->status_detail));
	put_u8(&w, 0);
	if (rsp->status_class == 1)
		return redirected(l, rsp);
	l->ended = true;
	return LOGIN_REFUSED;
}
