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

#include "core/scsi/cdb.h"
#include "driver/call.h"
#include "driver/cut.h"
#include "driver/iscsial/probe_cmd.h"

#define PROBE_VISITORS     16
#define PROBE_BUFFER_BYTES 4096
/* SCSI-2 counts the allocation length of INQUIRY in one byte. */
#define PROBE_PAGE_BYTES 255
#define PROBE_LIST_BYTES 4096
#define PROBE_LIST_MAX   (8 + 8 * LIMIT_LUNS)

struct visitor {
	struct probe_cmd cmd;
	struct probe *p;
	struct lun_info *info; /* NULL: has no LUN */
	size_t step;
	uint16_t alloc; /* of this step: grows once when the page is longer */
	struct vpd_pages pages;
	uint8_t buf[PROBE_BUFFER_BYTES];
};

struct probe {
	struct scsi_port *port;
	probe_done *done; /* NULL: abandoned */
	void *user;
	struct probe_result result;
	size_t next; /* LUN that no visitor has taken */
	unsigned busy;
	struct loop_work finish;
	/* REPORT LUNS */
	struct probe_cmd list_cmd;
	uint8_t *list;
	struct visitor visitors[PROBE_VISITORS];
};

static void visit(struct visitor *v);

/* ---- the steps of a visit ---- */

static void
build_inquiry(struct visitor *v)
{
	v->cmd.req.data_len = INQUIRY_ALLOC_BYTES;
	cdb_inquiry(v->cmd.req.cdb, INQUIRY_ALLOC_BYTES);
}

static void
take_inquiry(struct visitor *v, size_t n)
{
	struct lun_info *i = v->info;

	if (!inquiry_parse(v->buf, n, &i->inquiry)) {
		fault_set(&i->fault, IPC_ERR_OFFLINE, "look at the target's log",
		    "LUN %u answered INQUIRY with %zu bytes, too few to tell what it is", i->number,
		    n);
		return;
	}
	i->is_present = inquiry_is_present(&i->inquiry);
	i->is_disk = i->is_present && strcmp(inquiry_class(i->inquiry.type), "disk") == 0;
}

static bool
want_pages(const struct visitor *v)
{
	return v->info->is_present;
}

static void
build_page(struct visitor *v, uint8_t page)
{
	v->cmd.req.data_len = v->alloc;
	cdb_inquiry_vpd(v->cmd.req.cdb, page, v->alloc);
}

static void
build_pages(struct visitor *v)
{
	build_page(v, VPD_SUPPORTED);
}

static void
take_pages(struct visitor *v, size_t n)
{
	if (vpd_pages(v->buf, n, &v->pages) != VPD_OK)
		memset(&v->pages, 0, sizeof v->pages);
}

static bool
want_serial(const struct visitor *v)
{
	return want_pages(v) && vpd_has(&v->pages, VPD_SERIAL);
}

static void
build_serial(struct visitor *v)
{
	build_page(v, VPD_SERIAL);
}

static void
take_serial(struct visitor *v, size_t n)
{
	char serial[VPD_SERIAL_BYTES];

	if (vpd_serial(v->buf, n, serial) == VPD_OK)
		cut_copy(v->info->id.serial, sizeof v->info->id.serial, serial);
}

static bool
want_name(const struct visitor *v)
{
	return want_pages(v) && vpd_has(&v->pages, VPD_IDENTIFICATION);
}

static void
build_name(struct visitor *v)
{
	build_page(v, VPD_IDENTIFICATION);
}

static void
take_name(struct visitor *v, size_t n)
{
	char name[VPD_DESIGNATOR_BYTES];

	if (vpd_designator(v->buf, n, name) == VPD_OK)
		cut_copy(v->info->id.designator, sizeof v->info->id.designator, name);
}

static bool
want_disk(const struct visitor *v)
{
	return v->info->is_disk;
}

static void
build_ready(struct visitor *v)
{
	v->cmd.req.dir = REQ_NONE;
	v->cmd.req.data_len = 0;
	cdb_test_unit_ready(v->cmd.req.cdb);
}

static void
take_nothing(struct visitor *v, size_t n)
{
	(void)v;
	(void)n;
}

