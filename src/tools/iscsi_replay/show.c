#include "tools/iscsi_replay/show.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/pdu_field.h"
#include "core/tapmask.h"
#include "tools/common/say.h"

#define END_BYTES  (INET6_ADDRSTRLEN + 16)
#define TIME_BYTES 40

static const char *
end_text(const struct packets_end *e, char buf[static END_BYTES])
{
	char address[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(
	    e->is_ipv6 ? AF_INET6 : AF_INET, e->address, address, sizeof address); /* fits */
	(void)snprintf(
	    buf, END_BYTES, e->is_ipv6 ? "[%s]:%u" : "%s:%u", address, e->port); /* as well */
	return buf;
}

static const char *
time_text(uint64_t at_us, char buf[static TIME_BYTES])
{
	time_t t = (time_t)(at_us / 1000000);
	struct tm tm;
	char text[24] = "?";

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm); /* fits */
	(void)snprintf(
	    buf, TIME_BYTES, "%s.%06uZ", text, (unsigned)(at_us % 1000000)); /* as well */
	return buf;
}

/* ---- as people read it ---- */

static bool
is_tag(const char *name)
{
	const char *end = strrchr(name, '_');

	return strcmp(name, "itt") == 0 || strcmp(name, "ttt") == 0 ||
	       (end != NULL && strcmp(end, "_tag") == 0);
}

static void
put_field(FILE *out, const struct pdu_field *f)
{
	switch (f->kind) {
	case PDU_FIELD_FLAG:
		if (f->number != 0)
			fprintf(out, " %s", f->name);
		break;
	case PDU_FIELD_NUMBER:
		fprintf(out, is_tag(f->name) ? " %s=0x%08x" : " %s=%u", f->name, f->number);
		break;
	case PDU_FIELD_BYTES:
		fprintf(out, " %s=", f->name);
		for (size_t i = 0; i < f->len; i++)
			fprintf(out, "%02x", f->bytes[i]);
		break;
	}
}

/* The text of a login, whose secrets nobody has to see; a pair a line. */
static void
put_pairs(FILE *out, const struct talks_pdu *p)
{
	uint8_t opcode = pdu_opcode(p->bytes);
	uint32_t n = pdu_data_bytes(p->bytes), have = p->kept - PDU_BHS_BYTES;
	struct tapmask mask = { 0 };
	char *text;

	if ((opcode != PDU_LOGIN_REQUEST && opcode != PDU_LOGIN_RESPONSE) ||
	    pdu_ahs_bytes(p->bytes) > 0)
		return;
	n = n < have ? n : have;
	text = say_need(malloc((size_t)n + 1));
	memcpy(text, p->bytes + PDU_BHS_BYTES, n);
	text[n] = '\0';
	tapmask_apply(&mask, (uint8_t *)text, n);
	for (const char *at = text; at < text + n; at += strlen(at) + 1) {
		fputs("      ", out);
		say_text(out, at);
		fputc('\n', out);
	}
	free(text);
}

static void
put_pdu(FILE *out, const struct talks_pdu *p, size_t number)
{
	struct pdu_field f[PDU_FIELDS_MAX];
	size_t n = pdu_fields(p->bytes, f);
	char when[TIME_BYTES];

	fprintf(out, "  %s %zu %s %s", time_text(p->at_us, when), number,
	    p->way == TRACE_IN ? "<" : ">", pdu_name(pdu_opcode(p->bytes)));
	for (size_t i = 0; i < n; i++)
		put_field(out, &f[i]);
	fputc('\n', out);
	put_pairs(out, p);
}

static const char *
how(const struct talks_one *c)
{
	switch (c->how) {
	case TALKS_OPEN:
		return "goes on";
	case TALKS_CLOSED:
		return "ends in order";
	case TALKS_LOST:
		break;
	}
	return "was lost";
}

