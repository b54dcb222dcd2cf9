#include <string.h>

#include "base/cut.h"
#include "lu/ask.h"
#include "scsi/cdb.h"

bool
ask_expects(const struct ask *a, uint8_t page)
{
	if (page == VPD_SUPPORTED)
		return a->expect.has_designators || a->expect.has_serial;
	if (page == VPD_SERIAL)
		return a->expect.has_serial;
	return page == VPD_IDENTIFICATION && a->expect.has_designators;
}

static void
build_ready(struct ask *a)
{
	a->req.dir = REQ_NONE;
	a->req.data_len = 0;
	cdb_test_unit_ready(a->req.cdb);
}

static bool
take_nothing(struct ask *a, size_t n)
{
	(void)a;
	(void)n;
	return true;
}

static bool
want_ready_first(const struct ask *a)
{
	return a->is_ready_first;
}

static void
build_inquiry(struct ask *a)
{
	a->req.data_len = INQUIRY_ALLOC_BYTES;
	cdb_inquiry(a->req.cdb, INQUIRY_ALLOC_BYTES);
}

/* Fewer bytes than the names need, or nothing but zeros, tell nothing. */
static bool
take_inquiry(struct ask *a, size_t n)
{
	struct lu_info *i = &a->info;
	size_t zeros = 0;

	while (zeros < n && a->buf[zeros] == 0)
		zeros++;
	if (zeros == n || !inquiry_parse(a->buf, n, &i->inquiry))
		return false;
	i->is_disk =
	    inquiry_is_present(&i->inquiry) && strcmp(inquiry_class(i->inquiry.type), "disk") == 0;
	i->alua.can_set = (i->inquiry.tpgs & 2) != 0;
	cut_copy(i->id.vendor, sizeof i->id.vendor, i->inquiry.vendor);
	cut_copy(i->id.product, sizeof i->id.product, i->inquiry.product);
	return true;
}

static void
build_page(struct ask *a, uint8_t page)
{
	a->req.data_len = a->alloc;
	cdb_inquiry_vpd(a->req.cdb, page, a->alloc);
}

static void
build_pages(struct ask *a)
{
	build_page(a, VPD_SUPPORTED);
}

/*
 * A list that lacks what tells the unit is no answer.  A new release may have
 * dropped the serial number of a unit that has better names.
 */
static bool
take_pages(struct ask *a, size_t n)
{
	if (vpd_pages(a->buf, n, &a->pages) != VPD_OK)
		return false;
	if (!vpd_has(&a->pages, VPD_IDENTIFICATION) && ask_expects(a, VPD_IDENTIFICATION))
		return false;
	return vpd_has(&a->pages, VPD_SERIAL) || !ask_expects(a, VPD_SERIAL) || a->expect.is_strong;
}

static bool
want_serial(const struct ask *a)
{
	return vpd_has(&a->pages, VPD_SERIAL);
}

static void
build_serial(struct ask *a)
{
	build_page(a, VPD_SERIAL);
}

/* A page without anything in it is an answer of a unit that never had anything there. */
static bool
take_serial(struct ask *a, size_t n)
{
	char serial[VPD_SERIAL_BYTES];

	switch (vpd_serial(a->buf, n, serial)) {
	case VPD_OK:
		cut_copy(a->info.id.serial, sizeof a->info.id.serial, serial);
		return true;
	case VPD_NOTHING:
		return !ask_expects(a, VPD_SERIAL);
	case VPD_SHORT:
	case VPD_WRONG_PAGE:
	case VPD_TRUNCATED:
		break;
	}
	return false;
}

static bool
want_names(const struct ask *a)
{
	return vpd_has(&a->pages, VPD_IDENTIFICATION);
}

static void
build_names(struct ask *a)
{
	build_page(a, VPD_IDENTIFICATION);
}

static bool
take_names(struct ask *a, size_t n)
{
	(void)alua_take_page(&a->info.alua, a->buf, n); /* where it says so */
	switch (identity_take_page(&a->info.id, a->buf, n)) {
	case VPD_OK:
		return true;
	case VPD_NOTHING:
		return !ask_expects(a, VPD_IDENTIFICATION);
	case VPD_SHORT:
	case VPD_WRONG_PAGE:
	case VPD_TRUNCATED:
		break;
	}
	return false;
}

bool
ask_is_served(const struct ask *a)
{
	if (a->info.alua.is_reported)
		return alua_serves(a->info.alua.state);
	return !a->has_met || alua_serves(a->met);
}

/* What is refused where the port is in another state is not asked there. */
static bool
want_disk(const struct ask *a)
{
	return a->info.is_disk && ask_is_served(a);
}

/* The state of the port comes with the time of transitions, or without where that is not known. */
static bool
want_report(const struct ask *a)
{
	return a->info.is_disk && a->info.inquiry.tpgs != 0 && a->info.alua.has_group &&
	       !a->has_report;
}

static void
build_report(struct ask *a)
{
	a->req.data_len = sizeof a->buf;
	cdb_report_target_ports(a->req.cdb, sizeof a->buf, true);
}

static bool
take_report(struct ask *a, size_t n)
{
	bool is_extended = (a->req.cdb[1] & 0x20) != 0;

	a->has_report = alua_take_report(&a->info.alua, a->buf, n, is_extended);
	return a->has_report || is_extended;
}

static void
build_report_short(struct ask *a)
{
	a->req.data_len = sizeof a->buf;
	cdb_report_target_ports(a->req.cdb, sizeof a->buf, false);
}

static void
build_capacity_16(struct ask *a)
{
	a->req.data_len = CAPACITY_16_BYTES;
	cdb_read_capacity_16(a->req.cdb, CAPACITY_16_BYTES);
}

