/* What is configured is to count now: sessions log in anew. */
#ifndef ISCSIUTIL_RENEW_H
#define ISCSIUTIL_RENEW_H

#include <jansson.h>

#include "tools/common/call.h"
#include "tools/iscsiutil/spec.h"

/*
 * Configure (takes the reference of `args`; with args_ok false nothing is asked), and with --now
 * have the sessions that it concerns, by the line's -T, -I, -P and -M, log in anew one after the
 * other.  JSON is printed, with what became of them in "sessions"; else it is told.  OK,
 * with *ret_result for other words about it, or PARTIAL where a session did not come back: then
 * it is there, too.
 */
enum status renew_after(
    const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok, json_t **ret_result);

#endif
