#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/limits.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/capfile.h"
#include "tools/iscsiutil/captured.h"

/* The stream of one worker, and what is made of it. */
static uint8_t stream[4 << 20];
static size_t stream_len;

static void
add(enum tapring_kind kind, uint8_t way, uint32_t connection, uint64_t position,
    const void *payload, uint32_t kept, uint32_t wire, uint64_t dropped)
{
	struct tapring_record r = { .kind = (uint8_t)kind,
		.way = way,
		.connection = connection,
		.kept = kept,
		.wire = wire,
		.at_us = 1000000 + stream_len,
		.position = position,
		.dropped = dropped };

	r.bytes = (uint32_t)((sizeof r + kept + 7) & ~7u);
	assert_true(stream_len + r.bytes <= sizeof stream);
	memset(stream + stream_len, 0, r.bytes);
	memcpy(stream + stream_len, &r, sizeof r);
	if (kept > 0)
		memcpy(stream + stream_len + sizeof r, payload, kept);
	stream_len += r.bytes;
}

static void
add_open(uint32_t connection, int32_t session, bool is_begun, const char *local, const char *peer)
{
	struct tapring_open open = { .session = session, .is_begun = is_begun };

	strncpy(open.local, local, sizeof open.local - 1);
	strncpy(open.peer, peer, sizeof open.peer - 1);
	add(TAPRING_OPEN, 0, connection, 0, &open, sizeof open, 0, 0);
}

/* Taken in datagrams of n bytes of the stream, from worker 3.  False: it makes no sense. */
static bool
take(struct captured *c, size_t n)
{
	struct records *records = calloc(1, sizeof *records);
	uint8_t datagram[RECORDS_DATAGRAM_BYTES];
	const uint32_t worker = 3;
	bool is_good = true;

	*records = (struct records){ .each = captured_record, .user = c };
	memcpy(datagram, &worker, sizeof worker);
	for (size_t at = 0; at < stream_len && is_good; at += n) {
		size_t some = stream_len - at < n ? stream_len - at : n;

		memcpy(datagram + sizeof worker, stream + at, some);
		is_good = records_take(records, datagram, some + sizeof worker);
	}
	records_fini(records);
	free(records);
	return is_good;
}

static struct captured *
captured_new(void)
{
	return calloc(1, sizeof(struct captured));
}

static void
captured_free(struct captured *c)
{
	captured_fini(c);
	free(c);
}

/* The n-th packet, or NULL: an enhanced packet block's data. */
static const uint8_t *
packet(const struct captured *c, unsigned n, uint32_t *ret_kept, uint32_t *ret_wire)
{
	uint32_t type, length;

	for (size_t at = 0; at < c->out.len; at += length) {
		memcpy(&type, c->out.bytes + at, 4);
		memcpy(&length, c->out.bytes + at + 4, 4);
		assert_memory_equal(c->out.bytes + at + length - 4, &length, 4);
		assert_int_equal(length % 4, 0);
		if (type != 6 || n-- > 0)
			continue;
		memcpy(ret_kept, c->out.bytes + at + 20, 4);
		memcpy(ret_wire, c->out.bytes + at + 24, 4);
		return c->out.bytes + at + 28;
	}
	return NULL;
}

static uint32_t
sum(const uint8_t *p, size_t n, uint32_t so_far)
{
	for (size_t i = 0; i < n; i++)
		so_far += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	while (so_far > 0xffff)
		so_far = (so_far & 0xffff) + (so_far >> 16);
	return so_far;
}

static void
whatever_the_datagrams_are_the_file_is_the_same(void **state)
{
	struct captured *whole = captured_new(), *c;
	uint8_t pdu[1000];

	(void)state;
	stream_len = 0;
	memset(pdu, 0x11, sizeof pdu);
	add_open(0, 2, false, "192.0.2.1:40000", "192.0.2.2:3260");
	for (unsigned i = 0; i < 20; i++)
		add(TAPRING_PDU, i % 2, 0, (i / 2) * 1000, pdu, 48 + i, 1000, 0);
	add(TAPRING_CLOSE, 0, 0, 0, NULL, 0, 0, 0);
	add(TAPRING_END, 0, 0, 0, NULL, 0, 0, 0);
	assert_true(take(whole, 60000));
	assert_int_equal(whole->pdus, 20);
	assert_int_equal(whole->bytes, 20000);
	assert_int_equal(whole->ends, 1);
	assert_int_equal(whole->worker[3].n, 0);
	for (size_t n = 1; n < 300; n += 7) {
		c = captured_new();
		assert_true(take(c, n));
		assert_int_equal(c->out.len, whole->out.len);
		assert_memory_equal(c->out.bytes, whole->out.bytes, c->out.len);
		captured_free(c);
	}
	captured_free(whole);
}

