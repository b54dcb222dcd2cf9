/*
 * One function for each operation of messages.def.  It answers the call, now
 * or later; the arguments are checked against the table already, and the
 * caller may do this.
 */
#ifndef CONTROL_OPS_H
#define CONTROL_OPS_H

#include "driver/driver.h"
#include "ipc/server.h"

#define OP(id, ...) void op_##id(struct driver *d, struct ipc_call *call);
#include "ipc/messages.def"

#endif
