#include "tools/iscsiutil/pcapng.h"

#include <stdlib.h>
#include <string.h>

#include "tools/common/say.h"

/* In the order of this machine's bytes, as the section header's magic tells. */
enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6 };
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_RAW     101
enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_USERAPPL = 4,
	INTERFACE_NAME = 2,
	INTERFACE_TSRESOL = 9,
	STATISTICS_START = 2,
	STATISTICS_END = 3,
	STATISTICS_RECEIVED = 4,
	STATISTICS_DROPPED = 5,
};

void
pcapng_fini(struct pcapng *p)
{
	free(p->bytes);
	*p = (struct pcapng){ 0 };
}

/* n more bytes, and what pads them to a multiple of four, all zero. */
static uint8_t *
room(struct pcapng *p, size_t n)
{
	size_t whole = (n + 3) & ~(size_t)3;
	uint8_t *at;

	if (p->cap - p->len < whole) {
		p->cap = (p->len + whole) * 2;
		p->bytes = say_need(realloc(p->bytes, p->cap));
	}
	at = p->bytes + p->len;
	memset(at, 0, whole);
	p->len += whole;
	return at;
}

static void
put16(struct pcapng *p, uint16_t a, uint16_t b)
{
	uint8_t *at = room(p, 4);

	memcpy(at, &a, 2);
	memcpy(at + 2, &b, 2);
}

static void
put32(struct pcapng *p, uint32_t v)
{
	memcpy(room(p, 4), &v, 4);
}

static void
put_option(struct pcapng *p, uint16_t code, const void *value, size_t n)
{
	put16(p, code, (uint16_t)n);
	if (n > 0)
		memcpy(room(p, n), value, n);
}

/* High 32 bits first, whatever the order of bytes is. */
static void
put_time(struct pcapng *p, uint64_t ns)
{
	put32(p, (uint32_t)(ns >> 32));
	put32(p, (uint32_t)ns);
}

static size_t
begin_block(struct pcapng *p, uint32_t type)
{
	size_t at = p->len;

	put32(p, type);
	put32(p, 0);
	return at;
}

static void
end_block(struct pcapng *p, size_t at)
{
	uint32_t n = (uint32_t)(p->len - at + 4);

	put32(p, n);
	memcpy(p->bytes + at + 4, &n, sizeof n);
}

void
pcapng_begin(struct pcapng *p, const char *program, const char *interface)
{
	const uint8_t nanoseconds = 9;
	size_t at = begin_block(p, BLOCK_SECTION);

	put32(p, BYTE_ORDER_MAGIC);
	put16(p, 1, 0);       /* version */
	put32(p, UINT32_MAX); /* the section's length is not known */
	put32(p, UINT32_MAX);
	put_option(p, SECTION_USERAPPL, program, strlen(program));
	put_option(p, OPTION_END, NULL, 0);
	end_block(p, at);

	at = begin_block(p, BLOCK_INTERFACE);
	put16(p, LINKTYPE_RAW, 0);
	put32(p, 0); /* no limit: what is cut is told by each packet */
	put_option(p, INTERFACE_NAME, interface, strlen(interface));
	put_option(p, INTERFACE_TSRESOL, &nanoseconds, 1);
	put_option(p, OPTION_END, NULL, 0);
	end_block(p, at);
}

uint8_t *
pcapng_packet(struct pcapng *p, uint64_t ns, uint32_t kept, uint32_t wire, const char *comment)
{
	size_t at = begin_block(p, BLOCK_PACKET), data;

	put32(p, 0); /* the interface */
	put_time(p, ns);
	put32(p, kept);
	put32(p, wire);
	data = p->len;
	(void)room(p, kept); /* the caller's, below: it may move meanwhile */
	if (comment != NULL) {
		put_option(p, OPTION_COMMENT, comment, strlen(comment));
		put_option(p, OPTION_END, NULL, 0);
	}
	end_block(p, at);
	return p->bytes + data;
}

void
pcapng_statistics(
    struct pcapng *p, uint64_t from_ns, uint64_t to_ns, uint64_t received, uint64_t dropped)
{
	const uint32_t from[2] = { (uint32_t)(from_ns >> 32), (uint32_t)from_ns };
	const uint32_t to[2] = { (uint32_t)(to_ns >> 32), (uint32_t)to_ns };
	size_t at = begin_block(p, BLOCK_STATISTICS);

	put32(p, 0);
	put_time(p, to_ns);
	put_option(p, STATISTICS_START, from, sizeof from);
	put_option(p, STATISTICS_END, to, sizeof to);
	put_option(p, STATISTICS_RECEIVED, &received, sizeof received);
	put_option(p, STATISTICS_DROPPED, &dropped, sizeof dropped);
	put_option(p, OPTION_END, NULL, 0);
	end_block(p, at);
}

size_t
pcapng_whole(const struct pcapng *p, size_t n)
{
	size_t at = 0;
	uint32_t block;

	while (at + 8 <= n) {
		memcpy(&block, p->bytes + at + 4, sizeof block);
		if (at + block > n)
			break;
		at += block;
	}
	return at;
}
