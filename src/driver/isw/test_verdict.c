#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cut.h"
#include "driver/isw/verdict.h"

static struct {
	unsigned n;
	enum diag_id id;
	char text[1024];
} told;

static void
hear(void *user, const struct diag_event *ev)
{
	(void)user;
	told.n++;
	told.id = ev->id;
	cut_copy(told.text, sizeof told.text, ev->text);
}

static struct verify_result
failed(const char *why)
{
	struct verify_result r = { 0 };

	fault_set(&r.fault, FAULT_TIMEOUT, "look", "%s", why);
	return r;
}

static struct verify_result
said(bool ok, const char *what)
{
	struct verify_result r = { .ok = ok };

	cut_copy(r.said, sizeof r.said, what);
	return r;
}

/* How many are told of this one, by whom it is told. */
static unsigned
tell(struct verdict *v, const struct diag_ctx *about, const char *name, struct verify_result r)
{
	unsigned before = told.n;

	verdict_tell(v, about, "radius.example.com", name, &r);
	return told.n - before;
}

static void
each_reason_is_told_once_and_that_it_is_over(void **state)
{
	const struct diag_cfg cfg = { .sink = hear };
	struct diag *d = diag_new(&cfg);
	const struct diag_ctx about = { .session = -1, .to = d };
	struct verdict v = { 0 };

	(void)state;
	assert_int_equal(tell(&v, &about, "a", said(true, "r says yes")), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(tell(&v, &about, "a", failed("no server answered")), i == 0);
	assert_int_equal(told.id, DIAG_OPENISW_LOG_RADIUS_FAILED);
	assert_string_equal(told.text, "RADIUS (radius.example.com): no server answered.");
	assert_int_equal(tell(&v, &about, "a", failed("the answers are forged")), 1);
	assert_int_equal(tell(&v, &about, "a", said(true, "r says yes")), 1);
	assert_int_equal(told.id, DIAG_OPENISW_LOG_RADIUS_BACK);
	assert_int_equal(tell(&v, &about, "a", said(true, "r says yes")), 0);
	assert_int_equal(tell(&v, &about, "a", failed("the answers are forged")), 1);
	diag_free(d);
}

static void
a_rejection_is_told_once_for_each_name_and_reason(void **state)
{
	const struct diag_cfg cfg = { .sink = hear };
	struct diag *d = diag_new(&cfg);
	const struct diag_ctx about = { .session = -1, .to = d };
	struct verdict v = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(tell(&v, &about, "a", said(false, "r says no")), i == 0);
	assert_int_equal(told.id, DIAG_OPENISW_LOG_RADIUS_REJECTED);
	assert_string_equal(
	    told.text, "RADIUS does not accept the target that calls itself a: r says no.");
	assert_int_equal(tell(&v, &about, "b", said(false, "r says no")), 1);
	assert_int_equal(tell(&v, &about, "b", said(false, "r says who")), 1);
	/* A verdict ends that there was none, whichever it is. */
	assert_int_equal(tell(&v, &about, "b", failed("no server answered")), 1);
	assert_int_equal(tell(&v, &about, "b", said(false, "r says who")), 1);
	assert_int_equal(told.id, DIAG_OPENISW_LOG_RADIUS_BACK);
	diag_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_is_told_once_and_that_it_is_over),
		cmocka_unit_test(a_rejection_is_told_once_for_each_name_and_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