static void
build_capacity_16(struct visitor *v)
{
	v->cmd.req.data_len = CAPACITY_16_BYTES;
	cdb_read_capacity_16(v->cmd.req.cdb, CAPACITY_16_BYTES);
}

static void
take_capacity(struct visitor *v, enum capacity_result r)
{
	struct lun_info *i = v->info;

	i->is_sized = r == CAPACITY_OK;
	if (i->is_sized) {
		i->id.size_bytes = i->capacity.bytes;
		fault_clear(&i->fault);
	} else {
		fault_set(&i->fault, IPC_ERR_OFFLINE, "look at the target's configuration",
		    "LUN %u cannot be used: %s", i->number, capacity_result_text(r));
	}
}

static void
take_capacity_16(struct visitor *v, size_t n)
{
	take_capacity(v, capacity_parse_16(v->buf, n, &v->info->capacity));
}

static bool
want_capacity_10(const struct visitor *v)
{
	return want_disk(v) && !v->info->is_sized;
}

static void
build_capacity_10(struct visitor *v)
{
	v->cmd.req.data_len = CAPACITY_10_BYTES;
	cdb_read_capacity_10(v->cmd.req.cdb);
}

static void
take_capacity_10(struct visitor *v, size_t n)
{
	take_capacity(v, capacity_parse_10(v->buf, n, &v->info->capacity));
}

static void
build_mode_10(struct visitor *v)
{
	v->cmd.req.data_len = PROBE_PAGE_BYTES;
	cdb_mode_sense_10(v->cmd.req.cdb, MODE_PAGE_CACHING, PROBE_PAGE_BYTES);
}

static void
take_mode_10(struct visitor *v, size_t n)
{
	v->info->has_mode = mode_parse_10(v->buf, n, &v->info->mode);
}

static bool
want_mode_6(const struct visitor *v)
{
	return want_disk(v) && !v->info->has_mode;
}

static void
build_mode_6(struct visitor *v)
{
	v->cmd.req.data_len = 192;
	cdb_mode_sense_6(v->cmd.req.cdb, MODE_PAGE_ALL, 192);
}

static void
take_mode_6(struct visitor *v, size_t n)
{
	v->info->has_mode = mode_parse_6(v->buf, n, &v->info->mode);
}

static bool
want_limits(const struct visitor *v)
{
	return want_disk(v) && vpd_has(&v->pages, VPD_BLOCK_LIMITS);
}

static void
build_limits(struct visitor *v)
{
	build_page(v, VPD_BLOCK_LIMITS);
}

static void
take_limits(struct visitor *v, size_t n)
{
	struct vpd_limits limits;

	if (vpd_limits(v->buf, n, &limits) == VPD_OK)
		v->info->limits = limits;
}

static bool
want_provision(const struct visitor *v)
{
	return want_disk(v) && vpd_has(&v->pages, VPD_PROVISIONING);
}

static void
build_provision(struct visitor *v)
{
	build_page(v, VPD_PROVISIONING);
}

static void
take_provision(struct visitor *v, size_t n)
{
	struct vpd_provisioning provision;

	if (vpd_provisioning(v->buf, n, &provision) == VPD_OK)
		v->info->provision = provision;
}

static const struct step {
	bool (*want)(const struct visitor *v); /* NULL: always */
	void (*build)(struct visitor *v);
	void (*take)(struct visitor *v, size_t n); /* n bytes came */
	bool is_page;
} steps[] = {
	{ NULL, build_inquiry, take_inquiry, false },
	{ want_pages, build_pages, take_pages, true },
	{ want_serial, build_serial, take_serial, true },
	{ want_name, build_name, take_name, true },
	{ want_disk, build_ready, take_nothing, false },
	{ want_disk, build_capacity_16, take_capacity_16, false },
	{ want_capacity_10, build_capacity_10, take_capacity_10, false },
	{ want_disk, build_mode_10, take_mode_10, false },
	{ want_mode_6, build_mode_6, take_mode_6, false },
	{ want_limits, build_limits, take_limits, true },
	{ want_provision, build_provision, take_provision, true },
};
#define STEPS        (sizeof steps / sizeof *steps)
#define STEP_INQUIRY 0

