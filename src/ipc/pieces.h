/*
 * A long answer, made and sent piece by piece: as much at once as one turn of
 * the loop has time for, and no more than the client reads.  So an answer may
 * have any length, costs the driver the memory of one piece, and holds up
 * nobody.  The wire: lines {"id":N,"part":{"<member>":[…]}}, then the usual
 * answer, whose array `member` has the last elements.  A short answer is one line.
 *
 * An element that says "continued": true has more for the arrays of the element
 * before it, and nothing else.
 */
#ifndef IPC_PIECES_H
#define IPC_PIECES_H

#include <jansson.h>

struct ipc_call;
struct ipc_pieces;

struct ipc_pieces_ops {
	/*
	 * The next element (the caller's), NULL: there is no more.  Between two calls
	 * other things happen: whoever walks over what may change remembers where it
	 * is, not a pointer.
	 */
	json_t *(*next)(struct ipc_pieces *p);
	/* It is over: all was asked for, or the client is gone. */
	void (*end)(struct ipc_pieces *p);
};

/* Embedded in whoever makes the elements. */
struct ipc_pieces {
	const struct ipc_pieces_ops *ops;
	const char *member; /* of the result; static text */
	json_t *rest;       /* the other members (taken), or NULL */
};

/*
 * Answer with what p makes, which begins at once, and the rest in later turns;
 * ends the call's life.  p is used until end() is called, and not afterwards;
 * that may be before this returns.
 */
void ipc_call_reply_pieces(struct ipc_call *call, struct ipc_pieces *p);

/*
 * For a client: what a part has is put behind what came before; `*joined` NULL: nothing did.
 * -1: memory is short, or it makes no sense.
 */
int ipc_pieces_join(json_t **joined, json_t *part);
/* The same for the last one: `result` becomes the whole. */
int ipc_pieces_join_last(json_t *joined, json_t *result);

#endif
