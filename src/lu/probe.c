/*
 * REPORT LUNS first, of LUN 0; a target that has no LUN 0 has the well-known
 * logical unit for that.  Then a few askers (ask.h) share the LUNs: each takes
 * the next one that nobody has taken.  What a LUN does not answer is its own
 * fault; a lost connection ends all.
 */
#include "lu/probe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lu/ask.h"
#include "lu/lu_impl.h"
#include "scsi/cdb.h"

#define ASKERS     16
#define LIST_BYTES 4096
#define LIST_MAX   (8 + 8 * LIMIT_LUNS)
/* So often a question that was not executed is repeated: about a quarter of a minute. */
#define PATIENCE 12

struct asker {
	struct ask ask;
	struct probe *p;
	struct lu_info *at; /* where its answer goes; NULL: it has nothing to do */
};

struct probe {
	struct path *path;
	probe_done *done; /* NULL: abandoned */
	void *user;
	bool only_primary, is_ended;
	struct probe_result result;
	size_t next;   /* LUN that nobody has taken */
	unsigned busy; /* askers with a LUN, and the list */
	struct agenda_work finish;
	/* REPORT LUNS */
	struct req req;
	struct agenda_timer again;
	unsigned tries;
	bool is_out;
	uint8_t *list;
	struct asker *askers;
	unsigned n_askers;
};

/* ---- the end ---- */

static void
probe_free(struct probe *p)
{
	agenda_cancel(&p->finish);
	agenda_clear(p->path->agenda, &p->again);
	free(p->result.luns);
	free(p->list);
	free(p->askers);
	free(p);
}

static void
finish(struct agenda_work *w)
{
	struct probe *p = LIST_ENTRY(w, struct probe, finish);

	p->done(p->user, &p->result);
	probe_free(p);
}

/* The last one out ends the probe, in the agenda's own time. */
static void
one_less(struct probe *p)
{
	assert(p->busy > 0);
	if (--p->busy == 0)
		agenda_defer(p->path->agenda, &p->finish);
}

/* ---- each LUN ---- */

static void
take_lun(struct asker *k)
{
	struct probe *p = k->p;

	if (p->is_ended || p->next >= p->result.n) {
		k->at = NULL;
		one_less(p);
		return;
	}
	k->at = &p->result.luns[p->next++];
	k->ask.info = *k->at;
	ask_start(&k->ask);
}

static bool
known(struct ask *a)
{
	return a->info.answer == LU_SOMEBODY;
}

static void
asked(struct ask *a)
{
	struct asker *k = LIST_ENTRY(a, struct asker, ask);
	struct probe_result *r = &k->p->result;

	r->inquiries += a->inquiries;
	r->inquiries_failed += a->inquiries_failed;
	if (a->inquiries_failed > 0) {
		r->bad_inquiry.status = a->bad_inquiry.status;
		r->bad_inquiry.response = a->bad_inquiry.response;
		r->bad_inquiry.result = a->bad_inquiry.result;
	}
	a->inquiries = a->inquiries_failed = 0;
	*k->at = a->info;
	if (!k->p->is_ended && (a->req.result == REQ_LOST || a->req.result == REQ_UNSENT)) {
		k->p->is_ended = true;
		fault_set(&r->fault, FAULT_OFFLINE, "scan again",
		    "the connection was lost while the LUNs were asked");
	}
	take_lun(k);
}

/* It is met once: the units will not hear of it from the target. */
static void
attention(struct ask *a, const struct sense *s)
{
	a->path->ops->overheard(a->path, a->req.lun, s);
	if (lu_is_doubt(s))
		lu_notify(a->path, NULL, s);
}

static const struct ask_ops ask_ops = { .known = known, .done = asked, .attention = attention };

static void
no_memory(struct probe *p)
{
	fault_set(&p->result.fault, FAULT_INTERNAL, "free some memory", "out of memory for LUNs");
}

static void
start_askers(struct probe *p)
{
	unsigned n = p->result.n < ASKERS ? (unsigned)p->result.n : ASKERS;

	p->askers = calloc(n > 0 ? n : 1, sizeof *p->askers);
	if (p->askers == NULL) {
		no_memory(p);
		return;
	}
	p->n_askers = n;
	p->busy += n;
	for (unsigned i = 0; i < n; i++) {
		struct asker *k = &p->askers[i];

		k->p = p;
		ask_init(&k->ask, p->path, &ask_ops);
		k->ask.patience = PATIENCE;
		take_lun(k);
	}
}

static void
set_luns(struct probe *p, const struct luns_entry *luns, size_t n)
{
	p->result.luns = calloc(n > 0 ? n : 1, sizeof *p->result.luns);
	if (p->result.luns == NULL) {
		no_memory(p);
		return;
	}
	p->result.n = n;
	for (size_t i = 0; i < n; i++) {
		p->result.luns[i].number = luns[i].number;
		memcpy(p->result.luns[i].wire, luns[i].wire, LUNS_WIRE_BYTES);
	}
	start_askers(p);
}

/* ---- REPORT LUNS ---- */

static void
send_list(struct probe *p)
{
	if (p->path->on_trial != NULL) {
		agenda_set(p->path->agenda, &p->again, agenda_now(p->path->agenda) + ASK_TRIAL_US);
		return;
	}
	p->result.report_luns++;
	p->is_out = true;
	path_ask(p->path, &p->req);
}