/* ---- walking ---- */

static void
probe_free(struct probe *p)
{
	loop_work_cancel(&p->finish);
	free(p->result.luns);
	free(p->list);
	free(p);
}

static void
finish(struct loop_work *w)
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
		loop_defer(p->port->loop, &p->finish);
}

/* The next LUN for a visitor that has none; it goes home where there is none. */
static void
take_lun(struct visitor *v)
{
	struct probe *p = v->p;

	if (p->done == NULL || p->next >= p->result.n) {
		v->info = NULL;
		one_less(p);
		return;
	}
	v->info = &p->result.luns[p->next++];
	v->step = 0;
	v->alloc = PROBE_PAGE_BYTES;
	memset(&v->pages, 0, sizeof v->pages);
	memcpy(v->cmd.req.lun, v->info->wire, sizeof v->cmd.req.lun);
	visit(v);
}

static void
visit(struct visitor *v)
{
	while (v->step < STEPS && steps[v->step].want != NULL && !steps[v->step].want(v))
		v->step++;
	if (v->step == STEPS) {
		take_lun(v);
		return;
	}
	v->cmd.req.dir = REQ_READ;
	v->cmd.req.data = v->buf;
	steps[v->step].build(v);
	if (v->step == STEP_INQUIRY)
		v->p->result.inquiries++;
	probe_cmd_start(&v->cmd);
}

static void
command_failed(struct visitor *v)
{
	char why[400];
	struct lun_info *i = v->info;

	if (v->step == STEP_INQUIRY)
		v->p->result.inquiries_failed++;
	if (v->cmd.req.result == REQ_OFFLINE)
		fault_set(&v->p->result.fault, IPC_ERR_OFFLINE, "scan again",
		    "the connection was lost while the LUNs were probed");
	/* A page or mode the target does not know is no fault; a unit that is not ready is. */
	if (v->step == STEP_INQUIRY ||
	    (steps[v->step].build == build_ready && v->cmd.verdict.action != SENSE_UNSUPPORTED) ||
	    steps[v->step].build == build_capacity_10)
		fault_set(&i->fault, IPC_ERR_OFFLINE, "look at the target's log", "LUN %u: %s",
		    i->number, retry_describe(why, sizeof why, &v->cmd.req));
	v->step = v->step == STEP_INQUIRY ? STEPS : v->step + 1;
}

static void
command_done(struct probe_cmd *c, bool is_ok)
{
	struct visitor *v = LIST_ENTRY(c, struct visitor, cmd);
	size_t n = c->req.data_got < sizeof v->buf ? c->req.data_got : sizeof v->buf, whole;

	if (v->p->done == NULL) {
		one_less(v->p);
		return;
	}
	if (!is_ok) {
		command_failed(v);
	} else {
		whole = steps[v->step].is_page ? vpd_page_bytes(v->buf, n) : 0;
		if (whole > v->alloc && v->alloc == PROBE_PAGE_BYTES) {
			v->alloc = (uint16_t)(whole < sizeof v->buf ? whole : sizeof v->buf);
			visit(v);
			return;
		}
		steps[v->step].take(v, n);
		v->step++;
	}
	v->alloc = PROBE_PAGE_BYTES;
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
	probe_cmd_start(&p->list_cmd);
}

static void
list_luns(struct probe *p, const uint32_t *numbers, const struct luns_report *report)
{
	struct probe_lun *luns = call_alloc((report->claimed + 1) * sizeof *luns);
	size_t n = 0;

	p->result.unclaimed = report->unclaimed;
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
	/* The guide, appendix B: "lack of support for this command is not an error". */
	if (p->list_cmd.verdict.action == SENSE_UNSUPPORTED) {
		set_luns(p, &lun0, 1);
		start_visits(p);
		return;
	}
	fault_set(&p->result.fault, IPC_ERR_OFFLINE, "look at the target's log, then scan again",
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
		fault_set(&p->result.fault, IPC_ERR_OFFLINE, "look at the target's log",
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
	loop_work_init(&p->finish, finish);
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
