#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/test_script.h"

#define FIRST_DISCOVERY "InitiatorName=" I_NAME "|SessionType=Discovery|AuthMethod=None|"
#define DISCOVERY_OFFERS                                                            \
	"HeaderDigest=None,CRC32C|DataDigest=None,CRC32C|"                          \
	"MaxRecvDataSegmentLength=262144|DefaultTime2Wait=0|DefaultTime2Retain=20|" \
	"ErrorRecoveryLevel=0|"
#define DISCOVERY_ANSWERS                                                             \
	"HeaderDigest=None|DataDigest=None|DefaultTime2Wait=2|DefaultTime2Retain=20|" \
	"ErrorRecoveryLevel=0|"
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

static const struct script scripts[] = {
	/* How a login goes. */
	{ "a_normal_login_passes_both_stages", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "13T", ANSWERS } }, LOGIN_DONE },
	{ "the_alias_is_declared", alias,
	    { { '>', "01T",
		"InitiatorName=" I_NAME "|InitiatorAlias=Bob's host|TargetName=" T_NAME
		"|SessionType=Normal|AuthMethod=None|" } },
	    LOGIN_SEND },
	{ "a_discovery_login_leaves_out_what_is_irrelevant", discovery,
	    { { '>', "01T", FIRST_DISCOVERY }, { '<', "01T", "AuthMethod=None|" },
		{ '>', "13T", DISCOVERY_OFFERS }, { '<', "13T", DISCOVERY_ANSWERS } },
	    LOGIN_DONE },
	{ "a_login_may_begin_with_the_operational_stage", direct,
	    { { '>', "13T",
		  "InitiatorName=" I_NAME "|TargetName=" T_NAME "|SessionType=Normal|" OFFERS },
		{ '<', "13T", "TargetPortalGroupTag=1|" ANSWERS } },
	    LOGIN_DONE },
	{ "without_an_offer_of_methods_the_target_may_skip_security", no_auth_offer,
	    { { '>', "01T", "InitiatorName=" I_NAME "|TargetName=" T_NAME "|SessionType=Normal|" },
		{ '<', "01T", "TargetPortalGroupTag=1|" }, { '>', "13T", OFFERS },
		{ '<', "13T", ANSWERS } },
	    LOGIN_DONE },
	{ "a_method_the_target_proposes_but_we_do_not_offer_is_rejected", no_auth_offer,
	    { { '>', "01T", NULL }, { '<', "0", "TargetPortalGroupTag=1|AuthMethod=SRP,KRB5|" },
		{ '>', "01T", "AuthMethod=Reject|" }, { '<', "!0201", "" } },
	    LOGIN_REFUSED },
	{ "a_target_may_take_several_rounds", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "1", "HeaderDigest=None|" }, { '>', "13T", "" },
		{ '<', "1", "" }, { '>', "13T", "" },
		{ '<', "1",
		    "DataDigest=None|MaxConnections=1|InitialR2T=No|ImmediateData=Yes|"
		    "MaxBurstLength=4096|FirstBurstLength=4096|DefaultTime2Wait=2|"
		    "DefaultTime2Retain=0|MaxOutstandingR2T=1|DataPDUInOrder=Yes|"
		    "DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|" },
		{ '>', "13T", "" }, { '<', "13T", "" } },
	    LOGIN_DONE },
	{ "a_slow_security_stage_is_waited_for", NULL,
	    { { '>', "01T", FIRST }, { '<', "0", "TargetPortalGroupTag=1|" }, { '>', "01T", "" },
		{ '<', "0", "AuthMethod=None|" }, { '>', "01T", "" }, { '<', "01T", "" },
		{ '>', "13T", OFFERS } },
	    LOGIN_SEND },

	/* What the target says besides. */
	{ "unknown_keys_are_answered_not_understood", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "1", "X-com.example.a=1|" ANSWERS "Later=b|" },
		{ '>', "13T", "X-com.example.a=NotUnderstood|Later=NotUnderstood|" },
		{ '<', "13T", "" } },
	    LOGIN_DONE },
	{ "obsolete_markers_are_rejected", NULL,
	    { HELLO, { '>', "13T", OFFERS },
		{ '<', "1", "IFMarker=Yes|OFMarker=No|IFMarkInt=1~2|OFMarkInt=1~2|" ANSWERS },
		{ '>', "13T",
		    "IFMarker=Reject|OFMarker=Reject|IFMarkInt=Reject|OFMarkInt=Reject|" },
		{ '<', "13T", "" } },
	    LOGIN_DONE },
	{ "declarations_need_no_answer", NULL,
	    { { '>', "01T", FIRST },
		{ '<', "01T",
		    "TargetPortalGroupTag=0x01|TargetAlias=Bob-s "
		    "Disk|X#NodeArchitecture=a/1,b/"
		    "2|AuthMethod=None|TargetAddress=10.0.0.1,1|TargetAddress=10.0.0.2,1|" },
		{ '>', "13T", OFFERS }, { '<', "13T", ANSWERS } },
	    LOGIN_DONE },
	{ "the_targets_proposals_are_answered_by_the_result_function", quiet,
	    { HELLO, { '>', "13T", NULL },
		{ '<', "1",
		    "DataDigest=None|MaxConnections=1|FirstBurstLength=4096|DefaultTime2Retain=0|"
		    "MaxOutstandingR2T=1|DataPDUInOrder=Yes|"
		    "DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|MaxBurstLength=262144|"
		    "DefaultTime2Wait=2|ImmediateData=Yes|InitialR2T=Yes|"
		    "HeaderDigest=Unknown,CRC32C,None|TaskReporting=FastAbort|iSCSIProtocolLevel="
		    "2|" },
		{ '>', "13T",
		    "MaxBurstLength=65536|DefaultTime2Wait=5|ImmediateData=Yes|InitialR2T=Yes|"
		    "HeaderDigest=CRC32C|TaskReporting=FastAbort|iSCSIProtocolLevel=2|" },
		{ '<', "13T", "" } },
	    LOGIN_DONE },
	{ "inadmissible_proposals_are_rejected", quiet,
	    { HELLO, { '>', "13T", NULL },
		{ '<', "1",
		    "MaxBurstLength=100|DefaultTime2Wait=soon|ImmediateData=Maybe|HeaderDigest=|" },
		{ '>', "13T",
		    "MaxBurstLength=Reject|DefaultTime2Wait=Reject|ImmediateData=Reject|"
		    "HeaderDigest=Reject|" } },
	    LOGIN_SEND },
	{ "proposals_that_are_irrelevant_to_discovery_are_called_so", discovery,
	    { { '>', "01T", NULL }, { '<', "01T", "AuthMethod=None|" },
		{ '>', "13T", DISCOVERY_OFFERS },
		{ '<', "1",
		    DISCOVERY_ANSWERS "MaxBurstLength=512|InitialR2T=No|TaskReporting=RFC3720|" },
		{ '>', "13T",
		    "MaxBurstLength=Irrelevant|InitialR2T=Irrelevant|TaskReporting=Irrelevant|" },
		{ '<', "13T", "" } },
	    LOGIN_DONE },

	/* The C bit, the target's. */
	{ "text_in_parts_is_put_together", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "1C", "HeaderDig" }, { '>', "13T", "" },
		{ '<', "1C", "est=None|DataDigest=No" }, { '>', "13T", "" },
		{ '<', "1", "ne|X-a=1|" }, { '>', "13T", "X-a=NotUnderstood|" } },
	    LOGIN_SEND },
	{ "answers_wait_until_the_targets_text_is_complete", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "1C", "X-a=1|" }, { '>', "13T", "" },
		{ '<', "1", "X-b=1|" }, { '>', "13T", "X-a=NotUnderstood|X-b=NotUnderstood|" } },
	    LOGIN_SEND },
	{ "the_last_part_may_end_the_stage", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "1C", "MaxRecvDataSegmentLength=819" },
		{ '>', "13T", "" },
		{ '<', "13T",
		    "2|HeaderDigest=None|DataDigest=None|MaxConnections=1|InitialR2T=Yes|"
		    "ImmediateData=Yes|MaxBurstLength=262144|"
		    "FirstBurstLength=65536|DefaultTime2Wait=2|DefaultTime2Retain=20|"
		    "MaxOutstandingR2T=1|DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"
		    "ErrorRecoveryLevel=0|" } },
	    LOGIN_DONE },
	{ "the_tag_may_come_in_a_later_part_of_the_first_text", NULL,
	    { { '>', "01T", FIRST }, { '<', "0C", "AuthMethod=None|" }, { '>', "01T", "" },
		{ '<', "01T", "TargetPortalGroupTag=1|" }, { '>', "13T", OFFERS } },
	    LOGIN_SEND },
	{ "a_stage_cannot_end_in_the_middle_of_a_text", NULL,
	    { { '>', "01T", FIRST }, { '<', "01TC", "TargetPortalGroupTag=1|" } }, LOGIN_VIOLATION,
	    VIOLATION_TRANSIT_CONTINUE },
	{ "a_pair_whose_rest_never_comes_is_incomplete", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "1C", "HeaderDigest=No" }, { '>', "13T", "" },
		{ '<', "13T", "" } },
	    LOGIN_VIOLATION, VIOLATION_TEXT_INCOMPLETE, "HeaderDigest=No" },

	/* Text that is none. */
	{ "a_missing_equal_sign_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "AuthMethod|" } }, LOGIN_VIOLATION,
	    VIOLATION_NO_EQUAL, "AuthMethod" },
	{ "a_missing_nul_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "AuthMethod=None" } }, LOGIN_VIOLATION,
	    VIOLATION_NO_NUL, "AuthMethod=None" },
	{ "a_key_name_of_64_bytes_is_a_violation", NULL,
	    { { '>', "01T", FIRST },
		{ '<', "01T",
		    "Xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1|" } },
	    LOGIN_VIOLATION, VIOLATION_KEY_TOO_LONG },
	{ "a_key_name_with_a_space_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "Auth Method=None|" } }, LOGIN_VIOLATION,
	    VIOLATION_BAD_KEY_NAME },
	{ "unprintable_bytes_do_not_reach_the_message", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "AuthMethod=\x1b[2J\xff|" } }, LOGIN_VIOLATION,
	    VIOLATION_NOT_OFFERED, "AuthMethod=?[2J?" },

	/* Stages. */
	{ "the_operational_stage_cannot_be_skipped", NULL,
	    { { '>', "01T", FIRST }, { '<', "03T", "TargetPortalGroupTag=1|AuthMethod=None|" } },
	    LOGIN_VIOLATION, VIOLATION_BAD_NSG, "NSG=3" },
	{ "a_reserved_next_stage_is_a_violation", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "12T", ANSWERS } }, LOGIN_VIOLATION,
	    VIOLATION_BAD_NSG, "NSG=2" },
	{ "a_stage_cannot_be_entered_again", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "11T", ANSWERS } }, LOGIN_VIOLATION,
	    VIOLATION_BAD_NSG, "NSG=1" },
	{ "an_answer_for_another_stage_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "13T", "TargetPortalGroupTag=1|" } }, LOGIN_VIOLATION,
	    VIOLATION_BAD_CSG, "CSG=1" },
	{ "a_proposal_cannot_come_with_the_end_of_the_stage", quiet,
	    { HELLO, { '>', "13T", NULL }, { '<', "13T", "MaxBurstLength=512|" } }, LOGIN_VIOLATION,
	    VIOLATION_TRANSIT_OFFER },
	{ "operational_keys_do_not_belong_to_the_security_stage", NULL,
	    { { '>', "01T", FIRST },
		{ '<', "01T", "TargetPortalGroupTag=1|AuthMethod=None|HeaderDigest=None|" } },
	    LOGIN_VIOLATION, VIOLATION_WRONG_STAGE, "HeaderDigest=None" },
	{ "security_keys_do_not_belong_to_the_operational_stage", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "13T", "CHAP_A=5|" } }, LOGIN_VIOLATION,
	    VIOLATION_WRONG_STAGE, "CHAP_A=5" },
	{ "send_targets_does_not_belong_to_a_login", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "13T", "SendTargets=All|" } }, LOGIN_VIOLATION,
	    VIOLATION_WRONG_STAGE },

	/* Portal group tags. */
	{ "the_first_response_must_bring_the_tag", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "AuthMethod=None|" } }, LOGIN_VIOLATION,
	    VIOLATION_NO_TPGT },
	{ "the_tag_we_expect_is_fine", tag_7,
	    { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=7|AuthMethod=None|" },
		{ '>', "13T", OFFERS } },
	    LOGIN_SEND },
	{ "another_tag_is_a_violation", tag_7,
	    { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=None|" } },
	    LOGIN_VIOLATION, VIOLATION_WRONG_TPGT, "TargetPortalGroupTag=1" },
	{ "a_tag_of_17_bits_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=65536|" } },
	    LOGIN_VIOLATION, VIOLATION_OUT_OF_RANGE },
	{ "a_tag_that_is_no_number_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=one|" } }, LOGIN_VIOLATION,
	    VIOLATION_BAD_NUMBER },

	/* Keys. */
	{ "a_key_answered_twice_is_a_violation", NULL,
	    { HELLO, { '>', "13T", OFFERS },
		{ '<', "13T", "MaxBurstLength=512|MaxBurstLength=512|" } },
	    LOGIN_VIOLATION, VIOLATION_DUPLICATE_KEY, "MaxBurstLength=512" },
	{ "a_key_declared_twice_in_two_stages_is_a_violation", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "13T", "TargetPortalGroupTag=1|" ANSWERS } },
	    LOGIN_VIOLATION, VIOLATION_DUPLICATE_KEY },
	{ "an_unknown_key_sent_twice_is_a_violation", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "1", "X-a=1|" }, { '>', "13T", NULL },
		{ '<', "1", "X-a=1|" } },
	    LOGIN_VIOLATION, VIOLATION_DUPLICATE_KEY },
	{ "an_unknown_key_cannot_be_not_understood", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "1", "X-a=NotUnderstood|" } }, LOGIN_VIOLATION,
	    VIOLATION_RESERVED_VALUE },
	{ "an_initiators_key_from_the_target_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "InitiatorName=" I_NAME "|" } }, LOGIN_VIOLATION,
	    VIOLATION_UNEXPECTED_KEY },
	{ "our_name_must_be_understood", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "InitiatorName=NotUnderstood|" } },
	    LOGIN_VIOLATION, VIOLATION_NOT_UNDERSTOOD },
	{ "a_rejected_session_type_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "SessionType=Reject|" } }, LOGIN_VIOLATION,
	    VIOLATION_REJECTED },
	{ "a_rejected_method_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=Reject|" } },
	    LOGIN_VIOLATION, VIOLATION_AUTH_REJECTED, "AuthMethod=Reject" },
	{ "a_method_that_was_not_offered_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|AuthMethod=CHAP|" } },
	    LOGIN_VIOLATION, VIOLATION_NOT_OFFERED },
	{ "an_irrelevant_method_is_a_violation", NULL,
	    { { '>', "01T", FIRST },
		{ '<', "01T", "TargetPortalGroupTag=1|AuthMethod=Irrelevant|" } },
	    LOGIN_VIOLATION, VIOLATION_IRRELEVANT, "AuthMethod" },
	{ "an_unanswered_method_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "01T", "TargetPortalGroupTag=1|" } }, LOGIN_VIOLATION,
	    VIOLATION_TEXT_UNANSWERED, "AuthMethod" },

	/* Refusals and redirections. */
	{ "a_refusal_ends_the_login", NULL, { { '>', "01T", FIRST }, { '<', "!0203", "" } },
	    LOGIN_REFUSED },
	{ "a_target_error_ends_the_login", NULL,
	    { HELLO, { '>', "13T", OFFERS }, { '<', "!0301", "whatever" } }, LOGIN_REFUSED },
	{ "an_undefined_status_class_ends_the_login", NULL,
	    { { '>', "01T", FIRST }, { '<', "!0900", "" } }, LOGIN_REFUSED },
	{ "a_redirection_names_its_address", NULL,
	    { { '>', "01T", FIRST }, { '<', "!0101", "TargetAddress=[fe80::1]:5003|" } },
	    LOGIN_REDIRECTED },
	{ "other_keys_beside_the_address_do_no_harm", NULL,
	    { { '>', "01T", FIRST },
		{ '<', "!0102", "TargetPortalGroupTag=1|TargetAddress=10.0.0.9|" } },
	    LOGIN_REDIRECTED },
	{ "a_redirection_without_address_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "!0101", "" } }, LOGIN_VIOLATION,
	    VIOLATION_REDIRECT_MISSING },
	{ "a_redirection_with_another_key_only_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "!0101", "TargetName=" T_NAME "|" } }, LOGIN_VIOLATION,
	    VIOLATION_REDIRECT_KEY, "TargetName=" T_NAME },
	{ "a_redirection_to_a_malformed_address_is_a_violation", NULL,
	    { { '>', "01T", FIRST }, { '<', "!0101", "TargetAddress=10.0.0.999|" } },
	    LOGIN_VIOLATION, VIOLATION_REDIRECT_ADDRESS, "TargetAddress=10.0.0.999" },

};
#define SCRIPTS (sizeof scripts / sizeof scripts[0])

