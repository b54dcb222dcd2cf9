/*
 * The control protocol's client: whatever a driver answers to two requests, and then ends.
 *
 * A request has a result, an object, or an error whose texts are texts.
 *
 * Covers: src/ipc/client.c src/ipc/join.c
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "ipc/client.h"
#include "sys/sock.h"

#define INPUT_MAX 65536 /* what a socket takes at once */

static void
progressed(void *user, const json_t *progress)
{
	(void)user;
	(void)json_dumpb(progress, NULL, 0, JSON_ENCODE_ANY); /* all of it is there */
}

static void
ask(struct ipc_client *c, enum ipc_op op)
{
	struct ipc_error err = { .extra = NULL };
	json_t *result = NULL;

	if (ipc_request(c, op, NULL, progressed, NULL, &result, &err) == 0) {
		FUZZ_CHECK(json_is_object(result));
		json_decref(result);
		return;
	}
	FUZZ_CHECK(ipc_error_name(err.code)[0] != '\0');
	FUZZ_CHECK(memchr(err.message, '\0', sizeof err.message) != NULL);
	FUZZ_CHECK(memchr(err.next, '\0', sizeof err.next) != NULL);
	ipc_error_fini(&err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int listener = -1;
	struct cursor in = cursor_over(data, size < INPUT_MAX ? size : INPUT_MAX);
	enum ipc_op op = cursor_u8(&in) % IPC_OPS;
	struct ipc_error err = { .extra = NULL };
	struct ipc_client *client;
	size_t n = cursor_left(&in);
	int fd;

	if (listener < 0)
		listener = sock_listen(fuzz_path("driver"), SOCK_STREAM, 0600);
	if (listener < 0 || ipc_connect(fuzz_path("driver"), &client, &err) != 0)
		abort();
	fd = sock_accept(listener);
	if (fd < 0 || (n > 0 && sock_send(fd, cursor_bytes(&in, n), n, -1) != (ssize_t)n))
		abort();
	(void)shutdown(fd, SHUT_WR); /* cannot fail on a connected socket */
	ask(client, op);
	ask(client, IPC_OP_driver_version);
	ipc_client_free(client);
	close(fd);
	return 0;
}
