/*
 * The driver's end of the daemon protocol: whatever a daemon says.
 *
 * Input: datagrams, as daemon.h has them; a length of 0: the daemon goes, and another one comes.
 *
 * Every request is answered once, or was taken back; a descriptor that comes along is a connection
 * or it is closed; nothing stays open.
 *
 * Covers: src/ipc/helper_server.c src/ipc/helper.c src/ipc/helper_trust.c
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "ipc/helper.h"
#include "turns.h"

#define REQUESTS 6

static const char hello[] = "{\"daemon\":\"iswd\",\"version\":\"1\",\"pid\":1}";

struct request {
	int64_t id;
	bool is_open;
};

static struct request requests[REQUESTS];

static void
answered(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct request *r = user;

	FUZZ_CHECK(r->is_open);
	r->is_open = false;
	FUZZ_CHECK(err == 0 ? json_is_object(result) : err < 0 && result == NULL && fd == -1);
	FUZZ_CHECK(err == 0 || why != NULL);
	if (fd < 0)
		return;
	FUZZ_CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
}

static void
play(struct helper_server *h, struct cursor *in, bool announce)
{
	int fd = fuzz_daemon_connect("helper", announce ? hello : NULL);
	enum daemon_passes passes;
	size_t n;

	while (fuzz_daemon_say(fd, in, &passes, &n)) {
		if (n == 0) {
			close(fd);
			turns_make(2);
			fd = fuzz_daemon_connect("helper", announce ? hello : NULL);
		}
		if (passes == DAEMON_NOTHING_EITHER && helper_server_cancel(h, requests[0].id))
			requests[0].is_open = false;
	}
	close(fd);
	turns_make(2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	bool announce = (cursor_u8(&in) & 1) == 0;
	struct loop *loop = turns_loop();
	unsigned before = turns_descriptors();
	struct helper_server *h;
	char path[128];

	(void)strncpy(path, fuzz_path("helper"), sizeof path - 1);
	path[sizeof path - 1] = '\0';
	if (helper_server_new(loop, path, path, "iswd", NULL, NULL, &h) != 0)
		abort();
	for (size_t i = 0; i < REQUESTS; i++) {
		requests[i].is_open = true;
		requests[i].id = helper_server_request(h, i % 2 != 0 ? "connect" : "resolve",
		    json_pack("{s:i}", "n", (int)i), loop_now_update(loop) + 60000000, answered,
		    &requests[i]);
		FUZZ_CHECK(requests[i].id == (int64_t)i + 1);
	}
	play(h, &in, announce);
	helper_server_free(h);
	for (size_t i = 0; i < REQUESTS; i++)
		FUZZ_CHECK(!requests[i].is_open);
	FUZZ_CHECK(turns_descriptors() == before);
	return 0;
}
