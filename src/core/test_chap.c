#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/test_script.h"

#define FIRST_CHAP                                                           \
	"InitiatorName=" I_NAME "|TargetName=" T_NAME "|SessionType=Normal|" \
	"AuthMethod=CHAP,None|"
#define HELLO_CHAP                                                                         \
	{ '>', "0", FIRST_CHAP }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=CHAP|" }, \
	{                                                                                  \
		'>', "0", "CHAP_A=5,7|"                                                    \
	}

/* A hash that depends on every byte and on the algorithm; good enough to tell right from wrong. */
static size_t
fake_hash(void *ctx, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out)
{
	uint64_t h = 0xcbf29ce484222325u + algorithm;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < parts[i].n; j++)
			h = (h ^ ((const uint8_t *)parts[i].bytes)[j]) * 0x100000001b3u;
	}
	for (size_t i = 0; i < CHAP_DIGEST_MAX; i++) {
		h = h * 6364136223846793005u + 1442695040888963407u;
		out[i] = (uint8_t)(h >> 56);
	}
	return ctx == NULL ? chap_algorithm_bytes(algorithm) : 0;
}

static const struct chap_ops fake_ops = { .hash = fake_hash };
static const struct chap_ops no_ops = { .hash = fake_hash, .ctx = (void *)(uintptr_t)&fake_ops };
#define OUR_SECRET    ((const uint8_t *)"initiator secret")
#define THEIR_SECRET  ((const uint8_t *)"target's secret!")
#define OUR_CHALLENGE ((const uint8_t *)"\x01\x02\x03\x04\x05\x06\x07\x08")
#define CHAP_COMMON                                                                  \
	.ops = &fake_ops, .algorithm = { CHAP_MD5, CHAP_SHA256 }, .n_algorithms = 2, \
	.name = "joe", .secret = OUR_SECRET, .secret_len = 16, .identifier = 77,     \
	.challenge = OUR_CHALLENGE, .challenge_len = 8
static const struct chap_cfg chap_uni = { CHAP_COMMON };
static const struct chap_cfg chap_bi = { CHAP_COMMON, .mutual = CHAP_BI_SECRET,
	.target_secret = THEIR_SECRET, .target_secret_len = 16 };
static const struct chap_cfg chap_bi_named = { CHAP_COMMON, .mutual = CHAP_BI_SECRET,
	.target_secret = THEIR_SECRET, .target_secret_len = 16, .target_chap_name = "other" };
static const struct chap_cfg chap_bi_lost = { CHAP_COMMON, .mutual = CHAP_BI_SECRET };
static const struct chap_cfg chap_ask = { CHAP_COMMON, .mutual = CHAP_BI_ASK };
static const struct chap_cfg chap_no_hash = { .ops = &no_ops,
	.algorithm = { CHAP_MD5, CHAP_SHA256 },
	.n_algorithms = 2,
	.name = "joe",
	.secret = OUR_SECRET,
	.secret_len = 16 };

static void
offer_chap(struct login_cfg *cfg, const struct chap_cfg *chap)
{
	assert_int_equal(neg_parse_value(KEY_auth_method, "CHAP,None", &cfg->offer), NEG_PARSE_OK);
	cfg->chap = chap;
}

static void
uni(struct login_cfg *cfg)
{
	offer_chap(cfg, &chap_uni);
}

static void
bi(struct login_cfg *cfg)
{
	offer_chap(cfg, &chap_bi);
}

static void
bi_named(struct login_cfg *cfg)
{
	offer_chap(cfg, &chap_bi_named);
}

static void
bi_lost(struct login_cfg *cfg)
{
	offer_chap(cfg, &chap_bi_lost);
}

static void
ask(struct login_cfg *cfg)
{
	offer_chap(cfg, &chap_ask);
}

static void
without_secret(struct login_cfg *cfg)
{
	offer_chap(cfg, NULL);
}

static void
without_hash(struct login_cfg *cfg)
{
	offer_chap(cfg, &chap_no_hash);
}

static void
direct_chap(struct login_cfg *cfg)
{
	uni(cfg);
	cfg->skip_security = true;
}

/* What fake_hash makes of (5, OUR_SECRET, 0xaabb) with MD5's and SHA-256's number, */
#define OURS        "0x572ea722aeeb17e14995fccb1105be19"
#define OURS_SHA256 "0xa390de5f99c8536c692d6071c4c8b5e8f525ea7909910ba218434f9fbd6610bd"
/* of (77, THEIR_SECRET, OUR_CHALLENGE), and of the same with OUR_SECRET. */
#define THEIRS "0xe897f481cbaaf28138d27198858b5d9c"
#define OWN    "0x0fe3c416b7e38a00513c52a6e0493f06"
#define N_R    "CHAP_N=joe|CHAP_R=" OURS "|"
#define N_R_BI N_R "CHAP_I=77|CHAP_C=0x0102030405060708|"

