#include "driver/iscsi/nexus.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/cut.h"
#include "driver/iscsi/login_advice.h"
#include "sys/log.h"

struct nexus {
	struct loop *loop;
	const struct nexus_ops *ops;
	void *user;
	char label[64];
	struct sess_cfg cfg;
	struct nexus_login *login; /* owned; cfg borrows its strings */
	struct sess *sess;
	struct link *link;
	struct nexus_down down; /* what is known so far of the end of this connection */
	struct agenda_work failed_attach;
	int attach_err;
	struct account account;
	unsigned stamp;       /* counts logins */
	bool is_asking;       /* a verdict is due for this login */
	struct fault unasked; /* set: why there was none */
	bool is_dropped;
};

void
nexus_login_free(struct nexus_login *login)
{
	if (login == NULL)
		return;
	explicit_bzero(login, sizeof *login);
	free(login);
}

static void
take_login(struct nexus *n, struct nexus_login *login)
{
	n->cfg.login = (struct login_cfg){
		.initiator_name = login->initiator_name,
		.initiator_alias = login->initiator_alias,
		.target_name = login->target_name[0] != '\0' ? login->target_name : NULL,
		.expected_tpgt = login->expected_tpgt,
		.offer = login->offer,
		.chap = login->has_chap ? &login->chap.cfg : NULL,
	};
	n->cfg.login_timeout_ms = login->timers.s[TIMER_login] * 1000;
	n->cfg.logout_timeout_ms = NEXUS_LOGOUT_MS;
	n->cfg.request_timeout_ms = login->timers.s[TIMER_command] * 1000;
	n->cfg.abort_timeout_ms = login->timers.s[TIMER_abort] * 1000;
	n->cfg.reset_timeout_ms = login->timers.s[TIMER_reset] * 1000;
	n->cfg.nop_timeout_ms = login->timers.s[TIMER_nop] * 1000;
	n->cfg.nop_interval_ms = login->timers.s[TIMER_nop_interval] * 1000;
	if (n->sess != NULL)
		sess_configure(n->sess, &n->cfg);
	if (n->login != login)
		nexus_login_free(n->login);
	n->login = login;
}

/* Did the login fail in a way that another CHAP algorithm may mend? */
static bool
is_chap_failure(const struct sess_event *ev)
{
	/* 0201 is an authentication failure; a response of unexpected length is 0200 to some. */
	if (ev->login.step == LOGIN_REFUSED)
		return ev->login.status_class == 2 && ev->login.status_detail <= 1;
	return ev->login.step == LOGIN_VIOLATION &&
	       (ev->login.violation == VIOLATION_CHAP_R ||
		   ev->login.violation == VIOLATION_CHAP_WRONG ||
		   ev->login.violation == VIOLATION_CHAP_NO_HASH);
}

static void
login_failed(struct nexus *n, const struct sess_event *ev)
{
	struct nexus_down *d = &n->down;
	struct login_advice advice;
	const char *reason = ev->login.reason != NULL ? ev->login.reason : "";

	switch (ev->login.step) {
	case LOGIN_REDIRECTED:
		d->end = NEXUS_MOVED;
		d->redirect_for_good = ev->login.status_detail == 2;
		(void)snprintf(d->redirect, sizeof d->redirect, "%s",
		    ev->login.redirect != NULL ? ev->login.redirect : "");
		fault_set(&d->fault, FAULT_OFFLINE, "", "the target has moved to %s", d->redirect);
		break;
	case LOGIN_REFUSED:
		advice = login_advice_for(ev->login.status_class, ev->login.status_detail);
		d->end = NEXUS_REFUSED;
		d->is_permanent = advice.is_permanent;
		fault_set(&d->fault, FAULT_OFFLINE, advice.next, "%s (status %02x%02x)", reason,
		    ev->login.status_class, ev->login.status_detail);
		break;
	case LOGIN_SEND:
	case LOGIN_DONE:
	case LOGIN_VERIFY: /* no failures */
		break;
	case LOGIN_VIOLATION:
		/* Without a broken rule it is the connection that ended: closed() knows why. */
		if (ev->login.violation == VIOLATION_NONE)
			break;
		d->end = NEXUS_REFUSED;
		d->is_permanent = true;
		fault_set(&d->fault, FAULT_OFFLINE, login_advice_violation(ev->login.violation),
		    "the login failed: %s", reason);
		/* RADIUS was not asked, so the target is not to blame; it may be asked soon. */
		if (ev->login.violation == VIOLATION_CHAP_UNVERIFIED && n->unasked.is_set) {
			d->is_permanent = false;
			d->fault = n->unasked;
		}
		break;
	}
	d->chap_again = is_chap_failure(ev) && ev->login.chap_algorithm != 0 &&
			ev->login.chap_algorithm != CHAP_MD5;
}

