#include "scsi/alua.h"

#include <string.h>

#include "base/be.h"
#include "base/cursor.h"

/* Designators of page 83h, SPC-4, section 7.8.5.  */
enum { ASSOCIATION_PORT = 1, TYPE_PORT = 4, TYPE_GROUP = 5, CODE_BINARY = 1 };
/* A designator of these types: two reserved bytes and a number. */
#define NUMBER_BYTES 4

static const struct row {
	const char *word;
	bool serves;
} rows[16] = {
#define SERVES                           true
#define IDLE                             false
#define ALUA(id, code, serves_row, text) [code] = { text, serves_row },
#include "scsi/alua.def"
#undef SERVES
#undef IDLE
};

bool
alua_serves(uint8_t state)
{
	return rows[state & 0xf].serves;
}

const char *
alua_word(uint8_t state)
{
	const char *word = rows[state & 0xf].word;

	return word != NULL ? word : "reserved";
}

bool
alua_take_page(struct alua *a, const void *bytes, size_t n)
{
	struct cursor c = cursor_over(bytes, n);
	const uint8_t *head = cursor_bytes(&c, 4);
	size_t len;

	if (head == NULL || (head[1] != 0x83))
		return false;
	len = be_get16(head + 2);
	if (len > cursor_left(&c))
		return false; /* the rest of it may say more */
	a->has_group = false;
	c = cursor_over(c.p, len);
	while (cursor_left(&c) >= 4) {
		const uint8_t *d = cursor_bytes(&c, 4), *p = cursor_bytes(&c, d[3]);

		if (p == NULL)
			break;
		if ((d[1] >> 4 & 3) != ASSOCIATION_PORT || (d[0] & 0xf) != CODE_BINARY ||
		    d[3] != NUMBER_BYTES)
			continue;
		if ((d[1] & 0xf) == TYPE_PORT)
			a->port = be_get16(p + 2);
		if ((d[1] & 0xf) != TYPE_GROUP)
			continue;
		a->group = be_get16(p + 2);
		a->has_group = true;
	}
	return a->has_group;
}

bool
alua_take_report(struct alua *a, const void *bytes, size_t n, bool is_extended)
{
	struct cursor c = cursor_over(bytes, n);
	const uint8_t *head = cursor_bytes(&c, 4);
	uint32_t len = head != NULL ? be_get32(head) : 0;

	if (head == NULL || !a->has_group)
		return false;
	c = cursor_over(c.p, len < cursor_left(&c) ? len : cursor_left(&c));
	if (is_extended) {
		const uint8_t *more = cursor_bytes(&c, 4);

		if (more == NULL || (more[0] >> 4 & 7) != 1)
			return false;
		a->transition_s = more[1];
	}
	while (cursor_left(&c) >= 8) {
		const uint8_t *g = cursor_bytes(&c, 8);

		if (be_get16(g + 2) == a->group) {
			a->state = g[0] & 0xf;
			a->is_preferred = (g[0] & 0x80) != 0;
			a->is_reported = true;
			return true;
		}
		if (cursor_bytes(&c, 4 * (size_t)g[7]) == NULL)
			break;
	}
	return false;
}

bool
alua_of_sense(const struct sense *s, uint8_t *ret_state)
{
	static const uint8_t states[] = { ALUA_TRANSITIONING, ALUA_STANDBY, ALUA_UNAVAILABLE };

	if (s->is_deferred || s->key != SENSE_KEY_NOT_READY || s->asc != 0x04 || s->ascq < 0x0a ||
	    s->ascq > 0x0c)
		return false;
	*ret_state = states[s->ascq - 0x0a];
	return true;
}

void
alua_set_list(uint8_t ret_list[ALUA_SET_BYTES], uint16_t group)
{
	memset(ret_list, 0, ALUA_SET_BYTES);
	ret_list[4] = ALUA_ACTIVE_OPTIMIZED;
	be_put16(ret_list + 6, group);
}