void
show_text(FILE *out, const struct talks_one *c, const struct play *p, size_t number, bool with_pdus)
{
	char from[END_BYTES], to[END_BYTES];
	size_t note = 0;

	fprintf(out, "connection %zu, %s to %s, %zu PDU%s, %s:\n", number,
	    end_text(&c->end[TRACE_OUT], from), end_text(&c->end[TRACE_IN], to), c->n,
	    c->n == 1 ? "" : "s", how(c));
	for (size_t i = 0; i < c->n && with_pdus; i++) {
		put_pdu(out, &c->pdu[i], i + 1);
		for (; note < p->n_notes && p->note[note].pdu == i; note++)
			fprintf(out, "    DIFFERENT: %s\n", p->note[note].text);
	}
	for (size_t i = 0; i < p->n_notes && !with_pdus; i++)
		fprintf(out, "  PDU %zu is DIFFERENT: %s\n", p->note[i].pdu + 1, p->note[i].text);
	if (p->more_notes > 0)
		fprintf(out, "  and %zu more\n", p->more_notes);
	fprintf(out, "  %s, %zu PDU%s replayed", play_word(p->result), p->played,
	    p->played == 1 ? "" : "s");
	fprintf(out, "%s%s\n", p->why[0] != '\0' ? ": " : "", p->why);
}

/* ---- as programs do ---- */

static json_t *
field_json(const struct pdu_field *f)
{
	char hex[2 * PDU_BHS_BYTES + 1];

	switch (f->kind) {
	case PDU_FIELD_FLAG:
		return json_boolean(f->number != 0);
	case PDU_FIELD_NUMBER:
		return json_integer(f->number);
	case PDU_FIELD_BYTES:
		break;
	}
	for (size_t i = 0; i < f->len; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", f->bytes[i]); /* fits */
	hex[2 * f->len] = '\0';
	return json_string(hex);
}

static void
add(json_t *list, json_t *element)
{
	say_need(json_array_append_new(list, say_need(element)) == 0 ? list : NULL);
}

static json_t *
pdu_json(const struct talks_pdu *p)
{
	struct pdu_field f[PDU_FIELDS_MAX];
	size_t n = pdu_fields(p->bytes, f);
	json_t *fields = say_need(json_object());
	char when[TIME_BYTES];

	for (size_t i = 0; i < n; i++)
		say_need(json_object_set_new(fields, f[i].name, say_need(field_json(&f[i]))) == 0
			     ? fields
			     : NULL);
	return json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:o}", "time", time_text(p->at_us, when),
	    "way", p->way == TRACE_IN ? "in" : "out", "opcode", (int)pdu_opcode(p->bytes), "name",
	    pdu_name(pdu_opcode(p->bytes)), "bytes", (json_int_t)p->wire, "kept",
	    (json_int_t)p->kept, "fields", fields);
}

json_t *
show_json(const struct talks_one *c, const struct play *p, size_t number, bool with_pdus)
{
	json_t *notes = say_need(json_array()), *pdus = say_need(json_array()), *o;
	char from[END_BYTES], to[END_BYTES];

	for (size_t i = 0; i < p->n_notes; i++)
		add(notes, json_pack("{s:I, s:s}", "pdu", (json_int_t)(p->note[i].pdu + 1), "what",
			       p->note[i].text));
	for (size_t i = 0; i < c->n && with_pdus; i++)
		add(pdus, pdu_json(&c->pdu[i]));
	o = say_need(json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:s, s:s?, s:o, s:I}", "number",
	    (json_int_t)number, "local", end_text(&c->end[TRACE_OUT], from), "peer",
	    end_text(&c->end[TRACE_IN], to), "end", how(c), "pdus", (json_int_t)c->n, "replayed",
	    (json_int_t)p->played, "result", play_word(p->result), "why",
	    p->why[0] != '\0' ? p->why : NULL, "differences", notes, "more_differences",
	    (json_int_t)p->more_notes));
	if (with_pdus)
		say_need(json_object_set(o, "conversation", pdus) == 0 ? o : NULL);
	json_decref(pdus);
	return o;
}