static const char *
async_text(uint8_t event)
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
	default:
		return "an event of its vendor's";
	}
}

static void
async(struct nexus *n, const struct sess_event *ev)
{
	const uint8_t *s = ev->async.sense;

	log_info("%s: the target sent asynchronous message %u: %s", n->label, ev->async.event,
	    async_text(ev->async.event));
	/* SPC-4: fixed format sense, ASC/ASCQ 3F/0E: reported LUNs data has changed. */
	if (ev->async.event == 0 && ev->async.sense_len >= 14 && s[12] == 0x3f && s[13] == 0x0e &&
	    n->ops->luns_changed != NULL)
		n->ops->luns_changed(n->user);
}

static void
verify(struct nexus *n, const struct sess_event *ev)
{
	const struct chap_query *q = &ev->verify;
	struct nexus_query copy = { .stamp = n->stamp, .identifier = q->identifier };

	/* Both are ours to choose and MD5's length: RADIUS is asked with nothing else. */
	if (n->ops->verify == NULL || q->challenge_len > sizeof copy.challenge ||
	    q->response_len > sizeof copy.response) {
		sess_verified(n->sess, CHAP_VERDICT_NONE, loop_now(n->loop));
		return;
	}
	memcpy(copy.challenge, q->challenge, q->challenge_len);
	copy.challenge_len = q->challenge_len;
	memcpy(copy.response, q->response, q->response_len);
	copy.response_len = q->response_len;
	cut_copy(copy.name, sizeof copy.name, q->name);
	n->is_asking = true;
	n->ops->verify(n->user, &copy);
}

static void
link_event(void *user, const struct sess_event *ev)
{
	struct nexus *n = user;

	account_event(&n->account, ev);
	switch (ev->kind) {
	case SESS_EV_ONLINE:
		n->down.was_online = true;
		/* The login is over, and the next one brings its own. */
		chapcfg_wipe(&n->login->chap);
		n->ops->online(n->user);
		break;
	case SESS_EV_LOGIN_FAILED:
		login_failed(n, ev);
		break;
	case SESS_EV_TEXT:
		if (n->ops->text != NULL)
			n->ops->text(n->user, ev->text.bytes, ev->text.len);
		break;
	case SESS_EV_TEXT_DONE:
		if (n->ops->text_done != NULL)
			n->ops->text_done(n->user, ev->text.ending.how == SESS_END_ANSWERED);
		break;
	case SESS_EV_PING:
		if (n->ops->ping != NULL)
			n->ops->ping(n->user, &(struct nexus_ping){ ev->ping.bytes,
						  ev->ping.bytes_same, ev->ping.rtt_us,
						  ev->ping.ending.how != SESS_END_ANSWERED &&
						      ev->ping.ending.how != SESS_END_REJECTED,
						  ev->ping.user });
		break;
	case SESS_EV_TMF:
		log_warn("%s: task management function %u %s", n->label, ev->tmf.function,
		    ev->tmf.ending.how != SESS_END_ANSWERED ? "was not answered"
		    : ev->tmf.response == 0                 ? "was completed"
							    : "was refused by the target");
		break;
	case SESS_EV_LOGOUT:
		n->down.end = NEXUS_LOGGED_OUT;
		if (ev->logout_response != 0)
			log_info("%s: the target answered the logout with response %u", n->label,
			    ev->logout_response);
		break;
	case SESS_EV_ASYNC:
		async(n, ev);
		break;
	case SESS_EV_REJECT:
		log_warn(
		    "%s: the target rejected a PDU, reason 0x%02x", n->label, ev->reject_reason);
		break;
	case SESS_EV_VERIFY:
		verify(n, ev);
		break;
	case SESS_EV_REQ:   /* the link's */
	case SESS_EV_CLOSE: /* comes as closed() */
		break;
	}
}

