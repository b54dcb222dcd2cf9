/*
 * What the parts of the NBD exporter know of each other:
 *
 *   nbd.c      the exporter: disks, their sockets, who may connect
 *   nbdconn.c  a connection: bytes in and out
 *   nbdio.c    a request: what the device is asked, in which steps
 *   nbdpool.c  a connection's requests with their memory
 *   nbdneg.c, nbdwire.c  the protocol, pure
 *
 * A connection that is closed, a disk that is removed and an exporter that is stopped stay
 * until the device has answered what they asked, and are freed at the end of a turn
 * (nbd_conn.play), so that nobody on the way looks at what is gone.
 */
#ifndef EXPORT_NBDINT_H
#define EXPORT_NBDINT_H

#include <sys/types.h>

#include "base/limits.h"
#include "export/align.h"
#include "export/exportdir.h"
#include "export/nbd.h"
#include "export/nbdneg.h"
#include "sys/log.h"
#include "sys/sock.h"

struct nbd_conn;

/* A request, with room for its data and, around that, for align.h. */
struct nbd_op {
	struct list link; /* of its connection: idle, or answers */
	struct nbd_conn *conn;
	struct nbd_request request;
	enum nbd_error error;
	uint64_t zeroed;         /* WRITE_ZEROES with NO_HOLE: so many bytes are written */
	bool flushes;            /* FUA of what has none by itself: a flush is due behind it */
	enum blk_op kind;        /* of the step that is under way */
	uint64_t covers;         /* BLK_FLUSH: nbd_disk.written when it began */
	struct blk_req blk;      /* it passed; else */
	struct align_io io;      /* this */
	uint8_t *mem;            /* NBD_MEM_BYTES, of which only what is touched costs anything */
	size_t carries, touched; /* bytes of data; of mem that are resident, about */
	uint8_t head[NBD_ANSWER_BYTES];
	size_t head_bytes;
};

/* scratch: two blocks; then the rest of a first block before the data, and one behind it. */
#define NBD_DATA_AT   (3 * ALIGN_BLOCK_MAX)
#define NBD_MEM_BYTES (NBD_DATA_AT + LIMIT_NBD_IO_BYTES + ALIGN_BLOCK_MAX)

/* What is read next. */
enum nbd_step {
	NBD_NEGOTIATES,
	NBD_REQUEST, /* the head of a request, which may be there and wait for an op */
	NBD_DATA,    /* what is written by conn.op, or passed over where that has failed */
	NBD_ENDS,    /* nothing: it is closed when all is answered */
	NBD_CLOSED
};

struct nbd_conn {
	struct list link; /* nbd_disk.conns */
	struct nbd_disk *disk;
	struct loop_fd fd;
	struct sock_peer peer;
	enum nbd_step step;
	bool is_open;         /* it has the disk, and is counted */
	bool has_written_out; /* it was the last thing to be done */
	struct nbdneg neg;
	struct agenda_timer late; /* armed until then */
	struct agenda_work play;

	uint8_t rx[2 * NBDNEG_IN_BYTES];
	size_t rx_from, rx_to;
	struct nbd_op *op; /* NBD_DATA */
	uint32_t op_got;
	bool waits; /* for an op: nothing is read until one is back */

	uint8_t tx[NBDNEG_OUT_BYTES]; /* of the negotiation */
	size_t tx_from, tx_to;
	struct list answers; /* ops, in the order in which they are sent */
	size_t sent;         /* of the first */
	bool is_full;        /* the socket takes no more for now */

	struct list idle;        /* ops */
	unsigned ops_made, ops;  /* there are; and those that are not idle */
	size_t carries, touched; /* of its ops */
};

/* A device, or what remains of it. */
struct nbd_disk {
	struct list link;
	struct export *ex;
	struct align_disk disk; /* disk.dev NULL: removed */
	char name[32];
	struct export_socket socket; /* its file may be another one by now */
	struct loop_fd listener;     /* of it */
	struct agenda_timer again;   /* armed: nothing is accepted for a while */
	struct log_limit said;
	struct list conns;
	unsigned n_conns, openers;
	bool is_sealed;
	uint64_t
	    written; /* answers to what changes it and lies in a cache of the unit's, counted */
	uint64_t flushed; /* so many of them are behind a flush */
};

struct export
{
	struct loop *loop;
	struct exportdir dir;
	struct list disks;
	const struct export_events *events;
	void *user;
	bool is_stopping;
};

/* nbd.c */
struct nbd_view nbd_view(const struct nbd_disk *disk);
/* A connection is gone: its disk, or the exporter, may end with it. */
void nbd_conn_gone(struct nbd_disk *disk);

/* nbdconn.c */
/* `fd` is the connection's from now on.  0 or a negative errno: then it is closed. */
int nbdconn_new(struct nbd_disk *disk, int fd);
/* No harm if it is closed. */
void nbdconn_close(struct nbd_conn *c);
/* The device has answered, or need not be asked. */
void nbdconn_answer(struct nbd_conn *c, struct nbd_op *op);

/* nbdio.c */
/* How many bytes of memory a request that is as it should be needs for data. */
uint32_t nbdio_bytes(const struct nbd_request *r);
/* What was answered as written is not on stable storage yet, as far as is known. */
bool nbdio_is_due(const struct nbd_disk *disk);
/* Its client is gone: flush, with an op of its pool, of which none is under way.  False: it cannot
 * be. */
bool nbdio_write_out(struct nbd_conn *c);
/* op->request is checked, op->error says how, and its data is there. */
void nbdio_begin(struct nbd_op *op);

/* nbdpool.c */
/* An op that may carry so many bytes of data.  NULL: one must come back first. */
struct nbd_op *nbdpool_get(struct nbd_conn *c, uint32_t bytes);
void nbdpool_put(struct nbd_op *op);
void nbdpool_free(struct nbd_conn *c);
/* The first op, without which a connection would be none.  False: there is no memory. */
bool nbdpool_init(struct nbd_conn *c);

#endif
