#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/login.h"

/*
 * Logins as scripts.  In texts '|' stands for NUL.  A step is either what we
 * must send ('>') or what the target sends ('<'):
 *
 *   flags: "01T" CSG 0, NSG 1, T bit; "0" CSG 0, no T; a trailing 'C' is the C bit
 */
#define STEPS_MAX 16
struct step {
	char dir;
	const char *flags;
	const char *text; /* of '>': NULL: not looked at */
};
struct script {
	const char *name;
	void (*setup)(struct login_cfg *cfg);
	struct step step[STEPS_MAX];
	enum login_step end;
	enum login_violation violation;
	const char *culprit; /* NULL: not looked at */
};

#define I_NAME "iqn.2026-01.com.example:initiator"
#define T_NAME "iqn.2026-01.com.example:target"
#define FIRST  "InitiatorName=" I_NAME "|TargetName=" T_NAME "|SessionType=Normal|AuthMethod=None|"
#define FIRST_CHAP                                                           \
	"InitiatorName=" I_NAME "|TargetName=" T_NAME "|SessionType=Normal|" \
	"AuthMethod=CHAP,None|"
#define FIRST_DISCOVERY "InitiatorName=" I_NAME "|SessionType=Discovery|AuthMethod=None|"
#define OFFERS                                                                              \
	"HeaderDigest=None,CRC32C|DataDigest=None,CRC32C|MaxConnections=1|"                 \
	"InitialR2T=No|ImmediateData=Yes|MaxRecvDataSegmentLength=262144|"                  \
	"MaxBurstLength=1048576|FirstBurstLength=262144|DefaultTime2Wait=2|"                \
	"DefaultTime2Retain=20|MaxOutstandingR2T=1|DataPDUInOrder=Yes|"                     \
	"DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|TaskReporting=RFC3720,ResponseFence|" \
	"iSCSIProtocolLevel=1|"
#define ANSWERS                                                                  \
	"HeaderDigest=None|DataDigest=None|MaxConnections=1|InitialR2T=Yes|"     \
	"ImmediateData=Yes|MaxRecvDataSegmentLength=8192|MaxBurstLength=262144|" \
	"FirstBurstLength=65536|DefaultTime2Wait=2|DefaultTime2Retain=20|"       \
	"MaxOutstandingR2T=1|DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"        \
	"ErrorRecoveryLevel=0|TaskReporting=RFC3720|iSCSIProtocolLevel=1|"
#define DISCOVERY_OFFERS                                                            \
	"HeaderDigest=None,CRC32C|DataDigest=None,CRC32C|"                          \
	"MaxRecvDataSegmentLength=262144|DefaultTime2Wait=2|DefaultTime2Retain=20|" \
	"ErrorRecoveryLevel=0|"
#define DISCOVERY_ANSWERS                                                             \
	"HeaderDigest=None|DataDigest=None|DefaultTime2Wait=2|DefaultTime2Retain=20|" \
	"ErrorRecoveryLevel=0|"
/* The security stage as it usually goes. */
#define HELLO                                                         \
	{ '>', "01T", FIRST },                                        \
	{                                                             \
		'<', "01T", "TargetPortalGroupTag=1|AuthMethod=None|" \
	}
#define HELLO_CHAP                                                                         \
	{ '>', "0", FIRST_CHAP }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=CHAP|" }, \
	{                                                                                  \
		'>', "0", "CHAP_A=5,7|"                                                    \
	}

/* "A=b|" with NULs, in memory of its exact size so that sanitizers see an overrun. */
static uint8_t *
bytes_of(const char *text, size_t *ret_len)
{
	size_t n = strlen(text);
	uint8_t *b = malloc(n > 0 ? n : 1);

	for (size_t i = 0; i < n; i++)
		b[i] = text[i] == '|' ? 0 : (uint8_t)text[i];
	*ret_len = n;
	return b;
}

static void
expect_request(const struct login_req *req, const struct step *s)
{
	const char *f = s->flags;
	bool transit = strchr(f, 'T') != NULL;

	assert_int_equal(req->csg, f[0] - '0');
	assert_int_equal(req->transit, transit);
	if (transit)
		assert_int_equal(req->nsg, f[1] - '0');
	assert_int_equal(req->cont, strchr(f, 'C') != NULL);
	if (s->text != NULL) {
		size_t n;
		uint8_t *want = bytes_of(s->text, &n);
		char *got = calloc(1, req->text_len + 1);

		for (size_t i = 0; i < req->text_len; i++)
			got[i] = req->text[i] == 0 ? '|' : (char)req->text[i];
		assert_string_equal(got, s->text);
		assert_int_equal(req->text_len, n);
		free(got);
		free(want);
	}
}

static enum login_step
respond(struct login *l, const char *flags, const char *text, struct login_req *req)
{
	struct login_rsp rsp = { 0 };
	enum login_step got;
	uint8_t *b;
	size_t n;

	if (flags[0] == '!') { /* "!0102": a status */
		unsigned status = (unsigned)strtoul(flags + 1, NULL, 16);

		rsp.status_class = (uint8_t)(status >> 8);
		rsp.status_detail = (uint8_t)status;
	} else {
		rsp.csg = (uint8_t)(flags[0] - '0');
		rsp.transit = strchr(flags, 'T') != NULL;
		rsp.cont = strchr(flags, 'C') != NULL;
		if (rsp.transit)
			rsp.nsg = (uint8_t)(flags[1] - '0');
	}
	b = bytes_of(text, &n);
	rsp.text = b;
	rsp.text_len = (uint32_t)n;
	got = login_rx(l, &rsp, req);
	free(b);
	return got;
}

static struct login_cfg
default_cfg(void)
{
	struct login_cfg cfg = {
		.initiator_name = I_NAME, .target_name = T_NAME, .expected_tpgt = -1
	};

	neg_offer_default(&cfg.offer);
	return cfg;
}

/* After LOGIN_VERIFY, '?' steps give the verdict: flags "Y" or "N". */
static void
run(const struct script *s, const struct login_cfg *cfg, void (*check)(struct login *l))
{
	struct login *l = login_new(cfg);
	struct login_req req = { 0 };
	enum login_step step = login_start(l, &req);

	for (size_t i = 0; i < STEPS_MAX && s->step[i].dir != 0; i++) {
		if (s->step[i].dir == '>') {
			if (step != LOGIN_SEND)
				print_error("%s\n", login_reason(l));
			assert_int_equal(step, LOGIN_SEND);
			expect_request(&req, &s->step[i]);
		} else if (s->step[i].dir == '?') {
			assert_int_equal(step, LOGIN_VERIFY);
			step = login_verified(l, s->step[i].flags[0] == 'Y', &req);
		} else {
			assert_int_equal(step, LOGIN_SEND);
			step = respond(l, s->step[i].flags, s->step[i].text, &req);
		}
	}
	if (step != s->end || login_violation(l) != s->violation)
		print_error("%s: %s\n", violation_name(login_violation(l)), login_reason(l));
	assert_int_equal(step, s->end);
	assert_int_equal(login_violation(l), s->violation);
	if (s->culprit != NULL)
		assert_string_equal(login_culprit(l), s->culprit);
	if (step != LOGIN_SEND && step != LOGIN_DONE && step != LOGIN_VERIFY)
		assert_true(strlen(login_reason(l)) > 10);
	if (check != NULL)
		check(l);
	login_free(l);
}

