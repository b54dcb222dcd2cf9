#include "islpd/slpstr.h"

#include <string.h>

#include "base/utf8.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int
slpstr_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void
slpstr_put(struct put *w, const char *text, size_t n, const char *reserved)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != 0x7f && strchr(reserved, c) == NULL) {
			put_u8(w, c);
			continue;
		}
		put_u8(w, '\\');
		put_u8(w, (uint8_t)digits[c >> 4]);
		put_u8(w, (uint8_t)digits[c & 15]);
	}
}

bool
slpstr_get(struct slp_text t, char *ret, size_t cap)
{
	size_t n = 0;

	while (t.n > 0 && is_space(t.p[0])) {
		t.p++;
		t.n--;
	}
	while (t.n > 0 && is_space(t.p[t.n - 1]))
		t.n--;
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];

		if (c == '\\') {
			int high = i + 2 < t.n ? slpstr_hex(t.p[i + 1]) : -1,
			    low = i + 2 < t.n ? slpstr_hex(t.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0' || n + 1 >= cap)
			return false;
		ret[n++] = c;
	}
	if (cap == 0 || !utf8_valid(ret, n))
		return false;
	ret[n] = '\0';
	return true;
}

/* The next character for comparison, which *at passes: runs of white space are one. */
static char
folded(const char **at)
{
	char c = **at;

	if (is_space(c)) {
		while (is_space(**at))
			(*at)++;
		return ' ';
	}
	if (c != '\0')
		(*at)++;
	return lower(c);
}

bool
slpstr_equal(const char *a, const char *b)
{
	for (;;) {
		char x = folded(&a), y = folded(&b);

		if (x != y)
			return false;
		if (x == '\0')
			return true;
	}
}

bool
slpstr_next(struct slp_text *rest, struct slp_text *ret)
{
	const char *comma;

	if (rest->n == 0)
		return false;
	comma = memchr(rest->p, ',', rest->n);
	if (comma == NULL) {
		*ret = *rest;
		rest->n = 0;
		return true;
	}
	*ret = (struct slp_text){ rest->p, (size_t)(comma - rest->p) };
	rest->n -= ret->n + 1;
	rest->p = comma + 1;
	return true;
}
