#include "scsi/sense.h"

#include <errno.h>

#include "base/cursor.h"
#include "scsi/print.h"

/* Response codes, SPC-4, section 4.5.1. */
enum { FIXED_NOW = 0x70, FIXED_LATER = 0x71, DESCRIPTORS_NOW = 0x72, DESCRIPTORS_LATER = 0x73 };

/* Sense data descriptors, SPC-4, section 4.5.2.1. */
enum { D_INFORMATION = 0, D_COMMAND_INFO = 1, D_KEY_SPECIFIC = 2, D_STREAM = 4, D_BLOCK = 5 };

struct code_row {
	uint8_t code;
	enum sense_action action;
	int error;
	const char *name, *text;
};

static const struct code_row statuses[] = {
#define STATUS(id, code, action, error, name, text) { code, SENSE_##action, error, name, text },
#include "scsi/status.def"
};

static const struct code_row keys[] = {
#define SENSE_KEY(id, code, action, error, name, text) { code, SENSE_##action, error, name, text },
#include "scsi/sense.def"
};

struct asc_row {
	uint8_t asc, ascq;
	bool is_family, by_key;
	enum sense_action action;
	int error;
	const char *text;
};

static const struct asc_row codes[] = {
#define ASC(code, qualifier, action, error, text) \
	{ code, qualifier, false, false, SENSE_##action, error, text },
#define ASC_BY_KEY(code, qualifier, text)   { code, qualifier, false, true, SENSE_FAIL, 0, text },
#define ASC_FAMILY(code, text)              { code, 0, true, true, SENSE_FAIL, 0, text },
#define ASC_REST(code, action, error, text) { code, 0, true, false, SENSE_##action, error, text },
#include "scsi/asc.def"
};

static const struct code_row *
find_status(uint8_t status)
{
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (statuses[i].code == status)
			return &statuses[i];
	return NULL;
}

/* The row of the code itself before the row of its family. */
static const struct asc_row *
find_code(uint8_t asc, uint8_t ascq)
{
	const struct asc_row *family = NULL;

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		if (codes[i].asc != asc)
			continue;
		if (codes[i].is_family)
			family = &codes[i];
		else if (codes[i].ascq == ascq)
			return &codes[i];
	}
	return family;
}

/* The three bytes that mean something else with each key, SPC-4, section 4.5.2.4. */
static void
parse_key_specific(struct sense *s, const uint8_t p[3])
{
	uint16_t value = be_get16(p + 1);

	if ((p[0] & 0x80) == 0)
		return;
	switch (s->key) {
	case SENSE_KEY_ILLEGAL_REQUEST:
		s->has_field = true;
		s->is_field_in_cdb = (p[0] & 0x40) != 0;
		s->field = value;
		break;
	case SENSE_KEY_NO_SENSE:
	case SENSE_KEY_NOT_READY:
		s->has_progress = true;
		s->progress = value;
		break;
	default:
		break;
	}
}

static void
parse_stream_bits(struct sense *s, uint8_t bits)
{
	s->is_filemark = (bits & 0x80) != 0;
	s->is_end_of_medium = (bits & 0x40) != 0;
	s->is_bad_length = (bits & 0x20) != 0;
}

/* What is missing at the end of fixed format data counts as zero, as SPC-4, section 4.5.3, has it.
 */
static void
parse_fixed(struct sense *s, const uint8_t *p, size_t n)
{
	uint8_t b[18] = { 0 };
	size_t have = n > 7 ? 8 + (size_t)p[7] : n;

	if (have > n)
		have = n;
	memcpy(b, p, have < sizeof b ? have : sizeof b);
	s->key = b[2] & 0xf;
	parse_stream_bits(s, b[2]);
	s->has_info = (b[0] & 0x80) != 0 && have >= 7;
	s->info = s->has_info ? be_get32(b + 3) : 0;
	s->command_info = be_get32(b + 8);
	s->has_command_info = have >= 12 && s->command_info != 0;
	s->asc = b[12];
	s->ascq = b[13];
	parse_key_specific(s, b + 15);
}

