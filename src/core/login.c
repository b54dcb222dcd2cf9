#include "core/login.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/addr.h"
#include "core/deal.h"
#include "core/text.h"

/* 6.3: "The default MaxRecvDataSegmentLength is used during login." */
#define SEGMENT_BYTES 8192
/*
 * Unknown keys one login may bring: as many as we can answer with
 * NotUnderstood within LIMIT_LOGIN_TEXT_BYTES, with room for all else we say.
 */
#define UNKNOWN_KEYS_MAX 160
#define CULPRIT_BYTES    200

struct login {
	const struct login_cfg *cfg;
	struct deal deal;
	struct chap chap;
	enum login_stage stage;
	unsigned rounds;   /* requests sent in this stage */
	bool want_transit; /* we are ready to leave the stage */
	bool had_text;     /* a response's text was complete before: TargetPortalGroupTag was due */
	bool is_listening; /* the target's last text had the C bit: more of it follows */
	bool answer_needed; /* the target proposed something in this text that must be answered */
	bool seen[KEY_COUNT];
	size_t n_unknown;
	uint64_t unknown[UNKNOWN_KEYS_MAX]; /* hashes of unknown keys that were answered */

	/* The request that was sent last, and what is to be sent. */
	struct login_req last;
	struct put out;
	size_t out_sent;
	bool verify_final; /* T bit of the response that LOGIN_VERIFY waits with */

	/* How it came out. */
	bool ended;
	enum login_violation violation;
	int32_t tpgt;
	char target_alias[LIMIT_ALIAS_BYTES + 1];
	char redirect[LIMIT_ADDRESS_BYTES + 1];
	char culprit[CULPRIT_BYTES + 1], proposed[CULPRIT_BYTES + 1];
	char reason[3 * CULPRIT_BYTES];

	struct text_reader reader;
	uint8_t out_bytes[LIMIT_LOGIN_TEXT_BYTES];
};

struct login *
login_new(const struct login_cfg *cfg)
{
	struct login *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->cfg = cfg;
	l->tpgt = -1;
	deal_begin(&l->deal, &cfg->offer, cfg->target_name == NULL);
	chap_init(&l->chap, cfg->chap);
	text_reader_init(&l->reader, LIMIT_LOGIN_TEXT_BYTES);
	l->out = put_over(l->out_bytes, sizeof l->out_bytes);
	return l;
}

void
login_free(struct login *l)
{
	if (l == NULL)
		return;
	chap_fini(&l->chap);
	/* The text holds challenges and responses. */
	for (volatile uint8_t *p = l->out_bytes, *end = p + sizeof l->out_bytes; p < end; p++)
		*p = 0;
	for (volatile char *p = l->reader.pair, *end = p + sizeof l->reader.pair; p < end; p++)
		*p = 0;
	free(l);
}

/* How a login ends. */

static enum login_step
fail(struct login *l, enum login_violation why, const char *key, const char *value)
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

/* Something is wrong with a number of the header. */
static enum login_step
fail_number(struct login *l, enum login_violation why, const char *name, uint32_t number)
{
	char text[12];
	struct put w = put_over(text, sizeof text);

	text_put_decimal(&w, number);
	put_u8(&w, 0);
	return fail(l, why, name, text);
}

static enum login_step
fail_text(struct login *l, enum text_result r)
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
	return fail(l, why, text_reader_rest(&l->reader), NULL);
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
			memcpy(l->redirect, pair.value, pair.value_len + 1);
			l->ended = true;
			return LOGIN_REDIRECTED;
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
	return fail(l, why, key[0] != '\0' ? key : NULL, value);
}

static enum login_step
exception(struct login *l, const struct login_rsp *rsp)
{
	struct put w = put_over(l->reason, sizeof l->reason);

	put_str(&w, login_status_text(rsp->status_class, rsp->status_detail));
	put_u8(&w, 0);
	if (rsp->status_class == 1)
		return redirected(l, rsp);
	l->ended = true;
	return LOGIN_REFUSED;
}

/* Sending. */

static enum login_stage
next_stage(const struct login *l)
{
	return l->stage == LOGIN_SECURITY ? LOGIN_OPERATIONAL : LOGIN_FULL_FEATURE;
}

/* The next request: what is left to say, or nothing while the target still talks. */
static enum login_step
send_next(struct login *l, bool is_silent, struct login_req *ret_req)
{
	size_t left = is_silent ? 0 : put_len(&l->out) - l->out_sent;
	size_t n = left < SEGMENT_BYTES ? left : SEGMENT_BYTES;

	/* 6.2: "SHOULD allow at least six (6) exchanges." */
	if (l->rounds++ >= LIMIT_LOGIN_EXCHANGES)
		return fail_number(
		    l, VIOLATION_TOO_MANY_ROUNDS, "exchanges", LIMIT_LOGIN_EXCHANGES);
	l->last.cont = left > n;
	/* 6.2: with the C bit set "MUST NOT have the F bit or T bit set to 1". */
	l->last.transit = l->want_transit && !l->last.cont;
	l->last.csg = l->stage;
	l->last.nsg = l->last.transit ? next_stage(l) : LOGIN_SECURITY;
	l->last.text = l->out.start + l->out_sent;
	l->last.text_len = (uint32_t)n;
	l->out_sent += n;
	*ret_req = l->last;
	return LOGIN_SEND;
}

