#include "core/chap.h"

#include <assert.h>
#include <string.h>

#include "core/text.h"

static_assert(CHAP_ALGORITHMS_MAX == 0
#define CHAP_ALGORITHM(id, number, name, bytes) +1
#include "core/chap.def"
#undef CHAP_ALGORITHM
    ,
    "a configuration can name every algorithm");
#define CHAP_ALGORITHM(id, number, name, bytes) \
	static_assert((bytes) <= CHAP_DIGEST_MAX, name ": response too long");
#include "core/chap.def"
#undef CHAP_ALGORITHM

enum { GOT_A = 1, GOT_I = 2, GOT_C = 4, GOT_N = 8, GOT_R = 16 };

const char *
chap_algorithm_name(unsigned algorithm)
{
	switch (algorithm) {
#define CHAP_ALGORITHM(id, number, name, bytes) \
	case number:                            \
		return name;
#include "core/chap.def"
#undef CHAP_ALGORITHM
	}
	return NULL;
}

size_t
chap_algorithm_bytes(unsigned algorithm)
{
	switch (algorithm) {
#define CHAP_ALGORITHM(id, number, name, bytes) \
	case number:                            \
		return bytes;
#include "core/chap.def"
#undef CHAP_ALGORITHM
	}
	return 0;
}

/* In a time that depends on n only. */
static bool
same(const uint8_t *a, const uint8_t *b, size_t n)
{
	volatile uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff = (uint8_t)(diff | (a[i] ^ b[i]));
	return diff == 0;
}

void
chap_init(struct chap *c, const struct chap_cfg *cfg)
{
	memset(c, 0, sizeof *c);
	c->cfg = cfg;
	c->state = CHAP_IDLE;
}

void
chap_fini(struct chap *c)
{
	explicit_bzero(c, sizeof *c);
}

static bool
is_configured(const struct chap_cfg *cfg)
{
	return cfg != NULL && cfg->ops != NULL && cfg->n_algorithms > 0 && cfg->name != NULL &&
	       cfg->name[0] != '\0' && cfg->secret != NULL && cfg->secret_len > 0;
}

enum login_violation
chap_start(struct chap *c, struct put *w)
{
	if (!is_configured(c->cfg))
		return VIOLATION_NO_CHAP_SECRET;
	assert(c->cfg->n_algorithms <= CHAP_ALGORITHMS_MAX);
	assert(c->cfg->mutual == CHAP_UNI ||
	       (c->cfg->challenge_len > 0 && c->cfg->challenge_len <= CHAP_BINARY_MAX));
	put_str(w, neg_key_info(KEY_chap_a)->name);
	put_u8(w, '=');
	for (size_t i = 0; i < c->cfg->n_algorithms; i++) {
		if (i > 0)
			put_u8(w, ',');
		text_put_decimal(w, c->cfg->algorithm[i]);
	}
	put_u8(w, 0);
	c->state = CHAP_WAIT_AIC;
	return VIOLATION_NONE;
}

static enum login_violation
receive_aic(struct chap *c, enum key_id key, const char *value)
{
	uint64_t v = 0;

	switch ((int)key) {
	case KEY_chap_a:
		if (text_number(value, 0, 255, &v) != TEXT_NUMBER_OK ||
		    memchr(c->cfg->algorithm, (int)v, c->cfg->n_algorithms) == NULL ||
		    chap_algorithm_bytes((unsigned)v) == 0)
			return VIOLATION_CHAP_A;
		c->algorithm = (unsigned)v;
		c->got |= GOT_A;
		return VIOLATION_NONE;
	case KEY_chap_i:
		if (text_number(value, 0, 255, &v) != TEXT_NUMBER_OK)
			return VIOLATION_CHAP_I;
		c->identifier = (uint8_t)v;
		c->got |= GOT_I;
		return VIOLATION_NONE;
	case KEY_chap_c:
		if (!text_binary(value, c->challenge, sizeof c->challenge, &c->challenge_len))
			return VIOLATION_CHAP_C;
		c->got |= GOT_C;
		return VIOLATION_NONE;
	}
	return VIOLATION_CHAP_AIC_OTHER;
}

static enum login_violation
receive_nr(struct chap *c, enum key_id key, const char *value)
{
	size_t n = strlen(value);

	switch ((int)key) {
	case KEY_chap_n:
		if (n == 0 || n > CHAP_NAME_MAX || !text_is_utf8(value))
			return VIOLATION_CHAP_N;
		memcpy(c->name, value, n + 1);
		c->got |= GOT_N;
		return VIOLATION_NONE;
	case KEY_chap_r:
		if (!text_binary(value, c->response, sizeof c->response, &c->response_len) ||
		    c->response_len != chap_algorithm_bytes(c->algorithm))
			return VIOLATION_CHAP_R;
		c->got |= GOT_R;
		return VIOLATION_NONE;
	}
	return VIOLATION_CHAP_NR_OTHER;
}

enum login_violation
chap_receive(struct chap *c, enum key_id key, const char *value)
{
	switch (c->state) {
	case CHAP_WAIT_AIC:
		return receive_aic(c, key, value);
	case CHAP_WAIT_NR:
		return receive_nr(c, key, value);
	case CHAP_IDLE:
	case CHAP_VERIFY:
	case CHAP_FINISHED:
		break;
	}
	return VIOLATION_UNEXPECTED_KEY;
}

