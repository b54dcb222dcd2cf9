#include "core/deal.h"

#include <assert.h>
#include <string.h>

#include "core/text.h"

enum {
	STATE_IDLE,
	STATE_PROPOSED, /* an answer is due */
	STATE_DECLARED, /* by us; none is due */
	STATE_SETTLED,
	STATE_REJECTED,   /* by the target, and the default holds */
	STATE_IRRELEVANT, /* the target said so; judged at the end of the stage */
};

void
deal_begin(struct deal *d, const struct neg_offer *offer, bool discovery)
{
	d->offer = *offer;
	/* 13.14: "FirstBurstLength MUST NOT exceed MaxBurstLength." */
	if (d->offer.first_burst > d->offer.max_burst)
		d->offer.first_burst = d->offer.max_burst;
	neg_params_default(&d->params);
	d->discovery = discovery;
	memset(d->state, STATE_IDLE, sizeof d->state);
}

/* "Irrelevant when", as far as these two booleans tell. */
static bool
is_irrelevant(const struct deal *d, const struct key_info *k, bool initial_r2t, bool immediate_data)
{
	switch (k->irrelevant) {
	case KEY_NEVER:
		return false;
	case KEY_DISCOVERY:
		return d->discovery;
	case KEY_NO_UNSOL:
		return d->discovery || (initial_r2t && !immediate_data);
	}
	return false;
}

static bool
is_silent(const struct deal *d, enum key_id key)
{
	const struct key_info *k = neg_key_info(key);

	return (d->offer.silent & NEG_BIT(key)) != 0 ||
	       is_irrelevant(d, k, d->offer.initial_r2t, d->offer.immediate_data) ||
	       (k->type == KEY_TYPE_LIST && neg_offer_list(&d->offer, key)->n == 0);
}

void
deal_propose(struct deal *d, enum key_stage stage, struct put *w)
{
	for (enum key_id key = 0; key < neg_param_count(); key++) {
		const struct key_info *k = neg_key_info(key);

		if (k->stage != stage || d->state[key] != STATE_IDLE || is_silent(d, key))
			continue;
		put_str(w, k->name);
		put_u8(w, '=');
		neg_put_offer(w, key, &d->offer);
		put_u8(w, 0);
		if (k->rule == KEY_RULE_DECLARE) {
			d->state[key] = STATE_DECLARED;
			neg_param_set(&d->params, key, neg_offer_value(&d->offer, key));
		} else {
			d->state[key] = STATE_PROPOSED;
		}
	}
}

bool
deal_rejected(const struct deal *d, enum key_id key)
{
	return d->state[key] == STATE_REJECTED;
}

bool
deal_proposed(const struct deal *d, enum key_id key)
{
	return d->state[key] != STATE_IDLE;
}

/* May v be the result where we proposed what is in the offer?  13, "Result function". */
static bool
is_admissible(const struct deal *d, enum key_id key, uint32_t v)
{
	const struct key_info *k = neg_key_info(key);

	switch (k->rule) {
	case KEY_RULE_MIN:
		return v <= neg_offer_value(&d->offer, key);
	case KEY_RULE_MAX:
		return v >= neg_offer_value(&d->offer, key);
	case KEY_RULE_AND:
		return neg_offer_value(&d->offer, key) || !v;
	case KEY_RULE_OR:
		return !neg_offer_value(&d->offer, key) || v;
	case KEY_RULE_CHOICE:
		return neg_list_has(neg_offer_list(&d->offer, key), (int)v);
	case KEY_RULE_DECLARE:
		return true;
	}
	return false;
}

/* A value the target sent, as a number; VIOLATION_NONE if it is one of the key's values. */
static enum login_violation
parse(const struct key_info *k, const char *value, uint32_t *ret_v)
{
	uint64_t v = 0;
	bool yes = false;
	int choice;

	switch (k->type) {
	case KEY_TYPE_NUM:
		switch (text_number(value, k->min, k->max, &v)) {
		case TEXT_NUMBER_BAD:
			return VIOLATION_BAD_NUMBER;
		case TEXT_NUMBER_RANGE:
			return VIOLATION_OUT_OF_RANGE;
		case TEXT_NUMBER_OK:
			break;
		}
		*ret_v = (uint32_t)v;
		return VIOLATION_NONE;
	case KEY_TYPE_BOOL:
		if (!text_boolean(value, &yes))
			return VIOLATION_BAD_BOOLEAN;
		*ret_v = yes;
		return VIOLATION_NONE;
	case KEY_TYPE_LIST:
		choice = neg_value_find(k, value, strlen(value));
		if (choice < 0)
			return VIOLATION_NOT_OFFERED;
		*ret_v = (uint32_t)choice;
		return VIOLATION_NONE;
	case KEY_TYPE_DECL:
	case KEY_TYPE_SEC:
	case KEY_TYPE_GONE:
		break;
	}
	assert(false); /* no key of neg_params is of these types */
	return VIOLATION_NOT_OFFERED;
}