static void
again(struct agenda_timer *t)
{
	send_list(LIST_ENTRY(t, struct probe, again));
}

static bool
ask_list(struct probe *p, uint32_t bytes)
{
	free(p->list);
	p->list = calloc(1, bytes);
	if (p->list == NULL) {
		no_memory(p);
		return false;
	}
	p->tries = 0;
	p->req.dir = REQ_READ;
	p->req.data = p->list;
	p->req.data_len = bytes;
	cdb_report_luns(p->req.cdb, bytes);
	send_list(p);
	return true;
}

/* False: it goes on by itself, and the list's part is not over. */
static bool
list_came(struct probe *p)
{
	struct luns_entry *luns = calloc(luns_most(p->req.data_got) + 1, sizeof *luns);
	struct luns_report report;
	uint32_t asked_bytes = p->req.data_len;
	bool is_over = true;

	if (luns == NULL) {
		no_memory(p);
	} else if (!luns_parse(p->list, p->req.data_got, p->only_primary, luns, p->result.out,
		       PROBE_OUT_MAX, &report)) {
		fault_set(&p->result.fault, FAULT_OFFLINE, "look at the target's log",
		    "the target's list of LUNs is malformed");
	} else if (report.is_incomplete && report.bytes_wanted > asked_bytes &&
		   asked_bytes < LIST_MAX) {
		is_over =
		    !ask_list(p, report.bytes_wanted < LIST_MAX ? report.bytes_wanted : LIST_MAX);
	} else {
		p->result.unclaimed = report.unclaimed;
		p->result.n_out =
		    report.unclaimed < PROBE_OUT_MAX ? report.unclaimed : PROBE_OUT_MAX;
		p->result.primary = report.primary;
		set_luns(p, luns, report.claimed);
	}
	free(luns);
	return is_over;
}

static bool
is_well_known(const struct probe *p)
{
	return memcmp(p->req.lun, luns_report_luns, sizeof p->req.lun) == 0;
}

/* False: it goes on by itself. */
static bool
list_failed(struct probe *p, const struct retry_verdict *v)
{
	static const struct luns_entry lun0;
	char why[400];

	p->result.report_luns_failed++;
	p->result.bad_report.status = p->req.status;
	p->result.bad_report.response = p->req.response;
	p->result.bad_report.result = p->req.result;
	if (v->action == SENSE_GONE && !is_well_known(p)) {
		memcpy(p->req.lun, luns_report_luns, sizeof p->req.lun);
		p->tries = 0;
		send_list(p);
		return false;
	}
	if ((v->step == RETRY_AGAIN || v->step == RETRY_ASK) && v->action != SENSE_GONE &&
	    p->req.result != REQ_TIMEOUT && p->tries < PATIENCE) {
		p->tries++;
		agenda_set(p->path->agenda, &p->again, agenda_now(p->path->agenda) + v->delay_us);
		return false;
	}
	/* The guide, appendix B: "lack of support for this command is not an error". */
	if (v->action == SENSE_UNSUPPORTED) {
		set_luns(p, &lun0, 1);
		return true;
	}
	fault_set(&p->result.fault, FAULT_OFFLINE, "look at the target's log, then scan again",
	    "the LUNs could not be listed: %s", retry_describe(why, sizeof why, &p->req));
	return true;
}

static void
handed_back(struct req *r)
{
	struct probe *p = LIST_ENTRY(r, struct probe, req);
	struct retry_verdict v = retry_judge(r, p->tries);
	struct path *path = p->path;

	p->is_out = false;
	path_answered(path);
	if (v.has_sense)
		path->ops->overheard(path, r->lun, &v.sense);
	if (v.step == RETRY_ASK && v.has_sense && lu_is_doubt(&v.sense))
		lu_notify(path, NULL, &v.sense);
	if (p->is_ended)
		one_less(p);
	else if (v.step == RETRY_DONE ? list_came(p) : list_failed(p, &v))
		one_less(p);
	hold_landed(path);
}

/* ---- for the owner ---- */

struct probe *
probe_start(struct path *path, bool only_primary, probe_done *done, void *user)
{
	struct probe *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->path = path;
	p->done = done;
	p->user = user;
	p->only_primary = only_primary;
	p->busy = 1;
	agenda_work_init(&p->finish, finish);
	p->again.expired = again;
	p->req.attr = REQ_SIMPLE;
	p->req.timeout_ms = ASK_TIMEOUT_MS;
	p->req.done = handed_back;
	if (!ask_list(p, LIST_BYTES)) {
		probe_free(p);
		return NULL;
	}
	return p;
}

/* Whatever is under way comes back by itself; what only waits ends now. */
void
probe_end(struct probe *p, const struct fault *why)
{
	if (p->is_ended)
		return;
	p->is_ended = true;
	p->result.fault = *why;
	if (p->again.armed) {
		agenda_clear(p->path->agenda, &p->again);
		one_less(p);
	}
	for (unsigned i = 0; i < p->n_askers; i++) {
		struct asker *k = &p->askers[i];

		if (k->at == NULL)
			continue;
		ask_stop(&k->ask);
		if (ask_is_idle(&k->ask)) {
			k->at = NULL;
			one_less(p);
		}
	}
}
