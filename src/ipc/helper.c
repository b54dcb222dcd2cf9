#include "ipc/helper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/codec.h"
#include "ipc/helper_impl.h"
#include "sys/sock.h"

/* Linux's errno values end well below. */
#define ERRNO_MAX 256

const char *
helper_errno_name(int err)
{
	const char *name = strerrorname_np(-err);

	return name != NULL && err < 0 ? name : "EIO";
}

int
helper_errno_find(const char *name)
{
	for (int e = 1; e < ERRNO_MAX; e++) {
		const char *this = strerrorname_np(e);

		if (this != NULL && strcmp(this, name) == 0)
			return -e;
	}
	return -EPROTO;
}

int
helper_receive(int fd, json_t **ret_object, int *ret_fd, char *why, size_t why_bytes)
{
	char *buf = malloc(HELPER_MESSAGE_BYTES);
	int pass, err = 1;
	ssize_t n;

	if (buf == NULL)
		return -ENOMEM;
	n = sock_recv(fd, buf, HELPER_MESSAGE_BYTES, &pass);
	if (n == -EMSGSIZE) {
		(void)snprintf(why, why_bytes, "it is longer than %u bytes", HELPER_MESSAGE_BYTES);
		err = -EBADMSG;
	} else if (n == -EAGAIN) {
		err = 0;
	} else if (n < 0) {
		err = (int)n;
	} else if (n == 0) {
		err = -ECONNRESET;
	} else {
		err = ipc_parse(buf, (size_t)n, ret_object, why, why_bytes);
		if (err == 0) {
			*ret_fd = pass;
			err = 1;
		} else if (pass >= 0) {
			(void)close(pass); /* of a message that nobody understands */
		}
	}
	if (n > 0)
		explicit_bzero(buf, (size_t)n); /* it may have held a secret */
	free(buf);
	return err;
}

void
helper_set_buffers(int fd)
{
	const int bytes = 2 * (int)HELPER_MESSAGE_BYTES;

	/* A smaller one only means that more waits on our side. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}
