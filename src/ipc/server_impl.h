/* What server.c (the connections) and call.c (their requests) share; nobody else includes it. */
#ifndef IPC_SERVER_IMPL_H
#define IPC_SERVER_IMPL_H

#include <jansson.h>

#include "base/list.h"
#include "ipc/codec.h"
#include "ipc/pieces.h"
#include "ipc/quota.h"
#include "ipc/server.h"
#include "sys/sock.h"

struct ipc_server {
	struct loop *loop;
	struct loop_fd fd;
	struct agenda_timer pause;
	char *path;
	ipc_handler *handle;
	void *user;
	struct list clients;
	size_t n_clients;
	struct ipc_quota quota;
	struct agenda_work let_ask; /* those who may again */
	bool has_readers;           /* a group may see what names initiators: */
	gid_t readers;
};

struct ipc_conn {
	struct list link; /* in the server's list */
	struct ipc_server *server;
	struct loop_fd fd;
	struct sock_peer peer;
	bool may_inspect; /* operations and members that are not for everyone */
	bool is_narrow;   /* only this operation: */
	enum ipc_op only;
	struct ipc_user *user;
	struct agenda_timer stall; /* of a stranger who does not read his answers */
	struct ipc_lines lines;
	struct list calls;
	unsigned n_calls;
	struct list out;
	size_t out_bytes;
	bool is_waiting; /* with its requests, until there is room for answers */
	bool is_busy;    /* its reading loop is running */
	bool is_dead;    /* to be freed when it is not busy */
	bool at_end;     /* it will send no more; answers still go out */
};

struct ipc_call {
	struct list link;        /* in its client's list */
	struct ipc_conn *client; /* NULL once it is gone */
	bool may_inspect;
	uid_t uid; /* whose it is, and of which process */
	pid_t pid;
	enum ipc_op op;
	json_int_t id;
	json_t *args;   /* or NULL */
	ipc_hold *hold; /* or NULL: its answer goes out at once */
	void *hold_user;
	json_t *held;              /* the answer that is held, or NULL */
	struct ipc_pieces *pieces; /* its answer, which is being made; or NULL */
	uint64_t lacks;            /* jsonmem_lacks() when it came */
	struct agenda_work pump;   /* valid while there are pieces: makes the next */
};

bool ipc_server_is_privileged(const struct sock_peer *peer);
/* Queue an answer; takes the object (NULL: no memory for it).  May end the connection. */
void ipc_server_send(struct ipc_conn *c, json_t *object);
/* The same; takes the descriptor that goes with it, or -1. */
void ipc_server_send_fd(struct ipc_conn *c, json_t *object, int fd);

/* A line came: check it, and hand it to the handler or refuse it.  May end the connection. */
void ipc_call_begin(struct ipc_conn *c, const char *line, size_t len);
/* {"id":…,"ok":false,"error":{…}}; id NULL: null; takes `extra`.  NULL: no memory. */
json_t *ipc_call_error_object(const json_int_t *id, enum ipc_error_code code, const char *message,
    const char *next, json_t *extra);

/* The client has read something: pieces of its answers may follow. */
void ipc_pieces_flushed(struct ipc_conn *c);
/* Its client is gone: what is made in pieces ends here, and the call with it. */
void ipc_pieces_orphan(struct ipc_call *call);

#endif
