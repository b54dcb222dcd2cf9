#include "driver/iscsi/world.h"

#include <sys/random.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/mail.h"
#include "driver/iscsi/tapping.h"
#include "engine/link.h"
#include "ini/login_run.h"
#include "sys/log.h"

/* What a login run has outside itself: its socket, and what was asked for it. */
struct line {
	struct iscsi_world *w;
	struct login_run *run;
	struct mail_slot slot;
	struct isw_connect *connect; /* the question whose answer is wanted, or NULL */
	struct isw_verify *verify;   /* likewise */
	struct sess *sess;           /* the link's */
	struct link *link;
	char host[LIMIT_ADDRESS_BYTES + 1];
	/* Of the connection that is there. */
	struct tapping_line tapped;
	bool has_logged_out; /* a logout was answered */
	bool is_ours;        /* we end it */
};

/* How far the connection had come that has just ended. */
static enum account_phase
ended_in(const struct line *l)
{
	if (l->has_logged_out)
		return ACCOUNT_DONE;
	if (l->is_ours)
		return ACCOUNT_OURS;
	switch (sess_ended_in(l->sess)) {
	case SESS_LOGOUT:
		return ACCOUNT_LOGOUT;
	case SESS_ONLINE:
		return ACCOUNT_ACTIVE;
	case SESS_LOGIN:
	case SESS_OFFLINE:
		break;
	}
	return ACCOUNT_LOGIN;
}

/* ---- the link's events ---- */

static void
link_event(void *user, const struct sess_event *ev)
{
	struct line *l = user;

	account_event(&l->w->account, ev);
	l->has_logged_out |= ev->kind == SESS_EV_LOGOUT;
	login_run_event(l->run, ev);
}

static void
link_closed(void *user, int err, enum conn_result why)
{
	struct line *l = user;

	tapping_close(l->w->thread->tapping, &l->tapped, err != 0 || why != CONN_OK);
	account_closed(&l->w->account, ended_in(l), err, why);
	login_run_closed(l->run, err, why);
}

static const struct link_ops link_ops = { .event = link_event, .closed = link_closed };

/* ---- lines ---- */

static struct line *
line_of(struct world *world, struct login_run *r)
{
	struct iscsi_world *w = LIST_ENTRY(world, struct iscsi_world, world);
	struct line *l = r->line;

	if (l != NULL)
		return l;
	l = call_alloc(sizeof *l);
	l->w = w;
	l->run = r;
	mailbox_open(w->thread->box, &l->slot, mailbox_make_id(w->thread->box), 1, l);
	r->line = l;
	return l;
}

static void
cancel(struct line *l, bool is_verify)
{
	struct isw_cancel *x = call_alloc(sizeof *x);

	x->is_verify = is_verify;
	x->asker = l->slot.at;
	mail_tell(&x->mail, &mail_cancel, &l->w->thread->isw);
}

static void
cancel_verify(struct line *l)
{
	if (l->verify != NULL)
		cancel(l, true);
	l->verify = NULL;
}

/* ---- connections ---- */

static void
attach(struct line *l, int fd, const char *local, const char *peer)
{
	struct loop *loop = l->w->thread->loop;
	struct sess *s;
	int err;

	(void)loop_now_update(loop);
	s = login_run_connected(l->run, local, peer);
	if (s == NULL) {
		(void)close(fd); /* nothing was sent on it */
		return;
	}
	if (l->link == NULL || l->sess != s) {
		link_free(l->link);
		l->link = link_new(loop, s, &link_ops, l);
		l->sess = s;
	}
	l->has_logged_out = l->is_ours = false;
	if (l->link != NULL) {
		l->run->send = link_work(l->link);
		err = link_attach(l->link, fd);
	} else {
		(void)close(fd); /* as above */
		err = -ENOMEM;
	}
	if (err == 0) {
		tapping_open(
		    l->w->thread->tapping, &l->tapped, s, l->w->account.about.session, local, peer);
		return;
	}
	account_no_login(&l->w->account, err);
	login_run_closed(l->run, err, CONN_OK);
}

static void
unreachable(struct line *l, const struct isw_connect *c)
{
	if (!c->fault.is_silent)
		account_dial(&l->w->account, l->host, c->err, c->is_name);
	login_run_unreachable(l->run, c->err, c->is_name, &c->fault);
}

void
world_connected(void *owner, struct mail *m)
{
	struct line *l = owner;
	struct isw_connect *c = LIST_ENTRY(m, struct isw_connect, mail);

	/* It crossed its own end, or another question, on the way. */
	if (l->connect != c) {
		isw_drop_connect(m);
		return;
	}
	l->connect = NULL;
	if (c->fd >= 0)
		attach(l, c->fd, c->local, c->peer);
	else
		unreachable(l, c);
	free(c);
}

