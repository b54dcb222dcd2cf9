#include "core/iname.h"

#include <stdint.h>
#include <string.h>

#include "core/text.h"

const char *
iname_text(enum iname_result r)
{
	static const char *const text[] = {
#define INAME(id, text) text,
#include "core/iname.def"
#undef INAME
	};

	return text[r];
}

/*
 * What RFC 3722 keeps out of a name beyond ASCII: the tables C of RFC 3454 it
 * names, U+3002 (its section 6.1), and what stringprep maps to nothing (B.1)
 * and so never leaves in its output.  In order.
 */
static const struct {
	uint32_t first, last;
} prohibited[] = {
	{ 0x0080, 0x00a0 },   /* C.2.2 controls, C.1.2 no-break space */
	{ 0x00ad, 0x00ad },   /* B.1 soft hyphen */
	{ 0x0340, 0x0341 },   /* C.8 deprecated */
	{ 0x034f, 0x034f },   /* B.1 */
	{ 0x06dd, 0x06dd },   /* C.2.2 */
	{ 0x070f, 0x070f },   /* C.2.2 */
	{ 0x1680, 0x1680 },   /* C.1.2 */
	{ 0x1806, 0x1806 },   /* B.1 */
	{ 0x180b, 0x180e },   /* B.1, C.2.2 */
	{ 0x2000, 0x200f },   /* C.1.2, C.2.2, C.8 */
	{ 0x2028, 0x202f },   /* C.2.2, C.8, C.1.2 */
	{ 0x205f, 0x2063 },   /* C.1.2, B.1, C.2.2 */
	{ 0x206a, 0x206f },   /* C.2.2, C.8 */
	{ 0x2ff0, 0x2ffb },   /* C.7 ideographic description */
	{ 0x3000, 0x3000 },   /* C.1.2 */
	{ 0x3002, 0x3002 },   /* RFC 3722, 6.1 */
	{ 0xd800, 0xf8ff },   /* C.5 surrogates, C.3 private use */
	{ 0xfdd0, 0xfdef },   /* C.4 non-characters */
	{ 0xfe00, 0xfe0f },   /* B.1 variation selectors */
	{ 0xfeff, 0xfeff },   /* C.2.2 */
	{ 0xfff9, 0xffff },   /* C.2.2, C.6, C.4 */
	{ 0x1d173, 0x1d17a }, /* C.2.2 */
	{ 0x1fffe, 0x1ffff }, /* C.4, here and at the end of each plane */
	{ 0x2fffe, 0x2ffff }, { 0x3fffe, 0x3ffff }, { 0x4fffe, 0x4ffff }, { 0x5fffe, 0x5ffff },
	{ 0x6fffe, 0x6ffff }, { 0x7fffe, 0x7ffff }, { 0x8fffe, 0x8ffff }, { 0x9fffe, 0x9ffff },
	{ 0xafffe, 0xaffff }, { 0xbfffe, 0xbffff }, { 0xcfffe, 0xcffff }, { 0xdfffe, 0xdffff },
	{ 0xe0001, 0xe0001 }, /* C.9 tags */
	{ 0xe0020, 0xe007f }, { 0xefffe, 0xeffff },
	{ 0xf0000, 0x10ffff }, /* C.3 private use, C.4 */
};

static bool
is_prohibited(uint32_t c)
{
	/* RFC 3722, 6.2; upper case is a matter of its own. */
	if (c < 0x80)
		return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			 (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':');
	for (size_t i = 0; i < sizeof prohibited / sizeof prohibited[0]; i++) {
		if (c < prohibited[i].first)
			return false;
		if (c <= prohibited[i].last)
			return true;
	}
	return false;
}

