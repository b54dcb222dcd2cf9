#include "iisnsd/dialog.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "iisnsd/notice.h"

static void
arm(struct dialog *d)
{
	agenda_set(
	    loop_agenda(d->stream.loop), &d->timer, loop_now_update(d->stream.loop) + d->limit_us);
}

static void
disarm(struct dialog *d)
{
	agenda_clear(loop_agenda(d->stream.loop), &d->timer);
}

static void
fail(struct dialog *d, int err, const char *why)
{
	dialog_close(d);
	d->failed(d, err, why);
}

static void
expired(struct agenda_timer *t)
{
	struct dialog *d = LIST_ENTRY(t, struct dialog, timer);

	fail(d, -ETIMEDOUT,
	    d->stream.is_connecting ? "nobody answers at this address and port"
	    : d->is_asking          ? "it does not answer in time"
				    : "it does not end a message in time");
}

static void
connected(struct stream *s)
{
	struct dialog *d = LIST_ENTRY(s, struct dialog, stream);

	disarm(d);
	d->connected(d);
}

/* What nobody asked for must end in time, too. */
static void
amid(struct stream *s)
{
	struct dialog *d = LIST_ENTRY(s, struct dialog, stream);

	if (!d->timer.armed)
		arm(d);
}

static void
stream_failed(struct stream *s, int err, const char *why)
{
	struct dialog *d = LIST_ENTRY(s, struct dialog, stream);

	fail(d, err == 0 && d->is_asking ? -ECONNRESET : err, why);
}

/* Section 5.6.5.8; it needs no connection of its own where there is this one. */
static void
take_notice(struct dialog *d, const struct assemble *in)
{
	uint8_t rsp[REQUEST_BYTES];
	size_t n = notice_answer(in, rsp);

	if (n == 0)
		fail(d, -EPROTO, "its notification makes no sense");
	else if (stream_send(&d->stream, rsp, n))
		d->notified(d);
	else if (stream_is_open(&d->stream))
		fail(d, -EPROTO, "it does not read what it is answered");
}

static void
message(struct stream *s, const struct assemble *in)
{
	struct dialog *d = LIST_ENTRY(s, struct dialog, stream);
	bool is_answer =
	    d->is_asking && in->function == (d->function | ISNSP_RESPONSE) && in->xid == d->xid;

	if (is_answer || !d->is_asking)
		disarm(d);
	if (is_answer) {
		d->is_asking = false;
		d->strays = 0;
		d->answered(d, cursor_over(in->body, in->n));
	} else if (in->function == ISNSP_SCN) {
		take_notice(d, in);
	} else if (++d->strays > LIMIT_ISNS_STRAYS) {
		fail(d, -EPROTO, "it goes on sending what nobody asked for");
	}
}

void
dialog_init(struct dialog *d, struct loop *loop, uint64_t limit_us)
{
	d->stream.message = message;
	d->stream.failed = stream_failed;
	d->stream.connected = connected;
	d->stream.amid = amid;
	d->timer = (struct agenda_timer){ .expired = expired };
	d->limit_us = limit_us;
	d->is_asking = false;
	stream_init(&d->stream, loop, LIMIT_ISNS_MESSAGE_BYTES);
}

int
dialog_open(struct dialog *d, const struct endpoint *to)
{
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, &to->any, endpoint_len(to)) < 0 && errno != EINPROGRESS) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	d->strays = 0;
	err = stream_start(&d->stream, fd, false);
	if (err == 0)
		arm(d);
	return err;
}

uint16_t
dialog_next_xid(struct dialog *d)
{
	return ++d->xid;
}

void
dialog_ask(struct dialog *d, uint16_t function, const uint8_t *bytes, size_t n)
{
	d->function = function;
	d->is_asking = true;
	arm(d);
	/* What cannot be sent now is as good as unanswered. */
	if (!stream_send(&d->stream, bytes, n) && stream_is_open(&d->stream))
		agenda_set(loop_agenda(d->stream.loop), &d->timer, loop_now(d->stream.loop));
}

void
dialog_close(struct dialog *d)
{
	if (d->stream.loop == NULL)
		return;
	disarm(d);
	d->is_asking = false;
	stream_close(&d->stream);
}

bool
dialog_is_open(const struct dialog *d)
{
	return stream_is_open(&d->stream) && !d->stream.is_connecting;
}

bool
dialog_local(const struct dialog *d, struct endpoint *ret)
{
	socklen_t len = sizeof *ret;

	memset(ret, 0, sizeof *ret);
	return getsockname(d->stream.sock.fd, &ret->any, &len) == 0;
}
