/*
 * Both directions of the wire:
 *
 *   < scsi_command read=1 cdb=28… as cmd     the initiator must send this next
 *   < nothing                                it must not have sent anything more
 *   > scsi_response itt=cmd.itt status=2     the target sends this
 *   > bytes hex:2180…                        it sends these bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fault.h"
#include "words.h"

static bool
is_name(const struct word *word, size_t i, size_t n)
{
	return i + 1 < n && strcmp(word[i].text, "as") == 0;
}

/* RAW fields of more than 64 bits: hexadecimal, compared as far as the script says. */
static void
check_raw(struct world *w, const struct wire_pdu *p, const struct wire_field *f, const char *text)
{
	for (size_t i = 0; i < strlen(text) / 2; i++) {
		unsigned v = 0;

		if (sscanf(text + 2 * i, "%2x", &v) != 1 || p->bhs[f->byte + i] != v) {
			world_fail(w, "%s: %s is different at byte %zu: expected %02x, got %02x",
			    p->kind->name, f->name, i, v, p->bhs[f->byte + i]);
			return;
		}
	}
}

/* The text of a login or text request: Key=Value must be there; -Key must not. */
static void
check_key(struct world *w, const struct wire_pdu *p, const char *pair)
{
	bool gone = pair[0] == '-';
	size_t n = strcspn(pair + gone, "=");

	for (size_t at = 0; at < p->len; at += strlen((char *)p->data + at) + 1) {
		const char *got = (char *)p->data + at;

		if (strncmp(got, pair + gone, n) != 0 || (got[n] != '=' && got[n] != '\0'))
			continue;
		if (gone || (strcmp(pair + n, "=*") != 0 && strcmp(got, pair) != 0))
			world_fail(w, "%s: expected %s, got %s", p->kind->name, pair, got);
		return;
	}
	if (!gone)
		world_fail(w, "%s: expected %s, which it does not have", p->kind->name, pair);
}

static void
check_data(struct world *w, const struct wire_pdu *p, const struct word *word)
{
	size_t n, at = 0;
	uint8_t *want = words_bytes(w, word, 5, (size_t)wire_get_named(p, "buffer_offset"), &n);

	while (at < n && at < p->len && want[at] == p->data[at])
		at++;
	if (n != p->len)
		world_fail(w, "%s: expected %zu bytes of data, got %zu", p->kind->name, n, p->len);
	else if (at < n)
		world_fail(w, "%s: the data is different at byte %zu", p->kind->name, at);
	free(want);
}

static void
check_field(struct world *w, const struct wire_pdu *p, const struct word *word)
{
	size_t n = strcspn(word->text, "=");
	const char *text = word->text + n + (word->text[n] == '=');
	const struct wire_field *f;
	uint64_t want, got;
	uint32_t cmd_sn;
	char name[40];

	snprintf(name, sizeof name, "%.*s", (int)n, word->text);
	if (strcmp(name, "data") == 0) {
		check_data(w, p, word);
		return;
	}
	if (strcmp(name, "len") == 0) {
		want = words_number(w, text, 0);
		if (p->len != want)
			world_fail(w, "%s: expected %llu bytes of data, got %zu", p->kind->name,
			    (unsigned long long)want, p->len);
		return;
	}
	/* The law (law.c) has counted this PDU's number already. */
	cmd_sn = w->exp_cmd_sn - (wire_get_named(p, "immediate") == 0);
	f = wire_field(p->kind, name);
	if (f == NULL) {
		world_fail(w, "a %s has no field '%s'", p->kind->name, name);
		return;
	}
	if (f->width > 64) {
		check_raw(w, p, f, text);
		return;
	}
	want = strcmp(name, "lun") == 0           ? words_lun(w, text)
	       : strcmp(name, "exp_stat_sn") == 0 ? words_number(w, text, w->stat_sn)
						  : words_number(w, text, cmd_sn);
	got = wire_get(p->bhs, f);
	if (want != got)
		world_fail(w, "%s: expected %s 0x%llx, got 0x%llx", p->kind->name, name,
		    (unsigned long long)want, (unsigned long long)got);
}

void
command_receive(struct world *w, const struct word *word, size_t n)
{
	struct wire_pdu p;
	bool keys = false;

	world_turn(w);
	if (strcmp(word[1].text, "nothing_whole") == 0) {
		if (world_next_pdu(w, &p)) {
			world_fail(w, "expected a part of a PDU, got %s", p.kind->name);
			free(p.data);
		}
		return;
	}
	if (strcmp(word[1].text, "nothing") == 0) {
		if (world_next_pdu(w, &p)) {
			world_fail(w, "expected nothing, got %s", p.kind->name);
			free(p.data);
		} else if (w->in_at < w->in_len)
			world_fail(w, "expected nothing, got a part of a PDU");
		return;
	}
	if (wire_kind(word[1].text) == NULL) {
		world_fail(w, "there is no PDU '%s'", word[1].text);
		return;
	}
	if (!world_next_pdu(w, &p)) {
		world_fail(w, "expected %s, got nothing", word[1].text);
		return;
	}
	if (w->trace)
		printf("# < %s\n", p.kind->name);
	free(w->last.data);
	w->last = p;
	if (strcmp(p.kind->name, word[1].text) != 0) {
		world_fail(w, "expected %s, got %s", word[1].text, p.kind->name);
		return;
	}
	for (size_t i = 2; i < n; i++) {
		if (is_name(word, i, n)) {
			world_save(w, word[i + 1].text, &p);
			i++;
		} else if (strcmp(word[i].text, "|") == 0)
			keys = true;
		else if (keys)
			check_key(w, &p, word[i].text);
		else
			check_field(w, &p, &word[i]);
	}
}