static bool
is_not_iscsi(enum conn_result why)
{
	return why == CONN_BAD_OPCODE || why == CONN_BAD_HEADER || why == CONN_BAD_STAGE ||
	       why == CONN_TOO_LONG;
}

/* A sentence for an end that nobody explained yet. */
static void
explain(struct nexus *n, int err, enum conn_result why)
{
	struct nexus_down *d = &n->down;

	if (!d->was_online && (err != 0 || why == CONN_OK))
		fault_set(&d->fault, FAULT_OFFLINE,
		    "check that address and port are those of an iSCSI portal, and look at the "
		    "target's log",
		    "the peer ended the connection during the iSCSI login%s%s",
		    err != 0 ? ": " : "", err != 0 ? strerror(-err) : "");
	else if (err != 0)
		fault_set(&d->fault, FAULT_OFFLINE,
		    "check the network and look at the target's log", "the connection broke: %s",
		    strerror(-err));
	else if (why == CONN_LOGIN_TIMEOUT)
		fault_set(&d->fault, FAULT_TIMEOUT,
		    "check that the port is an iSCSI portal and look at the target's log",
		    "the peer accepted the connection but did not answer the iSCSI login in %u "
		    "seconds",
		    n->cfg.login_timeout_ms / 1000);
	else if (why == CONN_OK)
		fault_set(&d->fault, FAULT_OFFLINE, "look at the target's log",
		    "the peer closed the connection");
	else if (!d->was_online && is_not_iscsi(why))
		fault_set(&d->fault, FAULT_OFFLINE, "check address and port",
		    "the peer does not speak iSCSI: %s", conn_result_text(why));
	else
		fault_set(&d->fault, FAULT_OFFLINE, "look at the target's log", "%s",
		    conn_result_text(why));
}

static enum account_phase
phase(const struct nexus *n)
{
	if (n->is_dropped)
		return ACCOUNT_OURS;
	if (n->down.end == NEXUS_LOGGED_OUT)
		return ACCOUNT_DONE;
	if (sess_ended_in(n->sess) == SESS_LOGOUT)
		return ACCOUNT_LOGOUT;
	return n->down.was_online ? ACCOUNT_ACTIVE : ACCOUNT_LOGIN;
}

static void
end(struct nexus *n, int err, enum conn_result why)
{
	struct nexus_down d;

	if (n->down.end != NEXUS_LOGGED_OUT && !n->down.fault.is_set)
		explain(n, err, why);
	d = n->down;
	n->down = (struct nexus_down){ 0 };
	n->ops->down(n->user, &d);
}

static void
link_closed(void *user, int err, enum conn_result why)
{
	struct nexus *n = user;

	account_closed(&n->account, phase(n), err, why);
	n->is_asking = false;
	n->down.time2wait_s = sess_time2wait(n->sess);
	end(n, err, why);
}

static const struct link_ops link_ops = { .event = link_event, .closed = link_closed };

static void
attach_failed(struct agenda_work *w)
{
	struct nexus *n = LIST_ENTRY(w, struct nexus, failed_attach);

	account_no_login(&n->account, n->attach_err);
	end(n, n->attach_err, CONN_OK);
}

struct nexus *
nexus_new(struct loop *loop, const struct nexus_cfg *cfg, struct nexus_login *login,
    const struct nexus_ops *ops, void *user)
{
	struct nexus *n = calloc(1, sizeof *n);

	if (n == NULL) {
		account_no_login(&cfg->account, -ENOMEM);
		nexus_login_free(login);
		return NULL;
	}
	n->loop = loop;
	n->ops = ops;
	n->user = user;
	agenda_work_init(&n->failed_attach, attach_failed);
	(void)snprintf(n->label, sizeof n->label, "%s", cfg->label);
	n->account = cfg->account;
	n->cfg.slots = cfg->slots;
	memcpy(n->cfg.isid, cfg->isid, sizeof n->cfg.isid);
	take_login(n, login);
	n->sess = sess_new(&n->cfg);
	if (n->sess != NULL)
		n->link = link_new(loop, n->sess, &link_ops, n);
	if (n->link == NULL) {
		account_no_login(&cfg->account, -ENOMEM);
		nexus_free(n);
		return NULL;
	}
	return n;
}