static void
parse_descriptors(struct sense *s, const uint8_t *p, size_t n)
{
	struct cursor c = cursor_over(p, n);

	(void)cursor_u8(&c);
	s->key = cursor_u8(&c) & 0xf;
	s->asc = cursor_u8(&c);
	s->ascq = cursor_u8(&c);
	(void)cursor_bytes(&c, 3);
	n = cursor_u8(&c);
	if (n < cursor_left(&c))
		c.end = c.p + n;
	while (cursor_left(&c) >= 2) {
		uint8_t type = cursor_u8(&c), len = cursor_u8(&c);
		const uint8_t *d = cursor_bytes(&c, len);

		if (d == NULL)
			return;
		if (type == D_INFORMATION && len >= 10 && (d[0] & 0x80) != 0) {
			s->has_info = true;
			s->info = be_get64(d + 2);
		} else if (type == D_COMMAND_INFO && len >= 10) {
			s->has_command_info = true;
			s->command_info = be_get64(d + 2);
		} else if (type == D_KEY_SPECIFIC && len >= 5) {
			parse_key_specific(s, d + 2);
		} else if ((type == D_STREAM || type == D_BLOCK) && len >= 2) {
			parse_stream_bits(s, type == D_STREAM ? d[1] : d[1] & 0x20);
		}
	}
}

bool
sense_parse(const void *bytes, size_t n, struct sense *ret_sense)
{
	const uint8_t *p = bytes;
	struct sense s = { 0 };

	/* The key stands in byte 2 of one format, in byte 1 of the other. */
	if (n < 4)
		return false;
	switch (p[0] & 0x7f) {
	case FIXED_LATER:
		s.is_deferred = true;
		/* fall through */
	case FIXED_NOW:
		parse_fixed(&s, p, n);
		break;
	case DESCRIPTORS_LATER:
		s.is_deferred = true;
		/* fall through */
	case DESCRIPTORS_NOW:
		s.is_descriptor_format = true;
		parse_descriptors(&s, p, n);
		break;
	default:
		return false;
	}
	*ret_sense = s;
	return true;
}

/* 29h: which of the resets it was. */
static enum sense_loss
reset_loss(uint8_t ascq)
{
	enum { POWER_ON_RESET_OR_BUS_RESET = 0x00, POWER_ON = 0x01, DEVICE_INTERNAL_RESET = 0x04 };

	switch (ascq) {
	case POWER_ON_RESET_OR_BUS_RESET:
		return SENSE_LOSS_RESET;
	case POWER_ON:
	case DEVICE_INTERNAL_RESET:
		return SENSE_LOSS_POWER;
	default:
		return SENSE_LOSS_NONE;
	}
}

enum sense_loss
sense_loss(const struct sense *s)
{
	if (s->key == SENSE_KEY_UNIT_ATTENTION)
		return !s->is_deferred && s->asc == 0x29 ? reset_loss(s->ascq) : SENSE_LOSS_NONE;
	if (!s->is_deferred)
		return SENSE_LOSS_NONE;
	switch (s->key) {
	case SENSE_KEY_NO_SENSE:
	case SENSE_KEY_RECOVERED_ERROR:
	case SENSE_KEY_NOT_READY:
	case SENSE_KEY_COMPLETED:
		return SENSE_LOSS_NONE;
	default:
		return SENSE_LOSS_DATA;
	}
}

/* Keys that say by themselves that the command was not executed but may be, the next time. */
static bool
is_passing(uint8_t key)
{
	return key == SENSE_KEY_UNIT_ATTENTION || key == SENSE_KEY_ABORTED_COMMAND;
}

/* Does it give up at once?  Codes say so for the keys with which they usually come. */
static bool
is_final(enum sense_action action)
{
	switch (action) {
	case SENSE_FAIL:
	case SENSE_UNSUPPORTED:
	case SENSE_NO_MEDIUM:
	case SENSE_RESERVED:
	case SENSE_WRITE_PROTECTED:
	case SENSE_OUT_OF_SPACE:
	case SENSE_MEDIUM_ERROR:
	case SENSE_TAPE_POSITION:
		return true;
	default:
		return false;
	}
}

