#include "driver/diag/account.h"

#include <errno.h>

void
account_event(const struct account *a, const struct sess_event *ev)
{
	report_event(&a->about, ev);
}

void
account_closed(const struct account *a, enum account_phase phase, int err, enum conn_result why)
{
	/* The other side, or the network, ended it; CONN_OK is an end that nobody announced. */
	bool is_theirs = err != 0 || why == CONN_OK;

	stat_add(a->driver, STAT_SWD_GLOBAL_closes);
	if (phase == ACCOUNT_LOGIN) {
		report_closed(
		    &a->about, false, err == 0 && why == CONN_OK ? -ECONNRESET : err, why);
		if (is_theirs)
			stat_add(a->session, STAT_SWD_CONNECTION_closes_login);
	} else if (phase == ACCOUNT_ACTIVE && is_theirs) {
		stat_add(a->session, STAT_SWD_CONNECTION_closes_active);
	} else if (phase == ACCOUNT_LOGOUT && is_theirs) {
		stat_add(a->session, STAT_SWD_CONNECTION_closes_logout);
	} else if (phase == ACCOUNT_DONE && err != 0) {
		stat_add(a->session, STAT_SWD_CONNECTION_fin_timeouts);
	}
}

void
account_no_login(const struct account *a, int err)
{
	stat_add(a->driver, STAT_SWD_GLOBAL_closes);
	if (err != -ENOMEM && err != -ENOBUFS)
		return;
	report_no_memory(&a->about, err);
	stat_add(a->session, STAT_TRANSPORT_SESSION_login_alloc);
	stat_add(a->session, STAT_SWD_CONNECTION_login_send_alloc);
	stat_add(a->session,
	    err == -ENOBUFS ? STAT_SWD_CONNECTION_pdu_streams : STAT_SWD_CONNECTION_pdu_alloc);
}

void
account_dial(const struct account *a, const char *host, int err, bool is_name)
{
	if (is_name) {
		diag_ISCSI_LOG_SSN_RESOLV_FAIL(&a->about, host);
		return;
	}
	stat_add(a->session, STAT_SWD_CONNECTION_iswd_failures);
	if (err == -ETIMEDOUT)
		stat_add(a->session, STAT_SWD_CONNECTION_open_timeouts);
	if (err == -EHOSTUNREACH || err == -ENETUNREACH) {
		stat_add(a->session, STAT_TRANSPORT_SESSION_route_failures);
		diag_ISCSI_LOG_SSN_ROUTE_FAIL(&a->about, host);
	}
}
