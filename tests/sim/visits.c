/*
 * The product says nothing of the rows it takes.  The linker puts these functions (--wrap) between
 * its units: each notes the state and the event, and calls the real one.
 */
#include "visits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ini/session_impl.h"
#include "lu/lu_impl.h"
#include "plan.h"

enum kind {
	V_SESSION,
	V_LU,
	V_CONN,
	V_RETRY,
	V_RESULT,
	V_CLOSE,
	V_VIOLATION,
	V_END,
	V_PLAN,
	V_SEEK,
	V_AUTH,
	V_KINDS
};
static const char *const kind_names[V_KINDS] = { "session_fsm.def", "lu_fsm.def", "conn_fsm.def",
	"action.def", "req_result", "conn_result.def", "violation.def", "request", "plan.def",
	"discovery", "authentication" };

enum { LU_EVENTS = LU_EV_CLOSE + 1, ENDS = 3, OPS = 5 };

struct row {
	enum kind kind;
	unsigned id;
	const char *name;
};
#define SESSION_ID(from, ev) ((unsigned)(from)*SESSION_EVENTS + (unsigned)(ev))
#define LU_ID(from, ev)      ((unsigned)(from)*LU_EVENTS + (unsigned)(ev))
#define CONN_ID(from, ev)    ((unsigned)(from)*CONN_EVENT_COUNT + (unsigned)(ev))

