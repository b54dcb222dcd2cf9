/*
 * From what a session says (sess.h) to the messages an administrator reads.
 * Pure but for diag's own output.
 */
#ifndef DRIVER_DIAG_REPORT_H
#define DRIVER_DIAG_REPORT_H

#include "core/sendtargets.h"
#include "core/sess.h"
#include "driver/diag/diag.h"

/* Says what there is to say about an event of a session; most have nothing. */
void report_event(const struct diag_ctx *ctx, const struct sess_event *ev);
/* The socket of a session ended with `err` (negative errno, 0: the protocol's `why`). */
void report_closed(const struct diag_ctx *ctx, bool was_online, int err, enum conn_result why);
/* sess_connected() failed with `err` (-ENOMEM, -ENOBUFS). */
void report_no_memory(const struct diag_ctx *ctx, int err);
/* A record of an answer to SendTargets: what is wrong with it, if anything is. */
void report_sendtargets(const struct diag_ctx *ctx, const struct sendtargets_record *r);

#endif
