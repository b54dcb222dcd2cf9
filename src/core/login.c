#include "core/login.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/login_impl.h"

/* 6.3: "The default MaxRecvDataSegmentLength is used during login." */
#define SEGMENT_BYTES 8192

size_t
login_bytes(void)
{
	return sizeof(struct login);
}

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
	explicit_bzero(l->out_bytes, sizeof l->out_bytes);
	explicit_bzero(l->reader.pair, sizeof l->reader.pair);
	free(l);
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
		return login_end_number(
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

/* The text of the response is complete, and so is authentication as far as it goes. */
static enum login_step
proceed(struct login *l, bool is_final, struct login_req *ret_req)
{
	enum login_violation bad;
	enum key_id culprit = 0;

	if (l->out.overflow)
		return login_end(l, VIOLATION_TEXT_TOO_LONG, NULL, NULL);
	if (!is_final)
		return send_next(l, false, ret_req);
	/* 11.13.6: T=1 "MUST NOT contain key=value pairs that may require additional answers" */
	if (l->answer_needed)
		return login_end(l, VIOLATION_TRANSIT_OFFER, NULL, NULL);
	bad = deal_finish(&l->deal,
	    l->stage == LOGIN_SECURITY ? KEY_STAGE_SECURITY : KEY_STAGE_OPERATIONAL, &culprit);
	if (bad != VIOLATION_NONE)
		return login_end(l, bad, neg_key_info(culprit)->name, NULL);
	if (l->stage == LOGIN_OPERATIONAL) {
		l->ended = true;
		return LOGIN_DONE;
	}
	/* What the target did not wait for (NotUnderstood) has no place in the next stage. */
	l->out = put_over(l->out_bytes, sizeof l->out_bytes);
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
		return login_end_text(l, r);
	text_reader_init(&l->reader, LIMIT_LOGIN_TEXT_BYTES);
	bad = check_tpgt(l);
	if (bad == VIOLATION_WRONG_TPGT)
		return login_end_number(l, bad, neg_key_info(KEY_tpgt)->name, (uint32_t)l->tpgt);
	if (bad != VIOLATION_NONE)
		return login_end(l, bad, NULL, NULL);
	if (l->stage == LOGIN_SECURITY) {
		bad = authenticate(l, is_final);
		if (bad != VIOLATION_NONE)
			return login_end(l, bad, NULL, NULL);
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
	/* 11.13.4: "incremented by 1" with each response; 11.12.5: the ISID is the initiator's. */
	if (!rsp->has_next_stat_sn)
		return login_end(l, VIOLATION_STAT_SN, NULL, NULL);
	if (!rsp->has_our_isid)
		return login_end(l, VIOLATION_OTHER_ISID, NULL, NULL);
	if (rsp->text_len > SEGMENT_BYTES)
		return login_end_number(l, VIOLATION_SEGMENT_TOO_LONG, "bytes", rsp->text_len);
	if (rsp->transit && rsp->cont)
		return login_end(l, VIOLATION_TRANSIT_CONTINUE, NULL, NULL);
	if (rsp->csg != l->stage)
		return login_end_number(l, VIOLATION_BAD_CSG, "CSG", rsp->csg);
	if (rsp->transit && !l->last.transit)
		return login_end(l, VIOLATION_TRANSIT_UNASKED, NULL, NULL);
	if (rsp->transit && rsp->nsg != l->last.nsg)
		return login_end_number(l, VIOLATION_BAD_NSG, "NSG", rsp->nsg);
	/*
	 * 11.13.3: a session that begins gets a number.  To a discovery session it
	 * means nothing, and targets are known that give it none.
	 */
	if (rsp->transit && rsp->nsg == LOGIN_FULL_FEATURE && rsp->tsih == 0 &&
	    l->cfg->target_name != NULL)
		return login_end(l, VIOLATION_ZERO_TSIH, NULL, NULL);
	/* 6.2: C=1 MUST be answered "with no data segment". */
	if (l->last.cont && (rsp->text_len > 0 || rsp->cont))
		return login_end(l, VIOLATION_CONTINUE_TEXT, NULL, NULL);
	return LOGIN_SEND;
}

enum login_step
login_rx(struct login *l, const struct login_rsp *rsp, struct login_req *ret_req)
{
	struct text_pair pair;
	enum text_result r;

	assert(!l->ended && l->chap.state != CHAP_VERIFY);
	if (rsp->status_class != 0)
		return login_end_status(l, rsp);
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
		enum login_violation bad = login_pair_receive(l, &pair);

		if (bad != VIOLATION_NONE)
			return login_end(l, bad, pair.key, pair.value);
	}
	if (r != TEXT_END)
		return login_end_text(l, r);
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
login_verified(struct login *l, enum chap_verdict verdict, struct login_req *ret_req)
{
	enum login_violation bad = chap_verified(&l->chap, verdict);

	if (bad != VIOLATION_NONE)
		return login_end(l, bad, NULL, NULL);
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
login_unknown_keys(const struct login *l)
{
	return l->unknown_names;
}

const char *
login_rejected_keys(const struct login *l)
{
	return l->rejected_names;
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

unsigned
login_chap_algorithm(const struct login *l)
{
	return l->chap.algorithm;
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
