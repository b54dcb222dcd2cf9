/* What a command's end looks like: facts, and each of them in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "driver/control/control.h"
#include "driver/control/op_scsi.h"
#include "ini/isid.h"
#include "scsi/sense.h"

/* What is known of its fate: a word for programs, a sentence for people. */
static const struct {
	const char *word, *text;
} fates[] = {
	[REQ_DONE] = { "answered", "the target answered" },
	[REQ_NO_TARGET] = { "refused", "the target's iSCSI layer could not hand it to the unit: "
				       "what became of it is not known" },
	[REQ_UNSENT] = { "unsent", "it was not sent: nothing happened" },
	[REQ_LOST] = { "unknown", "the connection ended before the answer: it may have been "
				  "executed, or not, or may still be; it is not sent again" },
	[REQ_TIMEOUT] = { "timeout", "the target did not answer in time, and says that it has the "
				     "command no more: what of it was executed is not known" },
	[REQ_ABORTED] = { "aborted",
	    "it was ended by a reset of the unit: what of it was executed is not known" },
	[REQ_VIOLATION] = { "violation",
	    "the target's answer contradicts itself: what of it was executed is not known" },
};

static json_t *
hex(const uint8_t *bytes, size_t n)
{
	char *text = malloc(2 * n + 1);
	json_t *v;

	if (text == NULL)
		return NULL;
	hex_encode(text, bytes, n);
	v = json_string(text);
	free(text);
	return v;
}

static json_t *
show_sense(const struct req *r)
{
	char text[SENSE_TEXT_BYTES];
	struct sense s;
	bool is_read = r->sense_len > 0 && sense_parse(r->sense, r->sense_len, &s);
	json_t *o;

	if (r->sense_len == 0)
		return json_null();
	o = json_object();
	control_set(o, "bytes", hex(r->sense, r->sense_len));
	if (!is_read)
		return o;
	sense_describe(text, sizeof text, r->status, &s);
	control_set(o, "key", json_integer(s.key));
	control_set(o, "asc", json_integer(s.asc));
	control_set(o, "ascq", json_integer(s.ascq));
	control_set(o, "text", json_string(text));
	return o;
}

/* ---- PERSISTENT RESERVE IN in words ---- */

#define LINE_BYTES 512