static bool
take_capacity(struct ask *a, enum capacity_result r, const struct capacity *cap)
{
	struct lu_info *i = &a->info;

	a->has_size = i->is_sized = r == CAPACITY_OK;
	if (i->is_sized) {
		i->capacity = *cap;
		i->id.block_bytes = cap->block_bytes;
		i->id.size_bytes = cap->bytes;
		fault_clear(&i->fault);
	} else {
		fault_set(&i->fault, FAULT_OFFLINE, "look at the target's configuration",
		    "LUN %u cannot be used: %s", i->number, capacity_result_text(r));
	}
	return true;
}

static bool
take_capacity_16(struct ask *a, size_t n)
{
	struct capacity cap;

	return take_capacity(a, capacity_parse_16(a->buf, n, &cap), &cap);
}

static bool
want_capacity_10(const struct ask *a)
{
	return want_disk(a) && !a->has_size;
}

static void
build_capacity_10(struct ask *a)
{
	a->req.data_len = CAPACITY_10_BYTES;
	cdb_read_capacity_10(a->req.cdb);
}

static bool
take_capacity_10(struct ask *a, size_t n)
{
	struct capacity cap;

	return take_capacity(a, capacity_parse_10(a->buf, n, &cap), &cap);
}

/* A unit without a name is told by its size, too, if it is to be compared. */
static bool
want_size_for_name(const struct ask *a)
{
	return a->info.is_disk && a->expect.is_known && !identity_has_name(&a->info.id);
}

static bool
want_size_10_for_name(const struct ask *a)
{
	return want_size_for_name(a) && !a->has_size;
}

static bool
take_size_for_name(struct ask *a, size_t n)
{
	(void)take_capacity_10(a, n);
	return a->has_size;
}

/* Where other paths say what it is like, too. */
static bool
want_size_first(const struct ask *a)
{
	return a->is_size_first && want_disk(a) && !a->has_size;
}

static bool
want_size(const struct ask *a)
{
	return want_disk(a) && !a->has_size;
}

static void
build_mode_10(struct ask *a)
{
	a->req.data_len = ASK_PAGE_BYTES;
	cdb_mode_sense_10(a->req.cdb, MODE_PAGE_CACHING, ASK_PAGE_BYTES);
}

static bool
take_mode(struct ask *a, bool is_ok, const struct mode *m)
{
	a->has_mode = is_ok;
	if (is_ok) {
		a->info.has_mode = true;
		a->info.mode = *m;
	}
	return true;
}

static bool
take_mode_10(struct ask *a, size_t n)
{
	struct mode m;

	return take_mode(a, mode_parse_10(a->buf, n, &m), &m);
}

static bool
want_mode_6(const struct ask *a)
{
	return want_disk(a) && !a->has_mode;
}

static void
build_mode_6(struct ask *a)
{
	a->req.data_len = 192;
	cdb_mode_sense_6(a->req.cdb, MODE_PAGE_ALL, 192);
}

static bool
take_mode_6(struct ask *a, size_t n)
{
	struct mode m;

	return take_mode(a, mode_parse_6(a->buf, n, &m), &m);
}

static bool
want_limits(const struct ask *a)
{
	return want_disk(a) && vpd_has(&a->pages, VPD_BLOCK_LIMITS);
}

static void
build_limits(struct ask *a)
{
	build_page(a, VPD_BLOCK_LIMITS);
}

static bool
take_limits(struct ask *a, size_t n)
{
	struct vpd_limits limits;

	a->has_limits = vpd_limits(a->buf, n, &limits) == VPD_OK;
	if (a->has_limits)
		a->info.limits = limits;
	return true;
}

static bool
want_provision(const struct ask *a)
{
	return want_disk(a) && vpd_has(&a->pages, VPD_PROVISIONING);
}

static void
build_provision(struct ask *a)
{
	build_page(a, VPD_PROVISIONING);
}

static bool
take_provision(struct ask *a, size_t n)
{
	struct vpd_provisioning provision;

	a->has_provision = vpd_provisioning(a->buf, n, &provision) == VPD_OK;
	if (a->has_provision)
		a->info.provision = provision;
	return true;
}

const struct ask_step ask_steps[] = {
	/* Who it is. */
	{ want_ready_first, build_ready, take_nothing, false, ASK_FIRST },
	{ NULL, build_inquiry, take_inquiry, false, ASK_MUST },
	{ NULL, build_pages, take_pages, true, ASK_NAME },
	{ want_serial, build_serial, take_serial, true, ASK_NAME },
	{ want_names, build_names, take_names, true, ASK_NAME },
	{ want_size_for_name, build_capacity_16, take_capacity_16, false, ASK_NAME },
	{ want_size_10_for_name, build_capacity_10, take_size_for_name, false, ASK_MUST },
	/* What the port is to it. */
	{ want_report, build_report, take_report, false, ASK_PORT },
	{ want_report, build_report_short, take_report, false, ASK_PORT },
	{ want_size_first, build_capacity_16, take_capacity_16, false, ASK_EARLY },
	{ want_size_first, build_capacity_10, take_capacity_10, false, ASK_EARLY },
	/* What it is like. */
	{ want_disk, build_ready, take_nothing, false, ASK_READY },
	{ want_size, build_capacity_16, take_capacity_16, false, ASK_DETAIL },
	{ want_capacity_10, build_capacity_10, take_capacity_10, false, ASK_SIZE },
	{ want_disk, build_mode_10, take_mode_10, false, ASK_DETAIL },
	{ want_mode_6, build_mode_6, take_mode_6, false, ASK_DETAIL },
	{ want_limits, build_limits, take_limits, true, ASK_DETAIL },
	{ want_provision, build_provision, take_provision, true, ASK_DETAIL },
};
const unsigned ask_steps_n = sizeof ask_steps / sizeof *ask_steps;
