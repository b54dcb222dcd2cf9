/*
 * What is read and when.  A request becomes an op before its data is read, so that the data lies
 * where the device takes it from; an answer is an op until it has been sent, and its data goes
 * from where the device put it.  So a client that does not read its answers has no op left
 * one day, and then nothing is read from it: it waits for itself.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/nbdint.h"

/* Receives of one turn, before others on the loop get theirs. */
#define TURN_RECEIVES 8
/* Answers of one call. */
#define SEND_OPS 16
/* Data of a write that will not be done, and is passed over all the same. */
#define REFUSED_BYTES (64u << 20)

static void ready(struct loop_fd *f, uint32_t events);
static void play(struct agenda_work *w);
static void is_late(struct agenda_timer *t);

static struct loop *
loop_of(const struct nbd_conn *c)
{
	return c->disk->ex->loop;
}

int
nbdconn_new(struct nbd_disk *disk, int fd)
{
	struct nbd_conn *c = calloc(1, sizeof *c);
	int err = c != NULL && nbdpool_init(c) ? 0 : -ENOMEM;

	if (err == 0)
		err = sock_peer(fd, &c->peer);
	if (err == 0) {
		c->disk = disk;
		c->fd = (struct loop_fd){ .fd = fd, .ready = ready };
		err = loop_watch(loop_of(c), &c->fd, EPOLLIN);
	}
	if (err < 0) {
		if (c != NULL)
			nbdpool_free(c);
		free(c);
		close(fd);
		return err;
	}
	list_init(&c->answers);
	agenda_work_init(&c->play, play);
	c->late.expired = is_late;
	agenda_set(loop_agenda(loop_of(c)), &c->late,
	    loop_now_update(loop_of(c)) + LIMIT_NBD_NEGOTIATE_MS * 1000ull);
	list_push_back(&disk->conns, &c->link);
	disk->n_conns++;
	c->tx_to = nbdneg_greet(c->tx);
	agenda_defer(loop_agenda(loop_of(c)), &c->play);
	return 0;
}

static void
let_go(struct nbd_conn *c)
{
	struct nbd_disk *disk = c->disk;
	const struct export *ex = disk->ex;

	c->is_open = false;
	if (--disk->openers == 0 && disk->disk.dev != NULL && !ex->is_stopping)
		ex->events->let_go(ex->user, disk->disk.dev);
}

void
nbdconn_close(struct nbd_conn *c)
{
	struct list *node;

	if (c->step == NBD_CLOSED)
		return;
	c->step = NBD_CLOSED;
	agenda_clear(loop_agenda(loop_of(c)), &c->late);
	loop_unwatch(loop_of(c), &c->fd);
	close(c->fd.fd); /* what was not sent nobody waits for */
	if (c->op != NULL)
		nbdpool_put(c->op);
	c->op = NULL;
	while ((node = list_pop(&c->answers)) != NULL)
		nbdpool_put(LIST_ENTRY(node, struct nbd_op, link));
	/* What was answered as written goes to stable storage first, as when a block device is
	 * closed. */
	if (c->is_open && !nbdio_is_due(c->disk))
		let_go(c);
	agenda_defer(loop_agenda(loop_of(c)), &c->play);
}

/* All that it asked is answered.  True: the flush behind it is under way. */
static bool
write_out(struct nbd_conn *c)
{
	bool is_due = c->is_open && !c->has_written_out && nbdio_is_due(c->disk);

	c->has_written_out = true;
	if (is_due && nbdio_write_out(c))
		return true;
	if (c->is_open)
		let_go(c);
	return false;
}

/* It was closed, and the device has answered all that it asked. */
static void
conn_free(struct nbd_conn *c)
{
	struct nbd_disk *disk = c->disk;

	list_remove(&c->link);
	disk->n_conns--;
	agenda_cancel(&c->play);
	nbdpool_free(c);
	free(c);
	nbd_conn_gone(disk);
}

static void
is_late(struct agenda_timer *t)
{
	nbdconn_close(LIST_ENTRY(t, struct nbd_conn, late));
}

/* ---- sending ---- */

void
nbdconn_answer(struct nbd_conn *c, struct nbd_op *op)
{
	agenda_defer(loop_agenda(loop_of(c)), &c->play);
	if (c->step == NBD_CLOSED) {
		nbdpool_put(op);
		return;
	}
	op->head_bytes = nbd_put_answer(op->head, &op->request, op->error, c->neg.is_structured);
	list_push_back(&c->answers, &op->link);
}

static size_t
data_bytes(const struct nbd_op *op)
{
	return op->request.command == NBD_COMMAND_READ && op->error == NBD_OK ? op->request.length
									      : 0;
}

