/*
 * The control protocol's client for commands: blocking, with deadlines.
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

/* A descriptor that came with an answer, the caller's from now on; -1: none.  The last one counts.
 */
int ipc_client_take_fd(struct ipc_client *c);

/* Called for each progress; `progress` is borrowed.  What time it takes is not the driver's. */
typedef void ipc_progress(void *user, const json_t *progress);

/*
 * Ask and wait for the answer, for as long as messages.def says.  Takes the
 * reference of `args` (NULL: none).  0 with *ret_result, to be json_decref()ed,
 * or -1 with *ret_err.  After TIMEOUT or NOTRUNNING (the driver ended while we
 * waited) the client is of no more use.
 */
int ipc_request(struct ipc_client *c, enum ipc_op op, json_t *args, ipc_progress *progress,
    void *user, json_t **ret_result, struct ipc_error *ret_err);

/* So many of the driver's places for answers that wait for the disk (LIMIT_KEEPER_WAITS) are one
 * client's. */
#define IPC_MANY_MAX 16

/* One of several requests; `args` is taken. */
struct ipc_many {
	enum ipc_op op;
	json_t *args;
	json_t *result; /* the answer, to be json_decref()ed; NULL: see error */
	struct ipc_error error;
};

/*
 * At most IPC_MANY_MAX requests one behind another, and then all their answers: the driver does
 * them in this order, and keeps what they changed together.  Each succeeds or fails by itself.
 */
void ipc_request_many(struct ipc_client *c, struct ipc_many *q, size_t n);

#endif