static void
add_line(json_t *lines, const char *fmt, ...)
{
	char text[LINE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* shortened where it must be */
	va_end(ap);
	(void)json_array_append_new(lines, json_string(text)); /* no memory: shorter */
}

static void
show_keys(json_t *lines, const uint8_t *p, size_t n)
{
	struct reserve_keys k;

	if (!reserve_keys_parse(p, n, &k))
		return;
	add_line(lines, "generation %u, %u keys", k.generation, k.n);
	for (uint32_t i = 0; i < k.n_here; i++)
		add_line(lines, "key 0x%016" PRIx64, reserve_key(&k, i));
}

static void
show_reservation(json_t *lines, const uint8_t *p, size_t n)
{
	struct holders h = { .is_known = true };
	uint32_t generation;

	if (!reserve_reservation_parse(p, n, &generation, &h.is_held, &h.holder))
		return;
	if (h.is_held)
		add_line(lines, "generation %u, held with key 0x%016" PRIx64 ", %s", generation,
		    h.holder.key, reserve_type_name(h.holder.type));
	else
		add_line(lines, "generation %u, nobody holds a reservation", generation);
}

static void
show_status(json_t *lines, const uint8_t *p, size_t n)
{
	struct reserve_holder h;
	uint32_t generation;
	char isid[13];
	size_t at = 0;

	if (!reserve_status_generation(p, n, &generation))
		return;
	add_line(lines, "generation %u", generation);
	while (reserve_status_next(p, n, &at, &h)) {
		isid_print(isid, h.isid);
		add_line(lines, "key 0x%016" PRIx64 " of %s%s%s, port %u%s%s%s", h.key,
		    h.name[0] != '\0' ? h.name : "an initiator without a name",
		    h.has_isid ? " ISID " : "", h.has_isid ? isid : "", h.port,
		    h.is_all_ports ? " (all ports)" : "", h.is_holder ? ", holds it: " : "",
		    h.is_holder ? reserve_type_name(h.type) : "");
	}
}

static json_t *
show_words(const struct req *r)
{
	json_t *lines = json_array();

	if (r->cdb[0] != CDB_PERSISTENT_RESERVE_IN || r->result != REQ_DONE ||
	    r->status != SENSE_STATUS_GOOD || lines == NULL)
		return lines;
	switch (r->cdb[1] & 0x1f) {
	case RESERVE_IN_KEYS:
		show_keys(lines, r->data, r->data_got);
		break;
	case RESERVE_IN_RESERVATION:
		show_reservation(lines, r->data, r->data_got);
		break;
	case RESERVE_IN_STATUS:
		show_status(lines, r->data, r->data_got);
		break;
	default:
		break;
	}
	return lines;
}

/* "READ(10)"; with the service action where that is what it does. */
static const char *
command_name(const uint8_t cdb[CDB_BYTES], char ret_text[LINE_BYTES])
{
	const char *action = cdb[0] == CDB_PERSISTENT_RESERVE_IN ? reserve_in_name(cdb[1] & 0x1f)
			     : cdb[0] == CDB_PERSISTENT_RESERVE_OUT
				 ? reserve_out_name(cdb[1] & 0x1f)
				 : "";

	(void)snprintf(ret_text, LINE_BYTES, "%s%s%s%s", cdb_name(cdb),
	    action[0] != '\0' ? " (" : "", action, action[0] != '\0' ? ")" : ""); /* fits */
	return ret_text;
}

json_t *
op_scsi_show(const struct mail_pass *q)
{
	char name[LINE_BYTES];
	const struct req *r = &q->pass.req;
	bool is_answered = r->result == REQ_DONE || r->result == REQ_VIOLATION;
	json_t *o = json_pack("{s:s, s:s, s:s}", "command", command_name(r->cdb, name), "fate",
	    fates[r->result].word, "fate_text", fates[r->result].text);

	if (o == NULL)
		return NULL;
	control_set(o, "status", is_answered ? json_integer(r->status) : json_null());
	control_set(o, "status_text",
	    is_answered ? json_string(sense_status_name(r->status)) : json_null());
	control_set(o, "sense", is_answered ? show_sense(r) : json_null());
	control_set(o, "residual", json_integer(r->underflow ? (json_int_t)r->residual : 0));
	/* The target had, or wanted, so much more than was asked for. */
	control_set(o, "overflow", json_integer(r->overflow ? (json_int_t)r->residual : 0));
	control_set(o, "sent", json_integer(r->dir == REQ_WRITE ? (json_int_t)r->data_got : 0));
	control_set(o, "data", hex(r->data, r->dir == REQ_READ && is_answered ? r->data_got : 0));
	control_set(o, "words", show_words(r));
	control_set(o, "conflict", json_null());
	return o;
}

json_t *
op_scsi_show_holders(const struct holders *h)
{
	char text[HOLDERS_TEXT_BYTES], key[20], isid[13];
	json_t *o = json_object();

	control_set(o, "text", json_string(holders_text(h, text)));
	control_set(o, "known", json_boolean(h->is_known));
	if (!h->is_held)
		return o;
	(void)snprintf(key, sizeof key, "0x%016" PRIx64, h->holder.key); /* fits */
	isid_print(isid, h->holder.isid);
	control_set(
	    o, "holder", h->holder.name[0] != '\0' ? json_string(h->holder.name) : json_null());
	control_set(o, "isid", h->holder.has_isid ? json_string(isid) : json_null());
	control_set(o, "key", json_string(key));
	control_set(o, "type", json_string(reserve_type_name(h->holder.type)));
	return o;
}
