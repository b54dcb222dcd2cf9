#include "iswd/test_net.h"

#include <sys/socket.h>

#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "iswd/literal.h"

static int
bound(const char *address, struct literal *ret)
{
	char why[256];
	int fd, rc = literal_parse(ret, address, 0, "address", why, sizeof why);

	assert(rc == 0);
	fd = socket(ret->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = bind(fd, (struct sockaddr *)&ret->addr, ret->len);
	assert(rc == 0);
	rc = getsockname(fd, (struct sockaddr *)&ret->addr, &ret->len);
	assert(rc == 0);
	return fd;
}

bool
test_net_has_ipv6(void)
{
	const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&in6, sizeof in6) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

/* At the same place in sockaddr_in and sockaddr_in6. */
static uint16_t
port_of(const struct literal *l)
{
	struct sockaddr_in in4;

	memcpy(&in4, &l->addr, sizeof in4);
	return ntohs(in4.sin_port);
}

int
test_net_listen(const char *address, int backlog, uint16_t *ret_port)
{
	struct literal l;
	int fd = bound(address, &l), rc = listen(fd, backlog);

	assert(rc == 0);
	*ret_port = port_of(&l);
	return fd;
}

int
test_net_refusing(uint16_t *ret_port)
{
	struct literal l;
	int fd = bound("127.0.0.1", &l);

	*ret_port = port_of(&l);
	return fd;
}

void
test_net_hole_open(struct test_net_hole *h)
{
	struct literal l;
	int i;

	h->listener = bound("127.0.0.1", &l);
	i = listen(h->listener, 0);
	assert(i == 0);
	h->port = port_of(&l);
	memset(h->fillers, -1, sizeof h->fillers);
	/* On loopback a handshake is over when connect() returns, or it never will be. */
	for (i = 0; i < TEST_NET_FILLERS; i++) {
		struct pollfd p = { .events = POLLOUT };

		h->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(h->fillers[i], (struct sockaddr *)&l.addr, l.len);
		p.fd = h->fillers[i];
		if (poll(&p, 1, 0) == 0)
			return;
	}
	assert(i < TEST_NET_FILLERS); /* the listener's queue does not fill up */
}

void
test_net_hole_close(struct test_net_hole *h)
{
	for (int i = 0; i < TEST_NET_FILLERS; i++)
		if (h->fillers[i] >= 0)
			close(h->fillers[i]);
	close(h->listener);
}