static const struct row rows[] = {
#define SESSION_ROW(from, ev, to) \
	{ V_SESSION, SESSION_ID(SESSION_##from, SESSION_EV_##ev), #from "-" #ev },
#include "ini/session_fsm.def"
#define LU_ROW(from, ev, to) { V_LU, LU_ID(LU_##from, LU_EV_##ev), #from "-" #ev },
#include "lu/lu_fsm.def"
#define ROW(from, ev, to, rfc) { V_CONN, CONN_ID(CONN_S_##from, CONN_E_##ev), #from "-" #ev },
#include "core/conn_fsm.def"
#define SENSE_ACTION(id, text) { V_RETRY, SENSE_##id, #id },
#include "scsi/action.def"
#define RESULT(id)                      \
	{                               \
		V_RESULT, REQ_##id, #id \
	}
	RESULT(DONE),
	RESULT(NO_TARGET),
	RESULT(UNSENT),
	RESULT(LOST),
	RESULT(TIMEOUT),
	RESULT(ABORTED),
	RESULT(VIOLATION),
#define CONN_RESULT(id, text) { V_CLOSE, CONN_##id, #id },
#include "core/conn_result.def"
#define VIOLATION(id, ...) { V_VIOLATION, VIOLATION_##id, #id },
#include "core/violation.def"
#undef VIOLATION
#define END(op)                                                                                 \
	{ V_END, BLK_##op * ENDS, #op "-good" }, { V_END, BLK_##op * ENDS + 1, #op "-failed" }, \
	{                                                                                       \
		V_END, BLK_##op *ENDS + 2, #op "-gone"                                          \
	}
	END(READ),
	END(WRITE),
	END(FLUSH),
	END(DISCARD),
	END(WRITE_ZEROES),
#define PLAN(id, ...) { V_PLAN, PLAN_##id, #id },
#include "plan.def"
	{ V_SEEK, 0, "found" },
	{ V_SEEK, 1, "failed" },
	{ V_AUTH, VISITS_AUTH_NONE, "none" },
	{ V_AUTH, VISITS_AUTH_ONE, "one" },
	{ V_AUTH, VISITS_AUTH_BOTH, "both" },
	{ V_AUTH, VISITS_AUTH_ASKED, "asked" },
	{ V_AUTH, VISITS_AUTH_REFUSED, "refused" },
};

static const struct {
	const char *kind, *name, *reason;
} exempt[] = {
#define EXEMPT(kind, name, reason) { kind, name, reason },
#include "exempt.def"
	{ "", "", "" }
};

#define IDS 128
static uint64_t counts[V_KINDS][IDS];

static void
note(enum kind kind, unsigned id)
{
	counts[kind][id]++;
}

/* ---- between the product's units ---- */

void __real_session_enter(struct session *s, enum session_state from, enum session_event ev);
void __wrap_session_enter(struct session *s, enum session_state from, enum session_event ev);
void
__wrap_session_enter(struct session *s, enum session_state from, enum session_event ev)
{
	note(V_SESSION, SESSION_ID(from, ev));
	__real_session_enter(s, from, ev);
}

void __real_lunpath_go(struct lunpath *lp, enum lu_event e, const struct fault *why);
void __wrap_lunpath_go(struct lunpath *lp, enum lu_event e, const struct fault *why);
void
__wrap_lunpath_go(struct lunpath *lp, enum lu_event e, const struct fault *why)
{
	note(V_LU, LU_ID(lp->state, e));
	__real_lunpath_go(lp, e, why);
}

void __real_lunpath_lost(struct lunpath *lp);
void __wrap_lunpath_lost(struct lunpath *lp);
void
__wrap_lunpath_lost(struct lunpath *lp)
{
	note(V_LU, LU_ID(lp->state, LU_EV_DOWN));
	__real_lunpath_lost(lp);
}

void __real_lunpath_down(struct lunpath *lp, bool is_silent);
void __wrap_lunpath_down(struct lunpath *lp, bool is_silent);
void
__wrap_lunpath_down(struct lunpath *lp, bool is_silent)
{
	note(V_LU, LU_ID(lp->state, LU_EV_DOWN));
	__real_lunpath_down(lp, is_silent);
}

void __real_lunpath_up(struct lunpath *lp);
void __wrap_lunpath_up(struct lunpath *lp);
void
__wrap_lunpath_up(struct lunpath *lp)
{
	note(V_LU, LU_ID(lp->state == LU_CLOSED ? LU_CLOSED : LU_UNKNOWN, LU_EV_UP));
	__real_lunpath_up(lp);
}

void __real_conn_fire(struct conn *c, enum conn_event ev);
void __wrap_conn_fire(struct conn *c, enum conn_event ev);
void
__wrap_conn_fire(struct conn *c, enum conn_event ev)
{
	note(V_CONN, CONN_ID(c->state, ev));
	__real_conn_fire(c, ev);
}

struct retry_verdict __real_retry_judge(const struct req *r, unsigned bounces);
struct retry_verdict __wrap_retry_judge(const struct req *r, unsigned bounces);
struct retry_verdict
__wrap_retry_judge(const struct req *r, unsigned bounces)
{
	struct retry_verdict v = __real_retry_judge(r, bounces);

	if (r->result == REQ_DONE)
		note(V_RETRY, v.action);
	return v;
}

/* ---- what the simulator sees itself ---- */

void
visits_connected(void)
{
	note(V_CONN, CONN_ID(CONN_S_FREE, CONN_E_CONNECTED));
}

void
visits_close(enum conn_result why, const struct conn *c)
{
	note(V_CLOSE, why);
	note(V_CONN, CONN_ID(c->broken_in, CONN_E_BROKEN));
}

void
visits_violation(enum login_violation v)
{
	note(V_VIOLATION, v);
}

void
visits_end(const struct req *r)
{
	note(V_RESULT, r->result);
	if (r->result == REQ_DONE && r->status == 0)
		note(V_RETRY, SENSE_OK);
}

void
visits_result(enum blk_op op, int result)
{
	note(V_END, op * ENDS + (result == 0 ? 0 : result == -ENXIO ? 2 : 1));
}

void
visits_fault(unsigned kind)
{
	note(V_PLAN, kind);
}

void
visits_auth(enum visits_auth what)
{
	note(V_AUTH, what);
}

void
visits_seek(bool has_failed)
{
	note(V_SEEK, has_failed);
}

/* ---- the table ---- */

static const char *
reason_of(const struct row *r)
{
	for (size_t i = 0; i + 1 < sizeof exempt / sizeof *exempt; i++)
		if (strcmp(exempt[i].kind, kind_names[r->kind]) == 0 &&
		    (strcmp(exempt[i].name, r->name) == 0 || strcmp(exempt[i].name, "*") == 0))
			return exempt[i].reason;
	return NULL;
}

/* Does this build see its rows? */
static bool
is_seen(enum kind k)
{
#ifdef SIM_IS_ONE_UNIT
	return k > V_RETRY;
#else
	return k < V_KINDS;
#endif
}

unsigned
visits_print(void)
{
	unsigned missing = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		const char *reason = reason_of(r);
		uint64_t n = counts[r->kind][r->id];

		if (!is_seen(r->kind))
			continue;
		missing += n == 0 && reason == NULL;
		(void)printf("visit %s %s %llu%s%s\n", kind_names[r->kind], r->name,
		    (unsigned long long)n, reason != NULL ? " exempt: " : "",
		    reason != NULL ? reason
		    : n == 0       ? " NEVER"
				   : "");
	}
	(void)printf("%u rows were never visited and are not exempt\n", missing);
	return missing;
}
