/*
 * A portal's address as text, RFC 7143, section 13.8:
 * host[:port][,tag], where host is an IPv4 address, an IPv6 address in
 * brackets (with a zone, RFC 4007, where the address is link-local) or a host
 * name (RFC 1123).
 */
#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define ADDR_PORT_DEFAULT 3260
#define ADDR_TPGT_DEFAULT 1

enum addr_kind { ADDR_IPV4, ADDR_IPV6, ADDR_NAME };

struct addr {
	enum addr_kind kind;
	bool has_port, has_tpgt; /* were in the text */
	uint16_t port, tpgt;
	char host[LIMIT_HOST_BYTES + 1]; /* without brackets; a literal is in its canonical form,
					    names in lower case */
};

enum addr_result {
#define ADDR(id, text) ADDR_##id,
#include "core/addr.def"
#undef ADDR
};

/* host[:port][,tag]; *ret_addr is written only with ADDR_OK. */
enum addr_result addr_parse(const char *text, struct addr *ret_addr);
/*
 * Only a host, as a user gives it with -I: IPv6 with or without brackets.
 * Port and tag get their defaults.
 */
enum addr_result addr_parse_host(const char *text, struct addr *ret_addr);
/* host:port,tag (with_tpgt) or host:port; IPv6 in brackets.  Always fits. */
void addr_format(const struct addr *a, bool with_tpgt, char ret_text[LIMIT_ADDRESS_BYTES + 1]);
/* A literal address, that needs no resolver. */
bool addr_is_literal(const struct addr *a);
/* A sentence for each result; static text. */
const char *addr_text(enum addr_result r);

#endif