static void
packets_have_the_connections_addresses_numbers_and_right_checksums(void **state)
{
	static const struct {
		const char *local, *peer;
		uint32_t ip, address;
	} ends[] = { { "192.0.2.1:40000", "198.51.100.9:3260", 20, 4 },
		{ "[2001:db8::1]:40000", "[fe80::2%eth0]:3260", 40, 16 } };

	(void)state;
	for (unsigned e = 0; e < 2; e++) {
		struct captured *c = captured_new();
		uint8_t pdu[101];
		uint32_t kept, wire, ip = ends[e].ip;
		const uint8_t *p, *tcp;

		stream_len = 0;
		for (unsigned i = 0; i < sizeof pdu; i++)
			pdu[i] = (uint8_t)(i * 7);
		add_open(9, 2, false, ends[e].local, ends[e].peer);
		add(TAPRING_PDU, 1, 9, 0, pdu, 101, 101, 0);
		add(TAPRING_PDU, 0, 9, 0, pdu, 50, 101, 0);
		add(TAPRING_PDU, 0, 9, 303, pdu, 101, 101, 2);
		assert_true(take(c, 1000));
		assert_int_equal(captured_dropped(c), 2);
		/* SYN, SYN and ACK, ACK, and then */
		p = packet(c, 3, &kept, &wire);
		assert_int_equal(kept, ip + 20 + 101);
		assert_int_equal(wire, kept);
		tcp = p + ip;
		assert_int_equal(be_get16(tcp), 40000);
		assert_int_equal(be_get16(tcp + 2), 3260);
		assert_int_equal(be_get32(tcp + 4), 1);
		assert_memory_equal(tcp + 20, pdu, sizeof pdu);
		if (ip == 20)
			assert_int_equal(sum(p, 20, 0), 0xffff);
		assert_int_equal(
		    sum(tcp, 121, sum(p + ip - 2 * ends[e].address, 2 * ends[e].address, 6 + 121)),
		    0xffff);
		p = packet(c, 4, &kept, &wire);
		assert_int_equal(kept, ip + 20 + 50);
		assert_int_equal(wire, ip + 20 + 101);
		assert_int_equal(be_get32(p + ip + 8), 102);
		/* What was dropped is a gap of its length. */
		p = packet(c, 5, &kept, &wire);
		assert_int_equal(be_get32(p + ip + 4), 1 + 303);
		captured_free(c);
	}
}

static void
a_pdu_that_no_packet_holds_has_several(void **state)
{
	static uint8_t pdu[200000];
	struct captured *c = captured_new();
	uint32_t kept, wire, all = 0, here = 0;
	const uint8_t *p;

	(void)state;
	stream_len = 0;
	add_open(0, 2, true, "192.0.2.1:40000", "192.0.2.2:3260");
	add(TAPRING_PDU, 0, 0, 0, pdu, 70000, sizeof pdu, 0);
	assert_true(take(c, 60000));
	for (unsigned i = 0; (p = packet(c, i, &kept, &wire)) != NULL; i++) {
		assert_int_equal(be_get32(p + 24), 1 + all);
		assert_int_equal(be_get16(p + 2), wire);
		all += wire - 40;
		here += kept - 40;
		/* PSH ends it. */
		assert_int_equal((p[33] & PACKET_PSH) != 0, all == sizeof pdu);
	}
	assert_int_equal(all, sizeof pdu);
	assert_int_equal(here, 70000);
	captured_free(c);
}

static void
what_makes_no_sense_is_refused(void **state)
{
	uint8_t zeros[16] = { 0 };
	struct tapring_record *r = (struct tapring_record *)(void *)stream;
	struct captured *c = captured_new();

	(void)state;
	stream_len = 0;
	add(TAPRING_PDU, 0, 5, 0, zeros, 16, 16, 0);
	assert_true(take(c, 1000));
	r->way = 2;
	assert_false(take(c, 1000));
	r->way = 0;
	r->kind = TAPRING_KINDS;
	assert_false(take(c, 1000));
	r->kind = TAPRING_OPEN;
	assert_false(take(c, 1000));
	r->kind = TAPRING_PDU;
	r->kept = r->bytes;
	r->wire = UINT32_MAX;
	assert_false(take(c, 1000));
	r->wire = 16;
	r->kept = 17;
	assert_false(take(c, 1000));
	r->kept = 16;
	r->bytes = 0;
	assert_false(take(c, 1000));
	r->bytes = LIMIT_CAPTURE_BYTES + 8;
	assert_false(take(c, 1000));
	/* Of a connection that nobody has told of nothing is written. */
	assert_int_equal(c->pdus, 0);
	captured_free(c);
}

static void
an_address_is_one_or_none(void **state)
{
	static const char *const bad[] = { "", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:x",
		"1.2.3.4:65536", "1.2.3:1", "[::1]", "::1:3", "[1.2.3.4]:1", "[::1", "host:1" };
	struct packet_end e;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(packet_end_parse(bad[i], &e));
	assert_true(packet_end_parse("[::1]:3260", &e));
	assert_true(e.is_ipv6 && e.port == 3260 && e.address[15] == 1);
	assert_true(packet_end_parse("127.0.0.1:1", &e));
	assert_true(!e.is_ipv6 && e.port == 1 && e.address[0] == 127);
}

/* A file that takes less than it is given ends with a whole block. */
static void
a_file_ends_with_a_whole_block(void **state)
{
	struct captured *c = captured_new();
	size_t at = 0, len;

	(void)state;
	captured_begin_file(c);
	pcapng_packet(&c->out, 5, 100, 100, "comment");
	captured_end_file(c);
	len = c->out.len;
	for (size_t n = 0; n <= len; n++) {
		uint32_t block = 0;

		if (at < len)
			memcpy(&block, c->out.bytes + at + 4, sizeof block);
		if (n == at + block)
			at = n;
		assert_int_equal(pcapng_whole(&c->out, n), at);
	}
	captured_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_the_datagrams_are_the_file_is_the_same),
		cmocka_unit_test(
		    packets_have_the_connections_addresses_numbers_and_right_checksums),
		cmocka_unit_test(a_pdu_that_no_packet_holds_has_several),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(an_address_is_one_or_none),
		cmocka_unit_test(a_file_ends_with_a_whole_block),
	};

	say_init("test", stderr);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