static void
check_results(struct login *l)
{
	const struct neg_params *p = login_params(l);

	assert_int_equal(login_tpgt(l), 258);
	assert_string_equal(login_target_alias(l), "Bob's disk");
	assert_null(login_redirect(l));
	assert_string_equal(login_unknown_keys(l), "X-a,Later");
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
	struct login_cfg cfg = script_cfg();
	static const struct script s = { "", NULL,
		{ { '>', "01T", FIRST },
		    { '<', "01T",
			"TargetPortalGroupTag=0x102|TargetAlias=Bob's "
			"disk|AuthMethod=None|X-a=1|Later=b|" },
		    { '>', "13T", OFFERS },
		    { '<', "13T",
			"HeaderDigest=CRC32C|DataDigest=None|MaxConnections=1|InitialR2T=No|"
			"ImmediateData=Yes|MaxRecvDataSegmentLength=4096|MaxBurstLength=0x4000|"
			"FirstBurstLength=8192|DefaultTime2Wait=5|DefaultTime2Retain=0|"
			"MaxOutstandingR2T=1|DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"
			"ErrorRecoveryLevel=0|TaskReporting=ResponseFence|" } },
		LOGIN_DONE };

	script_run(&s, &cfg, check_results);
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
	struct login_cfg cfg = script_cfg();
	static const struct script s = { "", NULL,
		{ { '>', "01T", FIRST }, { '<', "!0102", "TargetAddress=[fe80::1]:5003|" } },
		LOGIN_REDIRECTED };

	script_run(&s, &cfg, check_redirect);
}

