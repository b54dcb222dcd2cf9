#include "ini/login_run_words.h"

#include <errno.h>

#include "ini/login_advice.h"

void
login_run_refused(
    struct login_run_down *d, const struct sess_event *ev, const struct fault *unasked)
{
	const char *reason = ev->login.reason != NULL ? ev->login.reason : "";
	struct login_advice advice;
	struct fault why = { 0 };

	switch (ev->login.step) {
	case LOGIN_REFUSED:
		advice = login_advice_for(ev->login.status_class, ev->login.status_detail);
		d->end = LOGIN_RUN_REFUSED;
		d->is_permanent = advice.is_permanent;
		fault_set(&why, FAULT_OFFLINE, advice.next, "%s (status %02x%02x)", reason,
		    ev->login.status_class, ev->login.status_detail);
		break;
	case LOGIN_VIOLATION:
		/* Without a broken rule it is the connection that ended. */
		if (ev->login.violation == VIOLATION_NONE)
			break;
		d->end = LOGIN_RUN_REFUSED;
		d->is_permanent = true;
		fault_set(&why, FAULT_OFFLINE,
		    login_advice_violation(
			ev->login.violation, ev->login.culprit != NULL ? ev->login.culprit : ""),
		    "the login failed: %s", reason);
		/* Nobody was asked, so the target is not to blame; somebody may be soon. */
		if (ev->login.violation == VIOLATION_CHAP_UNVERIFIED && unasked->is_set) {
			d->is_permanent = false;
			why = *unasked;
		}
		break;
	case LOGIN_REDIRECTED: /* followed */
	case LOGIN_SEND:
	case LOGIN_DONE:
	case LOGIN_VERIFY: /* no failures */
		break;
	}
	if (why.is_set)
		fault_keep(&d->fault, &why);
}

const char *
login_run_async_text(uint8_t event)
{
	switch (event) {
	case 0:
		return "a SCSI event";
	case 1:
		return "it asks us to log out";
	case 2:
		return "it will drop this connection";
	case 3:
		return "it will drop all connections of the session";
	case 4:
		return "it asks for a new negotiation";
	case 5:
		return "it ended tasks";
	}
	return "an event of its vendor's";
}

const char *
login_run_logout_text(uint8_t response)
{
	switch (response) {
	case 1:
		return "it does not know the connection";
	case 2:
		return "it does not support recovery";
	case 3:
		return "it could not clean up";
	}
	return "it does not say why";
}

const char *
login_run_errno_text(int err)
{
	static const struct {
		int err;
		const char *text;
	} words[] = {
		{ ECONNRESET, "Connection reset by peer" },
		{ ECONNREFUSED, "Connection refused" },
		{ ECONNABORTED, "Software caused connection abort" },
		{ ETIMEDOUT, "Connection timed out" },
		{ EHOSTUNREACH, "No route to host" },
		{ ENETUNREACH, "Network is unreachable" },
		{ ENETDOWN, "Network is down" },
		{ EHOSTDOWN, "Host is down" },
		{ EPIPE, "Broken pipe" },
		{ ENOMEM, "Cannot allocate memory" },
		{ ENOBUFS, "No buffer space available" },
		{ EPROTO, "Protocol error" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].err == -err)
			return words[i].text;
	return "the socket failed";
}

static bool
is_not_iscsi(enum conn_result why)
{
	return why == CONN_BAD_OPCODE || why == CONN_BAD_HEADER || why == CONN_BAD_STAGE ||
	       why == CONN_TOO_LONG;
}

static bool
is_silence(int err, enum conn_result why)
{
	return err == -ETIMEDOUT ||
	       (err == 0 && (why == CONN_PING_TIMEOUT || why == CONN_REQUEST_TIMEOUT ||
				why == CONN_LOGIN_TIMEOUT || why == CONN_LOGOUT_TIMEOUT ||
				why == CONN_TEXT_TIMEOUT));
}

/* During the login. */
static void
explain_login(struct fault *f, int err, enum conn_result why, uint32_t login_timeout_ms)
{
	char limit[TIMERS_TEXT_BYTES];

	timers_print(login_timeout_ms, limit);
	if (err != 0 || why == CONN_OK)
		fault_set(f, FAULT_OFFLINE,
		    "check that address and port are those of an iSCSI portal, and look at the "
		    "target's log",
		    "the peer ended the connection during the iSCSI login%s%s",
		    err != 0 ? ": " : "", err != 0 ? login_run_errno_text(err) : "");
	else if (why == CONN_LOGIN_TIMEOUT)
		fault_set(f, FAULT_TIMEOUT,
		    "check that the port is an iSCSI portal and look at the target's log",
		    "the peer accepted the connection but did not answer the iSCSI login in %s "
		    "seconds",
		    limit);
	else if (is_not_iscsi(why))
		fault_set(f, FAULT_OFFLINE, "check address and port",
		    "the peer does not speak iSCSI: %s", conn_result_text(why));
	else
		fault_set(
		    f, FAULT_OFFLINE, "look at the target's log", "%s", conn_result_text(why));
}

void
login_run_explain(
    struct login_run_down *d, int err, enum conn_result why, uint32_t login_timeout_ms)
{
	struct fault f = { 0 };

	d->end = is_silence(err, why) ? LOGIN_RUN_SILENT : LOGIN_RUN_LOST;
	if (!d->was_online)
		explain_login(&f, err, why, login_timeout_ms);
	else if (err != 0)
		fault_set(&f, FAULT_OFFLINE, "check the network and look at the target's log",
		    "the connection broke: %s", login_run_errno_text(err));
	else if (why == CONN_OK)
		fault_set(&f, FAULT_OFFLINE, "look at the target's log",
		    "the peer closed the connection");
	else
		fault_set(
		    &f, FAULT_OFFLINE, "look at the target's log", "%s", conn_result_text(why));
	fault_keep(&d->fault, &f);
}
