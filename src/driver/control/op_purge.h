/* discovery.remove and isns.remove with their targets: op_purge.c. */
#ifndef CONTROL_OP_PURGE_H
#define CONTROL_OP_PURGE_H

#include "driver/driver.h"
#include "ipc/server.h"

/* What named them goes itself, as none of them is in use; 0 or a negative errno of the registry's.
 */
typedef int op_purge_end(struct driver *d, const struct registry_address *by);

/* Answers the call, later. */
void op_purge(
    struct driver *d, struct ipc_call *call, const struct registry_address *by, op_purge_end *end);

#endif
