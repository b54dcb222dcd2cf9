/*
 * Addresses as literals: IPv4 in dotted quads, IPv6 with a zone where it needs
 * one (RFC 4007, section 11).  Names are not looked up here or anywhere in
 * this daemon.
 */
#ifndef ISWD_LITERAL_H
#define ISWD_LITERAL_H

#include <sys/socket.h>

#include <stddef.h>
#include <stdint.h>

/* Bytes for any printed address: "[", 45 characters, "%", an interface, "]:65535", NUL. */
#define LITERAL_BYTES 80

struct literal {
	struct sockaddr_storage addr;
	socklen_t len;
};

/*
 * Parse.  `what` begins the sentence in `why` ("the address", "the source").
 * -EINVAL: not a literal, or an address nobody can connect to or from (the
 * unspecified one is allowed nowhere, nor are multicast and broadcast);
 * -ENODEV: its zone is no interface of this host.
 */
int literal_parse(struct literal *ret, const char *text, uint16_t port, const char *what, char *why,
    size_t why_bytes);
/* "192.0.2.1:3260", "[2001:db8::1]:3260", "[fe80::1%eth0]:3260". */
void literal_print(const struct literal *l, char ret_text[LITERAL_BYTES]);

#endif