/* What is due, of tx and the first answers, as the kernel takes it. */
static int
gather(struct nbd_conn *c, struct iovec iov[1 + 2 * SEND_OPS])
{
	size_t skip = c->sent;
	int n = 0, ops = 0;

	if (c->tx_from < c->tx_to)
		iov[n++] = (struct iovec){ c->tx + c->tx_from, c->tx_to - c->tx_from };
	LIST_EACH(node, tmp, &c->answers)
	{
		struct nbd_op *op = LIST_ENTRY(node, struct nbd_op, link);
		size_t data = data_bytes(op);

		if (ops++ == SEND_OPS)
			break;
		if (skip < op->head_bytes)
			iov[n++] = (struct iovec){ op->head + skip, op->head_bytes - skip };
		skip -= skip < op->head_bytes ? skip : op->head_bytes;
		if (data > 0)
			iov[n++] = (struct iovec){ op->mem + NBD_DATA_AT + skip, data - skip };
		skip = 0;
	}
	return n;
}

/* So many bytes are sent: ops of which all is are free again. */
static void
count(struct nbd_conn *c, size_t n)
{
	size_t tx = c->tx_to - c->tx_from;

	tx = n < tx ? n : tx;
	c->tx_from += tx;
	c->sent += n - tx;
	while (!list_empty(&c->answers)) {
		struct nbd_op *op = LIST_ENTRY(c->answers.next, struct nbd_op, link);
		size_t all = op->head_bytes + data_bytes(op);

		if (c->sent < all)
			return;
		c->sent -= all;
		list_remove(&op->link);
		nbdpool_put(op);
	}
}