static void
op_connect(struct world *w, struct login_run *r, const struct portal_address *to,
    const struct connect_from *from, uint32_t timeout_ms)
{
	struct line *l = line_of(w, r);
	struct isw_connect *c = call_alloc(sizeof *c);

	c->to = *to;
	c->from = *from;
	c->timeout_ms = timeout_ms;
	c->fd = -1;
	cut_copy(l->host, sizeof l->host, to->host);
	l->connect = c;
	mail_ask(&c->mail, &mail_connect, &l->w->thread->isw, &l->slot.at);
}

static void
op_disconnect(struct world *w, struct login_run *r, bool is_reset)
{
	struct line *l = line_of(w, r);

	if (l->connect != NULL)
		cancel(l, false);
	l->connect = NULL;
	if (l->link == NULL || !link_is_attached(l->link))
		return;
	l->is_ours = true;
	if (is_reset)
		link_reset(l->link);
	else
		link_detach(l->link);
}

/* ---- verdicts ---- */

void
world_verified(void *owner, struct mail *m)
{
	struct line *l = owner;
	struct isw_verify *v = LIST_ENTRY(m, struct isw_verify, mail);

	if (l->verify == v) {
		l->verify = NULL;
		(void)loop_now_update(l->w->thread->loop);
		login_run_verified(
		    l->run, v->query.stamp, v->result.ok, v->result.timed_out, &v->result.fault);
	}
	isw_drop_verify(m);
}

static void
op_verify(struct world *w, struct login_run *r, const struct verify_query *q)
{
	struct line *l = line_of(w, r);
	struct isw_verify *v = call_alloc(sizeof *v);

	v->query = *q;
	l->verify = v;
	mail_ask(&v->mail, &mail_verify, &l->w->thread->isw, &l->slot.at);
}

static void
op_verify_cancel(struct world *w, struct login_run *r)
{
	cancel_verify(line_of(w, r));
}

/* ---- the rest ---- */

static void
op_forget(struct world *w, struct login_run *r)
{
	struct line *l = r->line;

	(void)w;
	if (l == NULL)
		return;
	if (l->connect != NULL)
		cancel(l, false);
	cancel_verify(l);
	if (l->link != NULL && link_is_attached(l->link))
		account_closed(&l->w->account, ACCOUNT_OURS, 0, CONN_OK);
	tapping_close(l->w->thread->tapping, &l->tapped, true);
	link_free(l->link);
	mailbox_close(&l->slot);
	r->line = NULL;
	free(l);
}

static bool
op_random(struct world *w, void *ret_bytes, size_t n)
{
	(void)w;
	return getrandom(ret_bytes, n, GRND_NONBLOCK) == (ssize_t)n;
}

static void
op_say(struct world *world, enum say_level level, const char *sentence)
{
	static const enum log_level levels[] = { [SAY_ERR] = LOG_LVL_ERR,
		[SAY_WARN] = LOG_LVL_WARN,
		[SAY_NOTE] = LOG_LVL_NOTE,
		[SAY_INFO] = LOG_LVL_INFO,
		[SAY_DEBUG] = LOG_LVL_DEBUG };
	struct iscsi_world *w = LIST_ENTRY(world, struct iscsi_world, world);
	enum log_level at = levels[level];

	unsigned left_out, all_left_out;
	uint64_t now = loop_now(w->thread->loop);

	if (at == LOG_LVL_DEBUG) {
		log_debug("%s", sentence);
		return;
	}
	/* A target that makes a session say something again and again silences that session only.
	 */
	if (at > log_get_level() ||
	    !log_limit_passes(&w->said[at], now, LOG_LIMIT_LINES, &left_out) ||
	    !log_limit_passes(&w->thread->said[at], now, LIMIT_LOG_SESSIONS_LINES, &all_left_out))
		return;
	left_out += all_left_out;
	if (left_out > 0)
		log_msg(at, "%s (%u more like it were left out)", sentence, left_out);
	else
		log_msg(at, "%s", sentence);
}

static void
op_io_failed(struct world *world, const char *disk, const char *sentence)
{
	struct diag_ctx about = LIST_ENTRY(world, struct iscsi_world, world)->account.about;

	about.unit = disk;
	diag_OPENISW_LOG_IO_FAILED(&about, disk, sentence);
}

static const struct world_ops world_ops = {
	.connect = op_connect,
	.disconnect = op_disconnect,
	.verify = op_verify,
	.verify_cancel = op_verify_cancel,
	.forget = op_forget,
	.random = op_random,
	.say = op_say,
	.io_failed = op_io_failed,
};

void
world_init(struct iscsi_world *w, const struct world_thread *thread, const struct account *account)
{
	w->world.ops = &world_ops;
	w->world.agenda = loop_agenda(thread->loop);
	w->world.spare = thread->spare;
	w->thread = thread;
	w->account = *account;
}
