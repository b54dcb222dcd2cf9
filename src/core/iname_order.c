/* iname_compare() and its kin: names as RFC 3722 compares them. */
#include <string.h>

#include "core/iname_form.h"

/*
 * A name in which a byte is beyond ASCII, as what it is compared by: its form,
 * or, where it has none, its bytes, of which those beyond ASCII come after all
 * characters.  So no name that has a form is the same as one that has none.
 */
struct side {
	const char *name;
	size_t n;
	bool has_form;
	struct iname_form form;
};
#define BEYOND_UNICODE 0x110000u

static unsigned char
small(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static void
side_init(struct side *s, const char *name, size_t n)
{
	s->name = name;
	s->n = n;
	s->has_form = iname_form_read(&s->form, name, n);
	if (!s->has_form)
		return;
	iname_form_map(&s->form);
	s->n = s->form.n;
}

static uint32_t
unit(const struct side *s, size_t i)
{
	unsigned char c;

	if (s->has_form)
		return s->form.c[i];
	c = small(s->name[i]);
	return c < 0x80 ? c : BEYOND_UNICODE + c;
}

static int
compare_forms(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct side x, y;

	if (a_len == b_len && memcmp(a, b, a_len) == 0)
		return 0;
	side_init(&x, a, a_len);
	side_init(&y, b, b_len);
	for (size_t i = 0; i < x.n && i < y.n; i++) {
		uint32_t c = unit(&x, i), d = unit(&y, i);

		if (c != d)
			return c < d ? -1 : 1;
	}
	return (x.n > y.n) - (x.n < y.n);
}

int
iname_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t i = 0, both = a_len < b_len ? a_len : b_len;

	/* The form of ASCII is its small letters: nearly all names end here. */
	while (
	    i < both && (unsigned char)a[i] < 0x80 && (a[i] == b[i] || small(a[i]) == small(b[i])))
		i++;
	/* What comes behind may change the character in front of it. */
	if (!iname_form_is_ascii(a + i, a_len - i) || !iname_form_is_ascii(b + i, b_len - i))
		return compare_forms(a, a_len, b, b_len);
	if (i == both)
		return (a_len > b_len) - (a_len < b_len);
	return small(a[i]) < small(b[i]) ? -1 : 1;
}

bool
iname_same(const char *a, const char *b)
{
	return iname_compare(a, strlen(a), b, strlen(b)) == 0;
}

/* FNV-1a, a character a step. */
static uint64_t
hash(uint64_t h, uint32_t c)
{
	return (h ^ c) * 0x100000001b3u;
}
#define HASH_BEGIN 0xcbf29ce484222325u

static uint64_t
hash_form(const char *name)
{
	uint64_t h = HASH_BEGIN;
	struct side s;

	side_init(&s, name, strlen(name));
	for (size_t i = 0; i < s.n; i++)
		h = hash(h, unit(&s, i));
	return h;
}

uint64_t
iname_hash(const char *name)
{
	uint64_t h = HASH_BEGIN;

	for (const char *p = name; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			return hash_form(name);
		h = hash(h, small(*p));
	}
	return h;
}
