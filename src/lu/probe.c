/*
 * A probe has a few visitors, each of which takes the next LUN of the list
 * and walks it through the steps below.  A step that is not wanted is passed
 * over; one that fails costs what it would have told, and only INQUIRY's
 * failure ends the visit.
 */
#include "driver/iscsial/probe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "driver/iscsial/probe_cmd.h"
#include "driver/iscsial/probe_steps.h"
#include "scsi/cdb.h"

#define PROBE_VISITORS   16
#define PROBE_LIST_BYTES 4096
#define PROBE_LIST_MAX   (8 + 8 * LIMIT_LUNS)

struct visitor {
	struct probe_cmd cmd;
	struct probe *p;
	size_t step;
	struct probe_visit v;
};

struct probe {
	struct scsi_port *port;
	probe_done *done; /* NULL: abandoned */
	void *user;
	struct probe_result result;
	size_t next; /* LUN that no visitor has taken */
	unsigned busy;
	struct agenda_work finish;
	/* REPORT LUNS */
	struct probe_cmd list_cmd;
	uint8_t *list;
	struct visitor visitors[PROBE_VISITORS];
};

static void visit(struct visitor *v);

/* ---- walking ---- */

static void
probe_free(struct probe *p)
{
	agenda_cancel(&p->finish);
	free(p->result.luns);
	free(p->list);
	free(p);
}

static void
finish(struct agenda_work *w)
{
	struct probe *p = LIST_ENTRY(w, struct probe, finish);

	if (p->done != NULL)
		p->done(p->user, &p->result);
	probe_free(p);
}

/* The last one out ends the probe, in the loop's own time. */
static void
one_less(struct probe *p)
{
	assert(p->busy > 0);
	if (--p->busy == 0)
		agenda_defer(loop_agenda(p->port->loop), &p->finish);
}

/* The next LUN for a visitor that has none; it goes home where there is none. */
static void
take_lun(struct visitor *v)
{
	struct probe *p = v->p;

	if (p->done == NULL || p->next >= p->result.n) {
		v->v.info = NULL;
		one_less(p);
		return;
	}
	v->v.info = &p->result.luns[p->next++];
	v->step = 0;
	v->v.alloc = PROBE_PAGE_BYTES;
	memset(&v->v.pages, 0, sizeof v->v.pages);
	memcpy(v->cmd.req.lun, v->v.info->wire, sizeof v->cmd.req.lun);
	visit(v);
}

static void
visit(struct visitor *v)
{
	while (v->step < probe_steps_n && probe_steps[v->step].want != NULL &&
	       !probe_steps[v->step].want(&v->v))
		v->step++;
	if (v->step == probe_steps_n) {
		take_lun(v);
		return;
	}
	v->cmd.req.dir = REQ_READ;
	v->cmd.req.data = v->v.buf;
	probe_steps[v->step].build(&v->v);
	if (probe_steps[v->step].cost == PROBE_ENDS) {
		v->p->result.inquiries++;
		stat_add(v->p->port->account.driver, STAT_TRANSPORT_GLOBAL_inquiries);
	}
	probe_cmd_start(&v->cmd);
}

static void
command_failed(struct visitor *v)
{
	enum probe_cost cost = probe_steps[v->step].cost;
	struct lun_info *i = v->v.info;
	char why[400];

	if (cost == PROBE_ENDS) {
		v->p->result.inquiries_failed++;
		stat_add(v->p->port->account.driver, STAT_TRANSPORT_GLOBAL_inquiries_failed);
		account_probe(&v->p->port->account, &v->cmd.req, true);
	}
	if (v->cmd.req.result == REQ_OFFLINE)
		fault_set(&v->p->result.fault, FAULT_OFFLINE, "scan again",
		    "the connection was lost while the LUNs were probed");
	if (cost == PROBE_FAULT_IF_KNOWN && v->cmd.verdict.action == SENSE_UNSUPPORTED)
		cost = PROBE_COSTS_NOTHING;
	if (cost != PROBE_COSTS_NOTHING)
		fault_set(&i->fault, FAULT_OFFLINE, "look at the target's log", "LUN %u: %s",
		    i->number, retry_describe(why, sizeof why, &v->cmd.req));
	v->step = cost == PROBE_ENDS ? probe_steps_n : v->step + 1;
}

static void
command_done(struct probe_cmd *c, bool is_ok)
{
	struct visitor *v = LIST_ENTRY(c, struct visitor, cmd);
	size_t n = c->req.data_got < sizeof v->v.buf ? c->req.data_got : sizeof v->v.buf, whole;

	if (v->p->done == NULL) {
		one_less(v->p);
		return;
	}
	if (!is_ok) {
		command_failed(v);
	} else {
		whole = probe_steps[v->step].is_page ? vpd_page_bytes(v->v.buf, n) : 0;
		if (whole > v->v.alloc && v->v.alloc == PROBE_PAGE_BYTES) {
			v->v.alloc = (uint16_t)(whole < sizeof v->v.buf ? whole : sizeof v->v.buf);
			visit(v);
			return;
		}
		probe_steps[v->step].take(&v->v, n);
		v->step++;
	}
	v->v.alloc = PROBE_PAGE_BYTES;
	visit(v);
}

