/* --wait: until a device is there and can be used (the driver's device.wait). */
#ifndef TOOLS_AWAIT_H
#define TOOLS_AWAIT_H

#include <jansson.h>

#include "tools/common/call.h"

/* So long where nothing else is said. */
#define AWAIT_SECONDS_DEFAULT 60

/*
 * `args` (the reference is taken) has the name, hw_path or target; no longer than `seconds`.  On a
 * terminal it is shown what is waited for.  OK with *ret_result; LATE, with a sentence.
 */
enum status await_device(struct call *c, json_t *args, long seconds, json_t **ret_result);

#endif