/* Both sides beyond 8192 bytes: 150 unknown keys, answered in two parts. */
static void
text_of_ours_that_is_too_long_goes_in_parts(void **state)
{
	char in[2][8193] = { "", "" }, *got = calloc(1, 20000);
	struct login_cfg cfg = script_cfg();
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
	    script_respond(l, "01T", "TargetPortalGroupTag=1|AuthMethod=None|", &req), LOGIN_SEND);
	assert_int_equal(script_respond(l, "1C", in[0], &req), LOGIN_SEND);
	assert_int_equal(req.text_len, 0);
	assert_int_equal(script_respond(l, "1", in[1], &req), LOGIN_SEND);
	assert_true(req.cont);
	assert_false(req.transit);
	assert_int_equal(req.text_len, 8192);
	memcpy(got, req.text, req.text_len);
	n = req.text_len;
	assert_int_equal(script_respond(l, "1", "", &req), LOGIN_SEND);
	assert_false(req.cont);
	assert_true(req.transit);
	memcpy(got + n, req.text, req.text_len);
	n += req.text_len;
	assert_int_equal(strlen(login_unknown_keys(l)), 200);
	assert_int_equal(n, 150 * (62 + sizeof "=NotUnderstood"));
	for (size_t at = 0; at < n; at += strlen(got + at) + 1)
		assert_string_equal(got + at + 62, "=NotUnderstood");
	/* Once more, and the target talks where it must listen. */
	login_free(l);
	l = login_new(&cfg);
	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	assert_int_equal(
	    script_respond(l, "01T", "TargetPortalGroupTag=1|AuthMethod=None|", &req), LOGIN_SEND);
	assert_int_equal(script_respond(l, "1C", in[0], &req), LOGIN_SEND);
	assert_int_equal(script_respond(l, "1", in[1], &req), LOGIN_SEND);
	assert_int_equal(script_respond(l, "1", "X-b=1|", &req), LOGIN_VIOLATION);
	assert_int_equal(login_violation(l), VIOLATION_CONTINUE_TEXT);
	login_free(l);
	free(got);
}

