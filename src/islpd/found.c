#include "islpd/found.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/iname.h"

/* Twice as many as there can be targets: a look-up ends soon. */
#define SLOTS        (2 * LIMIT_SLP_TARGETS)
#define FNV_OFFSET   2166136261u
#define FNV_PRIME    16777619u
#define LIST_MIN_CAP 16

void
found_init(struct found *f)
{
	*f = (struct found){ 0 };
}

void
found_fini(struct found *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->list[i].name);
		free(f->list[i].host);
		free(f->list[i].url);
		free(f->list[i].alias);
		free(f->list[i].mgmt_entity);
	}
	free(f->list);
	free(f->slots);
	found_init(f);
}

static unsigned
hash_text(unsigned h, const char *s)
{
	do
		h = (h ^ (unsigned char)*s) * FNV_PRIME;
	while (*s++ != '\0');
	return h;
}

/* The slot of a target: its own, or the free one where it would stand. */
static unsigned *
slot(const struct found *f, const struct surl *s)
{
	unsigned h = hash_text(hash_text(FNV_OFFSET, s->name), s->portal.host) ^ s->portal.port;

	for (;; h++) {
		unsigned *at = &f->slots[h % SLOTS];
		const struct found_target *t = *at != 0 ? &f->list[*at - 1] : NULL;

		if (t == NULL || (t->port == s->portal.port && strcmp(t->name, s->name) == 0 &&
				     strcmp(t->host, s->portal.host) == 0))
			return at;
	}
}

static int
make_room(struct found *f)
{
	size_t cap = f->cap == 0 ? LIST_MIN_CAP : 2 * f->cap;
	struct found_target *list;

	if (f->slots == NULL && (f->slots = calloc(SLOTS, sizeof *f->slots)) == NULL)
		return -ENOMEM;
	if (f->n < f->cap)
		return 0;
	list = realloc(f->list, cap * sizeof *list);
	if (list == NULL)
		return -ENOMEM;
	f->list = list;
	f->cap = cap;
	return 0;
}

int
found_add(struct found *f, const struct surl *s, struct slp_text url, size_t agent)
{
	struct found_target t = { .state = FOUND_NEW, .agent = agent, .port = s->portal.port };
	unsigned *at;

	if (make_room(f) < 0)
		return -ENOMEM;
	at = slot(f, s);
	if (*at != 0)
		return 0;
	if (f->n == LIMIT_SLP_TARGETS)
		return -ENOSPC;
	t.name = strdup(s->name);
	t.host = strdup(s->portal.host);
	t.url = strndup(url.p, url.n);
	if (t.name == NULL || t.host == NULL || t.url == NULL) {
		free(t.name);
		free(t.host);
		free(t.url);
		return -ENOMEM;
	}
	f->list[f->n++] = t;
	*at = (unsigned)f->n;
	return 1;
}

const char *
found_attrs(struct found_target *t, const struct attrs *a)
{
	t->state = FOUND_REFUSED;
	/* RFC 4018: "This must match the iscsi-name in the url-path." */
	if (a->name[0] != '\0' && !iname_same(a->name, t->name))
		return "its attribute iscsi-name is another than the name in its URL";
	if (a->has_transports && !a->has_tcp)
		return "it cannot be reached by TCP";
	t->state = FOUND_DONE;
	t->has_tpgt = a->has_tpgt;
	t->tpgt = a->tpgt;
	/* Nice to have: without memory for them they are not had. */
	if (a->alias[0] != '\0' && t->alias == NULL)
		t->alias = strdup(a->alias);
	if (a->mgmt_entity[0] != '\0' && t->mgmt_entity == NULL)
		t->mgmt_entity = strdup(a->mgmt_entity);
	return NULL;
}
