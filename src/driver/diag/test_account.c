#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/diag/account.h"

static struct stat_block session, driver;
static struct account a;
static enum diag_id said[16];
static unsigned n_said;

static void
sink(void *user, const struct diag_event *ev)
{
	(void)user;
	if (n_said < 16)
		said[n_said++] = ev->id;
}

static int
setup(void **state)
{
	(void)state;
	memset(&session, 0, sizeof session);
	memset(&driver, 0, sizeof driver);
	n_said = 0;
	a = (struct account){ .about = { .session = 1 }, .session = &session, .driver = &driver };
	log_init("test", LOG_TO_STDERR, LOG_LVL_PANIC);
	a.about.to = diag_new(&(struct diag_cfg){ .sink = sink });
	assert_non_null(a.about.to);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	diag_free(a.about.to);
	return 0;
}

#define COUNT(id) atomic_load(&session.n[STAT_##id])

static void
violate(enum login_violation v)
{
	account_event(&a,
	    &(struct sess_event){ .kind = SESS_EV_LOGIN_FAILED,
		.login = {
		    .step = LOGIN_VIOLATION, .violation = v, .culprit = "K=V", .proposed = "" } });
}

static void
violations_are_said(void **state)
{
	(void)state;
	violate(VIOLATION_NO_CHAP_SECRET);
	assert_int_equal(said[0], DIAG_ISCSI_LOG_LOGIN_NO_CHAP_SECRET);
	violate(VIOLATION_BAD_NSG);
	assert_int_equal(said[1], DIAG_ISCSI_LOG_PROTOCOL_BAD_TGT_NSG);
	violate(VIOLATION_CHAP_WRONG);
	assert_int_equal(said[2], DIAG_ISCSI_LOG_PROTOCOL_BAD_CHAP_R_VAL);
	/* Where nobody gave a verdict the target is not to blame. */
	violate(VIOLATION_CHAP_UNVERIFIED);
	assert_int_equal(n_said, 3);
}

static void
a_close_is_counted_by_how_far_the_connection_had_come(void **state)
{
	(void)state;
	account_closed(&a, ACCOUNT_LOGIN, 0, CONN_OK);
	assert_int_equal(COUNT(SWD_CONNECTION_closes_login), 1);
	assert_int_equal(n_said, 1);
	assert_int_equal(said[0], DIAG_ISW_LOG_CLOSED_ON_LOGIN);
	account_closed(&a, ACCOUNT_LOGIN, 0, CONN_LOGIN_FAILED);
	assert_int_equal(COUNT(SWD_CONNECTION_closes_login), 1);
	account_closed(&a, ACCOUNT_ACTIVE, -ECONNRESET, CONN_OK);
	assert_int_equal(COUNT(SWD_CONNECTION_closes_active), 1);
	account_closed(&a, ACCOUNT_ACTIVE, 0, CONN_STATSN_HOLE);
	assert_int_equal(COUNT(SWD_CONNECTION_closes_active), 1);
	account_closed(&a, ACCOUNT_LOGOUT, -ECONNRESET, CONN_OK);
	assert_int_equal(COUNT(SWD_CONNECTION_closes_logout), 1);
	account_closed(&a, ACCOUNT_DONE, -ECONNRESET, CONN_OK);
	assert_int_equal(COUNT(SWD_CONNECTION_fin_timeouts), 1);
	account_closed(&a, ACCOUNT_OURS, 0, CONN_OK);
	account_closed(&a, ACCOUNT_DONE, 0, CONN_OK);
	assert_int_equal(COUNT(SWD_CONNECTION_closes_active), 1);
	assert_int_equal(COUNT(SWD_CONNECTION_fin_timeouts), 1);
	assert_int_equal(atomic_load(&driver.n[STAT_SWD_GLOBAL_closes]), 8);
	assert_int_equal(n_said, 1);
}

static void
a_login_without_memory_is_said_and_counted(void **state)
{
	(void)state;
	account_no_login(&a, -ENOMEM);
	account_no_login(&a, -ENOBUFS);
	account_no_login(&a, -EBADF);
	assert_int_equal(COUNT(TRANSPORT_SESSION_login_alloc), 2);
	assert_int_equal(COUNT(SWD_CONNECTION_login_send_alloc), 2);
	assert_int_equal(COUNT(SWD_CONNECTION_pdu_alloc), 1);
	assert_int_equal(COUNT(SWD_CONNECTION_pdu_streams), 1);
	assert_int_equal(n_said, 2);
	assert_int_equal(said[0], DIAG_ISCSI_LOG_PROTOCOL_ALLOC_KEYS_CB);
	assert_int_equal(said[1], DIAG_ISCSI_LOG_PROTOCOL_ALLOC_ACROSS_FAIL);
}

static void
a_connection_that_was_not_made_is_counted_by_its_reason(void **state)
{
	(void)state;
	account_dial(&a, "array", -ENOENT, true);
	account_dial(&a, "192.0.2.1", -ENETUNREACH, false);
	account_dial(&a, "192.0.2.1", -ETIMEDOUT, false);
	account_dial(&a, "192.0.2.1", -ECONNREFUSED, false);
	assert_int_equal(COUNT(TRANSPORT_SESSION_route_failures), 1);
	assert_int_equal(COUNT(SWD_CONNECTION_iswd_failures), 3);
	assert_int_equal(COUNT(SWD_CONNECTION_open_timeouts), 1);
	assert_int_equal(n_said, 2);
	assert_int_equal(said[0], DIAG_ISCSI_LOG_SSN_RESOLV_FAIL);
	assert_int_equal(said[1], DIAG_ISCSI_LOG_SSN_ROUTE_FAIL);
}

static void
faults_of_sendtargets_have_the_guides_messages(void **state)
{
	static const struct {
		enum sendtargets_kind kind;
		enum diag_id id;
	} rows[] = { { SENDTARGETS_BAD_KEY, DIAG_ISCSI_LOG_INCOR_KEY },
		{ SENDTARGETS_STRAY_ADDRESS, DIAG_ISCSI_LOG_INCOR_KEY },
		{ SENDTARGETS_BAD_TEXT, DIAG_ISCSI_LOG_INCOR_KEY },
		{ SENDTARGETS_BAD_ADDRESS, DIAG_ISCSI_LOG_INCOR_TGT_ADDR },
		{ SENDTARGETS_BAD_NAME, DIAG_ISCSI_LOG_BAD_ISCSI_NAME } };
	static const enum sendtargets_kind silent[] = { SENDTARGETS_END, SENDTARGETS_ADDRESS,
		SENDTARGETS_NO_ADDRESS, SENDTARGETS_TOO_MANY };

	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		report_sendtargets(
		    &a.about, &(struct sendtargets_record){ .kind = rows[i].kind, .culprit = "x" });
		assert_int_equal(n_said, i + 1);
		assert_int_equal(said[i], rows[i].id);
	}
	for (unsigned i = 0; i < sizeof silent / sizeof silent[0]; i++)
		report_sendtargets(&a.about, &(struct sendtargets_record){ .kind = silent[i] });
	assert_int_equal(n_said, sizeof rows / sizeof rows[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(violations_are_said, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_close_is_counted_by_how_far_the_connection_had_come, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_login_without_memory_is_said_and_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_connection_that_was_not_made_is_counted_by_its_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    faults_of_sendtargets_have_the_guides_messages, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
