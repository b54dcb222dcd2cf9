/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), put together in memory that
 * grows: a section of one interface, whose packets begin with an IP header.
 */
#ifndef ISCSIUTIL_PCAPNG_H
#define ISCSIUTIL_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcapng {
	uint8_t *bytes; /* heap; whole blocks */
	size_t len, cap;
};

void pcapng_fini(struct pcapng *p);

/* Section header and interface description: what a file begins with. */
void pcapng_begin(struct pcapng *p, const char *program, const char *interface);
/*
 * Room for a packet of which `kept` of `wire` bytes are here, seen at ns (since
 * 1970): the caller fills it before the next call.  comment NULL: none.
 */
uint8_t *pcapng_packet(
    struct pcapng *p, uint64_t ns, uint32_t kept, uint32_t wire, const char *comment);
/* What was received and dropped, from when to when: what a file ends with. */
void pcapng_statistics(
    struct pcapng *p, uint64_t from_ns, uint64_t to_ns, uint64_t received, uint64_t dropped);
/* Of the first n bytes so many are whole blocks. */
size_t pcapng_whole(const struct pcapng *p, size_t n);

#endif
