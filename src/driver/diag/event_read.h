/* Reading the event log's files back. */
#ifndef DRIVER_DIAG_EVENT_READ_H
#define DRIVER_DIAG_EVENT_READ_H

#include <stddef.h>

#include "driver/diag/event_filter.h"

/*
 * The last n lines that pass a filter of the log at `path` and of the older files beside it,
 * oldest first, each without its newline.  A line that was cut off (a full
 * disk) is passed over.  0 or a negative errno; no file at all is no error.
 */
int event_read_last(const char *path, size_t n, const struct event_filter *filter,
    void (*line)(void *user, const char *text, size_t len), void *user);

#endif