static void
an_endless_login_ends(void **state)
{
	struct login_cfg cfg = script_cfg();
	struct login *l = login_new(&cfg);
	enum login_step step;
	struct login_req req;
	unsigned rounds = 1;

	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	step = script_respond(l, "0", "TargetPortalGroupTag=1|", &req);
	for (; step == LOGIN_SEND; rounds++) {
		assert_true(rounds < 1000);
		step = script_respond(l, "0", "", &req);
	}
	assert_int_equal(step, LOGIN_VIOLATION);
	assert_int_equal(login_violation(l), VIOLATION_TOO_MANY_ROUNDS);
	assert_int_equal(rounds, LIMIT_LOGIN_EXCHANGES);
	login_free(l);
}

static void
endless_text_ends(void **state)
{
	struct login_cfg cfg = script_cfg();
	struct login *l = login_new(&cfg);
	char part[8193];
	enum login_step step = LOGIN_SEND;
	struct login_req req;
	uint8_t big[8193] = { 0 };
	struct login_rsp rsp = { .tsih = 1,
		.has_our_isid = true,
		.has_next_stat_sn = true,
		.text = big,
		.text_len = sizeof big };

	memset(part, 'v', sizeof part - 1);
	memcpy(part, "X-a=", 4);
	memcpy(part + 4000, "|Y-a=", 5);
	part[8191] = '|';
	part[8192] = '\0';
	assert_int_equal(login_start(l, &req), LOGIN_SEND);
	for (unsigned i = 0; step == LOGIN_SEND && i < 10; i++) {
		part[2] = part[4003] = (char)('a' + i);
		step = script_respond(l, "0C", part, &req);
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
	struct login_cfg cfg = script_cfg();
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
	assert_int_equal(script_respond(l, "01T", text, &req), LOGIN_VIOLATION);
	assert_int_equal(login_violation(l), VIOLATION_TOO_MANY_KEYS);
	login_free(l);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(what_was_negotiated_can_be_read),
		cmocka_unit_test(a_redirection_can_be_read),
		cmocka_unit_test(text_of_ours_that_is_too_long_goes_in_parts),
		cmocka_unit_test(an_endless_login_ends),
		cmocka_unit_test(endless_text_ends),
		cmocka_unit_test(too_many_unknown_keys_are_a_violation),
	};
	struct CMUnitTest scripted[SCRIPTS];
	int failed;

	for (size_t i = 0; i < SCRIPTS; i++)
		scripted[i] = (struct CMUnitTest){ scripts[i].name, script_test, NULL, NULL,
			(void *)(uintptr_t)&scripts[i] };
	failed = cmocka_run_group_tests_name("scripts", scripted, NULL, NULL);
	return failed + cmocka_run_group_tests_name("others", others, NULL, NULL);
}
