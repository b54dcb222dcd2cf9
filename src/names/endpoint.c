#include "names/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
endpoint_set(struct endpoint *e, const char *host, uint16_t port)
{
	char bare[INET6_ADDRSTRLEN];
	size_t n = strcspn(host, "%");
	struct endpoint r;

	memset(&r, 0, sizeof r);
	if (inet_pton(AF_INET, host, &r.in4.sin_addr) == 1) {
		r.in4.sin_family = AF_INET;
	} else {
		if (n >= sizeof bare)
			return false;
		memcpy(bare, host, n);
		bare[n] = '\0';
		if (inet_pton(AF_INET6, bare, &r.in6.sin6_addr) != 1)
			return false;
		r.in6.sin6_family = AF_INET6;
		if (host[n] == '%' && (r.in6.sin6_scope_id = if_nametoindex(host + n + 1)) == 0)
			return false;
	}
	endpoint_set_port(&r, port);
	*e = r;
	return true;
}

socklen_t
endpoint_len(const struct endpoint *e)
{
	return e->any.sa_family == AF_INET ? sizeof e->in4 : sizeof e->in6;
}

uint16_t
endpoint_port(const struct endpoint *e)
{
	return ntohs(e->any.sa_family == AF_INET ? e->in4.sin_port : e->in6.sin6_port);
}

void
endpoint_set_port(struct endpoint *e, uint16_t port)
{
	if (e->any.sa_family == AF_INET)
		e->in4.sin_port = htons(port);
	else
		e->in6.sin6_port = htons(port);
}

bool
endpoint_same_host(const struct endpoint *a, const struct endpoint *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
	return a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof a->in6.sin6_addr) == 0;
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return endpoint_same_host(a, b) && endpoint_port(a) == endpoint_port(b);
}

void
endpoint_host(const struct endpoint *e, char ret[ENDPOINT_BYTES])
{
	const void *address = e->any.sa_family == AF_INET ? (const void *)&e->in4.sin_addr
							  : (const void *)&e->in6.sin6_addr;

	if (inet_ntop(e->any.sa_family, address, ret, ENDPOINT_BYTES) == NULL)
		ret[0] = '\0';
}

void
endpoint_print(const struct endpoint *e, char ret[ENDPOINT_BYTES])
{
	char host[ENDPOINT_BYTES], zone[IF_NAMESIZE + 1] = "";

	endpoint_host(e, host);
	if (e->any.sa_family == AF_INET) {
		snprintf(ret, ENDPOINT_BYTES, "%.45s:%u", host, endpoint_port(e));
		return;
	}
	if (e->in6.sin6_scope_id != 0) {
		zone[0] = '%';
		if (if_indextoname(e->in6.sin6_scope_id, zone + 1) == NULL)
			snprintf(zone + 1, IF_NAMESIZE, "%u", e->in6.sin6_scope_id);
	}
	snprintf(ret, ENDPOINT_BYTES, "[%.45s%s]:%u", host, zone, endpoint_port(e));
}
