/*
 * The control protocol's server: bytes from a client, in parts, over a socket.
 *
 * Every line has one final answer, whatever it is, and every answer is a line of JSON; the
 * connection ends when the client has its answers and no request is left; nothing stays open.
 *
 * Covers: src/ipc/server.c src/ipc/call.c src/ipc/pieces.c src/ipc/quota.c
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/codec.h"
#include "ipc/pieces.h"
#include "ipc/server.h"
#include "sys/sock.h"
#include "turns.h"

#define INPUT_MAX 32768 /* below a request's limit */
#define OUT_BYTES (16u << 20)
#define PIECES    40
#define PATIENCE  40000

static struct ipc_call *held[LIMIT_IPC_CALLS];
static size_t n_held, n_begun, n_ended;

struct many {
	struct ipc_pieces pieces;
	unsigned at;
};

static json_t *
next_piece(struct ipc_pieces *p)
{
	struct many *m = (struct many *)p;

	return m->at++ < PIECES ? json_pack("{s:i, s:s}", "n", m->at, "initiator_chap_name", "a")
				: NULL;
}

static void
end_pieces(struct ipc_pieces *p)
{
	n_ended++;
	free(p);
}

static void
reply_many(struct ipc_call *call)
{
	static const struct ipc_pieces_ops ops = { next_piece, end_pieces };
	struct many *m = calloc(1, sizeof *m);

	if (m == NULL)
		abort();
	m->pieces.ops = &ops;
	m->pieces.member = "sessions";
	n_begun++;
	ipc_call_reply_pieces(call, &m->pieces);
}

static void
check_args(struct ipc_call *call)
{
	const struct ipc_arg *arg;

	for (size_t i = 0; (arg = ipc_op_arg(ipc_call_op(call), i)) != NULL; i++) {
		const char *s = ipc_call_arg_string(call, arg->name, NULL);

		FUZZ_CHECK(arg->need != IPC_MUST || ipc_call_arg_given(call, arg->name));
		FUZZ_CHECK(arg->type == IPC_STRING || s == NULL);
		(void)ipc_call_arg_int(call, arg->name, -1);
		(void)ipc_call_arg_bool(call, arg->name, false);
	}
}

static void
handle(void *user, struct ipc_call *call)
{
	(void)user;
	check_args(call);
	switch (ipc_call_op(call) % 6) {
	case 0:
		FUZZ_CHECK(n_held < LIMIT_IPC_CALLS);
		held[n_held++] = call;
		return;
	case 1:
		reply_many(call);
		return;
	case 2:
		ipc_call_error(
		    call, IPC_ERR_BUSY, "It is busy.", "Wait.", json_pack("{s:i}", "n", 1));
		return;
	case 3:
		ipc_call_progress(call, json_pack("{s:i}", "done", 1));
		ipc_call_reply(call, json_pack("{s:s}", "target_chap_name", "b"));
		return;
	default:
		ipc_call_reply(call, NULL);
	}
}

static void
answer_held(void)
{
	while (n_held > 0)
		ipc_call_reply(held[--n_held], NULL);
}

/* Lines of the input that are whole and not empty. */
static size_t
count_lines(const uint8_t *p, size_t n)
{
	size_t lines = 0, len = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n') /* of CR and LF neither counts */
			lines += len > 1 || (len == 1 && p[i - 1] != '\r');
		len = p[i] == '\n' ? 0 : len + 1;
	}
	return lines;
}

/* What came is whole lines of JSON; how many of them are final. */
static size_t
count_answers(const char *p, size_t n)
{
	size_t answers = 0;
	char why[256];

	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t len = end != NULL ? (size_t)(end - p) : 0;
		json_t *object;

		FUZZ_CHECK(end != NULL && len <= LIMIT_IPC_LINE_BYTES);
		FUZZ_CHECK(ipc_parse(p, len, &object, why, sizeof why) == 0);
		FUZZ_CHECK(json_object_get(object, "id") != NULL);
		answers += json_object_get(object, "ok") != NULL;
		json_decref(object);
		p += len + 1;
		n -= len + 1;
	}
	return answers;
}

/* The input, in parts, and all answers; the socket is closed. */
static size_t
talk(int fd, const uint8_t *p, size_t n, size_t part, char *out)
{
	size_t got = 0, sent = 0;
	bool ended = false;

	for (unsigned i = 0; !ended; i++) {
		size_t some = part < n - sent ? part : n - sent;
		ssize_t took = some > 0 ? sock_send(fd, p + sent, some, -1) : 0;

		FUZZ_CHECK(i < PATIENCE);
		if (took > 0)
			sent += (size_t)took;
		if (sent == n)
			(void)shutdown(fd, SHUT_WR); /* again and again is no harm */
		turns_make(2);
		if (n_held == LIMIT_IPC_CALLS || sent == n)
			answer_held();
		got += turns_read(fd, out + got, OUT_BYTES - got, &ended);
		FUZZ_CHECK(got < OUT_BYTES);
	}
	(void)close(fd); /* all of it was read */
	return got;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ipc_server *server;
	static char *out;
	struct cursor in = cursor_over(data, size < INPUT_MAX ? size : INPUT_MAX);
	size_t part = 1 + cursor_u8(&in) * 16u, n, lines;
	const uint8_t *bytes;
	unsigned before;
	int fd;

	if (server == NULL &&
	    ipc_server_new(turns_loop(), fuzz_path("control"), 0600, handle, NULL, &server) != 0)
		abort();
	if (out == NULL && (out = malloc(OUT_BYTES)) == NULL)
		abort();
	before = turns_descriptors();
	n = cursor_left(&in);
	bytes = cursor_bytes(&in, n);
	lines = count_lines(bytes, n);
	fd = sock_connect(fuzz_path("control"), SOCK_STREAM | SOCK_NONBLOCK);
	if (fd < 0)
		abort();
	n = talk(fd, bytes, n, part, out);
	FUZZ_CHECK(count_answers(out, n) == lines);
	turns_make(2);
	FUZZ_CHECK(n_held == 0 && n_begun == n_ended);
	FUZZ_CHECK(turns_descriptors() == before);
	return 0;
}
