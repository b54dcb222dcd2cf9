/*
 * A capture file that anybody may have made, read and replayed.
 *
 * The first byte says what the rest is: a file as it is (0), or packets of one connection, each
 * with its way, flags, cut and PDU, of which a file is made. Whatever it is: what is said of a
 * connection is within it, and is the same the second time.
 *
 * Covers: src/tools/iscsi_replay/packets.c src/tools/iscsi_replay/talks.c
 * Covers: src/tools/iscsi_replay/guess.c src/tools/iscsi_replay/play.c
 * src/tools/iscsi_replay/play_ask.c Covers: src/tools/iscsi_replay/play_compare.c
 * src/tools/iscsi_replay/play_target.c Covers: src/tools/iscsi_replay/sent.c
 * src/tools/iscsi_replay/show.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"
#include "fuzz.h"
#include "tools/iscsi_replay/show.h"
#include "tools/iscsiutil/packet.h"
#include "tools/iscsiutil/pcapng.h"

#define CONNECTIONS 4
#define SEGMENT     4096u

/* Packets: way and flags, how much of it is not kept, a length, and so many bytes. */
static void
make_file(struct pcapng *p, struct cursor *in)
{
	struct packet_flow f = { .end = { { .address = { 1 }, .port = 3260 },
				     { .address = { 2 }, .port = 7 } } };
	uint64_t ns = 1000000000;

	pcapng_begin(p, "fuzz", "fuzz");
	while (cursor_left(in) > 4) {
		uint8_t what = cursor_u8(in), cut = cursor_u8(in);
		uint16_t n = cursor_be16(in) % SEGMENT;
		unsigned way = what & 1, flags = (what & 2 ? PACKET_SYN : 0) |
						 (what & 4 ? PACKET_RST : 0) |
						 (what & 8 ? 0 : PACKET_PSH);
		uint32_t here = n < cursor_left(in) ? n : (uint32_t)cursor_left(in);
		const uint8_t *bytes = cursor_bytes(in, here);
		uint32_t kept = here > cut ? here - cut : 0;
		uint8_t *at;

		at = pcapng_packet(p, ns, 40 + kept, 40 + here + (what >> 4) * 64u, NULL);
		packet_put(&f, way, flags, f.next[way], bytes, kept, here + (what >> 4) * 64u, at);
		if (kept > 0)
			memcpy(at + 40, bytes, kept);
		f.next[way] += here + (what >> 4) * 64u;
		ns += 1000000u * cut;
	}
	pcapng_statistics(p, 0, ns, 0, 0);
}

/* Whatever a capture says, no line obeys it. */
static void
check_lines(const char *text)
{
	for (size_t n; *text != '\0'; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		FUZZ_CHECK(visible_is_plain(text, n));
	}
}

static uint64_t
replay(const uint8_t *file, size_t n)
{
	struct talks *t = calloc(1, sizeof *t);
	struct play *play = calloc(1, sizeof *play);
	FILE *in = fmemopen((void *)(uintptr_t)file, n, "r");
	char why[PACKETS_WHY_BYTES] = "", *text = NULL;
	uint64_t hash = 0;
	size_t len;

	FUZZ_CHECK(t != NULL && play != NULL && in != NULL);
	(void)talks_read(t, in, why); /* what was before an error is there */
	for (size_t i = 0; i < t->n && i < CONNECTIONS; i++) {
		FILE *out = open_memstream(&text, &len);

		play_run(&t->list[i], play);
		FUZZ_CHECK(play->result < PLAY_RESULTS && play->played <= t->list[i].whole);
		FUZZ_CHECK(play->n_notes <= PLAY_NOTES);
		for (size_t j = 0; j < play->n_notes; j++)
			FUZZ_CHECK(play->note[j].pdu < t->list[i].n);
		FUZZ_CHECK(play->result != PLAY_NOT || play->why[0] != '\0');
		show_text(out, &t->list[i], play, i + 1, true);
		json_decref(show_json(&t->list[i], play, i + 1, true));
		FUZZ_CHECK(fclose(out) == 0);
		check_lines(text);
		hash = fuzz_hash(hash, text, len);
		free(text);
	}
	talks_free(t);
	free(t);
	free(play);
	return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pcapng made = { 0 };
	struct cursor in;

	if (size < 2)
		return 0;
	fuzz_quiet();
	in = cursor_over(data + 1, size - 1);
	if (data[0] == 0) {
		FUZZ_CHECK(replay(data + 1, size - 1) == replay(data + 1, size - 1));
		return 0;
	}
	make_file(&made, &in);
	FUZZ_CHECK(replay(made.bytes, made.len) == replay(made.bytes, made.len));
	pcapng_fini(&made);
	return 0;
}
