/*
 * unit.scsi and unit.reserve: a command that somebody else wrote.  First its data are
 * there, then nobody uses a disk that it would change, then it is sent, once; who is in its way
 * where the unit is reserved is asked before it is answered.
 */
#include "driver/control/op_scsi.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "driver/control/control.h"
#include "driver/control/ops.h"
#include "driver/diag/diag.h"
#include "driver/iscsial/usage.h"
#include "scsi/sense.h"

#define TICK_US 4000000

/* ---- the end ---- */

static void
passing_end(struct passing *p)
{
	struct driver *d = p->later.d;

	if (p->fd.fd >= 0) {
		loop_unwatch(d->loop, &p->fd);
		(void)close(p->fd.fd); /* a socket of ours: nothing is in it that anybody misses */
	}
	agenda_clear(loop_agenda(d->loop), &p->patience);
	agenda_clear(loop_agenda(d->loop), &p->tick);
	if (p->answer != NULL)
		passing_free(p->answer);
	d->n_passing--;
	free(p->data);
	later_free(&p->later);
}

static void
fail(struct passing *p, const struct fault *f)
{
	control_fail(p->later.call, f, NULL);
	passing_end(p);
}

static void
reply(struct passing *p, const struct holders *h)
{
	json_t *o = op_scsi_show(p->answer);

	control_set(o, "name", json_string(p->name));
	control_set(o, "other_paths", json_integer((json_int_t)p->paths));
	control_set(o, "other_paths_failed", json_integer((json_int_t)p->failed));
	if (h != NULL)
		control_set(o, "conflict", op_scsi_show_holders(h));
	ipc_call_reply(p->later.call, o);
	passing_end(p);
}

static void
held(void *user, const struct holders *h)
{
	struct passing *p = user;
	struct driver *d = p->later.d;
	const struct wanted *w = wanted_find(d, p->to.instance);
	const struct diag_ctx about = { (int32_t)p->to.instance, w != NULL ? w->target : NULL,
		w != NULL ? w->about : NULL, d->diag, p->name };
	char text[HOLDERS_TEXT_BYTES];

	diag_OPENISW_LOG_UNIT_RESERVED(&about, p->name, holders_text(h, text));
	reply(p, h);
}

static void
answered(struct passing *p)
{
	const struct req *r = &p->answer->pass.req;

	if (p->answer->pass.why.is_set)
		fail(p, &p->answer->pass.why);
	else if (r->result == REQ_DONE && r->status == SENSE_STATUS_RESERVATION_CONFLICT)
		holders_ask(p->later.d, &p->to, held, p);
	else
		reply(p, NULL);
}

static void
told(struct question *m)
{
	struct passing *p = m->user;

	p->answer = passing_of(m);
	answered(p);
}

static void
told_out(void *user, const struct registrants_answer *a)
{
	struct passing *p = user;

	p->answer = a->answer;
	p->paths = a->paths;
	p->failed = a->failed;
	answered(p);
}

/* ---- sending ---- */

/* Clients take ten seconds without a word for the end. */
static void
tick(struct agenda_timer *t)
{
	struct passing *p = LIST_ENTRY(t, struct passing, tick);
	struct loop *loop = p->later.d->loop;

	ipc_call_progress(p->later.call, json_pack("{s:s}", "waiting", p->name));
	agenda_set(loop_agenda(loop), t, loop_now_update(loop) + TICK_US);
}

static void
go(struct passing *p)
{
	struct driver *d = p->later.d;
	const struct node *n = p->path.n > 0 ? tree_find(d->tree, &p->path) : NULL;
	const struct node *unit = n != NULL && n->twin[0] != '\0' && effect_harms(effect_of(p->cdb))
				      ? tree_find_name(d->tree, n->twin)
				      : NULL;
	struct mail_pass *q = passing_new(p->in, told, p);

	/* What changes blocks goes to the unit, over whichever path: it keeps such things in order.
	 */
	if (effect_harms(effect_of(p->cdb)))
		p->to.is_here = false;
	if (unit != NULL)
		passing_to_node(unit, &p->to);

	memcpy(q->pass.req.cdb, p->cdb, sizeof q->pass.req.cdb);
	q->pass.req.timeout_ms = p->timeout_ms;
	q->pass.req.dir = p->in > 0 ? REQ_READ : p->out > 0 ? REQ_WRITE : REQ_NONE;
	if (p->out > 0) {
		q->pass.req.data = p->data;
		q->pass.req.data_len = p->out;
		p->data = NULL;
	}
	if (p->cdb[0] == CDB_PERSISTENT_RESERVE_OUT && n != NULL)
		registrants_out(d, n, q, told_out, p);
	else
		passing_send(d, &p->to, q);
}