/* False: it was closed. */
static bool
send_all(struct nbd_conn *c)
{
	struct iovec iov[1 + 2 * SEND_OPS];

	while (c->tx_from < c->tx_to || !list_empty(&c->answers)) {
		struct msghdr m = { .msg_iov = iov };
		ssize_t n;

		m.msg_iovlen = (size_t)gather(c, iov);
		n = sendmsg(c->fd.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		c->is_full = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
		if (c->is_full)
			return true;
		if (n <= 0) {
			nbdconn_close(c);
			return false;
		}
		count(c, (size_t)n);
	}
	c->is_full = false;
	return true;
}

/* ---- receiving ---- */

static bool
is_refused(const struct nbd_conn *c)
{
	return c->op->error != NBD_OK;
}

/* The op's data is there: it begins. */
static void
begin(struct nbd_conn *c)
{
	struct nbd_op *op = c->op;

	c->op = NULL;
	c->step = NBD_REQUEST;
	nbdio_begin(op);
}

/* Data of a write, from what was received with its head.  False: more must come. */
static bool
take_data(struct nbd_conn *c)
{
	size_t left = c->op->request.length - c->op_got, n = c->rx_to - c->rx_from;

	n = n < left ? n : left;
	if (!is_refused(c))
		memcpy(c->op->mem + NBD_DATA_AT + c->op_got, c->rx + c->rx_from, n);
	c->rx_from += n;
	c->op_got += (uint32_t)n;
	if (n < left)
		return false;
	begin(c);
	return true;
}

/* A request becomes an op.  False: more must come, or an op come back, or it was closed. */
static bool
take_request(struct nbd_conn *c)
{
	struct nbd_view view = nbd_view(c->disk);
	struct nbd_request r;
	enum nbd_error error;
	struct nbd_op *op;

	if (c->rx_to - c->rx_from < NBD_REQUEST_BYTES)
		return false;
	error = NBD_OK;
	if (nbd_get_request(c->rx + c->rx_from, &r))
		error = nbd_check(&r, &view);
	else
		r.command = NBD_COMMAND_DISC;
	if (r.command == NBD_COMMAND_DISC) {
		c->step = NBD_ENDS;
		return false;
	}
	if (nbd_has_data(&r) && error != NBD_OK && r.length > REFUSED_BYTES) {
		nbdconn_close(c);
		return false;
	}
	op = nbdpool_get(c, error == NBD_OK ? nbdio_bytes(&r) : 0);
	c->waits = op == NULL;
	if (c->waits)
		return false;
	op->request = r;
	op->error = error;
	c->rx_from += NBD_REQUEST_BYTES;
	c->op = op;
	c->op_got = 0;
	if (nbd_has_data(&r) && r.length > 0)
		c->step = NBD_DATA;
	else
		begin(c);
	return true;
}

/* Part of the negotiation.  False: more must come, or what was said be sent first. */
static bool
negotiate(struct nbd_conn *c)
{
	struct nbd_view view = nbd_view(c->disk);
	size_t said, n;

	if (c->tx_from < c->tx_to)
		return false;
	n = nbdneg_take(&c->neg, &view, c->rx + c->rx_from, c->rx_to - c->rx_from, c->tx, &said);
	c->rx_from += n;
	c->tx_from = 0;
	c->tx_to = said;
	if (c->neg.state == NBDNEG_OPEN) {
		agenda_clear(loop_agenda(loop_of(c)), &c->late);
		c->is_open = true;
		c->disk->openers++;
		c->step = NBD_REQUEST;
	} else if (c->neg.state == NBDNEG_END) {
		c->step = NBD_ENDS;
	}
	return n > 0 && send_all(c);
}

/* All that can be done with what was received. */
static void
take(struct nbd_conn *c)
{
	bool goes_on = true;

	while (goes_on) {
		switch (c->step) {
		case NBD_NEGOTIATES:
			goes_on = negotiate(c);
			break;
		case NBD_REQUEST:
			goes_on = take_request(c);
			break;
		case NBD_DATA:
			goes_on = take_data(c);
			break;
		case NBD_ENDS:
		case NBD_CLOSED:
			goes_on = false;
		}
	}
}

/* Would more of it be of use now? */
static bool
is_reading(const struct nbd_conn *c)
{
	if (c->step == NBD_NEGOTIATES)
		return c->tx_from == c->tx_to;
	return (c->step == NBD_REQUEST && !c->waits) || c->step == NBD_DATA;
}

/* Data of a write goes where the device takes it from; all else is small. */
static ssize_t
receive(struct nbd_conn *c)
{
	if (c->step == NBD_DATA && !is_refused(c) && c->rx_from == c->rx_to)
		return recv(c->fd.fd, c->op->mem + NBD_DATA_AT + c->op_got,
		    c->op->request.length - c->op_got, MSG_DONTWAIT);
	memmove(c->rx, c->rx + c->rx_from, c->rx_to - c->rx_from);
	c->rx_to -= c->rx_from;
	c->rx_from = 0;
	assert(c->rx_to < sizeof c->rx); /* take() leaves no whole message */
	return recv(c->fd.fd, c->rx + c->rx_to, sizeof c->rx - c->rx_to, MSG_DONTWAIT);
}

/* False: there is no more for now, or ever. */
static bool
receive_some(struct nbd_conn *c)
{
	bool is_direct = c->step == NBD_DATA && !is_refused(c) && c->rx_from == c->rx_to;
	ssize_t n = receive(c);

	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		/* One that has said all it wants may still wait for its answers. */
		if (n == 0 && c->step == NBD_REQUEST && c->rx_from == c->rx_to)
			c->step = NBD_ENDS;
		else
			nbdconn_close(c);
		return false;
	}
	if (!is_direct)
		c->rx_to += (size_t)n;
	else if ((c->op_got += (uint32_t)n) == c->op->request.length)
		begin(c);
	take(c);
	return true;
}

/* ---- turns ---- */

/* After anything has happened: close it, or wait for what comes next. */
static void
settle(struct nbd_conn *c)
{
	uint32_t events;
	int err;

	if (c->step == NBD_ENDS && c->ops == 0 && c->tx_from == c->tx_to)
		nbdconn_close(c);
	if (c->step == NBD_CLOSED)
		return;
	events = (is_reading(c) ? (uint32_t)EPOLLIN : 0) | (c->is_full ? (uint32_t)EPOLLOUT : 0);
	if (events == c->fd.events)
		return;
	err = loop_rewatch(loop_of(c), &c->fd, events);
	assert(err == 0); /* it is a valid descriptor in a valid set */
}

static void
play(struct agenda_work *w)
{
	struct nbd_conn *c = LIST_ENTRY(w, struct nbd_conn, play);

	if (c->step != NBD_CLOSED && (c->is_full || send_all(c))) {
		take(c);
		settle(c);
	}
	if (c->step == NBD_CLOSED && c->ops == 0 && !write_out(c))
		conn_free(c);
}

static void
ready(struct loop_fd *f, uint32_t events)
{
	struct nbd_conn *c = LIST_ENTRY(f, struct nbd_conn, fd);

	/* Nobody is there any more, and nothing of what came before is to be read. */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 && !is_reading(c)) {
		nbdconn_close(c);
		return;
	}
	if ((events & EPOLLOUT) != 0 && !send_all(c))
		return;
	take(c);
	for (unsigned i = 0; i < TURN_RECEIVES && is_reading(c); i++)
		if (!receive_some(c))
			break;
	settle(c);
}