static struct sense_verdict
judge_sense(const struct sense *s)
{
	const struct code_row *key = &keys[s->key];
	const struct asc_row *code;

	if (s->is_deferred)
		return (struct sense_verdict){ SENSE_RETRY_NOW, EIO };
	if (s->key == SENSE_KEY_NO_SENSE &&
	    (s->is_filemark || s->is_end_of_medium || s->is_bad_length))
		return (struct sense_verdict){ SENSE_TAPE_POSITION, 0 };
	if (s->key == SENSE_KEY_RECOVERED_ERROR || s->key == SENSE_KEY_COMPLETED)
		return (struct sense_verdict){ key->action, key->error };
	code = find_code(s->asc, s->ascq);
	/* As a unit attention it is news of the unit, and the command was not executed. */
	if (code != NULL && s->key == SENSE_KEY_UNIT_ATTENTION &&
	    code->action == SENSE_WRITE_PROTECTED)
		return (struct sense_verdict){ SENSE_REREAD_MODE, EIO };
	if (code != NULL && !code->by_key && !(is_passing(s->key) && is_final(code->action)))
		return (struct sense_verdict){ code->action, code->error };
	return (struct sense_verdict){ key->action, key->error };
}

struct sense_verdict
sense_judge(uint8_t status, const struct sense *sense)
{
	const struct code_row *row = find_status(status);

	if (status == SENSE_STATUS_CHECK_CONDITION && sense != NULL)
		return judge_sense(sense);
	if (row == NULL)
		return (struct sense_verdict){ SENSE_FAIL, EIO };
	return (struct sense_verdict){ row->action, row->error };
}

const char *
sense_status_name(uint8_t status)
{
	const struct code_row *row = find_status(status);

	return row != NULL ? row->name : "unknown status";
}

const char *
sense_key_name(uint8_t key)
{
	return keys[key & 0xf].name;
}

const char *
sense_asc_text(uint8_t asc, uint8_t ascq)
{
	const struct asc_row *row = find_code(asc, ascq);

	return row != NULL ? row->text : NULL;
}

static void
describe_place(struct put *w, const struct sense *s)
{
	if (s->has_info &&
	    (s->key == SENSE_KEY_MEDIUM_ERROR || s->key == SENSE_KEY_HARDWARE_ERROR ||
		s->key == SENSE_KEY_RECOVERED_ERROR || s->key == SENSE_KEY_MISCOMPARE)) {
		put_str(w, ", at block ");
		print_dec(w, s->info);
	}
	if (s->has_field) {
		put_str(w, ", at byte ");
		print_dec(w, s->field);
		put_str(w, s->is_field_in_cdb ? " of the command" : " of the data");
	}
	if (s->has_progress) {
		put_str(w, ", ");
		print_dec(w, (uint64_t)s->progress * 100 / 65536);
		put_str(w, "% done");
	}
}

size_t
sense_describe(char *buf, size_t n, uint8_t status, const struct sense *s)
{
	struct put w = print_begin(buf, n);
	const struct code_row *row = find_status(status);
	const char *text;

	put_str(&w, sense_status_name(status));
	if (row == NULL) {
		put_str(&w, " ");
		print_hex(&w, status, 2);
		put_str(&w, "h");
	}
	if (s == NULL) {
		if (row != NULL) {
			put_str(&w, ": ");
			put_str(&w, row->text);
		}
		return print_end(&w);
	}
	put_str(&w, s->is_deferred ? ", deferred " : ", ");
	put_str(&w, sense_key_name(s->key));
	put_str(&w, " (");
	print_hex(&w, s->key, 1);
	put_str(&w, "/");
	print_hex(&w, s->asc, 2);
	put_str(&w, "/");
	print_hex(&w, s->ascq, 2);
	put_str(&w, "): ");
	text = sense_asc_text(s->asc, s->ascq);
	if (s->asc == 0 && s->ascq == 0)
		text = keys[s->key].text;
	else if (text == NULL)
		text = s->asc >= 0x80 || s->ascq >= 0x80 ? "a condition of the vendor's own"
							 : "a condition without a name here";
	put_str(&w, text);
	describe_place(&w, s);
	return print_end(&w);
}