static bool
offers_only_none(const struct login *l)
{
	const struct neg_list *auth = &l->deal.offer.auth_method;

	return auth->n == 0 || (auth->n == 1 && auth->value[0] == NEG_AUTH_NONE);
}

static void
enter(struct login *l, enum login_stage stage)
{
	l->stage = stage;
	l->rounds = 0;
	deal_propose(&l->deal, stage == LOGIN_SECURITY ? KEY_STAGE_SECURITY : KEY_STAGE_OPERATIONAL,
	    &l->out);
	/* Where an authentication may follow, the target speaks first. */
	l->want_transit = stage == LOGIN_OPERATIONAL || offers_only_none(l);
}

static void
declare(struct login *l, enum key_id key, const char *value)
{
	text_put(&l->out, neg_key_info(key)->name, value);
}

enum login_step
login_start(struct login *l, struct login_req *ret_req)
{
	const struct login_cfg *cfg = l->cfg;

	declare(l, KEY_initiator_name, cfg->initiator_name);
	if (cfg->initiator_alias != NULL && cfg->initiator_alias[0] != '\0')
		declare(l, KEY_initiator_alias, cfg->initiator_alias);
	if (cfg->target_name != NULL) {
		declare(l, KEY_target_name, cfg->target_name);
		declare(l, KEY_session_type, "Normal");
	} else {
		declare(l, KEY_session_type, "Discovery");
	}
	enter(l, cfg->skip_security && offers_only_none(l) ? LOGIN_OPERATIONAL : LOGIN_SECURITY);
	assert(!l->out.overflow);
	return send_next(l, false, ret_req);
}

/* Receiving. */

