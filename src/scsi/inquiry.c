#include "scsi/inquiry.h"

#include "base/cursor.h"
#include "scsi/print.h"

static const struct row {
	uint8_t code;
	const char *class_name, *driver, *text;
} rows[] = {
#define DEVICE(id, code, class_name, driver, text) { code, class_name, driver, text },
#include "scsi/device.def"
};

static const struct row *
find(uint8_t type)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].code == type)
			return &rows[i];
	return NULL;
}

/* A text field of `width` bytes; "" when it did not come whole.  Blanks at both ends go. */
static void
take_text(struct cursor *c, size_t width, char *ret_text)
{
	const uint8_t *p = cursor_bytes(c, width);
	size_t n = p != NULL ? print_trimmed(p, width) : 0, at = 0;

	while (at < n && p[at] == ' ')
		at++;
	for (; at < n; at++)
		*ret_text++ = (char)(p[at] >= 0x20 && p[at] < 0x7f ? p[at] : '?');
	*ret_text = '\0';
}

bool
inquiry_parse(const void *bytes, size_t n, struct inquiry *ret_inquiry)
{
	struct cursor c = cursor_over(bytes, n);
	struct inquiry inq = { 0 };
	uint8_t b, more;

	b = cursor_u8(&c);
	inq.qualifier = b >> 5;
	inq.type = b & 0x1f;
	inq.is_removable = (cursor_u8(&c) & 0x80) != 0;
	inq.version = cursor_u8(&c);
	(void)cursor_u8(&c);
	more = cursor_u8(&c);
	if (c.failed)
		return false;
	/* ADDITIONAL LENGTH counts what follows; what is beyond it is not from the device. */
	if (more < cursor_left(&c))
		c.end = c.p + more;
	b = cursor_u8(&c);
	inq.tpgs = b >> 4 & 3;
	inq.has_protection = (b & 0x01) != 0;
	inq.has_enclosure_services = (cursor_u8(&c) & 0x40) != 0;
	inq.has_queue = (cursor_u8(&c) & 0x02) != 0;
	take_text(&c, 8, inq.vendor);
	take_text(&c, 16, inq.product);
	take_text(&c, 4, inq.revision);
	*ret_inquiry = inq;
	return true;
}

bool
inquiry_is_present(const struct inquiry *inq)
{
	return inq->qualifier == 0 && inq->type != INQUIRY_TYPE_NONE;
}

void
inquiry_describe(const struct inquiry *inq, char ret_text[INQUIRY_DESCRIPTION_BYTES])
{
	struct put w = print_begin(ret_text, INQUIRY_DESCRIPTION_BYTES);

	put_str(&w, inq->vendor);
	while (inq->product[0] != '\0' && put_len(&w) < 8)
		put_u8(&w, ' ');
	put_str(&w, inq->product);
	(void)print_end(&w);
}

const char *
inquiry_class(uint8_t type)
{
	const struct row *row = find(type);

	return row != NULL ? row->class_name : "unknown";
}

const char *
inquiry_driver(uint8_t type)
{
	const struct row *row = find(type);

	return row != NULL ? row->driver : "";
}

const char *
inquiry_type_name(uint8_t type)
{
	const struct row *row = find(type);

	return row != NULL ? row->text : "device of a type without a name";
}
