#include "driver/iscsial/probe_steps.h"

#include <string.h>

#include "base/cut.h"
#include "scsi/cdb.h"

static void
build_inquiry(struct probe_visit *v)
{
	v->req->data_len = INQUIRY_ALLOC_BYTES;
	cdb_inquiry(v->req->cdb, INQUIRY_ALLOC_BYTES);
}

static void
take_inquiry(struct probe_visit *v, size_t n)
{
	struct lun_info *i = v->info;

	if (!inquiry_parse(v->buf, n, &i->inquiry)) {
		fault_set(&i->fault, FAULT_OFFLINE, "look at the target's log",
		    "LUN %u answered INQUIRY with %zu bytes, too few to tell what it is", i->number,
		    n);
		return;
	}
	i->is_present = inquiry_is_present(&i->inquiry);
	i->is_disk = i->is_present && strcmp(inquiry_class(i->inquiry.type), "disk") == 0;
}

static bool
want_pages(const struct probe_visit *v)
{
	return v->info->is_present;
}

static void
build_page(struct probe_visit *v, uint8_t page)
{
	v->req->data_len = v->alloc;
	cdb_inquiry_vpd(v->req->cdb, page, v->alloc);
}

static void
build_pages(struct probe_visit *v)
{
	build_page(v, VPD_SUPPORTED);
}

static void
take_pages(struct probe_visit *v, size_t n)
{
	if (vpd_pages(v->buf, n, &v->pages) != VPD_OK)
		memset(&v->pages, 0, sizeof v->pages);
}

static bool
want_serial(const struct probe_visit *v)
{
	return want_pages(v) && vpd_has(&v->pages, VPD_SERIAL);
}

static void
build_serial(struct probe_visit *v)
{
	build_page(v, VPD_SERIAL);
}

static void
take_serial(struct probe_visit *v, size_t n)
{
	char serial[VPD_SERIAL_BYTES];

	if (vpd_serial(v->buf, n, serial) == VPD_OK)
		cut_copy(v->info->id.serial, sizeof v->info->id.serial, serial);
}

static bool
want_name(const struct probe_visit *v)
{
	return want_pages(v) && vpd_has(&v->pages, VPD_IDENTIFICATION);
}

static void
build_name(struct probe_visit *v)
{
	build_page(v, VPD_IDENTIFICATION);
}

static void
take_name(struct probe_visit *v, size_t n)
{
	char name[VPD_DESIGNATOR_BYTES];

	if (vpd_designator(v->buf, n, 0, name) == VPD_OK)
		cut_copy(v->info->id.designator, sizeof v->info->id.designator, name);
}

static bool
want_disk(const struct probe_visit *v)
{
	return v->info->is_disk;
}

static void
build_ready(struct probe_visit *v)
{
	v->req->dir = REQ_NONE;
	v->req->data_len = 0;
	cdb_test_unit_ready(v->req->cdb);
}

static void
take_nothing(struct probe_visit *v, size_t n)
{
	(void)v;
	(void)n;
}

static void
build_capacity_16(struct probe_visit *v)
{
	v->req->data_len = CAPACITY_16_BYTES;
	cdb_read_capacity_16(v->req->cdb, CAPACITY_16_BYTES);
}

static void
take_capacity(struct probe_visit *v, enum capacity_result r)
{
	struct lun_info *i = v->info;

	i->is_sized = r == CAPACITY_OK;
	if (i->is_sized) {
		i->id.size_bytes = i->capacity.bytes;
		fault_clear(&i->fault);
	} else {
		fault_set(&i->fault, FAULT_OFFLINE, "look at the target's configuration",
		    "LUN %u cannot be used: %s", i->number, capacity_result_text(r));
	}
}

static void
take_capacity_16(struct probe_visit *v, size_t n)
{
	take_capacity(v, capacity_parse_16(v->buf, n, &v->info->capacity));
}

static bool
want_capacity_10(const struct probe_visit *v)
{
	return want_disk(v) && !v->info->is_sized;
}

static void
build_capacity_10(struct probe_visit *v)
{
	v->req->data_len = CAPACITY_10_BYTES;
	cdb_read_capacity_10(v->req->cdb);
}

static void
take_capacity_10(struct probe_visit *v, size_t n)
{
	take_capacity(v, capacity_parse_10(v->buf, n, &v->info->capacity));
}

static void
build_mode_10(struct probe_visit *v)
{
	v->req->data_len = PROBE_PAGE_BYTES;
	cdb_mode_sense_10(v->req->cdb, MODE_PAGE_CACHING, PROBE_PAGE_BYTES);
}

static void
take_mode_10(struct probe_visit *v, size_t n)
{
	v->info->has_mode = mode_parse_10(v->buf, n, &v->info->mode);
}

static bool
want_mode_6(const struct probe_visit *v)
{
	return want_disk(v) && !v->info->has_mode;
}

static void
build_mode_6(struct probe_visit *v)
{
	v->req->data_len = 192;
	cdb_mode_sense_6(v->req->cdb, MODE_PAGE_ALL, 192);
}

static void
take_mode_6(struct probe_visit *v, size_t n)
{
	v->info->has_mode = mode_parse_6(v->buf, n, &v->info->mode);
}

static bool
want_limits(const struct probe_visit *v)
{
	return want_disk(v) && vpd_has(&v->pages, VPD_BLOCK_LIMITS);
}

static void
build_limits(struct probe_visit *v)
{
	build_page(v, VPD_BLOCK_LIMITS);
}

static void
take_limits(struct probe_visit *v, size_t n)
{
	struct vpd_limits limits;

	if (vpd_limits(v->buf, n, &limits) == VPD_OK)
		v->info->limits = limits;
}

static bool
want_provision(const struct probe_visit *v)
{
	return want_disk(v) && vpd_has(&v->pages, VPD_PROVISIONING);
}

static void
build_provision(struct probe_visit *v)
{
	build_page(v, VPD_PROVISIONING);
}

static void
take_provision(struct probe_visit *v, size_t n)
{
	struct vpd_provisioning provision;

	if (vpd_provisioning(v->buf, n, &provision) == VPD_OK)
		v->info->provision = provision;
}

const struct probe_step probe_steps[] = {
	{ NULL, build_inquiry, take_inquiry, false, PROBE_ENDS },
	{ want_pages, build_pages, take_pages, true, PROBE_COSTS_NOTHING },
	{ want_serial, build_serial, take_serial, true, PROBE_COSTS_NOTHING },
	{ want_name, build_name, take_name, true, PROBE_COSTS_NOTHING },
	{ want_disk, build_ready, take_nothing, false, PROBE_FAULT_IF_KNOWN },
	{ want_disk, build_capacity_16, take_capacity_16, false, PROBE_COSTS_NOTHING },
	{ want_capacity_10, build_capacity_10, take_capacity_10, false, PROBE_FAULT },
	{ want_disk, build_mode_10, take_mode_10, false, PROBE_COSTS_NOTHING },
	{ want_mode_6, build_mode_6, take_mode_6, false, PROBE_COSTS_NOTHING },
	{ want_limits, build_limits, take_limits, true, PROBE_COSTS_NOTHING },
	{ want_provision, build_provision, take_provision, true, PROBE_COSTS_NOTHING },
};
const size_t probe_steps_n = sizeof probe_steps / sizeof *probe_steps;
