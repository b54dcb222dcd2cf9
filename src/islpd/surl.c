#include "islpd/surl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "islpd/slpstr.h"

bool
surl_is(struct slp_text url, const char *type)
{
	size_t n = strlen(type);

	return url.n > n && strncasecmp(url.p, type, n) == 0 && url.p[n] == ':';
}

/* Everything up to the first of the characters, which is passed. */
static struct slp_text
cut(struct slp_text *rest, const char *ends)
{
	struct slp_text part = { rest->p, 0 };

	while (part.n < rest->n && (part.p[part.n] == '\0' || strchr(ends, part.p[part.n]) == NULL))
		part.n++;
	rest->p += part.n;
	rest->n -= part.n;
	return part;
}

static bool
is_usable(const struct addr *a)
{
	struct in6_addr v6;
	struct in_addr v4;

	switch (a->kind) {
	case ADDR_IPV4:
		if (inet_pton(AF_INET, a->host, &v4) != 1)
			return false;
		return ntohl(v4.s_addr) >> 24 != 0 && ntohl(v4.s_addr) >> 28 < 0xe;
	case ADDR_IPV6:
		/* One with a zone names an interface of somebody else's host; without, it names
		 * none. */
		return inet_pton(AF_INET6, a->host, &v6) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&v6) &&
		       !IN6_IS_ADDR_MULTICAST(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6);
	case ADDR_NAME:
		return true;
	}
	return false;
}

static enum surl_result
get_portal(struct slp_text t, struct addr *ret)
{
	char text[LIMIT_ADDRESS_BYTES + 1];
	struct addr a;

	if (t.n == 0 || t.n >= sizeof text || memchr(t.p, '\0', t.n) != NULL)
		return SURL_ADDRESS;
	memcpy(text, t.p, t.n);
	text[t.n] = '\0';
	if (addr_parse(text, &a) != ADDR_OK || a.has_tpgt)
		return SURL_ADDRESS;
	if (!is_usable(&a))
		return SURL_UNUSABLE;
	*ret = a;
	return SURL_OK;
}

/*
 * The template escapes with "\", RFC 2609 with "%"; neither is a character of
 * an iSCSI name.
 */
static bool
unescape(struct slp_text t, char *ret, size_t cap, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];

		if (c == '\\' || c == '%') {
			int high = i + 2 < t.n ? slpstr_hex(t.p[i + 1]) : -1,
			    low = i + 2 < t.n ? slpstr_hex(t.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (n == cap)
			return false;
		ret[n++] = c;
	}
	*ret_n = n;
	return true;
}

enum surl_result
surl_get(struct slp_text url, struct surl *ret, enum iname_result *ret_name)
{
	struct slp_text rest = url, portal, name;
	struct surl s;
	enum surl_result result;
	enum iname_result verdict = INAME_PROHIBITED;
	size_t n;

	if (!surl_is(url, SURL_TYPE))
		return SURL_OTHER;
	rest.p += sizeof SURL_TYPE;
	rest.n -= sizeof SURL_TYPE;
	if (rest.n >= 2 && memcmp(rest.p, "//", 2) == 0) {
		rest.p += 2;
		rest.n -= 2;
	}
	portal = cut(&rest, "/;");
	result = get_portal(portal, &s.portal);
	if (result != SURL_OK)
		return result;
	if (rest.n < 2 || rest.p[0] != '/')
		return SURL_NO_NAME;
	rest.p++;
	rest.n--;
	name = cut(&rest, "/;");
	if (name.n == 0)
		return SURL_NO_NAME;
	if (!unescape(name, s.name, sizeof s.name - 1, &n) ||
	    (verdict = iname_check(s.name, n)) != INAME_OK) {
		if (ret_name != NULL)
			*ret_name = verdict;
		return SURL_NAME;
	}
	s.name[n] = '\0';
	*ret = s;
	return SURL_OK;
}

const char *
surl_text(enum surl_result r)
{
	static const char *const texts[] = {
#define SURL(id, text) [SURL_##id] = (text),
#include "islpd/surl_result.def"
#undef SURL
	};

	return texts[r];
}