/* RFC 1994, 4.1: the hash over identifier, secret and challenge. */
static bool
respond(const struct chap *c, uint8_t identifier, const uint8_t *secret, size_t secret_len,
    const uint8_t *challenge, size_t challenge_len, uint8_t out[CHAP_DIGEST_MAX])
{
	const struct chap_part parts[] = { { &identifier, 1, false }, { secret, secret_len, true },
		{ challenge, challenge_len, false } };
	const struct chap_ops *ops = c->cfg->ops;

	return ops->hash(ops->ctx, c->algorithm, parts, 3, out) ==
	       chap_algorithm_bytes(c->algorithm);
}

/* CHAP_A, CHAP_I and CHAP_C came: answer, and ask in turn where that is wanted. */
static enum login_violation
step_aic(struct chap *c, struct put *w)
{
	const struct chap_cfg *cfg = c->cfg;
	uint8_t digest[CHAP_DIGEST_MAX];

	if (c->got != (GOT_A | GOT_I | GOT_C))
		return VIOLATION_CHAP_AIC_MISSING;
	if (cfg->mutual != CHAP_UNI && cfg->challenge_len == c->challenge_len &&
	    memcmp(cfg->challenge, c->challenge, c->challenge_len) == 0)
		return VIOLATION_CHAP_REFLECTED;
	if (!respond(c, c->identifier, cfg->secret, cfg->secret_len, c->challenge, c->challenge_len,
		digest))
		return VIOLATION_CHAP_NO_HASH;
	text_put(w, neg_key_info(KEY_chap_n)->name, cfg->name);
	put_str(w, neg_key_info(KEY_chap_r)->name);
	put_u8(w, '=');
	text_put_hex(w, digest, chap_algorithm_bytes(c->algorithm));
	put_u8(w, 0);
	explicit_bzero(digest, sizeof digest);
	c->got = 0;
	c->state = CHAP_FINISHED;
	if (cfg->mutual == CHAP_UNI)
		return VIOLATION_NONE;
	text_put_number(w, neg_key_info(KEY_chap_i)->name, cfg->identifier);
	put_str(w, neg_key_info(KEY_chap_c)->name);
	put_u8(w, '=');
	text_put_hex(w, cfg->challenge, cfg->challenge_len);
	put_u8(w, 0);
	c->state = CHAP_WAIT_NR;
	return VIOLATION_NONE;
}

/* Is the response in c what `secret` makes of our challenge? */
static enum login_violation
is_response_of(struct chap *c, const uint8_t *secret, size_t secret_len, bool *ret_is)
{
	const struct chap_cfg *cfg = c->cfg;
	uint8_t digest[CHAP_DIGEST_MAX];

	if (!respond(
		c, cfg->identifier, secret, secret_len, cfg->challenge, cfg->challenge_len, digest))
		return VIOLATION_CHAP_NO_HASH;
	*ret_is = same(digest, c->response, c->response_len);
	explicit_bzero(digest, sizeof digest);
	return VIOLATION_NONE;
}

/* CHAP_N and CHAP_R came: is it the target? */
static enum login_violation
step_nr(struct chap *c, bool is_final)
{
	const struct chap_cfg *cfg = c->cfg;
	enum login_violation bad;
	bool is_own = false, is_right = false;

	if (c->got == 0 && !is_final)
		return VIOLATION_NONE;
	if (c->got != (GOT_N | GOT_R))
		return VIOLATION_CHAP_NR_MISSING;
	/*
	 * 9.2.1: "If the CHAP response received [...] is the same as the CHAP response
	 * that the receiving endpoint would have generated for the same CHAP challenge,
	 * the response MUST be treated as an authentication failure"
	 */
	bad = is_response_of(c, cfg->secret, cfg->secret_len, &is_own);
	if (bad != VIOLATION_NONE)
		return bad;
	if (is_own)
		return VIOLATION_CHAP_OWN_RESPONSE;
	if (cfg->target_chap_name != NULL && strcmp(cfg->target_chap_name, c->name) != 0)
		return VIOLATION_CHAP_WRONG_NAME;
	if (cfg->mutual == CHAP_BI_ASK) {
		c->state = CHAP_VERIFY;
		return VIOLATION_NONE;
	}
	if (cfg->target_secret == NULL || cfg->target_secret_len == 0)
		return VIOLATION_NO_CHAP_SECRET;
	bad = is_response_of(c, cfg->target_secret, cfg->target_secret_len, &is_right);
	if (bad != VIOLATION_NONE)
		return bad;
	c->state = CHAP_FINISHED;
	return is_right ? VIOLATION_NONE : VIOLATION_CHAP_WRONG;
}

enum login_violation
chap_step(struct chap *c, bool is_final, struct put *w)
{
	switch (c->state) {
	case CHAP_WAIT_AIC:
		return step_aic(c, w);
	case CHAP_WAIT_NR:
		return step_nr(c, is_final);
	case CHAP_IDLE:
	case CHAP_VERIFY:
	case CHAP_FINISHED:
		break;
	}
	return VIOLATION_NONE;
}

void
chap_query(const struct chap *c, struct chap_query *ret_query)
{
	assert(c->state == CHAP_VERIFY);
	*ret_query = (struct chap_query){
		.algorithm = c->algorithm,
		.identifier = c->cfg->identifier,
		.challenge = c->cfg->challenge,
		.challenge_len = c->cfg->challenge_len,
		.response = c->response,
		.response_len = c->response_len,
		.name = c->name,
	};
}

enum login_violation
chap_verified(struct chap *c, enum chap_verdict verdict)
{
	assert(c->state == CHAP_VERIFY);
	c->state = CHAP_FINISHED;
	switch (verdict) {
	case CHAP_VERDICT_RIGHT:
		return VIOLATION_NONE;
	case CHAP_VERDICT_NONE:
		return VIOLATION_CHAP_UNVERIFIED;
	case CHAP_VERDICT_WRONG:
		break;
	}
	return VIOLATION_CHAP_WRONG;
}
