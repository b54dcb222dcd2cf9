/* What is configured for just one level, for displays. */
#ifndef CONTROL_CONFIGURED_H
#define CONTROL_CONFIGURED_H

#include <jansson.h>

#include "driver/driver.h"

/*
 * What counts for a scope (settings_show(); NULL: global), and as "configured" all that was set
 * for this scope itself: login keys, time limits and the like under the names that keys.set knows,
 * the rest under the registry's; of a secret only that it is "set".  As "inherited" what was set
 * above and counts here: {"value": …, "from": "global" or "target"}.
 */
void configured_show(struct driver *d, const struct registry_scope *scope, json_t *to);
/* The word with which keys.set sets it; NULL: it does not. */
const char *configured_word(enum registry_key key);

#endif
