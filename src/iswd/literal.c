#include "iswd/literal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

static int
refuse(int err, char *why, size_t why_bytes, const char *what, const char *text, const char *reason)
{
	snprintf(why, why_bytes, "%s \"%s\" %s", what, text, reason);
	return err;
}

/* A zone is an interface's name, or its number; 0: neither. */
static unsigned
zone_index(const char *zone)
{
	unsigned index = if_nametoindex(zone);
	char name[IF_NAMESIZE], *end;
	unsigned long n;

	if (index != 0 || zone[0] < '1' || zone[0] > '9')
		return index;
	errno = 0;
	n = strtoul(zone, &end, 10);
	if (*end != '\0' || errno != 0 || n > INT32_MAX ||
	    if_indextoname((unsigned)n, name) == NULL)
		return 0;
	return (unsigned)n;
}

static const char *
unusable4(const struct in_addr *a)
{
	uint32_t ip = ntohl(a->s_addr);

	if (ip >> 24 == 0)
		return "stands for this host or network and cannot be connected to or from";
	if (IN_MULTICAST(ip) || ip == INADDR_BROADCAST)
		return "is a multicast or broadcast address";
	return NULL;
}

static const char *
unusable6(const struct in6_addr *a)
{
	struct in_addr mapped;

	if (IN6_IS_ADDR_UNSPECIFIED(a))
		return "stands for no address at all";
	if (IN6_IS_ADDR_MULTICAST(a))
		return "is a multicast address";
	if (IN6_IS_ADDR_V4MAPPED(a)) {
		memcpy(&mapped, a->s6_addr + 12, sizeof mapped);
		return unusable4(&mapped);
	}
	return NULL;
}

int
literal_parse(struct literal *ret, const char *text, uint16_t port, const char *what, char *why,
    size_t why_bytes)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	char bare[INET6_ADDRSTRLEN];
	size_t bare_len = strcspn(text, "%");
	const char *zone = text[bare_len] == '%' ? text + bare_len + 1 : NULL;
	const char *unusable;

	if (strlen(text) > LIMIT_ADDRESS_BYTES)
		return refuse(-EINVAL, why, why_bytes, what, "…", "is too long");
	if (inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
		unusable = unusable4(&in4.sin_addr);
		if (unusable != NULL)
			return refuse(-EINVAL, why, why_bytes, what, text, unusable);
		memset(ret, 0, sizeof *ret);
		memcpy(&ret->addr, &in4, sizeof in4);
		ret->len = sizeof in4;
		return 0;
	}
	if (bare_len >= sizeof bare)
		bare_len = 0; /* which is no address */
	memcpy(bare, text, bare_len);
	bare[bare_len] = '\0';
	if (inet_pton(AF_INET6, bare, &in6.sin6_addr) != 1)
		return refuse(-EINVAL, why, why_bytes, what, text,
		    "is no IPv4 or IPv6 address; host names are resolved by iscsi_resolvd");
	unusable = unusable6(&in6.sin6_addr);
	if (unusable != NULL)
		return refuse(-EINVAL, why, why_bytes, what, text, unusable);
	if (zone != NULL && (in6.sin6_scope_id = zone_index(zone)) == 0)
		return refuse(-ENODEV, why, why_bytes, what, text,
		    "names an interface after the % that this host does not have");
	memset(ret, 0, sizeof *ret);
	memcpy(&ret->addr, &in6, sizeof in6);
	ret->len = sizeof in6;
	return 0;
}

void
literal_print(const struct literal *l, char ret_text[LITERAL_BYTES])
{
	char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE + 1] = "";

	if (l->addr.ss_family == AF_INET) {
		struct sockaddr_in in4;

		memcpy(&in4, &l->addr, sizeof in4);
		inet_ntop(AF_INET, &in4.sin_addr, host, sizeof host);
		snprintf(ret_text, LITERAL_BYTES, "%s:%u", host, ntohs(in4.sin_port));
	} else {
		struct sockaddr_in6 in6;

		memcpy(&in6, &l->addr, sizeof in6);
		inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
		if (in6.sin6_scope_id != 0) {
			zone[0] = '%';
			if (if_indextoname(in6.sin6_scope_id, zone + 1) == NULL)
				snprintf(zone + 1, IF_NAMESIZE, "%u", in6.sin6_scope_id);
		}
		snprintf(ret_text, LITERAL_BYTES, "[%s%s]:%u", host, zone, ntohs(in6.sin6_port));
	}
}
