#include "core/iname.h"

#include <string.h>

#include "base/utf8.h"
#include "core/iname_form.h"

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

/* RFC 3722, 6.2, in a name whose letters are small. */
static bool
is_allowed_ascii(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
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

static enum iname_result
prepare_ascii(const char *name, size_t n, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1])
{
	/* RFC 7143 itself writes the digits of eui. and naa. in upper case. */
	size_t fold = has_type(name, n, "eui") || has_type(name, n, "naa") ? 4 : n;

	for (size_t i = 0; i < n; i++) {
		char small = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];

		if (!is_allowed_ascii(small))
			return INAME_PROHIBITED;
		ret_name[i] = i < fold ? small : name[i];
	}
	ret_name[n] = '\0';
	return INAME_OK;
}

/*
 * A name of at most LIMIT_ISCSI_NAME_BYTES, as RFC 3722 makes it.  What a
 * target tells, other than what a user types, may have nothing that is
 * prohibited even where that would vanish or become something else.
 */
static enum iname_result
prepare(const char *name, size_t n, bool is_typed, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1],
    size_t *ret_n)
{
	enum iname_result r = INAME_OK;
	struct iname_form form;

	if (iname_form_is_ascii(name, n)) {
		*ret_n = n;
		return prepare_ascii(name, n, ret_name);
	}
	if (!iname_form_read(&form, name, n))
		return utf8_valid(name, n) ? INAME_PROHIBITED : INAME_BAD_UTF8; /* a NUL */
	if (!is_typed)
		r = iname_form_judge(&form);
	if (r != INAME_OK)
		return r;
	iname_form_map(&form);
	r = iname_form_judge(&form);
	if (r != INAME_OK)
		return r;
	return iname_form_write(&form, ret_name, ret_n) ? INAME_OK : INAME_TOO_LONG;
}

/* What RFC 7143 asks of a name that is prepared. */
static enum iname_result
check_type(const char *name, size_t n)
{
	if (has_type(name, n, "iqn"))
		return check_iqn(name + 4, n - 4);
	if (has_type(name, n, "eui"))
		return n == 4 + 16 && is_hex(name + 4, n - 4) ? INAME_OK : INAME_BAD_EUI;
	if (has_type(name, n, "naa"))
		return (n == 4 + 16 || n == 4 + 32) && is_hex(name + 4, n - 4) ? INAME_OK
									       : INAME_BAD_NAA;
	return INAME_BAD_TYPE;
}

enum iname_result
iname_check(const char *name, size_t n)
{
	char prepared[LIMIT_ISCSI_NAME_BYTES + 1];
	size_t prepared_n = 0;
	enum iname_result r;

	if (n == 0)
		return INAME_EMPTY;
	if (n > LIMIT_ISCSI_NAME_BYTES)
		return INAME_TOO_LONG;
	r = prepare(name, n, false, prepared, &prepared_n);
	if (r == INAME_OK)
		r = check_type(prepared, prepared_n);
	if (r != INAME_OK || (prepared_n == n && memcmp(prepared, name, n) == 0))
		return r;
	return iname_form_is_ascii(name, n) ? INAME_UPPER_CASE : INAME_NOT_NORMAL;
}

enum iname_result
iname_normalise(const char *name, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1])
{
	char prepared[LIMIT_ISCSI_NAME_BYTES + 1];
	size_t n = strnlen(name, LIMIT_ISCSI_NAME_BYTES + 1), prepared_n = 0;
	enum iname_result r;

	if (n > LIMIT_ISCSI_NAME_BYTES)
		return INAME_TOO_LONG;
	r = prepare(name, n, true, prepared, &prepared_n);
	/* There are sequences whose form is not yet in normal form (Unicode's public review issue
	 * 29): nobody can say what they are. */
	if (r == INAME_OK)
		r = iname_check(prepared, prepared_n);
	if (r == INAME_OK)
		memcpy(ret_name, prepared, prepared_n + 1);
	return r;
}