/* What stands in a field when the script does not say. */
static uint64_t
usual_value(struct world *w, const struct wire_kind *kind, const char *field)
{
	if (strcmp(field, "stat_sn") == 0)
		return w->stat_sn;
	if (strcmp(field, "exp_cmd_sn") == 0)
		return w->exp_cmd_sn;
	if (strcmp(field, "max_cmd_sn") == 0)
		return w->window_is_fixed ? w->window_closed_at : w->exp_cmd_sn + w->window - 1;
	if (strcmp(field, "itt") == 0)
		return kind->opcode == 0x32 || kind->opcode == 0x3f || w->last.kind == NULL
			   ? WIRE_NO_TAG
			   : wire_get_named(&w->last, "itt");
	if (strcmp(field, "ttt") == 0 || strcmp(field, "snack_tag") == 0)
		return strcmp(field, "ttt") == 0 ? WIRE_NO_TAG : 0;
	if (strcmp(field, "isid") == 0)
		return 0x801234560001;
	if (strcmp(field, "tsih") == 0)
		return kind->opcode == 0x23 ? 7 : 0;
	return 0;
}

/* A PDU under construction. */
struct build {
	const struct wire_kind *kind;
	uint8_t bhs[WIRE_BHS];
	uint8_t *data;
	size_t len, cut;
	bool has_stat_sn, has_len, more;
	char corrupt; /* 'H', 'D': the digests; 'h', 'd': what they cover */
};

static void
set_field(struct world *w, struct build *b, const char *name, const char *text)
{
	const struct wire_field *f = wire_field(b->kind, name);

	if (f == NULL) {
		world_fail(w, "a %s has no field '%s'", b->kind->name, name);
		return;
	}
	wire_set(b->bhs, f,
	    strcmp(name, "lun") == 0 ? words_lun(w, text)
				     : words_number(w, text, usual_value(w, b->kind, name)));
	b->has_stat_sn |= strcmp(name, "stat_sn") == 0;
}

static void
set_word(struct world *w, struct build *b, const struct word *word)
{
	static const char *const corrupt[] = { "header_digest", "data_digest", "header", "data",
		NULL };
	const char *value;
	char name[40];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(word->text, "="), word->text);
	if (strcmp(word->text, "more") == 0)
		b->more = true;
	else if ((value = word_value(word, "cut")) != NULL)
		b->cut = (size_t)words_number(w, value, 0);
	else if ((value = word_value(word, "ahs")) != NULL)
		b->bhs[4] = (uint8_t)words_number(w, value, 0);
	else if ((value = word_value(word, "corrupt")) != NULL) {
		int which = words_choice(w, "thing to corrupt", value, corrupt);

		b->corrupt = which < 0 ? 0 : "HDhd"[which];
	} else if ((value = word_value(word, "data_segment_length")) != NULL) {
		uint64_t n = words_number(w, value, 0);

		b->has_len = true;
		for (int i = 0; i < 3; i++)
			b->bhs[5 + i] = (uint8_t)(n >> 8 * (2 - i));
	} else if (word_value(word, "opcode") != NULL)
		b->bhs[0] = (uint8_t)words_number(w, word_value(word, "opcode"), 0);
	else if (word_value(word, "data") != NULL) {
		const struct wire_field *f = wire_field(b->kind, "buffer_offset");

		free(b->data);
		b->data =
		    words_bytes(w, word, 5, f != NULL ? (size_t)wire_get(b->bhs, f) : 0, &b->len);
	} else
		set_field(w, b, name,
		    word->text + strcspn(word->text, "=") + (strchr(word->text, '=') != NULL));
}

static void
queue_bytes(struct world *w, const uint8_t *p, size_t n)
{
	w->out = realloc(w->out, w->out_len + n + 1);
	if (w->out == NULL)
		abort();
	memcpy(w->out + w->out_len, p, n);
	w->out_len += n;
}

/* The digest of `covered` bytes at the end of what is queued; a bit of it, or of them, is flipped.
 */
static void
queue_digest(struct world *w, size_t covered, bool bad_digest, bool bad_bytes)
{
	uint8_t digest[4];
	uint8_t *from = w->out + w->out_len - covered;

	wire_put_crc(digest, wire_crc(from, covered) ^ (bad_digest ? 1u : 0));
	if (bad_bytes)
		from[covered > 40 ? 40 : 0] ^= 4;
	queue_bytes(w, digest, 4);
}

