/* The guide's statistics and messages about a look at a session's LUNs. */
#include "driver/diag/diag.h"
#include "driver/iscsial/luns_impl.h"

void
luns_account(struct wanted *w, const struct probe_result *r)
{
	const struct diag_ctx about = { (int32_t)w->instance, w->target, w->about, w->d->diag };
	struct stat_block *stats = &w->d->stats;
	bool is_odd = false;

	stat_add_n(stats, STAT_TRANSPORT_GLOBAL_report_luns, r->report_luns);
	stat_add_n(stats, STAT_TRANSPORT_GLOBAL_report_luns_failed, r->report_luns_failed);
	stat_add_n(stats, STAT_TRANSPORT_GLOBAL_inquiries, r->inquiries);
	stat_add_n(stats, STAT_TRANSPORT_GLOBAL_inquiries_failed, r->inquiries_failed);
	if (r->report_luns_failed > 0)
		diag_ISCSI_LOG_REPORTLUNS_FAILED(
		    &about, r->bad_report.status, r->bad_report.result, r->bad_report.response);
	if (r->inquiries_failed > 0)
		diag_ISCSI_LOG_SCSI_INQ_FAILED(
		    &about, r->bad_inquiry.status, r->bad_inquiry.result, r->bad_inquiry.response);
	if (r->fault.is_set)
		return;
	/* How many there are now, not how often they were seen. */
	stat_add_n(
	    stats, STAT_TRANSPORT_GLOBAL_unclaimed_luns, (uint64_t)r->unclaimed - w->unclaimed);
	w->unclaimed = r->unclaimed;
	for (size_t i = 0; i < r->n_out; i++)
		is_odd |=
		    r->out[i].why != LUNS_OUT_SAME_NUMBER && r->out[i].why != LUNS_OUT_TOO_MANY;
	if (is_odd)
		diag_ISCSI_LOG_INV_LUN_ADDR_TYPE(&about);
	if (r->n == 0 && r->unclaimed == 0)
		diag_ISCSI_LOG_NO_LUNS_CONFIGURED(&about);
}
