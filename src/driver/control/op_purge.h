/* discovery.remove with its targets: op_purge.c. */
#ifndef CONTROL_OP_PURGE_H
#define CONTROL_OP_PURGE_H

#include "driver/driver.h"
#include "ipc/server.h"

/* Answers the call, later. */
void op_discovery_purge(struct driver *d, struct ipc_call *call, const struct registry_address *by);

#endif