/* The words of 6.2 that answer any key. */
enum word { WORD_OTHER, WORD_REJECT, WORD_IRRELEVANT, WORD_NOT_UNDERSTOOD };

static enum word
word_of(const char *value)
{
	if (strcmp(value, "Reject") == 0)
		return WORD_REJECT;
	if (strcmp(value, "Irrelevant") == 0)
		return WORD_IRRELEVANT;
	if (strcmp(value, "NotUnderstood") == 0)
		return WORD_NOT_UNDERSTOOD;
	return WORD_OTHER;
}

/* The target answered our proposal. */
static enum login_violation
receive_answer(struct deal *d, enum key_id key, const char *value)
{
	const struct key_info *k = neg_key_info(key);
	enum login_violation bad;
	uint32_t v;

	d->state[key] = STATE_SETTLED;
	switch (word_of(value)) {
	case WORD_NOT_UNDERSTOOD:
		/*
		 * 6.2: "Returning a NotUnderstood response on any of these text keys
		 * therefore MUST be considered a protocol error"; yet a target of RFC 3720
		 * cannot know what RFC 5048 and RFC 7144 added later.
		 */
		return k->since > 3720 ? VIOLATION_NONE : VIOLATION_NOT_UNDERSTOOD;
	case WORD_REJECT:
		/* 6.2: "the negotiated key is left at its current value (or default if no value was
		 * set)" */
		if (key == KEY_auth_method)
			return VIOLATION_AUTH_REJECTED;
		d->state[key] = STATE_REJECTED;
		return is_admissible(d, key, k->default_value) ? VIOLATION_NONE
							       : VIOLATION_REJECTED;
	case WORD_IRRELEVANT:
		d->state[key] = STATE_IRRELEVANT;
		return VIOLATION_NONE;
	case WORD_OTHER:
		break;
	}
	bad = parse(k, value, &v);
	if (bad != VIOLATION_NONE)
		return bad;
	if (!is_admissible(d, key, v)) {
		return k->type == KEY_TYPE_NUM    ? VIOLATION_AGAINST_RULE
		       : k->type == KEY_TYPE_BOOL ? VIOLATION_BOOLEAN_RULE
						  : VIOLATION_NOT_OFFERED;
	}
	neg_param_set(&d->params, key, v);
	return VIOLATION_NONE;
}

/* The target declared MaxRecvDataSegmentLength, or answers our declaration of it. */
static enum login_violation
receive_declaration(struct deal *d, const struct key_info *k, const char *value)
{
	enum login_violation bad;
	uint32_t v;

	switch (word_of(value)) {
	case WORD_NOT_UNDERSTOOD:
		return VIOLATION_NOT_UNDERSTOOD;
	case WORD_REJECT:
		return VIOLATION_REJECTED;
	case WORD_IRRELEVANT:
		return VIOLATION_IRRELEVANT;
	case WORD_OTHER:
		break;
	}
	bad = parse(k, value, &v);
	if (bad == VIOLATION_NONE)
		d->params.peer_max_recv_dsl = v;
	return bad;
}

/* The first value of the target's list that we offer too, or -1. */
static int
choose(const struct deal *d, enum key_id key, const char *value)
{
	const struct key_info *k = neg_key_info(key);
	const char *item;
	size_t n;

	while (text_list_next(&value, &item, &n)) {
		int v = neg_value_find(k, item, n);

		if (v >= 0 && neg_list_has(neg_offer_list(&d->offer, key), v))
			return v;
	}
	return -1;
}

/* The result function of the key over the target's proposal and our own will; false: Reject. */
static bool
select_value(const struct deal *d, enum key_id key, const char *value, uint32_t *ret_v)
{
	const struct key_info *k = neg_key_info(key);
	uint32_t theirs, ours;
	int choice;

	if (k->rule == KEY_RULE_CHOICE) {
		choice = choose(d, key, value);
		*ret_v = (uint32_t)choice;
		return choice >= 0;
	}
	/* 6.2.2: "Proposing a value not admissible [...] MAY be answered with the constant Reject"
	 */
	if (parse(k, value, &theirs) != VIOLATION_NONE)
		return false;
	ours = neg_offer_value(&d->offer, key);
	if (k->rule == KEY_RULE_MIN || k->rule == KEY_RULE_AND)
		*ret_v = theirs < ours ? theirs : ours;
	else
		*ret_v = theirs > ours ? theirs : ours;
	return true;
}

