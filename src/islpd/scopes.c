#include "islpd/scopes.h"

#include <string.h>

#include "islpd/slpstr.h"

bool
scopes_has(const struct scopes *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (slpstr_equal(s->names[i], name))
			return true;
	return false;
}

/* A name that is already there is a success. */
static bool
take(struct scopes *s, const char *name)
{
	if (name[0] == '\0')
		return false;
	if (scopes_has(s, name))
		return true;
	if (s->n == LIMIT_SLP_SCOPES)
		return false;
	memcpy(s->names[s->n++], name, strlen(name) + 1);
	return true;
}

bool
scopes_add(struct scopes *s, struct slp_text name)
{
	char escaped[3 * LIMIT_SLP_SCOPE_BYTES], plain[LIMIT_SLP_SCOPE_BYTES + 1];
	struct put w = put_over(escaped, sizeof escaped);

	/* There and back: one way to trim and to judge. */
	slpstr_put(&w, name.p, name.n, "\\");
	return !w.overflow &&
	       slpstr_get((struct slp_text){ escaped, put_len(&w) }, plain, sizeof plain) &&
	       take(s, plain);
}

void
scopes_get(struct slp_text list, struct scopes *ret)
{
	struct slp_text one;
	char name[LIMIT_SLP_SCOPE_BYTES + 1];

	ret->n = 0;
	while (slpstr_next(&list, &one))
		if (slpstr_get(one, name, sizeof name))
			(void)take(ret, name); /* more than we ask for are not needed */
}

void
scopes_common(const struct scopes *a, const struct scopes *b, struct scopes *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < a->n; i++)
		if (scopes_has(b, a->names[i]))
			(void)take(ret, a->names[i]); /* fits: it is a subset */
}

void
scopes_without(const struct scopes *a, const struct scopes *b, struct scopes *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < a->n; i++)
		if (!scopes_has(b, a->names[i]))
			(void)take(ret, a->names[i]); /* fits: it is a subset */
}

void
scopes_text(const struct scopes *s, char ret[SCOPES_TEXT_BYTES])
{
	struct put w = put_over(ret, SCOPES_TEXT_BYTES - 1);

	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			put_u8(&w, ',');
		slpstr_put(&w, s->names[i], strlen(s->names[i]), SLPSTR_SCOPE);
	}
	ret[put_len(&w)] = '\0';
}
