#include "core/test_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

enum login_step
script_respond(struct login *l, const char *flags, const char *text, struct login_req *req)
{
	struct login_rsp rsp = { .tsih = 1, .has_our_isid = true, .has_next_stat_sn = true };
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

struct login_cfg
script_cfg(void)
{
	struct login_cfg cfg = {
		.initiator_name = I_NAME, .target_name = T_NAME, .expected_tpgt = -1
	};

	neg_offer_default(&cfg.offer);
	return cfg;
}

const char *
script_violation(enum login_violation v)
{
	static const char *const names[] = {
#define VIOLATION(id, guide, text) [VIOLATION_##id] = #id,
#include "core/violation.def"
#undef VIOLATION
	};

	return names[v];
}

void
script_run(const struct script *s, const struct login_cfg *cfg, void (*check)(struct login *l))
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
			step = login_verified(l,
			    s->step[i].flags[0] == 'Y' ? CHAP_VERDICT_RIGHT : CHAP_VERDICT_WRONG,
			    &req);
		} else {
			assert_int_equal(step, LOGIN_SEND);
			step = script_respond(l, s->step[i].flags, s->step[i].text, &req);
		}
	}
	if (step != s->end || login_violation(l) != s->violation)
		print_error("%s: %s\n", script_violation(login_violation(l)), login_reason(l));
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

void
script_test(void **state)
{
	const struct script *s = *state;
	struct login_cfg cfg = script_cfg();

	if (s->setup != NULL)
		s->setup(&cfg);
	script_run(s, &cfg, NULL);
}