static void
run_script(void **state)
{
	const struct script *s = *state;
	struct login_cfg cfg = default_cfg();

	if (s->setup != NULL)
		s->setup(&cfg);
	run(s, &cfg, NULL);
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
discovery(struct login_cfg *cfg)
{
	cfg->target_name = NULL;
}

static void
tag_7(struct login_cfg *cfg)
{
	cfg->expected_tpgt = 7;
}

static void
direct(struct login_cfg *cfg)
{
	cfg->skip_security = true;
}

static void
direct_chap(struct login_cfg *cfg)
{
	uni(cfg);
	cfg->skip_security = true;
}

static void
alias(struct login_cfg *cfg)
{
	cfg->initiator_alias = "Bob's host";
}

static void
quiet(struct login_cfg *cfg)
{
	cfg->offer.silent = NEG_BIT(KEY_max_burst) | NEG_BIT(KEY_time2wait) |
			    NEG_BIT(KEY_immediate_data) | NEG_BIT(KEY_initial_r2t) |
			    NEG_BIT(KEY_header_digest) | NEG_BIT(KEY_task_reporting) |
			    NEG_BIT(KEY_protocol_level);
	cfg->offer.max_burst = 65536;
	cfg->offer.first_burst = 65536;
	cfg->offer.time2wait = 5;
}

static void
no_auth_offer(struct login_cfg *cfg)
{
	cfg->offer.auth_method.n = 0;
}

/* What fake_hash makes of (5, OUR_SECRET, 0xaabb) with MD5's and SHA-256's number, */
#define OURS        "0x572ea722aeeb17e14995fccb1105be19"
#define OURS_SHA256 "0xa390de5f99c8536c692d6071c4c8b5e8f525ea7909910ba218434f9fbd6610bd"
/* of (77, THEIR_SECRET, OUR_CHALLENGE), and of the same with OUR_SECRET. */
#define THEIRS "0xe897f481cbaaf28138d27198858b5d9c"
#define OWN    "0x0fe3c416b7e38a00513c52a6e0493f06"
#define N_R    "CHAP_N=joe|CHAP_R=" OURS "|"
#define N_R_BI N_R "CHAP_I=77|CHAP_C=0x0102030405060708|"

/* clang-format off */
static const struct script scripts[] = {
	/* How a login goes. */
	{ "a_normal_login_passes_both_stages", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } }, LOGIN_DONE },
	{ "the_alias_is_declared", alias,
	  { { '>', "01T", "InitiatorName=" I_NAME "|InitiatorAlias=Bob's host|TargetName=" T_NAME "|SessionType=Normal|AuthMethod=None|" } },
	  LOGIN_SEND },
	{ "a_discovery_login_leaves_out_what_is_irrelevant", discovery,
	  { { '>', "01T", FIRST_DISCOVERY }, { '<', "01T", "AuthMethod=None|" },
	    { '>', "13T", DISCOVERY_OFFERS }, { '<', "13T", DISCOVERY_ANSWERS } }, LOGIN_DONE },
	{ "a_login_may_begin_with_the_operational_stage", direct,
	  { { '>', "13T", "InitiatorName=" I_NAME "|TargetName=" T_NAME "|SessionType=Normal|" OFFERS },
	    { '<', "13T", "TargetPortalGroupTag=1|" ANSWERS } }, LOGIN_DONE },
	{ "the_security_stage_is_not_skipped_where_chap_is_offered", direct_chap, { { '>', "0", FIRST_CHAP } }, LOGIN_SEND },
	{ "without_an_offer_of_methods_the_target_may_skip_security", no_auth_offer,
	  { { '>', "01T", "InitiatorName=" I_NAME "|TargetName=" T_NAME "|SessionType=Normal|" },
	    { '<', "01T", "TargetPortalGroupTag=1|" }, { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } }, LOGIN_DONE },
	{ "a_method_the_target_proposes_but_we_do_not_offer_is_rejected", no_auth_offer,
	  { { '>', "01T", NULL }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=SRP,KRB5|" },
	    { '>', "01T", "AuthMethod=Reject|" }, { '<', "!0201", "" } }, LOGIN_REFUSED },
	{ "a_target_may_take_several_rounds", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "1", "HeaderDigest=None|" }, { '>', "13T", "" },
	    { '<', "1", "" }, { '>', "13T", "" }, { '<', "1", "DataDigest=None|MaxConnections=1|InitialR2T=No|ImmediateData=Yes|"
	      "MaxBurstLength=4096|FirstBurstLength=4096|DefaultTime2Wait=2|DefaultTime2Retain=0|MaxOutstandingR2T=1|DataPDUInOrder=Yes|"
	      "DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|" }, { '>', "13T", "" }, { '<', "13T", "" } }, LOGIN_DONE },
	{ "a_slow_security_stage_is_waited_for", NULL,
	  { { '>', "01T", FIRST }, { '<', "0", "TargetPortalGroupTag=1|" }, { '>', "01T", "" },
	    { '<', "0", "AuthMethod=None|" }, { '>', "01T", "" }, { '<', "01T", "" }, { '>', "13T", OFFERS } }, LOGIN_SEND },
	{ "none_may_be_chosen_where_chap_was_offered_too", uni,
	  { { '>', "0", FIRST_CHAP }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=None|" }, { '>', "01T", "" },
	    { '<', "01T", "" }, { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } }, LOGIN_DONE },

	/* What the target says besides. */
	{ "unknown_keys_are_answered_not_understood", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "1", "X-com.example.a=1|" ANSWERS "Later=b|" },
	    { '>', "13T", "X-com.example.a=NotUnderstood|Later=NotUnderstood|" }, { '<', "13T", "" } }, LOGIN_DONE },
	{ "obsolete_markers_are_rejected", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "1", "IFMarker=Yes|OFMarker=No|IFMarkInt=1~2|OFMarkInt=1~2|" ANSWERS },
	    { '>', "13T", "IFMarker=Reject|OFMarker=Reject|IFMarkInt=Reject|OFMarkInt=Reject|" }, { '<', "13T", "" } }, LOGIN_DONE },
	{ "declarations_need_no_answer", NULL,
	  { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=0x01|TargetAlias=Bob-s Disk|X#NodeArchitecture=a/1,b/2|AuthMethod=None|TargetAddress=10.0.0.1,1|TargetAddress=10.0.0.2,1|" },
	    { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } }, LOGIN_DONE },
	{ "the_targets_proposals_are_answered_by_the_result_function", quiet,
	  { HELLO, { '>', "13T", NULL },
	    { '<', "1", "DataDigest=None|MaxConnections=1|FirstBurstLength=4096|DefaultTime2Retain=0|MaxOutstandingR2T=1|DataPDUInOrder=Yes|"
	      "DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|MaxBurstLength=262144|DefaultTime2Wait=2|ImmediateData=Yes|InitialR2T=Yes|"
	      "HeaderDigest=Unknown,CRC32C,None|TaskReporting=FastAbort|iSCSIProtocolLevel=2|" },
	    { '>', "13T", "MaxBurstLength=65536|DefaultTime2Wait=5|ImmediateData=Yes|InitialR2T=Yes|HeaderDigest=CRC32C|TaskReporting=Reject|iSCSIProtocolLevel=1|" },
	    { '<', "13T", "" } }, LOGIN_DONE },
	{ "inadmissible_proposals_are_rejected", quiet,
	  { HELLO, { '>', "13T", NULL }, { '<', "1", "MaxBurstLength=100|DefaultTime2Wait=soon|ImmediateData=Maybe|HeaderDigest=|" },
	    { '>', "13T", "MaxBurstLength=Reject|DefaultTime2Wait=Reject|ImmediateData=Reject|HeaderDigest=Reject|" } }, LOGIN_SEND },
	{ "proposals_that_are_irrelevant_to_discovery_are_called_so", discovery,
	  { { '>', "01T", NULL }, { '<', "01T", "AuthMethod=None|" }, { '>', "13T", DISCOVERY_OFFERS },
	    { '<', "1", DISCOVERY_ANSWERS "MaxBurstLength=512|InitialR2T=No|TaskReporting=RFC3720|" },
	    { '>', "13T", "MaxBurstLength=Irrelevant|InitialR2T=Irrelevant|TaskReporting=Irrelevant|" }, { '<', "13T", "" } }, LOGIN_DONE },

	/* The C bit, the target's. */
	{ "text_in_parts_is_put_together", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "1C", "HeaderDig" }, { '>', "13T", "" }, { '<', "1C", "est=None|DataDigest=No" },
	    { '>', "13T", "" }, { '<', "1", "ne|X-a=1|" }, { '>', "13T", "X-a=NotUnderstood|" } }, LOGIN_SEND },
	{ "answers_wait_until_the_targets_text_is_complete", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "1C", "X-a=1|" }, { '>', "13T", "" }, { '<', "1", "X-b=1|" },
	    { '>', "13T", "X-a=NotUnderstood|X-b=NotUnderstood|" } }, LOGIN_SEND },
	{ "the_last_part_may_end_the_stage", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "1C", "MaxRecvDataSegmentLength=819" }, { '>', "13T", "" },
	    { '<', "13T", "2|HeaderDigest=None|DataDigest=None|MaxConnections=1|InitialR2T=Yes|ImmediateData=Yes|MaxBurstLength=262144|"
	      "FirstBurstLength=65536|DefaultTime2Wait=2|DefaultTime2Retain=20|MaxOutstandingR2T=1|DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"
	      "ErrorRecoveryLevel=0|" } }, LOGIN_DONE },
	{ "the_tag_may_come_in_a_later_part_of_the_first_text", NULL,
	  { { '>', "01T", FIRST }, { '<', "0C", "AuthMethod=None|" }, { '>', "01T", "" }, { '<', "01T", "TargetPortalGroupTag=1|" },
	    { '>', "13T", OFFERS } }, LOGIN_SEND },
	{ "a_stage_cannot_end_in_the_middle_of_a_text", NULL,
	  { { '>', "01T", FIRST }, { '<', "01TC", "TargetPortalGroupTag=1|" } }, LOGIN_VIOLATION, VIOLATION_TRANSIT_CONTINUE },
	{ "a_pair_whose_rest_never_comes_is_incomplete", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "1C", "HeaderDigest=No" }, { '>', "13T", "" }, { '<', "13T", "" } },
	  LOGIN_VIOLATION, VIOLATION_TEXT_INCOMPLETE, "HeaderDigest=No" },

	/* Text that is none. */
	{ "a_missing_equal_sign_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "AuthMethod|" } },
	  LOGIN_VIOLATION, VIOLATION_NO_EQUAL, "AuthMethod" },
	{ "a_missing_nul_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "AuthMethod=None" } },
	  LOGIN_VIOLATION, VIOLATION_NO_NUL, "AuthMethod=None" },
	{ "a_key_name_of_64_bytes_is_a_violation", NULL,
	  { { '>', "01T", FIRST }, { '<', "01T", "Xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1|" } },
	  LOGIN_VIOLATION, VIOLATION_KEY_TOO_LONG },
	{ "a_key_name_with_a_space_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "Auth Method=None|" } },
	  LOGIN_VIOLATION, VIOLATION_BAD_KEY_NAME },
	{ "unprintable_bytes_do_not_reach_the_message", NULL,
	  { { '>', "01T", FIRST }, { '<', "01T", "TargetAlias=\x1b[2J\xff|" } }, LOGIN_VIOLATION, VIOLATION_BAD_VALUE, "TargetAlias=?[2J?" },

	/* Stages. */
	{ "the_operational_stage_cannot_be_skipped", NULL, { { '>', "01T", FIRST }, { '<', "03T", "TargetPortalGroupTag=1|AuthMethod=None|" } },
	  LOGIN_VIOLATION, VIOLATION_BAD_NSG, "NSG=3" },
	{ "a_reserved_next_stage_is_a_violation", NULL, { HELLO, { '>', "13T", OFFERS }, { '<', "12T", ANSWERS } },
	  LOGIN_VIOLATION, VIOLATION_BAD_NSG, "NSG=2" },
	{ "a_stage_cannot_be_entered_again", NULL, { HELLO, { '>', "13T", OFFERS }, { '<', "11T", ANSWERS } },
	  LOGIN_VIOLATION, VIOLATION_BAD_NSG, "NSG=1" },
	{ "an_answer_for_another_stage_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "13T", "TargetPortalGroupTag=1|" } },
	  LOGIN_VIOLATION, VIOLATION_BAD_CSG, "CSG=1" },
	{ "a_transition_nobody_asked_for_is_a_violation", uni, { { '>', "0", FIRST_CHAP }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=None|" } },
	  LOGIN_VIOLATION, VIOLATION_TRANSIT_UNASKED },
	{ "a_proposal_cannot_come_with_the_end_of_the_stage", quiet,
	  { HELLO, { '>', "13T", NULL }, { '<', "13T", "MaxBurstLength=512|" } }, LOGIN_VIOLATION, VIOLATION_TRANSIT_OFFER },
	{ "operational_keys_do_not_belong_to_the_security_stage", NULL,
	  { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=None|HeaderDigest=None|" } },
	  LOGIN_VIOLATION, VIOLATION_WRONG_STAGE, "HeaderDigest=None" },
	{ "security_keys_do_not_belong_to_the_operational_stage", NULL, { HELLO, { '>', "13T", OFFERS }, { '<', "13T", "CHAP_A=5|" } },
	  LOGIN_VIOLATION, VIOLATION_WRONG_STAGE, "CHAP_A=5" },
	{ "send_targets_does_not_belong_to_a_login", NULL, { HELLO, { '>', "13T", OFFERS }, { '<', "13T", "SendTargets=All|" } },
	  LOGIN_VIOLATION, VIOLATION_WRONG_STAGE },

	/* Portal group tags. */
	{ "the_first_response_must_bring_the_tag", NULL, { { '>', "01T", FIRST }, { '<', "01T", "AuthMethod=None|" } },
	  LOGIN_VIOLATION, VIOLATION_NO_TPGT },
	{ "the_tag_we_expect_is_fine", tag_7, { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=7|AuthMethod=None|" }, { '>', "13T", OFFERS } }, LOGIN_SEND },
	{ "another_tag_is_a_violation", tag_7, { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=None|" } },
	  LOGIN_VIOLATION, VIOLATION_WRONG_TPGT, "TargetPortalGroupTag=1" },
	{ "a_tag_of_17_bits_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=65536|" } },
	  LOGIN_VIOLATION, VIOLATION_OUT_OF_RANGE },
	{ "a_tag_that_is_no_number_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=one|" } },
	  LOGIN_VIOLATION, VIOLATION_BAD_NUMBER },

	/* Keys. */
	{ "a_key_answered_twice_is_a_violation", NULL, { HELLO, { '>', "13T", OFFERS }, { '<', "13T", "MaxBurstLength=512|MaxBurstLength=512|" } },
	  LOGIN_VIOLATION, VIOLATION_DUPLICATE_KEY, "MaxBurstLength=512" },
	{ "a_key_declared_twice_in_two_stages_is_a_violation", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "13T", "TargetPortalGroupTag=1|" ANSWERS } }, LOGIN_VIOLATION, VIOLATION_DUPLICATE_KEY },
	{ "an_unknown_key_sent_twice_is_a_violation", NULL,
	  { HELLO, { '>', "13T", OFFERS }, { '<', "1", "X-a=1|" }, { '>', "13T", NULL }, { '<', "1", "X-a=1|" } },
	  LOGIN_VIOLATION, VIOLATION_DUPLICATE_KEY },
	{ "an_unknown_key_cannot_be_not_understood", NULL, { HELLO, { '>', "13T", OFFERS }, { '<', "1", "X-a=NotUnderstood|" } },
	  LOGIN_VIOLATION, VIOLATION_RESERVED_VALUE },
	{ "an_initiators_key_from_the_target_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "InitiatorName=" I_NAME "|" } },
	  LOGIN_VIOLATION, VIOLATION_UNEXPECTED_KEY },
	{ "our_name_must_be_understood", NULL, { { '>', "01T", FIRST }, { '<', "01T", "InitiatorName=NotUnderstood|" } },
	  LOGIN_VIOLATION, VIOLATION_NOT_UNDERSTOOD },
	{ "a_rejected_session_type_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "SessionType=Reject|" } },
	  LOGIN_VIOLATION, VIOLATION_REJECTED },
	{ "a_rejected_method_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=Reject|" } },
	  LOGIN_VIOLATION, VIOLATION_REJECTED, "AuthMethod=Reject" },
	{ "a_method_that_was_not_offered_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=CHAP|" } },
	  LOGIN_VIOLATION, VIOLATION_NOT_OFFERED },
	{ "an_irrelevant_method_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=Irrelevant|" } },
	  LOGIN_VIOLATION, VIOLATION_IRRELEVANT, "AuthMethod" },
	{ "an_unanswered_method_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|" } },
	  LOGIN_VIOLATION, VIOLATION_TEXT_UNANSWERED, "AuthMethod" },

	/* Refusals and redirections. */
	{ "a_refusal_ends_the_login", NULL, { { '>', "01T", FIRST }, { '<', "!0203", "" } }, LOGIN_REFUSED },
	{ "a_target_error_ends_the_login", NULL, { HELLO, { '>', "13T", OFFERS }, { '<', "!0301", "whatever" } }, LOGIN_REFUSED },
	{ "an_undefined_status_class_ends_the_login", NULL, { { '>', "01T", FIRST }, { '<', "!0900", "" } }, LOGIN_REFUSED },
	{ "a_redirection_names_its_address", NULL, { { '>', "01T", FIRST }, { '<', "!0101", "TargetAddress=[fe80::1]:5003|" } }, LOGIN_REDIRECTED },
	{ "other_keys_beside_the_address_do_no_harm", NULL, { { '>', "01T", FIRST }, { '<', "!0102", "TargetPortalGroupTag=1|TargetAddress=10.0.0.9|" } }, LOGIN_REDIRECTED },
	{ "a_redirection_without_address_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "!0101", "" } }, LOGIN_VIOLATION, VIOLATION_REDIRECT_MISSING },
	{ "a_redirection_with_another_key_only_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "!0101", "TargetName=" T_NAME "|" } },
	  LOGIN_VIOLATION, VIOLATION_REDIRECT_KEY, "TargetName=" T_NAME },
	{ "a_redirection_to_a_malformed_address_is_a_violation", NULL, { { '>', "01T", FIRST }, { '<', "!0101", "TargetAddress=10.0.0.999|" } },
	  LOGIN_VIOLATION, VIOLATION_REDIRECT_ADDRESS, "TargetAddress=10.0.0.999" },

	/* CHAP. */
	{ "chap_authenticates_us", uni,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R }, { '<', "01T", "" }, { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } }, LOGIN_DONE },
	{ "chap_takes_the_algorithm_the_target_chose", uni,
	  { HELLO_CHAP, { '<', "0", "CHAP_C=0bqrs=|CHAP_I=0x5|CHAP_A=7|" }, { '>', "01T", "CHAP_N=joe|CHAP_R=" OURS_SHA256 "|" } }, LOGIN_SEND },
	{ "chap_can_fail", uni, { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R }, { '<', "!0201", "" } }, LOGIN_REFUSED },
	{ "chap_authenticates_the_target_too", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" },
	    { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } }, LOGIN_DONE },
	{ "the_targets_response_may_come_before_the_end_of_the_stage", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "0", "CHAP_N=tgt|CHAP_R=" THEIRS "|" },
	    { '>', "01T", "" }, { '<', "01T", "" }, { '>', "13T", OFFERS } }, LOGIN_SEND },
	{ "somebody_else_may_vouch_for_the_target", ask,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" },
	    { '?', "Y", NULL }, { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } }, LOGIN_DONE },
	{ "somebody_else_may_not_know_the_target", ask,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "0", "CHAP_N=tgt|CHAP_R=" THEIRS "|" }, { '?', "N", NULL } },
	  LOGIN_VIOLATION, VIOLATION_CHAP_WRONG },
	{ "chap_without_a_secret_is_named_as_such", without_secret, { { '>', "0", FIRST_CHAP }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=CHAP|" } },
	  LOGIN_VIOLATION, VIOLATION_NO_CHAP_SECRET },
	{ "an_algorithm_that_is_not_available_is_named_as_such", without_hash, { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" } },
	  LOGIN_VIOLATION, VIOLATION_CHAP_NO_HASH },
	{ "an_algorithm_that_was_not_offered_is_refused", uni, { HELLO_CHAP, { '<', "0", "CHAP_A=6|CHAP_I=5|CHAP_C=0xaabb|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_A, "CHAP_A=6" },
	{ "an_identifier_of_nine_bits_is_refused", uni, { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=256|CHAP_C=0xaabb|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_I },
	{ "an_empty_challenge_is_refused", uni, { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0x|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_C },
	{ "a_challenge_that_is_not_encoded_is_refused", uni, { HELLO_CHAP, { '<', "0", "CHAP_C=12345|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_C },
	{ "algorithm_identifier_and_challenge_come_together", uni, { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_AIC_MISSING },
	{ "a_response_where_a_challenge_is_due_is_refused", uni, { HELLO_CHAP, { '<', "0", "CHAP_N=tgt|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_AIC_OTHER },
	{ "a_key_of_another_method_is_refused", uni, { HELLO_CHAP, { '<', "0", "SRP_s=0x1|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_AIC_OTHER },
	{ "a_challenge_before_we_named_algorithms_is_unexpected", uni,
	  { { '>', "0", FIRST_CHAP }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=CHAP|CHAP_A=5|" } }, LOGIN_VIOLATION, VIOLATION_UNEXPECTED_KEY },
	{ "a_response_nobody_asked_for_is_unexpected", uni,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R }, { '<', "01T", "CHAP_N=tgt|CHAP_R=0x00|" } }, LOGIN_VIOLATION, VIOLATION_UNEXPECTED_KEY },
	{ "our_own_challenge_is_not_answered", bi, { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0x0102030405060708|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_REFLECTED },
	{ "a_response_made_with_our_own_secret_is_refused", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=" OWN "|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_OWN_RESPONSE },
	{ "a_response_made_with_our_own_secret_is_not_even_asked_about", ask,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=" OWN "|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_OWN_RESPONSE },
	{ "a_wrong_response_is_refused", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=0x00000000000000000000000000000000|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_WRONG },
	{ "a_response_of_the_wrong_length_is_refused", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=0x00|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_R },
	{ "an_empty_name_is_refused", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_N },
	{ "a_response_without_name_is_refused", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_R=" THEIRS "|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_NR_MISSING },
	{ "a_target_that_does_not_authenticate_itself_is_refused", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "" } }, LOGIN_VIOLATION, VIOLATION_CHAP_NR_MISSING },
	{ "another_key_where_a_response_is_due_is_refused", bi,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "KRB_AP_REP=0x1|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_NR_OTHER },
	{ "another_name_than_the_configured_one_is_refused", bi_named,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" } }, LOGIN_VIOLATION, VIOLATION_CHAP_WRONG_NAME },
	{ "without_the_targets_secret_nothing_is_believed", bi_lost,
	  { HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" }, { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" } }, LOGIN_VIOLATION, VIOLATION_NO_CHAP_SECRET },
};
/* clang-format on */
#define SCRIPTS (sizeof scripts / sizeof scripts[0])

/* One login whose target answers every key as `edit` says: "Key=value" replaced, "Key" left out. */
static void
run_edited(struct login_cfg *cfg, const char *edit, enum login_step end,
    enum login_violation violation, struct neg_params *ret_params)
{
	char auth[200] = "TargetPortalGroupTag=1|", answers[2000] = "";
	struct put wa = put_over(auth, sizeof auth), wo = put_over(answers, sizeof answers);
	size_t name_len = strcspn(edit, "=");
	struct login *l = login_new(cfg);
	struct login_req req;
	enum login_step step;

	put_str(&wa, "TargetPortalGroupTag=1|");
	for (enum key_id key = 0; key < neg_param_count(); key++) {
		const struct key_info *k = neg_key_info(key);
		struct put *w = k->stage == KEY_STAGE_SECURITY ? &wa : &wo;

		if (strlen(k->name) == name_len && memcmp(k->name, edit, name_len) == 0) {
			if (edit[name_len] != '=')
				continue;
			put_str(w, edit);
		} else {
			put_str(w, k->name);
			put_u8(w, '=');
			if (k->type == KEY_TYPE_LIST)
				neg_put_value(w, key, neg_offer_list(&cfg->offer, key)->value[0]);
			else
				neg_put_offer(w, key, &cfg->offer);
		}
		put_u8(w, '|');
	}
	put_u8(&wa, 0);
	put_u8(&wo, 0);
	assert_false(wa.overflow || wo.overflow);
	step = login_start(l, &req);
	assert_int_equal(step, LOGIN_SEND);
	step = respond(l, "01T", auth, &req);
	if (step == LOGIN_SEND)
		step = respond(l, "13T", answers, &req);
	if (step != end || login_violation(l) != violation)
		print_error(
		    "%s: %s: %s\n", edit, violation_name(login_violation(l)), login_reason(l));
	assert_int_equal(step, end);
	assert_int_equal(login_violation(l), violation);
	if (step == LOGIN_VIOLATION) {
		assert_memory_equal(login_culprit(l), edit, name_len);
		assert_true(login_proposed(l)[0] != '\0');
	}
	if (ret_params != NULL)
		*ret_params = *login_params(l);
	login_free(l);
}

/* name=number or name=word. */
static const char *
edit_of(const struct key_info *k, const char *word, uint64_t number)
{
	static char text[100];
	struct put w = put_over(text, sizeof text);

	put_str(&w, k->name);
	put_u8(&w, '=');
	if (word != NULL) {
		put_str(&w, word);
	} else {
		uint8_t digits[20];
		size_t at = sizeof digits;

		do {
			digits[--at] = (uint8_t)('0' + number % 10);
			number /= 10;
		} while (number > 0);
		put_bytes(&w, digits + at, sizeof digits - at);
	}
	put_u8(&w, 0);
	return text;
}

/* Whether the RFC lets `v` be the result where we offered what is in cfg. */
static bool
allows_default(const struct key_info *k, enum key_id key, const struct neg_offer *o)
{
	uint32_t v = k->default_value;

	if (key == KEY_auth_method)
		return false;
	if (k->type == KEY_TYPE_LIST)
		return neg_list_has(neg_offer_list(o, key), (int)v);
	if (k->rule == KEY_RULE_MIN || k->rule == KEY_RULE_AND)
		return v <= neg_offer_value(o, key);
	return v >= neg_offer_value(o, key);
}

static void
numbers_of_every_key_are_held_to_range_and_rule(void **state)
{
	struct login_cfg cfg = default_cfg();

	for (enum key_id key = 0; key < neg_param_count(); key++) {
		const struct key_info *k = neg_key_info(key);
		struct neg_params p;
		uint32_t offered;

		if (k->type != KEY_TYPE_NUM)
			continue;
		offered = neg_offer_value(&cfg.offer, key);
		run_edited(&cfg, edit_of(k, NULL, offered), LOGIN_DONE, VIOLATION_NONE, &p);
		if (k->rule != KEY_RULE_DECLARE)
			assert_int_equal(neg_param(&p, key), offered);
		else
			assert_int_equal(p.peer_max_recv_dsl, offered);
		run_edited(&cfg, edit_of(k, NULL, (uint64_t)k->max + 1), LOGIN_VIOLATION,
		    VIOLATION_OUT_OF_RANGE, NULL);
		run_edited(&cfg, edit_of(k, "0x10000000000000000", 0), LOGIN_VIOLATION,
		    VIOLATION_OUT_OF_RANGE, NULL);
		if (k->min > 0)
			run_edited(&cfg, edit_of(k, NULL, k->min - 1), LOGIN_VIOLATION,
			    VIOLATION_OUT_OF_RANGE, NULL);
		run_edited(
		    &cfg, edit_of(k, "many", 0), LOGIN_VIOLATION, VIOLATION_BAD_NUMBER, NULL);
		run_edited(&cfg, edit_of(k, "", 0), LOGIN_VIOLATION, VIOLATION_BAD_NUMBER, NULL);
		if (k->rule == KEY_RULE_MIN && offered < k->max)
			run_edited(&cfg, edit_of(k, NULL, offered + 1), LOGIN_VIOLATION,
			    VIOLATION_AGAINST_RULE, NULL);
		if (k->rule == KEY_RULE_MAX && offered > k->min)
			run_edited(&cfg, edit_of(k, NULL, offered - 1), LOGIN_VIOLATION,
			    VIOLATION_AGAINST_RULE, NULL);
	}
}

static void
booleans_of_every_key_are_held_to_their_rule(void **state)
{
	for (enum key_id key = 0; key < neg_param_count(); key++) {
		const struct key_info *k = neg_key_info(key);

		if (k->type != KEY_TYPE_BOOL)
			continue;
		for (int offered = 0; offered <= 1; offered++) {
			struct login_cfg cfg = default_cfg();
			bool decided = k->rule == KEY_RULE_AND ? !offered : offered;
			struct neg_params p;

			*(bool *)(void *)((char *)&cfg.offer + k->offer_offset) = offered;
			run_edited(&cfg, edit_of(k, "maybe", 0), LOGIN_VIOLATION,
			    VIOLATION_BAD_BOOLEAN, NULL);
			for (int answer = 0; answer <= 1; answer++) {
				bool bad = decided && answer != offered;

				run_edited(&cfg, edit_of(k, answer ? "Yes" : "No", 0),
				    bad ? LOGIN_VIOLATION : LOGIN_DONE,
				    bad ? VIOLATION_BOOLEAN_RULE : VIOLATION_NONE, &p);
				if (!bad)
					assert_int_equal(neg_param(&p, key), answer);
			}
			/* An answer is optional where our value decides. */
			run_edited(&cfg, k->name, decided ? LOGIN_DONE : LOGIN_VIOLATION,
			    decided ? VIOLATION_NONE : VIOLATION_TEXT_UNANSWERED, &p);
			if (decided)
				assert_int_equal(neg_param(&p, key), offered);
		}
	}
}

static void
lists_of_every_key_take_only_what_was_offered(void **state)
{
	for (enum key_id key = 0; key < neg_param_count(); key++) {
		const struct key_info *k = neg_key_info(key);

		if (k->type != KEY_TYPE_LIST || key == KEY_auth_method)
			continue;
		for (size_t offered = 0; offered < k->n_values; offered++) {
			struct login_cfg cfg = default_cfg();
			struct neg_list one = { 1, { (uint8_t)offered } };

			*(struct neg_list *)(void *)((char *)&cfg.offer + k->offer_offset) = one;
			for (size_t answer = 0; answer < k->n_values; answer++) {
				struct neg_params p;
				bool ok = answer == offered;

				run_edited(&cfg, edit_of(k, k->values[answer].name, 0),
				    ok ? LOGIN_DONE : LOGIN_VIOLATION,
				    ok ? VIOLATION_NONE : VIOLATION_NOT_OFFERED, &p);
				if (ok)
					assert_int_equal(neg_param(&p, key), answer);
			}
			run_edited(&cfg, edit_of(k, "Other", 0), LOGIN_VIOLATION,
			    VIOLATION_NOT_OFFERED, NULL);
			run_edited(&cfg, edit_of(k, "None,CRC32C", 0), LOGIN_VIOLATION,
			    VIOLATION_NOT_OFFERED, NULL);
		}
	}
}

/* With our default offer, and with one that excludes the RFC's default where that is possible. */
static void
words_in_place_of_values_are_understood_for_every_key(void **state)
{
	for (enum key_id key = 0; key < neg_param_count(); key++) {
		const struct key_info *k = neg_key_info(key);

		for (int strict = 0; strict <= 1; strict++) {
			struct login_cfg cfg = default_cfg();
			bool old = k->since == 3720, fine;
			struct neg_params p;

			if (strict && key == KEY_immediate_data)
				cfg.offer.immediate_data = false;
			if (strict && key == KEY_max_burst) {
				cfg.offer.max_burst = 262143;
				cfg.offer.first_burst = 512;
			}
			if (strict && key == KEY_time2wait)
				cfg.offer.time2wait = 3;
			if (strict && key == KEY_data_digest)
				cfg.offer.data_digest =
				    (struct neg_list){ 1, { NEG_DIGEST_CRC32C } };
			fine = allows_default(k, key, &cfg.offer);
			if (k->rule == KEY_RULE_DECLARE)
				fine = false;
			run_edited(&cfg, edit_of(k, "NotUnderstood", 0),
			    old ? LOGIN_VIOLATION : LOGIN_DONE,
			    old ? VIOLATION_NOT_UNDERSTOOD : VIOLATION_NONE, &p);
			if (!old)
				assert_int_equal(neg_param(&p, key), k->default_value);
			run_edited(&cfg, edit_of(k, "Reject", 0),
			    fine ? LOGIN_DONE : LOGIN_VIOLATION,
			    fine ? VIOLATION_NONE : VIOLATION_REJECTED, &p);
			if (fine && key != KEY_first_burst)
				assert_int_equal(neg_param(&p, key), k->default_value);
			run_edited(&cfg, edit_of(k, "Irrelevant", 0),
			    fine ? LOGIN_DONE : LOGIN_VIOLATION,
			    fine ? VIOLATION_NONE : VIOLATION_IRRELEVANT, &p);
		}
	}
}

static void
every_key_must_be_answered(void **state)
{
	struct login_cfg cfg = default_cfg();

	for (enum key_id key = 0; key < neg_param_count(); key++) {
		const struct key_info *k = neg_key_info(key);
		bool fine = k->since != 3720 || k->rule == KEY_RULE_DECLARE;

		if (k->type == KEY_TYPE_BOOL)
			continue;
		run_edited(&cfg, k->name, fine ? LOGIN_DONE : LOGIN_VIOLATION,
		    fine                      ? VIOLATION_NONE
		    : k->type == KEY_TYPE_NUM ? VIOLATION_NUMBER_UNANSWERED
					      : VIOLATION_TEXT_UNANSWERED,
		    NULL);
	}
}

static void
every_other_key_of_the_table_has_its_place(void **state)
{
	for (enum key_id key = (enum key_id)neg_param_count(); key < neg_key_count(); key++) {
		const struct key_info *k = neg_key_info(key);
		const char *value = key == KEY_target_address ? "10.0.0.1,1" : "1";
		char in[100], out[100];
		struct put w = put_over(in, sizeof in);
		struct login_cfg cfg = default_cfg();
		struct script s = { .step = { HELLO, { '>', "13T", OFFERS }, { '<', "1", in },
					{ '>', "13T", out } } };

		put_str(&w, k->name);
		put_u8(&w, '=');
		put_str(&w, value);
		put_bytes(&w, "|", 2);
		out[0] = '\0';
		s.end = LOGIN_SEND;
		s.violation = VIOLATION_NONE;
		if (k->type == KEY_TYPE_GONE) {
			w = put_over(out, sizeof out);
			put_str(&w, k->name);
			put_str(&w, "=Reject|");
			put_u8(&w, 0);
		} else if (k->type == KEY_TYPE_SEC || k->stage == KEY_STAGE_FULL_FEATURE) {
			s.violation = VIOLATION_WRONG_STAGE;
		} else if ((k->senders & KEY_SENDERS_T) == 0) {
			s.violation = VIOLATION_UNEXPECTED_KEY;
		} else if (key == KEY_tpgt) {
			s.violation = VIOLATION_DUPLICATE_KEY;
		}
		if (s.violation != VIOLATION_NONE) {
			s.end = LOGIN_VIOLATION;
			s.step[4] = (struct step){ 0 };
		}
		run(&s, &cfg, NULL);
	}
}

static void
check_results(struct login *l)
{
	const struct neg_params *p = login_params(l);

	assert_int_equal(login_tpgt(l), 258);
	assert_string_equal(login_target_alias(l), "Bob's disk");
	assert_null(login_redirect(l));
	assert_int_equal(p->header_digest, NEG_DIGEST_CRC32C);
	assert_int_equal(p->data_digest, NEG_DIGEST_NONE);
	assert_false(p->initial_r2t);
	assert_true(p->immediate_data);
	assert_int_equal(p->max_recv_dsl, 262144);
	assert_int_equal(p->peer_max_recv_dsl, 4096);
	assert_int_equal(p->max_burst, 16384);
	assert_int_equal(p->first_burst, 8192);
	assert_int_equal(p->time2wait, 5);
	assert_int_equal(p->time2retain, 0);
	assert_int_equal(p->task_reporting, NEG_TASK_RESPONSE_FENCE);
}

static void
what_was_negotiated_can_be_read(void **state)
{
	struct login_cfg cfg = default_cfg();
	static const struct script s = { "", NULL,
		{ { '>', "01T", FIRST },
		    { '<', "01T",
			"TargetPortalGroupTag=0x102|TargetAlias=Bob's disk|AuthMethod=None|" },
		    { '>', "13T", OFFERS },
		    { '<', "13T",
			"HeaderDigest=CRC32C|DataDigest=None|MaxConnections=1|InitialR2T=No|"
			"ImmediateData=Yes|MaxRecvDataSegmentLength=4096|MaxBurstLength=0x4000|"
			"FirstBurstLength=8192|DefaultTime2Wait=5|DefaultTime2Retain=0|"
			"MaxOutstandingR2T=1|DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"
			"ErrorRecoveryLevel=0|TaskReporting=ResponseFence|" } },
		LOGIN_DONE };

	run(&s, &cfg, check_results);
}

static void
check_redirect(struct login *l)
{
	assert_string_equal(login_redirect(l), "[fe80::1]:5003");
	assert_non_null(strstr(login_reason(l), "for good"));
}

static void
a_redirection_can_be_read(void **state)
{
	struct login_cfg cfg = default_cfg();
	static const struct script s = { "", NULL,
		{ { '>', "01T", FIRST }, { '<', "!0102", "TargetAddress=[fe80::1]:5003|" } },
		LOGIN_REDIRECTED };

	run(&s, &cfg, check_redirect);
}

static void
a_first_burst_above_the_burst_is_a_violation_only_where_it_matters(void **state)
{
	static const struct script unsolicited = { "", NULL,
		{ HELLO, { '>', "13T", NULL },
		    { '<', "13T",
			"FirstBurstLength=8192|HeaderDigest=None|DataDigest=None|"
			"MaxConnections=1|InitialR2T=No|ImmediateData=Yes|MaxBurstLength=4096|"
			"DefaultTime2Wait=2|DefaultTime2Retain=20|MaxOutstandingR2T=1|"
			"DataPDUInOrder=Yes|DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|" } },
		LOGIN_VIOLATION, VIOLATION_BURST_ORDER, "FirstBurstLength" };
	struct login_cfg cfg = default_cfg();
	struct neg_params p;

	run(&unsolicited, &cfg, NULL);
	cfg.offer.initial_r2t = true;
	run_edited(&cfg, "MaxBurstLength=4096", LOGIN_DONE, VIOLATION_NONE, &p);
	assert_int_equal(p.first_burst, 4096);
}

static void
a_first_burst_is_irrelevant_without_unsolicited_data(void **state)
{
	struct login_cfg cfg = default_cfg();
	static const struct script s = { "", NULL,
		{ HELLO, { '>', "13T", NULL },
		    { '<', "13T",
			"FirstBurstLength=Irrelevant|HeaderDigest=None|DataDigest=None|"
			"MaxConnections=1|InitialR2T=Yes|ImmediateData=No|MaxBurstLength=512|"
			"DefaultTime2Wait=2|DefaultTime2Retain=20|MaxOutstandingR2T=1|"
			"DataPDUInOrder=Yes|DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|" } },
		LOGIN_DONE };

	cfg.offer.first_burst = 1024; /* its default, 64 KiB, would be against the rule */
	run(&s, &cfg, NULL);
}

/* Both sides beyond 8192 bytes: 150 unknown keys, answered in two parts. */
static void
text_of_ours_that_is_too_long_goes_in_parts(void **state)
{
	char in[2][8193] = { "", "" }, *got = calloc(1, 20000);
	struct login_cfg cfg = default_cfg();
	struct login *l = login_new(&cfg);
	struct login_req req;
	size_t n;

	for (size_t half = 0; half < 2; half++) {
		struct put w = put_over(in[half], sizeof in[half]);

		for (size_t i = 0; i < 75; i++) {
			put_str(&w, "X-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
			put_u8(&w, (uint8_t)('A' + half));
			put_u8(&w, (uint8_t)('A' + i / 26));
			put_u8(&w, (uint8_t)('A' + i % 26));
			put_str(&w, "=1|");
		}
		put_u8(&w, 0);
		assert_false(w.overflow);
	}
	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	assert_int_equal(
	    respond(l, "01T", "TargetPortalGroupTag=1|AuthMethod=None|", &req), LOGIN_SEND);
	assert_int_equal(respond(l, "1C", in[0], &req), LOGIN_SEND);
	assert_int_equal(req.text_len, 0);
	assert_int_equal(respond(l, "1", in[1], &req), LOGIN_SEND);
	assert_true(req.cont);
	assert_false(req.transit);
	assert_int_equal(req.text_len, 8192);
	memcpy(got, req.text, req.text_len);
	n = req.text_len;
	assert_int_equal(respond(l, "1", "", &req), LOGIN_SEND);
	assert_false(req.cont);
	assert_true(req.transit);
	memcpy(got + n, req.text, req.text_len);
	n += req.text_len;
	assert_int_equal(n, 150 * (62 + sizeof "=NotUnderstood"));
	for (size_t at = 0; at < n; at += strlen(got + at) + 1)
		assert_string_equal(got + at + 62, "=NotUnderstood");
	/* Once more, and the target talks where it must listen. */
	login_free(l);
	l = login_new(&cfg);
	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	assert_int_equal(
	    respond(l, "01T", "TargetPortalGroupTag=1|AuthMethod=None|", &req), LOGIN_SEND);
	assert_int_equal(respond(l, "1C", in[0], &req), LOGIN_SEND);
	assert_int_equal(respond(l, "1", in[1], &req), LOGIN_SEND);
	assert_int_equal(respond(l, "1", "X-b=1|", &req), LOGIN_VIOLATION);
	assert_int_equal(login_violation(l), VIOLATION_CONTINUE_TEXT);
	login_free(l);
	free(got);
}

static void
an_endless_login_ends(void **state)
{
	struct login_cfg cfg = default_cfg();
	struct login *l = login_new(&cfg);
	enum login_step step;
	struct login_req req;
	unsigned rounds = 1;

	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	step = respond(l, "0", "TargetPortalGroupTag=1|", &req);
	for (; step == LOGIN_SEND; rounds++) {
		assert_true(rounds < 1000);
		step = respond(l, "0", "", &req);
	}
	assert_int_equal(step, LOGIN_VIOLATION);
	assert_int_equal(login_violation(l), VIOLATION_TOO_MANY_ROUNDS);
	assert_int_equal(rounds, LIMIT_LOGIN_EXCHANGES);
	login_free(l);
}

static void
endless_text_ends(void **state)
{
	struct login_cfg cfg = default_cfg();
	struct login *l = login_new(&cfg);
	char part[8193];
	enum login_step step = LOGIN_SEND;
	struct login_req req;
	uint8_t big[8193] = { 0 };
	struct login_rsp rsp = { .text = big, .text_len = sizeof big };

	memset(part, 'v', sizeof part - 1);
	memcpy(part, "X-a=", 4);
	memcpy(part + 4000, "|Y-a=", 5);
	part[8191] = '|';
	part[8192] = '\0';
	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	for (unsigned i = 0; step == LOGIN_SEND && i < 10; i++) {
		part[2] = part[4003] = (char)('a' + i);
		step = respond(l, "0C", part, &req);
	}
	assert_int_equal(step, LOGIN_VIOLATION);
	assert_int_equal(login_violation(l), VIOLATION_TEXT_TOO_LONG);
	login_free(l);

	l = login_new(&cfg);
	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	assert_int_equal(login_rx(l, &rsp, &req), LOGIN_VIOLATION);
	assert_int_equal(login_violation(l), VIOLATION_SEGMENT_TOO_LONG);
	login_free(l);
}

static void
too_many_unknown_keys_are_a_violation(void **state)
{
	struct login_cfg cfg = default_cfg();
	struct login *l = login_new(&cfg);
	struct login_req req;
	char text[4000];
	struct put w = put_over(text, sizeof text);

	for (size_t i = 0; i < 161; i++) {
		put_str(&w, "X-");
		put_u8(&w, (uint8_t)('a' + i / 26));
		put_u8(&w, (uint8_t)('a' + i % 26));
		put_str(&w, "=|");
	}
	put_u8(&w, 0);
	assert_false(w.overflow);
	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	assert_int_equal(respond(l, "01T", text, &req), LOGIN_VIOLATION);
	assert_int_equal(login_violation(l), VIOLATION_TOO_MANY_KEYS);
	login_free(l);
}

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
	struct login_cfg cfg = default_cfg();
	static const struct script s = { "", NULL,
		{ HELLO_CHAP, { '<', "0", "CHAP_A=5|CHAP_I=5|CHAP_C=0xaabb|" },
		    { '>', "01T", N_R_BI }, { '<', "01T", "CHAP_N=tgt|CHAP_R=" THEIRS "|" } },
		LOGIN_VERIFY };

	ask(&cfg);
	run(&s, &cfg, check_query);
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
		struct login_cfg cfg = default_cfg();
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
			step = respond(l, (seed >> 28) == 0 ? "!0101" : flags, text, &req);
			assert_true(step != LOGIN_SEND || req.text_len <= 8192);
		}
		login_free(l);
	}
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(numbers_of_every_key_are_held_to_range_and_rule),
		cmocka_unit_test(booleans_of_every_key_are_held_to_their_rule),
		cmocka_unit_test(lists_of_every_key_take_only_what_was_offered),
		cmocka_unit_test(words_in_place_of_values_are_understood_for_every_key),
		cmocka_unit_test(every_key_must_be_answered),
		cmocka_unit_test(every_other_key_of_the_table_has_its_place),
		cmocka_unit_test(what_was_negotiated_can_be_read),
		cmocka_unit_test(a_redirection_can_be_read),
		cmocka_unit_test(
		    a_first_burst_above_the_burst_is_a_violation_only_where_it_matters),
		cmocka_unit_test(a_first_burst_is_irrelevant_without_unsolicited_data),
		cmocka_unit_test(text_of_ours_that_is_too_long_goes_in_parts),
		cmocka_unit_test(an_endless_login_ends),
		cmocka_unit_test(endless_text_ends),
		cmocka_unit_test(too_many_unknown_keys_are_a_violation),
		cmocka_unit_test(who_is_asked_gets_the_whole_question),
		cmocka_unit_test(nonsense_never_breaks_the_login),
	};
	struct CMUnitTest scripted[SCRIPTS];
	int failed;

	for (size_t i = 0; i < SCRIPTS; i++)
		scripted[i] = (struct CMUnitTest){ scripts[i].name, run_script, NULL, NULL,
			(void *)(uintptr_t)&scripts[i] };
	failed = cmocka_run_group_tests_name("scripts", scripted, NULL, NULL);
	return failed + cmocka_run_group_tests_name("login", others, NULL, NULL);
}
