/* Long answers of the control protocol: the server's half, which makes them. */
#include "ipc/pieces.h"

#include <time.h>

#include "ipc/server_impl.h"

/* Elements' text in a line: more lines cost more calls, longer ones a client more memory. */
#define PIECE_BYTES (64u << 10)
/* A short answer is one line also on a machine that is busy. */
#define PIECE_MIN_BYTES 4096
/* What may wait for the client to read it before the next piece is made. */
#define AHEAD_BYTES (256u << 10)
/* A turn's work for one client. */
#define PIECE_US 3000

static uint64_t
clock_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Elements for one line.  *ret_all: those were the last. */
static json_t *
gather(struct ipc_call *call, bool *ret_all)
{
	struct ipc_pieces *p = call->pieces;
	uint64_t until = clock_us() + PIECE_US;
	json_t *list = json_array(), *element = NULL;
	size_t bytes = 0;

	do {
		element = p->ops->next(p);
		if (element == NULL)
			break;
		if (!call->may_inspect)
			ipc_op_hide(element);
		bytes += json_dumpb(element, NULL, 0, JSON_COMPACT) + 1;
		(void)json_array_append_new(list, element); /* no memory: one less */
	} while (bytes < PIECE_MIN_BYTES || (bytes < PIECE_BYTES && clock_us() < until));
	*ret_all = element == NULL;
	return list;
}

static void
answer_last(struct ipc_call *call, json_t *list)
{
	struct ipc_pieces *p = call->pieces;
	json_t *result = p->rest != NULL ? p->rest : json_object();

	p->rest = NULL;
	(void)json_object_set_new(result, p->member, list); /* no memory: it stays away */
	call->pieces = NULL;
	p->ops->end(p);
	ipc_call_reply(call, result);
}

/* Nobody wants the rest. */
static void
drop(struct ipc_call *call)
{
	struct ipc_pieces *p = call->pieces;

	json_decref(p->rest);
	p->rest = NULL;
	call->pieces = NULL;
	p->ops->end(p);
	ipc_call_reply(call, NULL);
}

static void
pump(struct agenda_work *w)
{
	struct ipc_call *call = LIST_ENTRY(w, struct ipc_call, pump);
	struct ipc_conn *c = call->client;
	bool is_all;
	json_t *list;

	if (c->out_bytes > AHEAD_BYTES)
		return; /* ipc_pieces_flushed() goes on */
	list = gather(call, &is_all);
	if (is_all) {
		answer_last(call, list);
		return;
	}
	agenda_defer(loop_agenda(c->server->loop), &call->pump);
	/* The client may be gone afterwards, and the call with it. */
	ipc_server_send(
	    c, json_pack("{s:I, s:{s:o}}", "id", call->id, "part", call->pieces->member, list));
}

void
ipc_call_reply_pieces(struct ipc_call *call, struct ipc_pieces *p)
{
	call->pieces = p;
	agenda_work_init(&call->pump, pump);
	if (call->client != NULL)
		pump(&call->pump);
	else
		drop(call);
}

void
ipc_pieces_flushed(struct ipc_conn *c)
{
	if (c->out_bytes > AHEAD_BYTES)
		return;
	LIST_EACH(node, tmp, &c->calls)
	{
		struct ipc_call *call = LIST_ENTRY(node, struct ipc_call, link);

		if (call->pieces != NULL)
			agenda_defer(loop_agenda(c->server->loop), &call->pump);
	}
}

void
ipc_pieces_orphan(struct ipc_call *call)
{
	if (call->pieces == NULL)
		return;
	agenda_cancel(&call->pump);
	drop(call);
}