/* The disk, and that of the same unit which this one is another path to. */
static json_t *
users(const struct passing *p)
{
	struct driver *d = p->later.d;
	const struct node *n = p->path.n > 0 ? tree_find(d->tree, &p->path) : NULL;
	const struct node *twin =
	    n != NULL && n->twin[0] != '\0' ? tree_find_name(d->tree, n->twin) : NULL;
	json_t *in_use = usage_list(d, &p->path);

	if (n == NULL) {
		json_decref(in_use);
		return NULL;
	}
	return in_use != NULL || twin == NULL ? in_use : usage_list(d, &twin->path);
}

static void
counted(void *user)
{
	struct passing *p = user;
	json_t *in_use = users(p);

	if (in_use == NULL) {
		go(p);
		return;
	}
	control_busy(p->later.call, in_use, "command");
	passing_end(p);
}

static void
ready(struct passing *p)
{
	struct loop *loop = p->later.d->loop;

	p->tick.expired = tick;
	agenda_set(loop_agenda(loop), &p->tick, loop_now_update(loop) + TICK_US);
	if (!p->is_forced && p->path.n > 0 && effect_harms(effect_of(p->cdb)))
		usage_collect(p->later.d, counted, p);
	else
		go(p);
}

/* ---- data that come by a socket ---- */

static void
no_data(struct passing *p, const char *why)
{
	struct fault f = { 0 };

	fault_set(&f, FAULT_INVALID, "send all of them", "%s: nothing was sent to the unit", why);
	fail(p, &f);
}

static void
impatient(struct agenda_timer *t)
{
	no_data(LIST_ENTRY(t, struct passing, patience), "the command's data did not come in time");
}

static void
receive(struct loop_fd *f, uint32_t events)
{
	struct passing *p = LIST_ENTRY(f, struct passing, fd);
	ssize_t n = recv(f->fd, p->data + p->got, p->out - p->got, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		no_data(p, "the command's data ended early");
		return;
	}
	p->got += (uint32_t)n;
	if (p->got < p->out)
		return;
	loop_unwatch(p->later.d->loop, f);
	agenda_clear(loop_agenda(p->later.d->loop), &p->patience);
	ready(p);
}

static void
await_data(struct passing *p)
{
	struct loop *loop = p->later.d->loop;
	struct fault f = { 0 };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		fault_set(&f, FAULT_INTERNAL, "see what has so many files open",
		    "no socket can be made: %s", strerror(errno));
		fail(p, &f);
		return;
	}
	p->fd = (struct loop_fd){ .fd = fds[0], .ready = receive };
	p->patience.expired = impatient;
	agenda_set(
	    loop_agenda(loop), &p->patience, loop_now_update(loop) + LIMIT_PASS_DATA_MS * 1000ull);
	ipc_call_progress_fd(p->later.call, json_pack("{s:i}", "send", (int)p->out), fds[1]);
	if (loop_watch(loop, &p->fd, EPOLLIN) < 0)
		no_data(p, "its socket cannot be watched");
}

static void
begin(struct driver *d, struct ipc_call *call, bool is_reserve)
{
	struct passing *p = call_alloc(sizeof *p);
	struct fault f = { 0 };

	p->later = (struct later){ d, call };
	p->fd.fd = -1;
	/* Guests leave some for root. */
	if (d->n_passing++ >= (is_reserve ? LIMIT_PASS_GUESTS : LIMIT_PASS_CALLS))
		fault_set(&f, FAULT_BUSY, "try again when one has ended",
		    "%u commands are under way, and no more can", d->n_passing - 1);
	if (!f.is_set)
		op_scsi_check(p, is_reserve, &f);
	if (!f.is_set)
		op_scsi_find(p, is_reserve, &f);
	if (f.is_set)
		fail(p, &f);
	else if (p->got < p->out)
		await_data(p);
	else
		ready(p);
}

void
op_unit_scsi(struct driver *d, struct ipc_call *call)
{
	begin(d, call, false);
}

void
op_unit_reserve(struct driver *d, struct ipc_call *call)
{
	begin(d, call, true);
}
