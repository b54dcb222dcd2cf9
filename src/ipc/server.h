/*
 * The control protocol's server: listens on one path, reads requests, checks
 * them against messages.def and who sent them, and hands the good ones to a
 * handler, which answers now or later.  On one loop's thread.
 *
 * Several requests of a client may be unanswered at once.  A client that does
 * not read its answers is dropped; one that is idle costs a descriptor and a
 * few hundred bytes.
 */
#ifndef IPC_SERVER_H
#define IPC_SERVER_H

#include <sys/types.h>

#include "engine/loop.h"
#include "ipc/ops.h"

struct ipc_server;
/*
 * A request that wants one answer: ipc_call_reply() or ipc_call_error(), which
 * end its life.  It may be answered although the client is gone, even after
 * the server is freed.
 */
struct ipc_call;

/* Every call has arguments that ipc_args_check() accepted, and is allowed. */
typedef void ipc_handler(void *user, struct ipc_call *call);

/*
 * Listen at `path` (file mode `mode`).  0 or a negative errno, as
 * sock_listen().  `user` is borrowed.
 */
int ipc_server_new(struct loop *loop, const char *path, mode_t mode, ipc_handler *handle,
    void *user, struct ipc_server **ret);
/*
 * Stop listening and drop all clients; answers still queued get one last
 * chance (without waiting).  The socket's file is removed.  Not from inside the
 * handler.  NULL is fine.
 */
void ipc_server_free(struct ipc_server *s);

enum ipc_op ipc_call_op(const struct ipc_call *call);
/* Who asks for what, for people; without secrets. */
#define IPC_WHO_BYTES 80
void ipc_call_describe(
    const struct ipc_call *call, char who[static IPC_WHO_BYTES], char *what, size_t bytes);
/* False once the client is gone: nobody will read the answer. */
bool ipc_call_is_wanted(const struct ipc_call *call);

/* Whoever asks sees, and may cause, what is not for everyone. */
bool ipc_call_may_inspect(const struct ipc_call *call);

/* Its client may ask for `only` and nothing else from now on, not even for this again. */
void ipc_call_narrow(const struct ipc_call *call, enum ipc_op only);

/* An argument, or the default where it was not given; valid as long as the call. */
const char *ipc_call_arg_string(const struct ipc_call *call, const char *name, const char *dflt);
int64_t ipc_call_arg_int(const struct ipc_call *call, const char *name, int64_t dflt);
bool ipc_call_arg_bool(const struct ipc_call *call, const char *name, bool dflt);
bool ipc_call_arg_given(const struct ipc_call *call, const char *name);

/* Each takes the reference of its json_t. */
void ipc_call_progress(struct ipc_call *call, json_t *progress);
/* The same with a descriptor, which is closed when it was sent or cannot be. */
void ipc_call_progress_fd(struct ipc_call *call, json_t *progress, int fd);
/* result NULL: an empty object. */
void ipc_call_reply(struct ipc_call *call, json_t *result);
/*
 * Have a good answer asked about before it goes out: where hold() says true it
 * stays, until ipc_call_go() sends it or ipc_call_error() takes its place.
 */
typedef bool ipc_hold(void *user, struct ipc_call *call);
void ipc_call_hold(struct ipc_call *call, ipc_hold *hold, void *user);
void ipc_call_go(struct ipc_call *call);
/* Where a result may be long: ipc/pieces.h. */
/* message: what happened and why; next: what to do (may be ""); extra: more members of `error`, or
 * NULL. */
void ipc_call_error(struct ipc_call *call, enum ipc_error_code code, const char *message,
    const char *next, json_t *extra);

#endif
