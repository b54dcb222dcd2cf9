/* The end of a run's connection: does the try go on elsewhere, or what is told of it? */
#include "ini/login_run_impl.h"
#include "ini/login_run_words.h"
#include "ini/redirect.h"

/* The try goes on at another portal.  False: it does not; i->down.fault says why. */
static bool
follow(struct login_run_impl *i)
{
	struct fault why = { 0 };

	if (!i->has_redirect)
		return false;
	if (!redirect_follow(i->redirect, &i->hops, &i->at, &why)) {
		fault_keep(&i->down.fault, &why);
		i->down.was_redirected = true;
		i->down.end = LOGIN_RUN_REFUSED;
		return false;
	}
	i->expected_tpgt = -1; /* it may be another portal group */
	login_run_say(i, SAY_NOTE, "the target has moved to %s%s", i->redirect,
	    i->is_for_good ? " for good" : " for a while");
	return true;
}

/*
 * Some targets number the algorithms their own way, some refuse a list with
 * words that they do not know: MD5 is the one that all must have (12.1.3).
 */
static bool
try_md5(struct login_run_impl *i)
{
	if (!i->md5_may_help || i->is_md5_only || !i->settings->has_chap ||
	    !i->settings->is_chap_default || !chapcfg_md5_only(&i->settings->chap, &i->md5))
		return false;
	i->is_md5_only = true;
	login_run_say(i, SAY_INFO, "once more, with MD5 as the only CHAP algorithm");
	return true;
}

/* The last Login Request of this connection was one of the security stage (11.12.3). */
static bool
is_in_security_stage(const struct login_run_impl *i)
{
	const struct trace *t = sess_trace(i->sess);

	for (uint64_t n = t->count; n > 0 && t->count - n < TRACE_ENTRIES; n--) {
		const struct trace_entry *e = &t->entry[(n - 1) % TRACE_ENTRIES];

		if (e->connection != t->connection)
			return false;
		if (e->way == TRACE_OUT && (e->bhs[0] & 0x3f) == PDU_LOGIN_REQUEST)
			return (e->bhs[1] >> 2 & 3) == LOGIN_SECURITY;
	}
	return false;
}

void
login_run_closed(struct login_run *r, int err, enum conn_result why)
{
	struct login_run_impl *i = r->impl;
	bool was_stopped = i->state == RUN_STOPPING, is_theirs = err != 0 || why == CONN_OK;

	/* A stopped dial, or a login that could not begin, is told already. */
	if (!list_empty(&i->tell_down.link) ||
	    (i->state != RUN_LOGIN && i->state != RUN_ONLINE && !was_stopped))
		return;
	login_run_stop_asking(i);
	i->down.time2wait_s = sess_time2wait(i->sess);
	i->down.time2retain_s = sess_time2retain(i->sess);
	i->down.err = err;
	if (!was_stopped && i->down.was_online && i->down.end != LOGIN_RUN_LOGGED_OUT && is_theirs)
		i->counts->dead_events++;
	if (!was_stopped && !i->down.was_online && i->down.fault == NULL && is_theirs)
		i->md5_may_help = is_in_security_stage(i);
	if (!was_stopped && !i->down.was_online && (follow(i) || try_md5(i))) {
		login_run_dial(i);
		return;
	}
	if (i->down.fault == NULL && i->down.end != LOGIN_RUN_LOGGED_OUT)
		login_run_explain(&i->down, err, why, i->cfg.login_timeout_ms);
	login_run_finish(i);
}