static void
queue_pdu(struct world *w, struct build *b)
{
	static const uint8_t zero[4];
	size_t start = w->out_len, ahs = b->bhs[4] * 4u;

	if (!b->has_len)
		for (int i = 0; i < 3; i++)
			b->bhs[5 + i] = (uint8_t)(b->len >> 8 * (2 - i));
	queue_bytes(w, b->bhs, WIRE_BHS);
	for (size_t i = 0; i < ahs; i += 4)
		queue_bytes(w, zero, 4);
	if (w->header_digest)
		queue_digest(w, WIRE_BHS + ahs, b->corrupt == 'H', b->corrupt == 'h');
	if (b->len > 0) {
		queue_bytes(w, b->data, b->len);
		queue_bytes(w, zero, -b->len & 3u);
		if (w->data_digest)
			queue_digest(
			    w, b->len + (-b->len & 3u), b->corrupt == 'D', b->corrupt == 'd');
	}
	if (b->cut > 0 && start + b->cut < w->out_len)
		w->out_len = start + b->cut;
}

static void
send_queued(struct world *w)
{
	size_t n = w->out_len;

	w->out_len = 0;
	world_feed(w, w->out, n);
}

/* A target that ends the login begins to use what was negotiated. */
static void
end_login(struct world *w, const struct build *b)
{
	const struct wire_pdu p = { .kind = b->kind, .data = b->data, .len = b->len };

	if (b->kind->opcode != 0x23)
		return;
	for (size_t at = 0; at < p.len; at += strlen((char *)p.data + at) + 1) {
		const char *pair = (char *)p.data + at;

		if (strncmp(pair, "HeaderDigest=", 13) == 0)
			w->digests_next[0] = strcmp(pair, "HeaderDigest=CRC32C") == 0;
		if (strncmp(pair, "DataDigest=", 11) == 0)
			w->digests_next[1] = strcmp(pair, "DataDigest=CRC32C") == 0;
		if (strncmp(pair, "MaxRecvDataSegmentLength=", 25) == 0)
			w->max_recv_dsl = (uint32_t)strtoul(pair + 25, NULL, 0);
	}
	if ((b->bhs[1] & 0x83) != 0x83 || b->bhs[36] != 0)
		return;
	w->full_feature = true;
	w->last_exp_stat_sn = 0;
}

void
wiretalk_send(struct world *w, const struct word *word, size_t n)
{
	struct build b = { .kind = wire_kind(word[0].text) };
	bool was_full;
	size_t i;

	if (b.kind == NULL) {
		world_fail(w, "there is no PDU '%s'", word[0].text);
		return;
	}
	wire_begin(b.kind, b.bhs);
	for (i = 0; i < b.kind->fields; i++) {
		const struct wire_field *f = &b.kind->field[i];

		if (f->name != NULL && f->width <= 64)
			wire_set(b.bhs, f, usual_value(w, b.kind, f->name));
	}
	for (i = 1; i < n && strcmp(word[i].text, "|") != 0; i++)
		set_word(w, &b, &word[i]);
	if (i < n) {
		b.data = fault_spare_malloc((size_t)WORLD_TEXT * 8);
		if (b.data == NULL)
			abort();
		b.len = words_keys(w, word + i + 1, n - i - 1, (char *)b.data);
	}
	/* Section 11.7.4: reserved without status. */
	if (b.kind->opcode == 0x25 && (b.bhs[1] & 1) == 0 && !b.has_stat_sn)
		wire_set(b.bhs, wire_field(b.kind, "stat_sn"), 0);
	/* Sections 11.7.2, 11.19.2: these carry a StatSN only with status, or as an answer. */
	if (b.kind->status == WIRE_STATUS || (b.kind->opcode == 0x25 && (b.bhs[1] & 1) != 0) ||
	    (b.kind->opcode == 0x20 && memcmp(b.bhs + 16, "\xff\xff\xff\xff", 4) != 0))
		w->stat_sn = (uint32_t)wire_get(b.bhs, wire_field(b.kind, "stat_sn")) + 1;
	was_full = w->full_feature;
	end_login(w, &b);
	queue_pdu(w, &b);
	if (!was_full && w->full_feature) {
		w->header_digest = w->digests_next[0];
		w->data_digest = w->digests_next[1];
	}
	if (w->trace)
		printf("# > %s\n", b.kind->name);
	free(b.data);
	if (!b.more)
		send_queued(w);
}

void
command_send(struct world *w, const struct word *word, size_t n)
{
	if (strcmp(word[1].text, "bytes") != 0) {
		wiretalk_send(w, word + 1, n - 1);
		return;
	}
	if (n < 3) {
		world_fail(w, "which bytes?");
		return;
	}
	for (size_t i = 2; i < n; i++) {
		size_t len;
		uint8_t *b = words_bytes(w, &word[i], 0, 0, &len);

		queue_bytes(w, b, len);
		free(b);
	}
	send_queued(w);
}