/* Requests are handed back through events, which the link no longer drains here. */
static void
drain(struct nexus *n)
{
	struct sess_event ev;

	while (sess_next(n->sess, &ev))
		if (ev.kind == SESS_EV_REQ)
			ev.req->done(ev.req);
}

void
nexus_free(struct nexus *n)
{
	if (n == NULL)
		return;
	agenda_cancel(&n->failed_attach);
	link_free(n->link);
	if (n->sess != NULL) {
		sess_disconnected(n->sess, loop_now(n->loop));
		drain(n);
		sess_fail_all(n->sess, loop_now(n->loop), REQ_OFFLINE);
		drain(n);
		sess_free(n->sess);
	}
	nexus_login_free(n->login);
	free(n);
}

void
nexus_attach(struct nexus *n, int fd, struct nexus_login *login)
{
	int err;

	assert(!link_is_attached(n->link));
	if (login != NULL)
		take_login(n, login);
	n->down = (struct nexus_down){ 0 };
	n->is_asking = n->is_dropped = false;
	fault_clear(&n->unasked);
	n->stamp++;
	err = link_attach(n->link, fd);
	if (err != 0) {
		n->attach_err = err;
		agenda_defer(loop_agenda(n->loop), &n->failed_attach);
	}
}

void
nexus_verified(struct nexus *n, unsigned stamp, bool ok, const struct fault *why)
{
	struct stat_block *stats = n->account.session;

	if (stamp != n->stamp || !n->is_asking) {
		stat_add(stats, nexus_is_attached(n) ? STAT_TRANSPORT_SESSION_auth_wrong_stamp
						     : STAT_TRANSPORT_SESSION_auth_no_connection);
		return;
	}
	n->is_asking = false;
	n->unasked = *why;
	sess_verified(n->sess,
	    why->is_set ? CHAP_VERDICT_NONE
	    : ok        ? CHAP_VERDICT_RIGHT
			: CHAP_VERDICT_WRONG,
	    loop_now_update(n->loop));
	link_kick(n->link);
}

bool
nexus_is_online(const struct nexus *n)
{
	return sess_state(n->sess) == SESS_ONLINE;
}

bool
nexus_is_attached(const struct nexus *n)
{
	return link_is_attached(n->link);
}

void
nexus_release(struct nexus *n)
{
	sess_release(n->sess);
	link_kick(n->link);
}

void
nexus_submit(struct nexus *n, struct req *r)
{
	link_submit(n->link, r);
}

void
nexus_fail_unsent(struct nexus *n, const uint8_t lun[8])
{
	sess_fail_unsent(n->sess, lun, loop_now(n->loop), REQ_OFFLINE);
	if (link_is_attached(n->link))
		link_kick(n->link);
	else
		drain(n);
}

void
nexus_fail_all(struct nexus *n)
{
	sess_fail_all(n->sess, loop_now(n->loop), REQ_OFFLINE);
	drain(n);
}

/* A control request was queued, or not. */
static int
queued(struct nexus *n, int err)
{
	if (err == 0)
		link_kick(n->link);
	return err;
}

int
nexus_logout(struct nexus *n)
{
	return queued(n, sess_logout(n->sess, loop_now(n->loop)));
}

void
nexus_drop(struct nexus *n, const struct fault *why)
{
	n->down.fault = *why;
	n->is_dropped = true;
	link_detach(n->link);
}

int
nexus_send_targets(struct nexus *n)
{
	int err = queued(n, sess_send_targets(n->sess, "All", loop_now(n->loop)));

	if (err != 0)
		stat_add(n->account.session, STAT_TRANSPORT_SESSION_send_targets_send);
	return err;
}

int
nexus_ping(struct nexus *n, uint32_t len, void *user)
{
	return queued(n, sess_ping(n->sess, len, user, loop_now(n->loop)));
}

const struct sess *
nexus_sess(const struct nexus *n)
{
	return n->sess;
}