static const struct script scripts[] = {
	{ "the_security_stage_is_not_skipped_where_chap_is_offered", direct_chap,
	    { { '>', "0", FIRST_CHAP } }, LOGIN_SEND },
	{ "none_may_be_chosen_where_chap_was_offered_too", uni,
	    { { '>', "0", FIRST_CHAP }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=None|" },
		{ '>', "01T", "" }, { '<', "01T", "" }, { '>', "13T", OFFERS },
		{ '<', "13T", ANSWERS } },
	    LOGIN_DONE },
	{ "a_transition_nobody_asked_for_is_a_violation", uni,
	    { { '>', "0", FIRST_CHAP }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=None|" } },
	    LOGIN_VIOLATION, VIOLATION_TRANSIT_UNASKED },
	{ "chap_authenticates_us", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R },
		{ '<', "01T", "" }, { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } },
	    LOGIN_DONE },
	{ "chap_takes_the_algorithm_the_target_chose", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_C=0bqrs=|CHAP_I=0x5|CHAP_A=7|" },
		{ '>', "01T", "CHAP_N=joe|CHAP_R=" OURS_SHA256 "|" } },
	    LOGIN_SEND },
	{ "chap_can_fail", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R },
		{ '<', "!0201", "" } },
	    LOGIN_REFUSED },
	{ "chap_authenticates_the_target_too", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" }, { '>', "13T", OFFERS },
		{ '<', "13T", ANSWERS } },
	    LOGIN_DONE },
	{ "the_targets_response_may_come_before_the_end_of_the_stage", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "0", "CHAP_N=tgt|CHAP_R=" THEIRS "|" }, { '>', "01T", "" },
		{ '<', "01T", "" }, { '>', "13T", OFFERS } },
	    LOGIN_SEND },
	{ "somebody_else_may_vouch_for_the_target", ask,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" }, { '?', "Y", NULL },
		{ '>', "13T", OFFERS }, { '<', "13T", ANSWERS } },
	    LOGIN_DONE },
	{ "somebody_else_may_not_know_the_target", ask,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "0", "CHAP_N=tgt|CHAP_R=" THEIRS "|" }, { '?', "N", NULL } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_WRONG },
	{ "chap_without_a_secret_is_named_as_such", without_secret,
	    { { '>', "0", FIRST_CHAP }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=CHAP|" } },
	    LOGIN_VIOLATION, VIOLATION_NO_CHAP_SECRET },
	{ "an_algorithm_that_is_not_available_is_named_as_such", without_hash,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" } }, LOGIN_VIOLATION,
	    VIOLATION_CHAP_NO_HASH },
	{ "an_algorithm_that_was_not_offered_is_refused", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=6|CHAP_I=5|CHAP_C=0xaabb|" } }, LOGIN_VIOLATION,
	    VIOLATION_CHAP_A, "CHAP_A=6" },
	{ "an_identifier_of_nine_bits_is_refused", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=256|CHAP_C=0xaabb|" } }, LOGIN_VIOLATION,
	    VIOLATION_CHAP_I },
	{ "an_empty_challenge_is_refused", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0x|" } }, LOGIN_VIOLATION,
	    VIOLATION_CHAP_C },
	{ "a_challenge_that_is_not_encoded_is_refused", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_C=12345|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_C },
	{ "algorithm_identifier_and_challenge_come_together", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|" } }, LOGIN_VIOLATION,
	    VIOLATION_CHAP_AIC_MISSING },
	{ "a_response_where_a_challenge_is_due_is_refused", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_N=tgt|" } }, LOGIN_VIOLATION,
	    VIOLATION_CHAP_AIC_OTHER },
	{ "a_key_of_another_method_is_refused", uni, { HELLO_CHAP, { '<', "0", "SRP_s=0x1|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_AIC_OTHER },
	{ "a_challenge_before_we_named_algorithms_is_unexpected", uni,
	    { { '>', "0", FIRST_CHAP },
		{ '<', "0", "TargetPortalGroupTag=1|AuthMethod=CHAP|CHAP_A=5|" } },
	    LOGIN_VIOLATION, VIOLATION_UNEXPECTED_KEY },
	{ "a_response_nobody_asked_for_is_unexpected", uni,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=0x00|" } },
	    LOGIN_VIOLATION, VIOLATION_UNEXPECTED_KEY },
	{ "our_own_challenge_is_not_answered", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0x0102030405060708|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_REFLECTED },
	{ "a_response_made_with_our_own_secret_is_refused", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=" OWN "|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_OWN_RESPONSE },
	{ "a_response_made_with_our_own_secret_is_not_even_asked_about", ask,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=" OWN "|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_OWN_RESPONSE },
	{ "a_wrong_response_is_refused", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=0x00000000000000000000000000000000|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_WRONG },
	{ "a_response_of_the_wrong_length_is_refused", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=0x00|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_R },
	{ "an_empty_name_is_refused", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_N },
	{ "a_response_without_name_is_refused", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_R=" THEIRS "|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_NR_MISSING },
	{ "a_target_that_does_not_authenticate_itself_is_refused", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_NR_MISSING },
	{ "another_key_where_a_response_is_due_is_refused", bi,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "KRB_AP_REP=0x1|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_NR_OTHER },
	{ "another_name_than_the_configured_one_is_refused", bi_named,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" } },
	    LOGIN_VIOLATION, VIOLATION_CHAP_WRONG_NAME },
	{ "without_the_targets_secret_nothing_is_believed", bi_lost,
	    { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI },
		{ '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" } },
	    LOGIN_VIOLATION, VIOLATION_NO_CHAP_SECRET },
};
#define SCRIPTS (sizeof scripts / sizeof scripts[0])

static void
check_query(struct login *l)
{
	struct chap_query q;

	login_query(l, &q);
	assert_int_equal(q.algorithm, CHAP_MD5);
	assert_int_equal(q.identifier, 77);
	assert_int_equal(q.challenge_len, 8);
	assert_memory_equal(q.challenge, OUR_CHALLENGE, 8);
	assert_int_equal(q.response_len, 16);
	assert_int_equal(q.response[0], 0xe8);
	assert_string_equal(q.name, "tgt");
}

static void
who_is_asked_gets_the_whole_question(void **state)
{
	struct login_cfg cfg = script_cfg();
	static const struct script s = { "", NULL,
		{ HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" },
		    { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" } },
		LOGIN_VERIFY };

	ask(&cfg);
	script_run(&s, &cfg, check_query);
}

/* Random bytes and bits from the target: whatever comes, the login ends or goes on in order. */
static void
nonsense_never_breaks_the_login(void **state)
{
	static const char *const piece[] = { "AuthMethod=", "None", "CHAP", "|", "=", "CHAP_A=5|",
		"CHAP_I=1|", "CHAP_C=0x00|", "TargetPortalGroupTag=1|", "HeaderDigest=None|",
		"MaxBurstLength=", "512|", "X-a=", "\x80", ANSWERS, "Reject|", "Irrelevant|",
		"CHAP_N=x|", "CHAP_R=" THEIRS "|", "TargetAddress=", "[::1]:1,1|", "CHAP_R=0b" };
	uint32_t seed = 12345;

	for (int round = 0; round < 20000; round++) {
		struct login_cfg cfg = script_cfg();
		struct login_req req;
		struct login *l;
		enum login_step step;

		if (round % 2 == 0)
			bi(&cfg);
		l = login_new(&cfg);
		step = login_start(l, &req);
		while (step == LOGIN_SEND) {
			char text[6000] = "", flags[5] = "";
			struct put w = put_over(text, sizeof text), f = put_over(flags, 5);

			seed = seed * 1664525 + 1013904223;
			put_u8(&f, (uint8_t)('0' + req.csg));
			if ((seed >> 24) % 3 == 0 && req.transit) {
				put_u8(&f, (uint8_t)('0' + req.nsg));
				put_u8(&f, 'T');
			} else if ((seed >> 20) % 5 == 0) {
				put_u8(&f, 'C');
			}
			for (uint32_t i = (seed >> 16) % 6; i > 0; i--) {
				seed = seed * 1664525 + 1013904223;
				put_str(&w, piece[(seed >> 16) % (sizeof piece / sizeof piece[0])]);
			}
			step = script_respond(l, (seed >> 28) == 0 ? "!0101" : flags, text, &req);
			assert_true(step != LOGIN_SEND || req.text_len <= 8192);
		}
		login_free(l);
	}
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(who_is_asked_gets_the_whole_question),
		cmocka_unit_test(nonsense_never_breaks_the_login),
	};
	struct CMUnitTest scripted[SCRIPTS];
	int failed;

	for (size_t i = 0; i < SCRIPTS; i++)
		scripted[i] = (struct CMUnitTest){ scripts[i].name, script_test, NULL, NULL,
			(void *)(uintptr_t)&scripts[i] };
	failed = cmocka_run_group_tests_name("scripts", scripted, NULL, NULL);
	return failed + cmocka_run_group_tests_name("others", others, NULL, NULL);
}
