/* Where an agent is: an address and a port, as the socket calls want it. */
#ifndef NAMES_ENDPOINT_H
#define NAMES_ENDPOINT_H

#include <sys/socket.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* "[", 45 characters, "%", an interface, "]:65535", NUL. */
#define ENDPOINT_BYTES 80

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
};

/* A literal (zone allowed) without brackets.  False: it is none. */
bool endpoint_set(struct endpoint *e, const char *host, uint16_t port);
socklen_t endpoint_len(const struct endpoint *e);
uint16_t endpoint_port(const struct endpoint *e);
void endpoint_set_port(struct endpoint *e, uint16_t port);
/* The same host, whatever the port. */
bool endpoint_same_host(const struct endpoint *a, const struct endpoint *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* "192.0.2.1", "fe80::1": as a list of previous responders has it, without a zone. */
void endpoint_host(const struct endpoint *e, char ret[ENDPOINT_BYTES]);
/* "192.0.2.1:427", "[fe80::1%eth0]:427" */
void endpoint_print(const struct endpoint *e, char ret[ENDPOINT_BYTES]);

#endif