static bool
is_reserved_word(const char *value)
{
	return strcmp(value, "NotUnderstood") == 0 || strcmp(value, "Reject") == 0 ||
	       strcmp(value, "Irrelevant") == 0;
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
		if (pair->value_len > LIMIT_ALIAS_BYTES || !text_is_utf8(pair->value))
			return VIOLATION_BAD_VALUE;
		memcpy(l->target_alias, pair->value, pair->value_len + 1);
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

static enum login_violation
receive_pair(struct login *l, const struct text_pair *pair)
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

/* The text of the response is complete, and so is authentication as far as it goes. */
static enum login_step
proceed(struct login *l, bool is_final, struct login_req *ret_req)
{
	enum login_violation bad;
	enum key_id culprit = 0;

	if (l->out.overflow)
		return fail(l, VIOLATION_TEXT_TOO_LONG, NULL, NULL);
	if (!is_final)
		return send_next(l, false, ret_req);
	/* 11.13.6: T=1 "MUST NOT contain key=value pairs that may require additional answers" */
	if (l->answer_needed)
		return fail(l, VIOLATION_TRANSIT_OFFER, NULL, NULL);
	bad = deal_finish(&l->deal,
	    l->stage == LOGIN_SECURITY ? KEY_STAGE_SECURITY : KEY_STAGE_OPERATIONAL, &culprit);
	if (bad != VIOLATION_NONE)
		return fail(l, bad, neg_key_info(culprit)->name, NULL);
	if (l->stage == LOGIN_OPERATIONAL) {
		l->ended = true;
		return LOGIN_DONE;
	}
	enter(l, LOGIN_OPERATIONAL);
	return send_next(l, false, ret_req);
}

/* What the security stage makes of a complete text. */
static enum login_violation
authenticate(struct login *l, bool is_final)
{
	enum login_violation bad = VIOLATION_NONE;

	if (l->chap.state != CHAP_IDLE)
		bad = chap_step(&l->chap, is_final, &l->out);
	else if (l->deal.params.auth_method == NEG_AUTH_CHAP)
		bad = chap_start(&l->chap, &l->out);
	/* The target has chosen (or needs not), and our part of CHAP is said. */
	l->want_transit =
	    offers_only_none(l) ||
	    (l->seen[KEY_auth_method] && l->deal.params.auth_method == NEG_AUTH_NONE) ||
	    l->chap.state == CHAP_WAIT_NR || l->chap.state == CHAP_FINISHED;
	return bad;
}

/* 6.3.1: TargetPortalGroupTag comes "with the first Login Response PDU with which it is allowed to
 * do so". */
static enum login_violation
check_tpgt(struct login *l)
{
	if (l->had_text)
		return VIOLATION_NONE;
	l->had_text = true;
	/* A discovery session names no target, so many targets have no tag to tell (13.9). */
	if (l->tpgt < 0)
		return l->cfg->target_name != NULL ? VIOLATION_NO_TPGT : VIOLATION_NONE;
	if (l->cfg->expected_tpgt >= 0 && l->tpgt != l->cfg->expected_tpgt)
		return VIOLATION_WRONG_TPGT;
	return VIOLATION_NONE;
}

static enum login_step
complete(struct login *l, bool is_final, struct login_req *ret_req)
{
	enum text_result r = text_reader_finish(&l->reader);
	enum login_violation bad;

	if (r != TEXT_END)
		return fail_text(l, r);
	text_reader_init(&l->reader, LIMIT_LOGIN_TEXT_BYTES);
	bad = check_tpgt(l);
	if (bad == VIOLATION_WRONG_TPGT)
		return fail_number(l, bad, neg_key_info(KEY_tpgt)->name, (uint32_t)l->tpgt);
	if (bad != VIOLATION_NONE)
		return fail(l, bad, NULL, NULL);
	if (l->stage == LOGIN_SECURITY) {
		bad = authenticate(l, is_final);
		if (bad != VIOLATION_NONE)
			return fail(l, bad, NULL, NULL);
		if (l->chap.state == CHAP_VERIFY) {
			l->verify_final = is_final;
			return LOGIN_VERIFY;
		}
	}
	return proceed(l, is_final, ret_req);
}

/* Bits and stages of the header, 6.3 and 11.13. */
static enum login_step
check_header(struct login *l, const struct login_rsp *rsp)
{
	if (rsp->text_len > SEGMENT_BYTES)
		return fail_number(l, VIOLATION_SEGMENT_TOO_LONG, "bytes", rsp->text_len);
	if (rsp->transit && rsp->cont)
		return fail(l, VIOLATION_TRANSIT_CONTINUE, NULL, NULL);
	if (rsp->csg != l->stage)
		return fail_number(l, VIOLATION_BAD_CSG, "CSG", rsp->csg);
	if (rsp->transit && !l->last.transit)
		return fail(l, VIOLATION_TRANSIT_UNASKED, NULL, NULL);
	if (rsp->transit && rsp->nsg != l->last.nsg)
		return fail_number(l, VIOLATION_BAD_NSG, "NSG", rsp->nsg);
	/* 6.2: C=1 MUST be answered "with no data segment". */
	if (l->last.cont && (rsp->text_len > 0 || rsp->cont))
		return fail(l, VIOLATION_CONTINUE_TEXT, NULL, NULL);
	return LOGIN_SEND;
}

enum login_step
login_rx(struct login *l, const struct login_rsp *rsp, struct login_req *ret_req)
{
	struct text_pair pair;
	enum text_result r;

	assert(!l->ended && l->chap.state != CHAP_VERIFY);
	if (rsp->status_class != 0)
		return exception(l, rsp);
	if (check_header(l, rsp) != LOGIN_SEND)
		return LOGIN_VIOLATION;
	if (l->last.cont)
		return send_next(l, false, ret_req);
	if (!l->is_listening) {
		/* Everything was said and heard; what is written now answers this text. */
		l->out = put_over(l->out_bytes, sizeof l->out_bytes);
		l->out_sent = 0;
		l->answer_needed = false;
	}
	l->is_listening = rsp->cont;
	text_reader_feed(&l->reader, rsp->text, rsp->text_len);
	while ((r = text_reader_next(&l->reader, &pair)) == TEXT_PAIR) {
		enum login_violation bad = receive_pair(l, &pair);

		if (bad != VIOLATION_NONE)
			return fail(l, bad, pair.key, pair.value);
	}
	if (r != TEXT_END)
		return fail_text(l, r);
	/* 6.2: C=1 MUST be answered "with a Text or Login Request with no data segment". */
	if (rsp->cont)
		return send_next(l, true, ret_req);
	return complete(l, rsp->transit, ret_req);
}

void
login_query(const struct login *l, struct chap_query *ret_query)
{
	chap_query(&l->chap, ret_query);
}

enum login_step
login_verified(struct login *l, bool ok, struct login_req *ret_req)
{
	enum login_violation bad = chap_verified(&l->chap, ok);

	if (bad != VIOLATION_NONE)
		return fail(l, bad, NULL, NULL);
	return proceed(l, l->verify_final, ret_req);
}

const struct neg_params *
login_params(const struct login *l)
{
	return &l->deal.params;
}

int32_t
login_tpgt(const struct login *l)
{
	return l->tpgt;
}

const char *
login_target_alias(const struct login *l)
{
	return l->target_alias;
}

const char *
login_redirect(const struct login *l)
{
	return l->redirect[0] != '\0' ? l->redirect : NULL;
}

const char *
login_reason(const struct login *l)
{
	return l->reason;
}

enum login_violation
login_violation(const struct login *l)
{
	return l->violation;
}

const char *
login_culprit(const struct login *l)
{
	return l->culprit;
}

const char *
login_proposed(const struct login *l)
{
	return l->proposed;
}
