/*
 * Unix sockets.  Paths may be longer than the 107 bytes of sockaddr_un: they
 * are then reached through their directory's descriptor (/proc/self/fd); only
 * the last component must be short.  Every descriptor is close-on-exec.
 */
#ifndef SYS_SOCK_H
#define SYS_SOCK_H

#include <sys/socket.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

/* Who is at the other end, as the kernel says (SO_PEERCRED). */
struct sock_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/*
 * Listen at `path`, which gets exactly `mode`, whatever the umask is.  `type`
 * is SOCK_STREAM or SOCK_SEQPACKET, with SOCK_NONBLOCK or without.  A socket
 * file that nobody listens at any more is replaced; -EADDRINUSE when somebody
 * does, -EEXIST when the path is something else, -ENAMETOOLONG, or what
 * bind() says.  Returns the descriptor.
 */
int sock_listen(const char *path, int type, mode_t mode);
/*
 * The same in the directory dir_fd, of which nobody else can make another one meanwhile.  The mode
 * is the narrower of `mode` and what the umask leaves: also whoever may not change modes can have
 * it.
 */
int sock_listen_at(int dir_fd, const char *name, int type, mode_t mode);
/*
 * Connect.  -ENOENT and -ECONNREFUSED: nobody listens; -EACCES; -EAGAIN: the
 * listener's queue is full (non-blocking).  Returns the descriptor.
 */
int sock_connect(const char *path, int type);
/* Accept: non-blocking.  The descriptor, or a negative errno (-EAGAIN: none waits). */
int sock_accept(int fd);

/* 0 or a negative errno. */
int sock_peer(int fd, struct sock_peer *ret_peer);
/* Is the peer's process a member of the group (SO_PEERGROUPS)?  False where that cannot be told. */
bool sock_peer_is_member(int fd, const struct sock_peer *peer, gid_t gid);

/*
 * Send len (> 0) bytes, with a descriptor unless pass_fd is -1 (it stays the
 * caller's).  Never raises SIGPIPE.  Bytes sent or a negative errno.
 */
ssize_t sock_send(int fd, const void *buf, size_t len, int pass_fd);
/*
 * Receive.  *ret_fd is a descriptor that came along, now the caller's, or -1;
 * where several came the others are closed; -EMFILE: we could have no more.
 * NULL: all are closed.  Bytes
 * received, 0 at the end, -EMSGSIZE for a datagram that did not fit (it is
 * gone), or a negative errno; *ret_fd is -1 then.
 */
ssize_t sock_recv(int fd, void *buf, size_t cap, int *ret_fd);
/*
 * The same with several descriptors, SOCK_FDS_MAX at the most, in their order.  Receiving: those
 * beyond n_fds are closed, those that did not come are -1.
 */
#define SOCK_FDS_MAX 8
ssize_t sock_send_fds(int fd, const void *buf, size_t len, const int *fds, size_t n_fds);
ssize_t sock_recv_fds(int fd, void *buf, size_t cap, int *ret_fds, size_t n_fds);

#endif
