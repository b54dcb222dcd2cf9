#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fault.h"

static uint64_t
plain_number(struct world *w, const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 0);

	if (*text == '\0' || *end != '\0')
		world_fail(w, "'%s' is no number", text);
	return v;
}

/* pdu.field, with +N or -N behind it. */
static uint64_t
of_pdu(struct world *w, const char *text)
{
	char name[16] = "", field[40] = "";
	const struct wire_pdu *p;
	const struct wire_field *f;
	int used = 0;

	(void)sscanf(text, "%15[^.].%39[a-z0-9_]%n", name, field, &used); /* judged below */
	p = world_pdu(w, name);
	f = p != NULL ? wire_field(p->kind, field) : NULL;
	if (f == NULL) {
		world_fail(w, "'%s' is no field of a PDU with a name", text);
		return 0;
	}
	return wire_get(p->bhs, f) +
	       (text[used] != '\0' ? (uint64_t)strtoll(text + used, NULL, 0) : 0);
}

uint64_t
words_number(struct world *w, const char *text, uint64_t usual)
{
	if (strcmp(text, "none") == 0)
		return WIRE_NO_TAG;
	if (*text == '+')
		return usual + plain_number(w, text + 1);
	if (*text == '-')
		return usual - plain_number(w, text + 1);
	if (*text >= 'a' && *text <= 'z')
		return of_pdu(w, text);
	return plain_number(w, text);
}

uint64_t
words_time_us(struct world *w, const char *text)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 } };
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	for (size_t i = 0; i < 3; i++)
		if (strcmp(end, units[i].unit) == 0)
			return v * units[i].us;
	world_fail(w, "'%s' is no time (15s, 200ms, 5us)", text);
	return 0;
}

static uint8_t *
heap(size_t n)
{
	uint8_t *b = fault_spare_calloc(1, n + 1);

	if (b == NULL)
		abort();
	return b;
}

static uint8_t *
from_hex(struct world *w, const char *text, size_t *ret_n)
{
	size_t n = strlen(text) / 2;
	uint8_t *b = heap(n);

	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;

		if (sscanf(text + 2 * i, "%2x", &v) != 1)
			world_fail(w, "'%s' is not hexadecimal", text);
		b[i] = (uint8_t)v;
	}
	*ret_n = n;
	return b;
}

static uint8_t *
of_saved(struct world *w, const char *text, size_t *ret_n)
{
	char name[16] = "";
	const struct wire_pdu *p;
	const char *dot = strchr(text, '.');
	uint8_t *b;

	(void)sscanf(text, "%15[^.]", name); /* judged below */
	p = world_pdu(w, name);
	if (p == NULL || dot == NULL ||
	    (strcmp(dot, ".header") != 0 && strcmp(dot, ".data") != 0)) {
		world_fail(w, "'%s' is no data", text);
		*ret_n = 0;
		return heap(0);
	}
	*ret_n = dot[1] == 'h' ? WIRE_BHS : p->len;
	b = heap(*ret_n);
	memcpy(b, dot[1] == 'h' ? p->bhs : p->data, *ret_n);
	return b;
}

uint8_t *
words_bytes(struct world *w, const struct word *word, size_t at, size_t offset, size_t *ret_n)
{
	const char *text = word->text + at;
	unsigned fill = 0, n = 0;
	uint8_t *b;

	if (strncmp(text, "text:", 5) == 0) {
		*ret_n = word->len - at - 5;
		b = heap(*ret_n);
		memcpy(b, text + 5, *ret_n);
		return b;
	}
	if (strncmp(text, "hex:", 4) == 0)
		return from_hex(w, text + 4, ret_n);
	if (sscanf(text, "pattern:%u", &n) == 1) {
		b = heap(n);
		if (offset + n > WORLD_PATTERN)
			world_fail(w, "the pattern has %u bytes", WORLD_PATTERN);
		else
			memcpy(b, world_pattern + offset, n);
	} else if (sscanf(text, "zero:%u", &n) == 1) {
		b = heap(n);
	} else if (sscanf(text, "fill:%x:%u", &fill, &n) == 2) {
		b = heap(n);
		memset(b, (int)fill, n);
	} else {
		return of_saved(w, text, ret_n);
	}
	*ret_n = n;
	return b;
}

uint64_t
words_lun(struct world *w, const char *text)
{
	uint64_t v = words_number(w, text, 0);

	return v < 0x4000 ? v << 48 : v;
}

static const char *const usual_answers[] = { "HeaderDigest=None", "DataDigest=None",
	"MaxConnections=1", "InitialR2T=No", "ImmediateData=Yes", "MaxRecvDataSegmentLength=8192",
	"MaxBurstLength=65536", "FirstBurstLength=16384", "DefaultTime2Wait=2",
	"DefaultTime2Retain=0", "MaxOutstandingR2T=1", "DataPDUInOrder=Yes",
	"DataSequenceInOrder=Yes", "ErrorRecoveryLevel=0", "TaskReporting=RFC3720",
	"iSCSIProtocolLevel=1" };
#define ANSWERS (sizeof usual_answers / sizeof usual_answers[0])

static size_t
key_len(const char *pair)
{
	return strcspn(pair, "=");
}

size_t
words_keys(struct world *w, const struct word *word, size_t n, char *out)
{
	struct word list[64 + ANSWERS];
	size_t listed = 0, answers = 0, len = 0;

	for (size_t i = 0; i < n && i < 64; i++) {
		const char *text = word[i].text;
		bool gone = text[0] == '-';
		size_t at = 0;

		if (strcmp(text, "ANSWERS") == 0) {
			for (size_t k = 0; k < ANSWERS; k++)
				list[listed++] =
				    (struct word){ .text = (char *)(uintptr_t)usual_answers[k],
					    .len = strlen(usual_answers[k]) };
			answers = listed;
			continue;
		}
		text += gone;
		while (at < answers && (key_len(list[at].text) != key_len(text) ||
					   strncmp(list[at].text, text, key_len(text)) != 0))
			at++;
		if (at == answers)
			at = listed++;
		list[at] = gone ? (struct word){ .text = (char *)(uintptr_t) "" } : word[i];
	}
	for (size_t i = 0; i < listed; i++) {
		if (list[i].len == 0)
			continue;
		if (len + list[i].len + 1 > (size_t)WORLD_TEXT * 8) {
			world_fail(w, "too much text");
			break;
		}
		memcpy(out + len, list[i].text, list[i].len + 1);
		len += list[i].len + 1;
	}
	return len;
}

int
words_choice(struct world *w, const char *what, const char *text, const char *const *names)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcasecmp(names[i], text) == 0)
			return i;
	world_fail(w, "there is no %s '%s'", what, text);
	return -1;
}