static enum iname_result
check_characters(const char *name, size_t n)
{
	const uint8_t *p = (const uint8_t *)name, *end = p + n;
	uint32_t c;

	while (p < end) {
		if (!text_utf8_next(&p, end, &c))
			return INAME_BAD_UTF8;
		if (is_prohibited(c))
			return INAME_PROHIBITED;
	}
	return INAME_OK;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(s[i]) && !(s[i] >= 'a' && s[i] <= 'f') &&
		    !(s[i] >= 'A' && s[i] <= 'F'))
			return false;
	}
	return true;
}

/* yyyy-mm. and a month that exists. */
static bool
is_date(const char *s, size_t n)
{
	int month;

	if (n < 8 || s[4] != '-' || s[7] != '.')
		return false;
	for (size_t i = 0; i < 7; i++) {
		if (i != 4 && !is_digit(s[i]))
			return false;
	}
	month = (s[5] - '0') * 10 + (s[6] - '0');
	return month >= 1 && month <= 12;
}

/* Labels of 1 to 63 bytes with no dash at either end, separated by dots. */
static bool
is_domain(const char *s, size_t n)
{
	size_t label = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i == n || s[i] == '.') {
			if (label == 0 || label > 63 || s[i - 1] == '-')
				return false;
			label = 0;
		} else if (s[i] == '-' && label == 0) {
			return false;
		} else {
			label++;
		}
	}
	return true;
}

static enum iname_result
check_iqn(const char *s, size_t n)
{
	const char *colon;
	size_t domain;

	if (!is_date(s, n))
		return INAME_BAD_DATE;
	s += 8;
	n -= 8;
	colon = memchr(s, ':', n);
	domain = colon != NULL ? (size_t)(colon - s) : n;
	if (!is_domain(s, domain))
		return INAME_BAD_DOMAIN;
	return domain + 1 == n ? INAME_EMPTY_SUFFIX : INAME_OK;
}

/* The type designator, whatever its case. */
static bool
has_type(const char *name, size_t n, const char *type)
{
	if (n < 4 || name[3] != '.')
		return false;
	for (size_t i = 0; i < 3; i++) {
		if ((name[i] | 0x20) != type[i])
			return false;
	}
	return true;
}

enum iname_result
iname_check(const char *name, size_t n)
{
	bool is_iqn = has_type(name, n, "iqn");
	enum iname_result r;

	if (n == 0)
		return INAME_EMPTY;
	if (n > LIMIT_ISCSI_NAME_BYTES)
		return INAME_TOO_LONG;
	r = check_characters(name, n);
	if (r != INAME_OK)
		return r;
	if (is_iqn)
		r = check_iqn(name + 4, n - 4);
	else if (has_type(name, n, "eui"))
		r = n == 4 + 16 && is_hex(name + 4, n - 4) ? INAME_OK : INAME_BAD_EUI;
	else if (has_type(name, n, "naa"))
		r = (n == 4 + 16 || n == 4 + 32) && is_hex(name + 4, n - 4) ? INAME_OK
									    : INAME_BAD_NAA;
	else
		r = INAME_BAD_TYPE;
	if (r != INAME_OK)
		return r;
	/* RFC 7143 itself writes the digits of eui. and naa. in upper case. */
	for (size_t i = 0; i < (is_iqn ? n : 4); i++) {
		if (name[i] >= 'A' && name[i] <= 'Z')
			return INAME_UPPER_CASE;
	}
	return INAME_OK;
}

enum iname_result
iname_normalise(const char *name, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1])
{
	char folded[LIMIT_ISCSI_NAME_BYTES + 1];
	size_t n = strnlen(name, sizeof folded), fold;
	enum iname_result r;

	if (n == sizeof folded)
		return INAME_TOO_LONG;
	fold = has_type(name, n, "eui") || has_type(name, n, "naa") ? 4 : n;
	for (size_t i = 0; i < n; i++)
		folded[i] =
		    (char)(i < fold && name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
	folded[n] = '\0';
	r = iname_check(folded, n);
	if (r == INAME_OK)
		memcpy(ret_name, folded, n + 1);
	return r;
}
