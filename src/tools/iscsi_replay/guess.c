#include "tools/iscsi_replay/guess.h"

#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "core/text.h"
#include "tools/common/say.h"

/* Longer than any time of a capture. */
#define FOREVER_MS (1u << 30)

/* It says nothing, in the right length: nobody compares it. */
static size_t
hash(void *ctx, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out)
{
	(void)ctx;
	(void)parts;
	(void)n;
	memset(out, 0x5a, CHAP_DIGEST_MAX); /* none that a target could have, hidden or not */
	return chap_algorithm_bytes(algorithm);
}

static const struct chap_ops chap_ops = { .hash = hash };

static void
take_algorithms(struct guess *g, const char *value)
{
	const char *item;
	size_t len;

	g->chap.n_algorithms = 0;
	while (text_list_next(&value, &item, &len) && g->chap.n_algorithms < CHAP_ALGORITHMS_MAX) {
		unsigned number = 0;

		for (size_t i = 0; i < len && number < 100; i++)
			number = number * 10 + (unsigned)(item[i] - '0') % 10;
		if (chap_algorithm_bytes(number) != 0)
			g->chap.algorithm[g->chap.n_algorithms++] = (uint8_t)number;
	}
}

static void
take_challenge(struct guess *g, const char *value)
{
	size_t n;

	if (!text_binary(value, g->challenge, sizeof g->challenge, &n))
		return;
	/* Not the target's, which may be hidden and all zero. */
	memset(g->challenge, 0xa5, n);
	g->chap.challenge = g->challenge;
	g->chap.challenge_len = n;
	g->chap.mutual = CHAP_BI_ASK;
}

/* A key with a value in neg_params: offered, or answered to what the target had sent before. */
static void
take_offer(struct guess *g, enum key_id key, const char *value, uint64_t targets)
{
	struct neg_offer offer = g->cfg.login.offer;

	if (neg_parse_value(key, value, &offer) != NEG_PARSE_OK)
		return;
	if ((targets >> key & 1) == 0)
		offer.silent &= ~NEG_BIT(key);
	g->cfg.login.offer = offer;
}

static void
take(struct guess *g, const struct text_pair *p, uint64_t targets)
{
	enum key_id key;
	uint64_t number;

	if (!neg_key_find(p->key, &key))
		return;
	if (key < neg_param_count()) {
		take_offer(g, key, p->value, targets);
		return;
	}
	switch ((int)key) {
	case KEY_initiator_name:
		cut_copy(g->name, sizeof g->name, p->value);
		break;
	case KEY_initiator_alias:
		cut_copy(g->alias, sizeof g->alias, p->value);
		break;
	case KEY_target_name:
		cut_copy(g->target, sizeof g->target, p->value);
		break;
	case KEY_session_type:
		g->is_discovery = strcmp(p->value, "Discovery") == 0;
		break;
	case KEY_chap_a:
		take_algorithms(g, p->value);
		break;
	case KEY_chap_n:
		cut_copy(g->chap_name, sizeof g->chap_name, p->value);
		break;
	case KEY_chap_i:
		if (text_number(p->value, 0, 255, &number) == TEXT_NUMBER_OK)
			g->chap.identifier = (uint8_t)number;
		break;
	case KEY_chap_c:
		take_challenge(g, p->value);
		break;
	}
}

/* The pairs of one Login PDU; of the target's only which keys they are. */
static void
take_pdu(struct guess *g, struct text_reader *r, const struct talks_pdu *p, uint64_t *targets)
{
	uint32_t n = pdu_data_bytes(p->bytes), have = p->kept - PDU_BHS_BYTES;
	struct text_pair pair;
	enum text_result got;
	enum key_id key;

	text_reader_feed(r, p->bytes + PDU_BHS_BYTES, n < have ? n : have);
	while ((got = text_reader_next(r, &pair)) == TEXT_PAIR) {
		if (p->way == TRACE_OUT)
			take(g, &pair, *targets);
		else if (neg_key_find(pair.key, &key))
			*targets |= 1ull << key;
	}
}

static void
begin(struct guess *g)
{
	struct neg_offer *offer = &g->cfg.login.offer;

	*g = (struct guess){ 0 };
	neg_offer_default(offer);
	for (enum key_id key = 0; key < neg_param_count(); key++)
		offer->silent |= NEG_BIT(key);
	g->chap.ops = &chap_ops;
	g->chap.mutual = CHAP_UNI;
	g->chap.secret = (const uint8_t *)"replayed";
	g->chap.secret_len = 8;
	g->cfg.login.expected_tpgt = -1;
	g->cfg.slots = LIMIT_TASKS;
	g->cfg.login_timeout_ms = g->cfg.logout_timeout_ms = g->cfg.request_timeout_ms =
	    g->cfg.abort_timeout_ms = g->cfg.reset_timeout_ms = g->cfg.nop_timeout_ms = FOREVER_MS;
}

static void
take_header(struct guess *g, const uint8_t *bhs)
{
	struct pdu_login_request pdu;

	pdu_get_login_request(bhs, &pdu);
	memcpy(g->cfg.isid, bhs + 8, sizeof g->cfg.isid);
	g->cmd_sn = pdu.cmd_sn;
	g->cfg.login.skip_security = pdu.csg != LOGIN_SECURITY;
}

bool
guess_settings(struct guess *g, const struct talks_one *c)
{
	struct text_reader *reader = say_need(calloc(2, sizeof *reader));
	uint64_t targets = 0;
	bool has_header = false;

	begin(g);
	text_reader_init(&reader[TRACE_IN], LIMIT_LOGIN_TEXT_BYTES);
	text_reader_init(&reader[TRACE_OUT], LIMIT_LOGIN_TEXT_BYTES);
	for (size_t i = 0; i < c->whole; i++) {
		const struct talks_pdu *p = &c->pdu[i];
		uint8_t opcode = pdu_opcode(p->bytes);

		if (opcode != PDU_LOGIN_REQUEST && opcode != PDU_LOGIN_RESPONSE)
			break;
		if (opcode == PDU_LOGIN_REQUEST && !has_header)
			take_header(g, p->bytes);
		has_header |= opcode == PDU_LOGIN_REQUEST;
		take_pdu(g, &reader[p->way], p, &targets);
	}
	free(reader);
	g->cfg.login.initiator_name = g->name;
	g->cfg.login.initiator_alias = g->alias;
	g->cfg.login.target_name = g->is_discovery ? NULL : g->target;
	g->chap.name = g->chap_name;
	if (g->chap.n_algorithms > 0)
		g->cfg.login.chap = &g->chap;
	return has_header && g->name[0] != '\0' && (g->is_discovery || g->target[0] != '\0');
}
