/*
 * The control protocol's client for commands: blocking, with deadlines.  One
 * request at a time.
 */
#ifndef IPC_CLIENT_H
#define IPC_CLIENT_H

#include "ipc/ops.h"

struct ipc_client;

/* Why it did not work; `extra` are the other members of the error object, or NULL. */
struct ipc_error {
	enum ipc_error_code code;
	char message[1024];
	char next[512];
	json_t *extra;
};

/* Lets go of `extra`.  Harmless on a zeroed one. */
void ipc_error_fini(struct ipc_error *e);

/*
 * Connect to the socket at `path`.  0, or -1 with *ret_err: NOTRUNNING where
 * nobody listens, DENIED, TIMEOUT, INTERNAL.
 */
int ipc_connect(const char *path, struct ipc_client **ret, struct ipc_error *ret_err);
/* NULL is fine. */
void ipc_client_free(struct ipc_client *c);

/* Called for each progress; `progress` is borrowed. */
typedef void ipc_progress(void *user, const json_t *progress);

/*
 * Ask and wait for the answer, for as long as messages.def says.  Takes the
 * reference of `args` (NULL: none).  0 with *ret_result, to be json_decref()ed,
 * or -1 with *ret_err.  After TIMEOUT or NOTRUNNING (the driver ended while we
 * waited) the client is of no more use.
 */
int ipc_request(struct ipc_client *c, enum ipc_op op, json_t *args, ipc_progress *progress,
    void *user, json_t **ret_result, struct ipc_error *ret_err);

#endif
