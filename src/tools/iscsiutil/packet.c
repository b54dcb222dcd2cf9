#include "tools/iscsiutil/packet.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"

#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define TCP_BYTES  20
/* Of SYN; the first byte is one more. */
#define FIRST_SEQUENCE 0

bool
packet_end_parse(const char *text, struct packet_end *ret)
{
	const char *colon = strrchr(text, ':'), *begin = text, *end = colon;
	char address[INET6_ADDRSTRLEN];
	struct packet_end e = { 0 };
	unsigned long port;
	char *rest;

	if (colon == NULL || colon == text)
		return false;
	if (text[0] == '[') {
		begin++;
		end = begin + strcspn(begin, "%]");
		e.is_ipv6 = true;
	}
	port = strtoul(colon + 1, &rest, 10);
	if (rest == colon + 1 || *rest != '\0' || port > UINT16_MAX || end > colon ||
	    (size_t)(end - begin) >= sizeof address)
		return false;
	memcpy(address, begin, (size_t)(end - begin));
	address[end - begin] = '\0';
	if (inet_pton(e.is_ipv6 ? AF_INET6 : AF_INET, address, e.address) != 1)
		return false;
	e.port = (uint16_t)port;
	*ret = e;
	return true;
}

size_t
packet_header_bytes(const struct packet_flow *f)
{
	return (f->end[0].is_ipv6 ? IPV6_BYTES : IPV4_BYTES) + TCP_BYTES;
}

/* RFC 1071; the sum so far. */
static uint32_t
sum(uint32_t so_far, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		so_far += be_get16(p + i);
	if (n % 2 != 0)
		so_far += (uint32_t)p[n - 1] << 8;
	while (so_far > 0xffff)
		so_far = (so_far & 0xffff) + (so_far >> 16);
	return so_far;
}

static void
put_ipv4(const struct packet_end *from, const struct packet_end *to, uint32_t n, uint8_t *ip)
{
	ip[0] = 0x45;
	be_put16(ip + 2, (uint16_t)(IPV4_BYTES + n));
	ip[6] = 0x40; /* it was not cut into fragments */
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, from->address, 4);
	memcpy(ip + 16, to->address, 4);
	be_put16(ip + 10, (uint16_t)~sum(0, ip, IPV4_BYTES));
}

static void
put_ipv6(const struct packet_end *from, const struct packet_end *to, uint32_t n, uint8_t *ip)
{
	ip[0] = 0x60;
	be_put16(ip + 4, (uint16_t)n);
	ip[6] = IPPROTO_TCP;
	ip[7] = 64;
	memcpy(ip + 8, from->address, 16);
	memcpy(ip + 24, to->address, 16);
}

void
packet_put(const struct packet_flow *f, unsigned way, unsigned flags, uint64_t position,
    const uint8_t *payload, uint32_t kept, uint32_t n, uint8_t *ret)
{
	const struct packet_end *from = &f->end[way], *to = &f->end[!way];
	size_t address_bytes = from->is_ipv6 ? 16 : 4;
	uint8_t *tcp = ret + (from->is_ipv6 ? IPV6_BYTES : IPV4_BYTES);
	uint32_t check = IPPROTO_TCP + TCP_BYTES + n;

	memset(ret, 0, packet_header_bytes(f));
	if (from->is_ipv6)
		put_ipv6(from, to, TCP_BYTES + n, ret);
	else
		put_ipv4(from, to, TCP_BYTES + n, ret);
	be_put16(tcp, from->port);
	be_put16(tcp + 2, to->port);
	be_put32(tcp + 4, (uint32_t)(FIRST_SEQUENCE + (flags & PACKET_SYN ? 0 : 1) + position));
	if (flags & PACKET_ACK)
		be_put32(tcp + 8, (uint32_t)(FIRST_SEQUENCE + 1 + f->next[!way]));
	tcp[12] = TCP_BYTES / 4 << 4;
	tcp[13] = (uint8_t)flags;
	be_put16(tcp + 14, UINT16_MAX); /* the window */
	if (kept < n)
		return;
	check = sum(check, from->address, address_bytes);
	check = sum(check, to->address, address_bytes);
	check = sum(check, tcp, TCP_BYTES);
	be_put16(tcp + 16, (uint16_t)~sum(check, payload, n));
}
