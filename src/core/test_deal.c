#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/test_script.h"

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
	step = script_respond(l, "01T", auth, &req);
	if (step == LOGIN_SEND)
		step = script_respond(l, "13T", answers, &req);
	if (step != end || login_violation(l) != violation)
		print_error(
		    "%s: %s: %s\n", edit, script_violation(login_violation(l)), login_reason(l));
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
	struct login_cfg cfg = script_cfg();

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
			struct login_cfg cfg = script_cfg();
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
			struct login_cfg cfg = script_cfg();
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
			struct login_cfg cfg = script_cfg();
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
			    fine                     ? VIOLATION_NONE
			    : key == KEY_auth_method ? VIOLATION_AUTH_REJECTED
						     : VIOLATION_REJECTED,
			    &p);
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
	struct login_cfg cfg = script_cfg();

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
	for (enum key_id key = (enum key_id)neg_param_count(); key < KEY_COUNT; key++) {
		const struct key_info *k = neg_key_info(key);
		const char *value = key == KEY_target_address ? "10.0.0.1,1" : "1";
		char in[100], out[100];
		struct put w = put_over(in, sizeof in);
		struct login_cfg cfg = script_cfg();
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
		script_run(&s, &cfg, NULL);
	}
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
	struct login_cfg cfg = script_cfg();
	struct neg_params p;

	script_run(&unsolicited, &cfg, NULL);
	cfg.offer.initial_r2t = true;
	run_edited(&cfg, "MaxBurstLength=4096", LOGIN_DONE, VIOLATION_NONE, &p);
	assert_int_equal(p.first_burst, 4096);
}

static void
a_first_burst_is_irrelevant_without_unsolicited_data(void **state)
{
	struct login_cfg cfg = script_cfg();
	static const struct script s = { "", NULL,
		{ HELLO, { '>', "13T", NULL },
		    { '<', "13T",
			"FirstBurstLength=Irrelevant|HeaderDigest=None|DataDigest=None|"
			"MaxConnections=1|InitialR2T=Yes|ImmediateData=No|MaxBurstLength=512|"
			"DefaultTime2Wait=2|DefaultTime2Retain=20|MaxOutstandingR2T=1|"
			"DataPDUInOrder=Yes|DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|" } },
		LOGIN_DONE };

	cfg.offer.first_burst = 1024; /* its default, 64 KiB, would be against the rule */
	script_run(&s, &cfg, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_every_key_are_held_to_range_and_rule),
		cmocka_unit_test(booleans_of_every_key_are_held_to_their_rule),
		cmocka_unit_test(lists_of_every_key_take_only_what_was_offered),
		cmocka_unit_test(words_in_place_of_values_are_understood_for_every_key),
		cmocka_unit_test(every_key_must_be_answered),
		cmocka_unit_test(every_other_key_of_the_table_has_its_place),
		cmocka_unit_test(
		    a_first_burst_above_the_burst_is_a_violation_only_where_it_matters),
		cmocka_unit_test(a_first_burst_is_irrelevant_without_unsolicited_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
