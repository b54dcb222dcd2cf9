/*
 * A write and a read through the real engine, against a target that fails at
 * each byte of a login and of the command behind it: it drops the connection,
 * resets it, closes half of it, or says nothing more.  Whatever happens, the
 * request comes to its end on a connection that works, no time limit is
 * needed where a socket tells, and success is never reported for a write that
 * was not acknowledged.  Reports in TAP.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "target.h"

#define TRIES 20

static struct target *target;
static unsigned number, failures;
static bool is_early; /* success was reported before the target had acknowledged */

static void
check_done(void *user, const struct req *r)
{
	struct target_report rep = target_report(target);

	(void)user;
	if (r->dir == REQ_WRITE && rep.acknowledged == 0)
		is_early = true;
}

/* One run; NULL, or what is wrong. */
static const char *
attempt(const struct fault_plan *plan, enum req_dir dir, struct client_result *ret)
{
	struct client_run run = { .port = target_port(target),
		.dir = dir,
		.short_limits = plan->kind == FAULT_STALL || plan->kind == FAULT_CORRUPT,
		.done = check_done };
	struct target_report rep;

	is_early = false;
	target_plan(target, plan);
	*ret = client_run(&run);
	target_wait(target);
	rep = target_report(target);
	if (ret->hung)
		return "the client hangs";
	if (!ret->done)
		return "the request was never done";
	if (is_early)
		return "success was reported for a write that was not acknowledged";
	if (rep.is_different)
		return "the target acknowledged other data than were written";
	if (plan->kind != FAULT_NONE && !rep.failed)
		return "the target did not come to fail";
	for (size_t i = 0; i < FAULT_BYTES; i++)
		if (ret->data[i] != target_pattern(i))
			return "the data is different";
	return NULL;
}

/* Limits this short may be over before the fault comes, where the machine is busy: once more then.
 */
static const char *
attempt_patiently(const struct fault_plan *plan, enum req_dir dir, struct client_result *ret)
{
	const char *wrong = attempt(plan, dir, ret);

	for (unsigned i = 1; i < TRIES && ret->expired > 0 && !target_report(target).failed; i++)
		wrong = attempt(plan, dir, ret);
	return wrong;
}

/* Where the last byte of the answer has left, the request is done on the first connection. */
static const char *
judge(const struct fault_plan *plan, const struct client_result *r, size_t last)
{
	bool is_late = plan->at >= last;

	/* Where the byte says how long the header is, only time tells that no more will come. */
	if (plan->kind == FAULT_CORRUPT)
		return r->expired == 0 && (r->connections < 2 || (r->last != CONN_HEADER_DIGEST &&
								     r->last != CONN_DATA_DIGEST))
			   ? "a changed byte was not found by its digest"
			   : NULL;
	if (plan->kind == FAULT_STALL)
		return r->expired == 0 && !is_late ? "no time limit expired" : NULL;
	if (r->expired > 0)
		return "a time limit expired though the socket had told";
	if (is_late && plan->kind != FAULT_RESET)
		return r->connections > 1 ? "an answer that had come was not taken" : NULL;
	return r->connections < 2 && !is_late ? "the client did not connect again" : NULL;
}

static void
sweep(const char *name, struct fault_plan plan, enum req_dir dir, size_t first, size_t last,
    size_t step)
{
	unsigned runs = 0;

	for (plan.at = first; plan.at <= last; plan.at += step, runs++) {
		struct client_result r;
		const char *wrong = attempt_patiently(&plan, dir, &r);

		if (wrong == NULL)
			wrong = judge(&plan, &r, plan.is_received ? SIZE_MAX : last);
		if (wrong == NULL)
			continue;
		printf("not ok %u - %s\n# at byte %zu of %zu: %s (%u connections, %u limits)\n",
		    ++number, name, plan.at, last, wrong, r.connections, r.expired);
		failures++;
		return;
	}
	printf("ok %u - %s (%u runs)\n", ++number, name, runs);
	(void)fflush(stdout);
}

/* How many bytes a run without a fault has. */
static struct target_report
measure(enum req_dir dir, bool digests)
{
	struct client_result r;
	const char *wrong = attempt(&(struct fault_plan){ .digests = digests }, dir, &r);

	if (wrong != NULL) {
		printf("not ok %u - without a fault\n# %s\n", ++number, wrong);
		failures++;
	}
	return target_report(target);
}

int
main(void)
{
	static const struct {
		enum fault_kind kind;
		size_t step;
		const char *received, *sent;
	} rows[] = {
		{ FAULT_DROP, 1, "a target that drops the connection after each byte it got",
		    "a target that drops the connection after each byte it sent" },
		{ FAULT_RESET, 1, "a target that resets the connection after each byte it got",
		    "a target that resets the connection after each byte it sent" },
		{ FAULT_HALF, 5, "a target that closes its half after every fifth byte it got",
		    "a target that closes its half after every fifth byte it sent" },
		{ FAULT_STALL, 61, "a target that falls silent after a byte it got",
		    "a target that falls silent after a byte it sent" },
	};
	struct target_report n;

	target = target_new();
	n = measure(REQ_WRITE, false);
	for (size_t i = 0; failures == 0 && i < sizeof rows / sizeof rows[0]; i++) {
		struct fault_plan plan = { .kind = rows[i].kind };

		sweep(rows[i].sent, plan, REQ_WRITE, 0, n.sent, rows[i].step);
		plan.is_received = true;
		sweep(rows[i].received, plan, REQ_WRITE, 0, n.received, rows[i].step);
	}
	n = measure(REQ_READ, true);
	sweep("a read of which each byte is changed on its way, with digests",
	    (struct fault_plan){ .kind = FAULT_CORRUPT, .digests = true }, REQ_READ, n.login_sent,
	    n.sent - 1, 1);
	target_free(target);
	printf("1..%u\n", number);
	return failures > 0;
}
