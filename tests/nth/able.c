#include "able.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The kernel is asked, for the C library's functions are what fails here. */
static mode_t
mode_of(int fd)
{
	static int (*real)(int, struct stat *);
	struct stat st = { .st_mode = 0 };

	if (real == NULL)
		real = (int (*)(int, struct stat *))dlsym(RTLD_NEXT, "fstat64");
	return real(fd, &st) == 0 ? st.st_mode : 0;
}

static bool
never_waits(int fd, int flags)
{
	return (flags & MSG_DONTWAIT) != 0 || (syscall(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK) != 0;
}

static bool
is_stream(int fd)
{
	int type = 0;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

bool
able_to_have(int fd, int err, int flags, bool is_at)
{
	mode_t mode = mode_of(fd);
	bool is_socket = S_ISSOCK(mode), is_pipe = S_ISFIFO(mode), is_file = S_ISREG(mode);

	switch (err) {
	case EAGAIN:
		return (is_socket || is_pipe) && never_waits(fd, flags);
	case SHORT_COUNT:
		return is_at || (is_socket && is_stream(fd));
	case EINTR:
		return is_socket || is_pipe;
	case EIO:
	case ENOSPC:
	case EROFS:
		return is_file;
	case EMFILE:
	case ENFILE:
		return true;
	case EPIPE:
	case ECONNRESET:
		/* The connection is over then, for both ends. */
		return is_socket && shutdown(fd, SHUT_RDWR) == 0;
	default:
		return is_socket;
	}
}

bool
able_to_have_watch(int what)
{
	return what == EPOLL_CTL_ADD;
}

bool
able_to_have_control(int what, long arg, int err)
{
	switch (what) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return err == EMFILE;
	case F_SETLK:
	case F_OFD_SETLK:
	case F_GETLK:
	case F_OFD_GETLK:
		return err == ENOLCK && ((const struct flock *)arg)->l_type != F_UNLCK;
	case F_GETFL:
	case F_SETFL:
	case F_GETFD:
	case F_SETFD:
		return false;
	default:
		return true;
	}
}
