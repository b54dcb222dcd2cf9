/*
 * The control protocol's operations as tables, and the check of a request's
 * arguments against them.  The rows are in messages.def.
 */
#ifndef IPC_OPS_H
#define IPC_OPS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

enum ipc_op {
#define OP(id, ...) IPC_OP_##id,
#include "ipc/messages.def"
	IPC_OPS
};

enum ipc_access {
	IPC_READ,    /* whoever can open the socket */
	IPC_INSPECT, /* root, the driver's own user and, where that is root, the group openisw */
	IPC_WRITE,   /* root and the driver's own user */
};

enum ipc_type { IPC_STRING, IPC_INT, IPC_BOOL };
enum ipc_need { IPC_MUST, IPC_MAY };

struct ipc_arg {
	enum ipc_op op;
	const char *name;
	enum ipc_type type;
	enum ipc_need need;
	const char *help;
};

struct ipc_op_row {
	const char *name;
	enum ipc_access access;
	uint32_t deadline_ms; /* 0: as long as progress comes every IPC_PROGRESS_MS */
	const char *help;
};

/* With a deadline of 0, a client gives up after so long without progress. */
#define IPC_PROGRESS_MS 10000

/* Error codes: the words on the wire; those of faults (base/fault.def) and one of the protocol's.
 */
enum ipc_error_code {
#define FAULT(id, text) IPC_ERR_##id,
#include "base/fault.def"
	IPC_ERR_UNKNOWN_OP,
	IPC_ERROR_CODES
};

enum ipc_error_code ipc_error_of(enum fault_code code);
/* The word on the wire. */
const char *ipc_error_name(enum ipc_error_code code);
/* -ENOENT: no code of ours. */
int ipc_error_find(const char *name, enum ipc_error_code *ret_code);

const struct ipc_op_row *ipc_op_row(enum ipc_op op);
/* Does its answer say that something is remembered? */
bool ipc_op_keeps(enum ipc_op op);
/* -ENOENT */
int ipc_op_find(const char *name, enum ipc_op *ret_op);
/* The n-th argument of an operation, or NULL behind the last. */
const struct ipc_arg *ipc_op_arg(enum ipc_op op, size_t n);

/* Take out of an answer, at any depth, what is for those only who may INSPECT: they become null. */
void ipc_op_hide(json_t *answer);

/* "keys.set key=HeaderDigest values=None", for people: without secrets, and cut where it is long.
 */
void ipc_op_describe(enum ipc_op op, const json_t *args, char *buf, size_t bytes);

/*
 * Are these the operation's arguments?  `args` is an object or NULL (none).
 * -EINVAL with a sentence in `why`: one is missing, has the wrong type, or is
 * not one of the operation's.  A null counts as not given.
 */
int ipc_args_check(enum ipc_op op, const json_t *args, char *why, size_t why_bytes);

#endif
