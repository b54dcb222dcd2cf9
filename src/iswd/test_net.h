/* Sockets that tests connect to.  All on loopback, at ports the kernel chooses. */
#ifndef ISWD_TEST_NET_H
#define ISWD_TEST_NET_H

#include <stdbool.h>
#include <stdint.h>

/* False in containers and on kernels without IPv6, where its tests have nothing to test. */
bool test_net_has_ipv6(void);
/* A listening socket at a literal address. */
int test_net_listen(const char *address, int backlog, uint16_t *ret_port);
/* A port of 127.0.0.1 that nobody listens at, as long as the returned socket is open. */
int test_net_refusing(uint16_t *ret_port);

/* A port that answers nothing: a listener whose queue is full, so that SYNs are dropped. */
#define TEST_NET_FILLERS 8
struct test_net_hole {
	int listener, fillers[TEST_NET_FILLERS];
	uint16_t port;
};
void test_net_hole_open(struct test_net_hole *h);
void test_net_hole_close(struct test_net_hole *h);

#endif
