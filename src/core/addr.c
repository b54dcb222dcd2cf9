#include "core/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/put.h"
#include "core/text.h"

/* Linux: IFNAMSIZ without its NUL. */
#define ZONE_BYTES_MAX 15
#define NAME_BYTES_MAX 253
static_assert(INET6_ADDRSTRLEN + 1 + ZONE_BYTES_MAX <= LIMIT_HOST_BYTES, "a literal fits");
static_assert(LIMIT_HOST_BYTES + sizeof "[]:65535,65535" - 1 <= LIMIT_ADDRESS_BYTES, "all fits");

const char *
addr_text(enum addr_result r)
{
	static const char *const text[] = {
#define ADDR(id, text) text,
#include "core/addr.def"
#undef ADDR
	};

	return text[r];
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* fe80::/10 is the only unicast prefix that means nothing without its zone. */
static bool
is_link_local(const struct in6_addr *a)
{
	return a->s6_addr[0] == 0xfe && (a->s6_addr[1] & 0xc0) == 0x80;
}

static enum addr_result
parse_ipv6(const char *host, struct addr *a)
{
	char literal[INET6_ADDRSTRLEN + 1];
	const char *percent = strchr(host, '%');
	size_t n = percent != NULL ? (size_t)(percent - host) : strlen(host), zone;
	struct in6_addr in6;

	if (n >= sizeof literal)
		return ADDR_BAD_IPV6;
	memcpy(literal, host, n);
	literal[n] = '\0';
	if (inet_pton(AF_INET6, literal, &in6) != 1 ||
	    inet_ntop(AF_INET6, &in6, a->host, sizeof a->host) == NULL)
		return ADDR_BAD_IPV6;
	a->kind = ADDR_IPV6;
	if (percent == NULL)
		return ADDR_OK;
	zone = strlen(percent + 1);
	if (zone == 0 || zone > ZONE_BYTES_MAX || !is_link_local(&in6))
		return ADDR_BAD_ZONE;
	for (size_t i = 1; i <= zone; i++) {
		if (!is_alnum(percent[i]) && strchr("._-", percent[i]) == NULL)
			return ADDR_BAD_ZONE;
	}
	memcpy(a->host + strlen(a->host), percent, zone + 2);
	return ADDR_OK;
}

/* RFC 1123, 2.1: labels of letters, digits and inner dashes. */
static enum addr_result
parse_name(const char *host, struct addr *a)
{
	size_t n = strlen(host), label = 0;

	/* A dot at the end says that the name is complete; it names the same host. */
	if (n > 0 && host[n - 1] == '.')
		n--;
	if (n == 0 || n > NAME_BYTES_MAX)
		return ADDR_BAD_NAME;
	for (size_t i = 0; i < n; i++) {
		char c = host[i];
		bool ends = i + 1 == n || host[i + 1] == '.';

		a->host[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
		if (c == '.') {
			if (label == 0)
				return ADDR_BAD_NAME;
			label = 0;
			continue;
		}
		if (!is_alnum(c) && (c != '-' || label == 0 || ends))
			return ADDR_BAD_NAME;
		if (++label > 63)
			return ADDR_BAD_NAME;
	}
	if (label == 0)
		return ADDR_BAD_NAME;
	a->host[n] = '\0';
	a->kind = ADDR_NAME;
	return ADDR_OK;
}

/*
 * No top-level domain is a number, so a last label of digits makes it an address;
 * with a dot behind it a wrong one.
 */
static bool
looks_like_ipv4(const char *host)
{
	size_t n = strlen(host), at;

	if (n > 0 && host[n - 1] == '.')
		n--;
	for (at = n; at > 0 && is_digit(host[at - 1]); at--)
		;
	return at < n && (at == 0 || host[at - 1] == '.');
}

/* IPv4 or a name. */
static enum addr_result
parse_plain(const char *host, struct addr *a)
{
	struct in_addr in;

	if (*host == '\0')
		return ADDR_EMPTY;
	if (!looks_like_ipv4(host))
		return parse_name(host, a);
	if (inet_pton(AF_INET, host, &in) != 1 ||
	    inet_ntop(AF_INET, &in, a->host, sizeof a->host) == NULL)
		return ADDR_BAD_IPV4;
	a->kind = ADDR_IPV4;
	return ADDR_OK;
}

/* A number of 16 bits that ends at `end`. */
static bool
parse_u16(const char *s, size_t n, uint64_t lo, uint16_t *ret_v)
{
	char digits[8];
	uint64_t v = 0;

	if (n >= sizeof digits)
		return false;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (text_number(digits, lo, UINT16_MAX, &v) != TEXT_NUMBER_OK)
		return false;
	*ret_v = (uint16_t)v;
	return true;
}

/* What stands behind the host. */
static enum addr_result
parse_port_and_tag(const char *s, struct addr *a)
{
	a->port = ADDR_PORT_DEFAULT;
	a->tpgt = ADDR_TPGT_DEFAULT;
	if (*s == ':') {
		size_t n = strcspn(++s, ",");

		if (!parse_u16(s, n, 1, &a->port))
			return ADDR_BAD_PORT;
		a->has_port = true;
		s += n;
	}
	if (*s == ',') {
		s++;
		if (!parse_u16(s, strlen(s), 0, &a->tpgt))
			return ADDR_BAD_TPGT;
		a->has_tpgt = true;
		return ADDR_OK;
	}
	return *s == '\0' ? ADDR_OK : ADDR_TRAILING;
}

enum addr_result
addr_parse(const char *text, struct addr *ret_addr)
{
	struct addr a = { 0 };
	char host[LIMIT_ADDRESS_BYTES + 1];
	const char *end;
	enum addr_result r;
	size_t n;

	if (*text == '\0')
		return ADDR_EMPTY;
	if (strnlen(text, LIMIT_ADDRESS_BYTES + 1) > LIMIT_ADDRESS_BYTES)
		return ADDR_TOO_LONG;
	if (*text == '[') {
		end = strchr(++text, ']');
		if (end == NULL)
			return ADDR_BAD_BRACKET;
		n = (size_t)(end - text);
	} else {
		const char *colon = strchr(text, ':');

		n = strcspn(text, ":,");
		end = text + n;
		if (colon != NULL && strchr(colon + 1, ':') != NULL)
			return ADDR_BAD_BRACKET;
	}
	memcpy(host, text, n);
	host[n] = '\0';
	r = *end == ']' ? parse_ipv6(host, &a) : parse_plain(host, &a);
	if (r == ADDR_OK)
		r = parse_port_and_tag(*end == ']' ? end + 1 : end, &a);
	if (r == ADDR_OK)
		*ret_addr = a;
	return r;
}

enum addr_result
addr_parse_host(const char *text, struct addr *ret_addr)
{
	struct addr a = { .port = ADDR_PORT_DEFAULT, .tpgt = ADDR_TPGT_DEFAULT };
	size_t n = strnlen(text, LIMIT_ADDRESS_BYTES + 1);
	char host[LIMIT_ADDRESS_BYTES + 1];
	enum addr_result r;

	if (n == 0)
		return ADDR_EMPTY;
	if (n > LIMIT_ADDRESS_BYTES)
		return ADDR_TOO_LONG;
	if (*text == '[') {
		if (text[n - 1] != ']')
			return strchr(text, ']') != NULL ? ADDR_TRAILING : ADDR_BAD_BRACKET;
		memcpy(host, text + 1, n - 2);
		host[n - 2] = '\0';
		r = parse_ipv6(host, &a);
	} else if (strchr(text, ':') != NULL) {
		r = parse_ipv6(text, &a);
	} else {
		r = parse_plain(text, &a);
	}
	if (r == ADDR_OK)
		*ret_addr = a;
	return r;
}

void
addr_format(const struct addr *a, bool with_tpgt, char ret_text[LIMIT_ADDRESS_BYTES + 1])
{
	struct put w = put_over(ret_text, LIMIT_ADDRESS_BYTES + 1);

	if (a->kind == ADDR_IPV6)
		put_u8(&w, '[');
	put_str(&w, a->host);
	if (a->kind == ADDR_IPV6)
		put_u8(&w, ']');
	put_u8(&w, ':');
	text_put_decimal(&w, a->port);
	if (with_tpgt) {
		put_u8(&w, ',');
		text_put_decimal(&w, a->tpgt);
	}
	put_u8(&w, 0);
	assert(!w.overflow);
}

bool
addr_is_literal(const struct addr *a)
{
	return a->kind != ADDR_NAME;
}
