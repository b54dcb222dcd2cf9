/*
 * The control sockets <root>/dev/iscsi and <root>/dev/isw, and what the
 * operations share.  On the main loop.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <jansson.h>

#include "base/fault.h"
#include "driver/driver.h"
#include "ipc/server.h"

/* False with *ret_fault. */
bool control_open(struct driver *d, struct fault *ret_fault);
void control_close(struct driver *d);
/* Of the keeper: settings were taken back, and what follows from them is made anew.  `user`: the
 * driver. */
void control_undone(void *user);
/* Whoever follows the event log is told that it ends. */
void control_end_followers(struct driver *d);
/* Whoever waits for a device hears that it is not there. */
void control_end_waiters(struct driver *d);
/* Whoever captures has what was recorded so far, and no more. */
void control_end_captures(struct driver *d);

struct node;
/* An installed disk's members "exporter" and "nbd", or "dsk", "rdsk" and "block". */
void control_show_files(const struct driver *d, const struct node *n, json_t *to);

/* Answer with a fault; `extra` as in ipc_call_error(). */
void control_fail(struct ipc_call *call, const struct fault *f, json_t *extra);
/*
 * Answer BUSY: these disks (the reference of `in_use` is taken) are in use.
 * `what` stands in "…, or force the <what>".
 */
void control_busy(struct ipc_call *call, json_t *in_use, const char *what);
/*
 * Arguments "address", "port" and "tpgt" as a portal; false: the call was
 * answered with INVALID.
 */
bool control_address(struct ipc_call *call, struct registry_address *ret_a);
/* "2026-01-01T00:00:00Z"; null for 0. */
json_t *control_time(time_t t);
/* The same for a time of the loop's clock, microseconds; null: nothing is due. */
json_t *control_due(struct driver *d, uint64_t at_us);
/* What to do about a fault; null where there is none, or nothing to do. */
json_t *control_next(const struct fault *why);
/* Set a member; a NULL value means that memory is short and the member stays away. */
void control_set(json_t *object, const char *key, json_t *value);

#endif
