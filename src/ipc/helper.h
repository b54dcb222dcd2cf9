/*
 * The daemon protocol (ARCHITECTURE.md): the driver asks, a daemon answers.
 * JSON objects, one a datagram, over a SOCK_SEQPACKET socket that the driver
 * listens on and the daemon connects to.  Both sides on a loop's thread.
 */
#ifndef IPC_HELPER_H
#define IPC_HELPER_H

#include <sys/types.h>

#include "engine/loop.h"
#include "ipc/ops.h"

/* One datagram: what fits the kernel's default socket buffer. */
#define HELPER_MESSAGE_BYTES (128u << 10)

/* ---- the driver's side ---- */

struct helper_server;

/*
 * The answer to a request; called once for each, never from inside
 * helper_server_request().  err 0: `result` (borrowed) and fd, which is the
 * callee's from now on, a TCP connection, or -1.  err < 0: result is NULL and fd -1; `why` is a
 * sentence.  -ETIMEDOUT: the daemon had the request and did not answer in time;
 * -ENOTCONN: until the deadline no daemon was there to take it; -ECANCELED: the
 * server is being freed; else the errno the daemon named (-EPROTO where it is
 * no errno or the answer is malformed).
 */
typedef void helper_answer(void *user, int err, const char *why, const json_t *result, int fd);
/* The daemon came (pid) or went (0).  May be NULL. */
typedef void helper_state(void *user, pid_t pid);

/*
 * Listen at `path` for the daemon `name`.  Its directory keeps others out (0710 for
 * the daemon's group).  Only this process's own user may connect, and where that is root also the
 * daemon's user (sys/identity.h), as the process that holds the lock of the daemon's pid
 * file (sys/daemon.h).  While a daemon is connected another one is refused; one that answers what
 * nobody asked for, again and again, is cut off.
 * `name` and `user` are borrowed.  0 or a negative errno, as sock_listen().
 * helper_server_free() may not be called from inside a callback.
 */
int helper_server_new(struct loop *loop, const char *path, const char *pid_path, const char *name,
    helper_state *state, void *user, struct helper_server **ret);
/* Every outstanding request is answered with -ECANCELED; the socket's file is removed.  NULL is
 * fine. */
void helper_server_free(struct helper_server *h);

/* The daemon's pid, 0 when none is connected. */
pid_t helper_server_pid(const struct helper_server *h);

/*
 * Ask.  Takes the reference of `args` (an object).  Without a daemon the
 * request waits for one; when the daemon dies unanswered requests go to its
 * successor; both until `deadline_us`, of loop_now()'s clock.  Returns the
 * request's id (> 0), or a negative errno: -EMSGSIZE, -ENOMEM, -EINVAL.
 */
int64_t helper_server_request(struct helper_server *h, const char *op, json_t *args,
    uint64_t deadline_us, helper_answer *answer, void *user);
/*
 * The answer is not wanted any more: answer() will not be called, a descriptor
 * that still comes is closed, and the daemon is told ("cancel" with `of`).
 * False when there is no such request (it was answered).
 */
bool helper_server_cancel(struct helper_server *h, int64_t id);

/* ---- the daemon's side ---- */

struct helper_client;
/*
 * A request that wants one answer, which ends its life: helper_call_reply() or
 * helper_call_error().  It may be answered although the driver is gone.
 */
struct helper_call;

/*
 * A request came.  "cancel" never comes here: see helper_call_on_cancel().
 */
typedef void helper_handler(void *user, struct helper_call *call);
/* Connected to a driver (true) or not any more.  May be NULL. */
typedef void helper_link_state(void *user, bool connected);

/*
 * Connect to the driver at `path` and announce `name`; where no driver is, or
 * it goes away, try again by itself.  The first attempt is made in this call.
 * Borrows its strings.  0 or a negative errno (never that there is no driver).
 * helper_client_free() may not be called from inside a callback.
 */
int helper_client_new(struct loop *loop, const char *path, const char *name, helper_handler *handle,
    helper_link_state *state, void *user, struct helper_client **ret);
/* NULL is fine.  Calls that are not answered yet may be answered later, to nobody. */
void helper_client_free(struct helper_client *c);

const char *helper_call_op(const struct helper_call *call);
/* The arguments, an object; valid as long as the call. */
const json_t *helper_call_args(const struct helper_call *call);
/*
 * From now on tell when the answer is not wanted any more: the driver cancelled
 * it, or is gone.  cancelled() is called once at most and must lead to an
 * answer (-ECANCELED), there or later.
 */
void helper_call_on_cancel(
    struct helper_call *call, void (*cancelled)(void *user, struct helper_call *call), void *user);
/* Takes the reference of `result` (NULL: an empty object), and fd (-1: none), which is closed. */
void helper_call_reply(struct helper_call *call, json_t *result, int fd);
/* err: a negative errno; message: a sentence. */
void helper_call_error(struct helper_call *call, int err, const char *message);

#endif