/* The target proposes a key that we did not. */
static enum login_violation
receive_proposal(
    struct deal *d, enum key_id key, const char *value, struct put *answers, bool *ret_needed)
{
	const struct key_info *k = neg_key_info(key);
	uint32_t v;

	/* 6.2: "MUST ONLY be used as described here", not as proposed values. */
	if (word_of(value) != WORD_OTHER)
		return VIOLATION_RESERVED_VALUE;
	d->state[key] = STATE_SETTLED;
	*ret_needed = true;
	if (is_irrelevant(d, k, d->offer.initial_r2t, d->offer.immediate_data)) {
		text_put(answers, k->name, "Irrelevant");
		return VIOLATION_NONE;
	}
	if (!select_value(d, key, value, &v)) {
		text_put(answers, k->name, "Reject");
		return VIOLATION_NONE;
	}
	/* 6.2.2: the answer is optional where the received value decides. */
	if ((k->rule == KEY_RULE_AND && strcmp(value, "No") == 0) ||
	    (k->rule == KEY_RULE_OR && strcmp(value, "Yes") == 0))
		*ret_needed = false;
	put_str(answers, k->name);
	put_u8(answers, '=');
	neg_put_value(answers, key, v);
	put_u8(answers, 0);
	neg_param_set(&d->params, key, v);
	return VIOLATION_NONE;
}

enum login_violation
deal_receive(struct deal *d, enum key_id key, const char *value, struct put *answers,
    bool *ret_answer_needed)
{
	const struct key_info *k = neg_key_info(key);

	assert(key < neg_param_count());
	*ret_answer_needed = false;
	if (k->rule == KEY_RULE_DECLARE)
		return receive_declaration(d, k, value);
	if (d->state[key] == STATE_PROPOSED)
		return receive_answer(d, key, value);
	return receive_proposal(d, key, value, answers, ret_answer_needed);
}

/* The stage ended and this proposal has no answer. */
static enum login_violation
finish_unanswered(struct deal *d, enum key_id key)
{
	const struct key_info *k = neg_key_info(key);

	d->state[key] = STATE_SETTLED;
	if ((k->rule == KEY_RULE_AND && !neg_offer_value(&d->offer, key)) ||
	    (k->rule == KEY_RULE_OR && neg_offer_value(&d->offer, key))) {
		/* 6.2.2: our value decided; the answer was optional. */
		neg_param_set(&d->params, key, neg_offer_value(&d->offer, key));
		return VIOLATION_NONE;
	}
	/* An old target may ignore what it does not understand (6.2; RFC 7144, 7.1.1). */
	if (k->since > 3720)
		return VIOLATION_NONE;
	return k->type == KEY_TYPE_NUM ? VIOLATION_NUMBER_UNANSWERED : VIOLATION_TEXT_UNANSWERED;
}

static enum login_violation
check_bursts(struct deal *d, enum key_id *ret_culprit)
{
	struct neg_params *p = &d->params;

	if (d->discovery || p->first_burst <= p->max_burst)
		return VIOLATION_NONE;
	/*
	 * 13.14: "FirstBurstLength MUST NOT exceed MaxBurstLength."  Without an
	 * unsolicited burst it bounds immediate data only, and less of that is always
	 * allowed; a burst, however, must be as long as the target believes.
	 */
	if (p->initial_r2t || (d->state[KEY_first_burst] != STATE_SETTLED &&
				  d->state[KEY_first_burst] != STATE_REJECTED)) {
		p->first_burst = p->max_burst;
		return VIOLATION_NONE;
	}
	*ret_culprit = KEY_first_burst;
	return VIOLATION_BURST_ORDER;
}

enum login_violation
deal_finish(struct deal *d, enum key_stage stage, enum key_id *ret_culprit)
{
	for (enum key_id key = 0; key < neg_param_count(); key++) {
		const struct key_info *k = neg_key_info(key);
		enum login_violation bad = VIOLATION_NONE;

		if (k->stage != stage)
			continue;
		if (d->state[key] == STATE_PROPOSED)
			bad = finish_unanswered(d, key);
		else if (d->state[key] == STATE_IRRELEVANT &&
			 !is_irrelevant(d, k, d->params.initial_r2t, d->params.immediate_data) &&
			 (key == KEY_auth_method || !is_admissible(d, key, k->default_value)))
			bad = VIOLATION_IRRELEVANT;
		if (bad != VIOLATION_NONE) {
			*ret_culprit = key;
			return bad;
		}
	}
	return stage == KEY_STAGE_OPERATIONAL ? check_bursts(d, ret_culprit) : VIOLATION_NONE;
}
