#include "tools/iscsi_replay/packets.h"

#include <netinet/in.h>
#include <pcap/pcap.h>
#include <string.h>

#include "base/be.h"

#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define TCP_BYTES  20u

/* What of a packet is left behind its IP header: `kept` bytes at p of `wire`. */
struct inner {
	const uint8_t *p;
	uint32_t kept, wire;
};

static void
take_end(struct packets_end *e, bool is_ipv6, const uint8_t *address)
{
	*e = (struct packets_end){ .is_ipv6 = is_ipv6 };
	memcpy(e->address, address, is_ipv6 ? 16 : 4);
}

/* Behind a header of `head` bytes of a packet of `whole`: false where that is not here. */
static bool
go_behind(struct inner *i, uint32_t head, uint32_t whole)
{
	if (head > i->kept || whole < head || whole > i->wire)
		return false;
	i->p += head;
	i->kept -= head;
	i->wire = whole - head;
	if (i->kept > i->wire)
		i->kept = i->wire;
	return true;
}

static bool
take_ip(struct inner *i, struct packets_segment *s)
{
	const uint8_t *ip = i->p;
	unsigned version = i->kept > 0 ? ip[0] >> 4 : 0;

	if (version == 4 && i->kept >= IPV4_BYTES && ip[9] == IPPROTO_TCP &&
	    (be_get16(ip + 6) & 0x3fff) == 0 && (ip[0] & 15) >= 5) {
		take_end(&s->from, false, ip + 12);
		take_end(&s->to, false, ip + 16);
		return go_behind(i, (ip[0] & 15) * 4u, be_get16(ip + 2));
	}
	if (version == 6 && i->kept >= IPV6_BYTES && ip[6] == IPPROTO_TCP) {
		take_end(&s->from, true, ip + 8);
		take_end(&s->to, true, ip + 24);
		return go_behind(i, IPV6_BYTES, IPV6_BYTES + be_get16(ip + 4));
	}
	return false;
}

static bool
take_tcp(struct inner *i, struct packets_segment *s)
{
	const uint8_t *tcp = i->p;

	if (i->kept < TCP_BYTES || tcp[12] >> 4 < 5)
		return false;
	s->from.port = be_get16(tcp);
	s->to.port = be_get16(tcp + 2);
	s->sequence = be_get32(tcp + 4);
	s->flags = tcp[13];
	return go_behind(i, (tcp[12] >> 4) * 4u, i->wire);
}

bool
packets_read(FILE *in, bool (*each)(void *user, const struct packets_segment *s), void *user,
    char why[static PACKETS_WHY_BYTES])
{
	char error[PCAP_ERRBUF_SIZE] = "";
	struct pcap_pkthdr *head;
	const u_char *bytes;
	pcap_t *p = pcap_fopen_offline_with_tstamp_precision(in, PCAP_TSTAMP_PRECISION_NANO, error);
	int got;

	if (p == NULL) {
		(void)fclose(in);                                    /* it was read only */
		(void)snprintf(why, PACKETS_WHY_BYTES, "%s", error); /* cut is good enough */
		return false;
	}
	if (pcap_datalink(p) != DLT_RAW) {
		(void)snprintf(why, PACKETS_WHY_BYTES,
		    "its packets do not begin with IP: 'iscsiutil --capture FILE' did not write "
		    "it");
		pcap_close(p);
		return false;
	}
	while ((got = pcap_next_ex(p, &head, &bytes)) == 1) {
		struct inner i = { bytes, head->caplen, head->len };
		struct packets_segment s = { .at_ns = (uint64_t)head->ts.tv_sec * 1000000000 +
						      (uint64_t)head->ts.tv_usec };

		if (i.kept > i.wire || !take_ip(&i, &s) || !take_tcp(&i, &s))
			continue;
		s.payload = i.p;
		s.kept = i.kept;
		s.wire = i.wire;
		if (!each(user, &s))
			break;
	}
	if (got < 0 && got != PCAP_ERROR_BREAK)
		(void)snprintf(why, PACKETS_WHY_BYTES, "%s", pcap_geterr(p)); /* as above */
	pcap_close(p);
	return got >= 0 || got == PCAP_ERROR_BREAK;
}
