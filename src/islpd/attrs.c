#include "islpd/attrs.h"

#include <string.h>

#include "islpd/slpstr.h"

enum attr {
#define ATTR(id, tag, use, text) ATTR_##id,
#include "islpd/attr.def"
#undef ATTR
	ATTR_NONE,
};

enum attr_use { ATTR_ASK, ATTR_NEVER };

static const struct {
	const char *tag;
	enum attr_use use;
} rows[] = {
#define ATTR(id, tag, use, text) [ATTR_##id] = { tag, ATTR_##use },
#include "islpd/attr.def"
#undef ATTR
};

const char *
attrs_tags(char ret_tags[ATTRS_TAGS_BYTES])
{
	struct put w = put_over(ret_tags, ATTRS_TAGS_BYTES - 1);

	memset(ret_tags, 0, ATTRS_TAGS_BYTES);
	for (size_t i = 0; i < ATTR_NONE; i++) {
		if (rows[i].use != ATTR_ASK)
			continue;
		if (put_len(&w) > 0)
			put_u8(&w, ',');
		put_str(&w, rows[i].tag);
	}
	return ret_tags;
}

static enum attr
find(struct slp_text tag)
{
	char text[LIMIT_KEY_NAME_BYTES + 1];

	if (slpstr_get(tag, text, sizeof text))
		for (size_t i = 0; i < ATTR_NONE; i++)
			if (rows[i].use == ATTR_ASK && slpstr_equal(rows[i].tag, text))
				return (enum attr)i;
	return ATTR_NONE;
}

/* "portal-group = integer"; RFC 7143, section 13.9: 0 to 65535. */
static void
take_tpgt(struct attrs *a, struct slp_text value)
{
	char text[8];
	unsigned n = 0;

	if (!slpstr_get(value, text, sizeof text) || text[0] == '\0')
		return;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return;
		n = n * 10 + (unsigned)(*p - '0');
	}
	if (n <= UINT16_MAX) {
		a->has_tpgt = true;
		a->tpgt = (uint16_t)n;
	}
}

static void
take_text(struct slp_text value, char *ret, size_t cap)
{
	if (!slpstr_get(value, ret, cap))
		ret[0] = '\0';
}

static void
take(struct attrs *a, struct slp_text tag, struct slp_text values)
{
	enum attr which = find(tag);
	struct slp_text value = values;
	char text[8];

	switch (which) {
	case ATTR_TRANSPORTS:
		a->has_transports = true;
		while (slpstr_next(&values, &value))
			if (slpstr_get(value, text, sizeof text) && slpstr_equal(text, "tcp"))
				a->has_tcp = true;
		break;
	case ATTR_NAME:
		take_text(values, a->name, sizeof a->name);
		break;
	case ATTR_PORTAL:
		take_tpgt(a, values);
		break;
	case ATTR_MGMT:
		take_text(values, a->mgmt_entity, sizeof a->mgmt_entity);
		break;
	case ATTR_ALIAS:
		take_text(values, a->alias, sizeof a->alias);
		break;
	case ATTR_AUTH_NAME:
	case ATTR_AUTH_ADDR:
	case ATTR_AUTH_CRED:
	case ATTR_BOOT:
	case ATTR_NONE:
		break;
	}
}

/* One attribute of the list, in brackets or a keyword; false: it is none, or is not whole. */
static bool
next(struct slp_text *rest, struct slp_text *ret_tag, struct slp_text *ret_values)
{
	const char *equals, *close;

	*ret_values = (struct slp_text){ "", 0 };
	if (rest->p[0] != '(')
		return slpstr_next(rest, ret_tag) && memchr(ret_tag->p, '(', ret_tag->n) == NULL &&
		       memchr(ret_tag->p, ')', ret_tag->n) == NULL;
	close = memchr(rest->p, ')', rest->n);
	if (close == NULL)
		return false;
	*ret_tag = (struct slp_text){ rest->p + 1, (size_t)(close - rest->p - 1) };
	rest->n -= ret_tag->n + 2;
	rest->p = close + 1;
	if (rest->n > 0) {
		if (rest->p[0] != ',')
			return false;
		rest->p++;
		rest->n--;
	}
	equals = memchr(ret_tag->p, '=', ret_tag->n);
	if (equals == NULL || memchr(ret_tag->p, '(', ret_tag->n) != NULL)
		return false;
	ret_values->p = equals + 1;
	ret_values->n = ret_tag->n - (size_t)(equals - ret_tag->p) - 1;
	ret_tag->n = (size_t)(equals - ret_tag->p);
	return true;
}

bool
attrs_get(struct slp_text list, bool truncated, struct attrs *ret)
{
	struct attrs a = { 0 };

	while (list.n > 0) {
		struct slp_text tag, values;

		if (!next(&list, &tag, &values)) {
			if (!truncated)
				return false;
			break;
		}
		take(&a, tag, values);
	}
	*ret = a;
	return true;
}