/* The list is known: send the visitors out. */
static void
start_visits(struct probe *p)
{
	unsigned n = p->result.n < PROBE_VISITORS ? (unsigned)p->result.n : PROBE_VISITORS;

	p->busy += n;
	for (unsigned i = 0; i < n; i++) {
		struct visitor *v = &p->visitors[i];

		v->p = p;
		v->v.req = &v->cmd.req;
		probe_cmd_init(&v->cmd, p->port, command_done);
		take_lun(v);
	}
}

static void
set_luns(struct probe *p, const struct probe_lun *luns, size_t n)
{
	p->result.luns = call_alloc((n > 0 ? n : 1) * sizeof *p->result.luns);
	p->result.n = n;
	for (size_t i = 0; i < n; i++) {
		p->result.luns[i].number = luns[i].number;
		memcpy(p->result.luns[i].wire, luns[i].wire, LUNS_WIRE_BYTES);
	}
}

/* ---- REPORT LUNS ---- */

static void
ask_list(struct probe *p, uint32_t bytes)
{
	free(p->list);
	p->list = call_alloc(bytes);
	p->list_cmd.req.dir = REQ_READ;
	p->list_cmd.req.data = p->list;
	p->list_cmd.req.data_len = bytes;
	cdb_report_luns(p->list_cmd.req.cdb, bytes);
	p->result.report_luns++;
	stat_add(p->port->account.driver, STAT_TRANSPORT_GLOBAL_report_luns);
	probe_cmd_start(&p->list_cmd);
}

static void
list_luns(struct probe *p, const uint32_t *numbers, const struct luns_report *report)
{
	struct probe_lun *luns = call_alloc((report->claimed + 1) * sizeof *luns);
	size_t n = 0;

	p->result.unclaimed = report->unclaimed;
	stat_add_n(
	    p->port->account.driver, STAT_TRANSPORT_GLOBAL_unclaimed_luns, report->unclaimed);
	if (report->unclaimed > 0)
		diag_ISCSI_LOG_INV_LUN_ADDR_TYPE(&p->port->account.about);
	p->result.primary = report->primary;
	for (uint32_t i = 0; i < report->claimed; i++) {
		luns[n].number = numbers[i];
		/* The mode has just said this number, so it can say it again. */
		if (luns_encode(report->primary, numbers[i], luns[n].wire))
			n++;
	}
	set_luns(p, luns, n);
	free(luns);
	start_visits(p);
}

static void
list_failed(struct probe *p)
{
	static const struct probe_lun lun0;
	char why[400];

	p->result.report_luns_failed++;
	stat_add(p->port->account.driver, STAT_TRANSPORT_GLOBAL_report_luns_failed);
	account_probe(&p->port->account, &p->list_cmd.req, false);
	/* The guide, appendix B: "lack of support for this command is not an error". */
	if (p->list_cmd.verdict.action == SENSE_UNSUPPORTED) {
		set_luns(p, &lun0, 1);
		start_visits(p);
		return;
	}
	fault_set(&p->result.fault, FAULT_OFFLINE, "look at the target's log, then scan again",
	    "the LUNs could not be listed: %s", retry_describe(why, sizeof why, &p->list_cmd.req));
}

static void
list_done(struct probe_cmd *c, bool is_ok)
{
	struct probe *p = LIST_ENTRY(c, struct probe, list_cmd);
	uint32_t numbers_max = LIMIT_LUNS, *numbers;
	struct luns_report report;

	if (p->done == NULL) {
		one_less(p);
		return;
	}
	if (!is_ok) {
		list_failed(p);
		one_less(p);
		return;
	}
	numbers = call_alloc(numbers_max * sizeof *numbers);
	if (!luns_parse(p->list, c->req.data_got, numbers, &report)) {
		fault_set(&p->result.fault, FAULT_OFFLINE, "look at the target's log",
		    "the target's list of LUNs is malformed");
	} else if (report.is_incomplete && report.bytes_wanted > c->req.data_len &&
		   c->req.data_len < PROBE_LIST_MAX) {
		free(numbers);
		ask_list(
		    p, report.bytes_wanted < PROBE_LIST_MAX ? report.bytes_wanted : PROBE_LIST_MAX);
		return;
	} else {
		list_luns(p, numbers, &report);
	}
	free(numbers);
	one_less(p);
}

/* ---- starting and ending ---- */

static struct probe *
probe_new(struct scsi_port *port, probe_done *done, void *user)
{
	struct probe *p = call_alloc(sizeof *p);

	p->port = port;
	p->done = done;
	p->user = user;
	p->busy = 1;
	agenda_work_init(&p->finish, finish);
	return p;
}

struct probe *
probe_start(struct scsi_port *port, probe_done *done, void *user)
{
	struct probe *p = probe_new(port, done, user);

	probe_cmd_init(&p->list_cmd, port, list_done);
	ask_list(p, PROBE_LIST_BYTES);
	return p;
}

struct probe *
probe_start_luns(
    struct scsi_port *port, const struct probe_lun *luns, size_t n, probe_done *done, void *user)
{
	struct probe *p = probe_new(port, done, user);

	set_luns(p, luns, n);
	start_visits(p);
	one_less(p);
	return p;
}

void
probe_abandon(struct probe *p)
{
	if (p == NULL)
		return;
	p->done = NULL;
	if (p->list != NULL && probe_cmd_cancel(&p->list_cmd))
		one_less(p);
	for (unsigned i = 0; i < PROBE_VISITORS; i++)
		if (p->visitors[i].p != NULL && probe_cmd_cancel(&p->visitors[i].cmd))
			one_less(p);
}
