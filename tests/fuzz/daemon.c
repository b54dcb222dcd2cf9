#include "daemon.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/helper.h"
#include "sys/sock.h"
#include "turns.h"

int
fuzz_daemon_connect(const char *name, const char *hello)
{
	int fd = sock_connect(fuzz_path(name), SOCK_SEQPACKET | SOCK_NONBLOCK);

	if (fd < 0)
		abort();
	if (hello != NULL)
		(void)sock_send(fd, hello, strlen(hello), -1); /* it is heard or it is not */
	turns_make(2);
	return fd;
}

static int
descriptor(enum daemon_passes what)
{
	switch (what) {
	case DAEMON_CONNECTION:
		return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case DAEMON_FILE:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	case DAEMON_NOTHING:
	case DAEMON_NOTHING_EITHER:
		break;
	}
	return -1;
}

/* What was asked is read: the daemon's socket must not fill. */
static void
hear(int fd)
{
	static char text[HELPER_MESSAGE_BYTES];

	while (recv(fd, text, sizeof text, MSG_DONTWAIT) > 0)
		;
}

bool
fuzz_daemon_say(int fd, struct cursor *in, enum daemon_passes *ret_passes, size_t *ret_n)
{
	size_t left = cursor_left(in), n;
	uint16_t head;
	int pass;

	if (left < 2)
		return false;
	head = cursor_be16(in);
	n = head & 0x3fff;
	n = n < left - 2 ? n : left - 2;
	*ret_passes = (enum daemon_passes)(head >> 14);
	*ret_n = n;
	if (n == 0)
		return true;
	pass = descriptor(*ret_passes);
	(void)sock_send(fd, cursor_bytes(in, n), n, pass); /* it may be cut off */
	if (pass >= 0)
		close(pass);
	turns_make(2);
	hear(fd);
	return true;
}
