/*
 * A daemon's end of the daemon protocol: whatever a driver asks.
 *
 * Input: datagrams, each with its length (2 bytes) before it; a length of 0: the driver's
 * connection ends, and the daemon comes back by itself.
 *
 * Every request is handed to the daemon once, and no more answers go out; one that is cancelled is
 * told once; nothing stays open.
 *
 * Covers: src/ipc/helper_client.c src/ipc/helper.c src/ipc/helper_args.c
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/codec.h"
#include "ipc/helper.h"
#include "ipc/helper_args.h"
#include "sys/sock.h"
#include "turns.h"

#define CALLS_MAX 256

static struct helper_call *calls[CALLS_MAX];
static unsigned n_calls, n_asked, n_answered;

static void
cancelled(void *user, struct helper_call *call)
{
	(void)user;
	for (unsigned i = 0; i < n_calls; i++)
		if (calls[i] == call) {
			calls[i] = calls[--n_calls];
			helper_call_error(call, -ECANCELED, "cancelled");
			return;
		}
	fuzz_fail(__FILE__, __LINE__, __func__, "the call that is cancelled is there");
}

static void
handle(void *user, struct helper_call *call)
{
	const json_t *args = helper_call_args(call);
	const char *op = helper_call_op(call), *text;
	char why[256] = "";
	int n = 0;

	(void)user;
	n_asked++;
	FUZZ_CHECK(op != NULL && json_is_object(args) && strcmp(op, "cancel") != 0);
	text = helper_args_string(args, "name", NULL, why, sizeof why);
	FUZZ_CHECK(text != NULL || why[0] != '\0');
	if (helper_args_int(args, "port", 1, UINT16_MAX, &n, why, sizeof why) == 0)
		FUZZ_CHECK(n >= 1 && n <= UINT16_MAX);
	if (op[0] == 'r' || n_calls == CALLS_MAX) {
		helper_call_reply(call, json_pack("{s:i}", "n", n), -1);
	} else if (op[0] == 'e') {
		helper_call_error(call, -ECONNREFUSED, text != NULL ? text : why);
	} else {
		calls[n_calls++] = call;
		helper_call_on_cancel(call, cancelled, NULL);
	}
}

/* The daemon's messages: who it is, then answers. */
static void
hear(int fd)
{
	static char text[HELPER_MESSAGE_BYTES];
	char why[256];
	json_t *object;
	ssize_t n;

	while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0) {
		FUZZ_CHECK(ipc_parse(text, (size_t)n, &object, why, sizeof why) == 0);
		if (json_object_get(object, "daemon") == NULL) {
			FUZZ_CHECK(json_is_integer(json_object_get(object, "id")));
			FUZZ_CHECK(json_is_boolean(json_object_get(object, "ok")));
			n_answered++;
		}
		json_decref(object);
	}
}

/* The daemon's connection, which it makes by itself when its time has come; -1: not yet. */
static int
accept_daemon(int listener)
{
	turns_make(2);
	return sock_accept(listener);
}

static void
play(struct cursor *in, int listener)
{
	int fd = accept_daemon(listener);

	FUZZ_CHECK(fd >= 0);
	while (cursor_left(in) >= 2) {
		size_t n = cursor_be16(in), left = cursor_left(in);

		n = n < left ? n : left;
		if (fd < 0)
			fd = accept_daemon(listener);
		if (fd >= 0 && n > 0)
			(void)sock_send(fd, cursor_bytes(in, n), n, -1); /* it may be cut off */
		turns_make(2);
		if (fd >= 0)
			hear(fd);
		if (fd >= 0 && n == 0) {
			close(fd);
			fd = -1;
			turns_make(2);
		}
	}
	if (fd >= 0)
		close(fd);
	turns_make(2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int listener = -1;
	static char path[128];
	struct cursor in = cursor_over(data, size);
	struct helper_client *c;
	unsigned before;

	if (listener < 0) {
		(void)strncpy(path, fuzz_path("driver"), sizeof path - 1);
		listener = sock_listen(path, SOCK_SEQPACKET | SOCK_NONBLOCK, 0600);
	}
	(void)turns_loop(); /* its descriptors stay */
	before = turns_descriptors();
	n_calls = n_asked = n_answered = 0;
	if (listener < 0 ||
	    helper_client_new(turns_loop(), path, "iswd", handle, NULL, NULL, &c) != 0)
		abort();
	play(&in, listener);
	FUZZ_CHECK(n_answered <= n_asked);
	helper_client_free(c);
	while (n_calls > 0) /* to nobody */
		helper_call_reply(calls[--n_calls], NULL, -1);
	for (int fd; (fd = sock_accept(listener)) >= 0;) /* it may have come back meanwhile */
		close(fd);
	FUZZ_CHECK(turns_descriptors() == before);
	return 0;
}
