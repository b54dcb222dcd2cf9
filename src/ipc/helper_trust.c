/* Whom and what the driver takes from a daemon. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/helper_impl.h"
#include "sys/daemon.h"
#include "sys/identity.h"

int
helper_open_to_group(const char *path)
{
	char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	struct stat st;
	int err = 0;

	if (dir == NULL)
		return -ENOMEM;
	if (stat(dir, &st) < 0)
		err = -errno;
	else if (geteuid() == 0 && st.st_gid != getegid() &&
		 (lchown(path, (uid_t)-1, st.st_gid) < 0 || chmod(path, 0660) < 0))
		err = -errno;
	free(dir);
	return err;
}

/*
 * Our own user is.  A daemon that root started has become its own user, which
 * nobody else is; it has held the lock of its pid file since before.
 */
bool
helper_is_trusted(const char *name, const char *pid_path, const struct sock_peer *peer)
{
	struct daemon_identity who;

	if (peer->uid == geteuid())
		return true;
	return geteuid() == 0 && identity_of(name, &who) == 0 && peer->uid == who.uid &&
	       peer->gid == who.gid && peer->pid > 0 && daemon_pid_owner(pid_path) == peer->pid;
}

bool
helper_is_connection(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       (domain == AF_INET || domain == AF_INET6) &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}
