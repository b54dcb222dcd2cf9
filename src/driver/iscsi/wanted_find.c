/* Which sessions are wanted: found by instance and by address, whatever their number. */
#include "driver/iscsi/wanted_find.h"

#include <stdlib.h>
#include <string.h>

#include "core/iname.h"
#include "driver/call.h"

/* A target has LIMIT_SENDTARGETS_ADDRESSES sessions at most, which share a chain. */
#define CHAINS 4096

struct wanted_index {
	struct wanted *by_instance[LIMIT_SESSIONS];
	struct wanted *by_target[CHAINS]; /* chained by wanted.same_hash */
};

struct wanted_index *
wanted_index_new(void)
{
	return call_alloc(sizeof(struct wanted_index));
}

void
wanted_index_free(struct wanted_index *p)
{
	free(p);
}

static struct wanted **
chain_of(struct wanted_index *p, uint64_t hash)
{
	return &p->by_target[(hash >> 32) % CHAINS];
}

/*
 * From w on.  Whoever chooses names of equal hashes slows only these look-ups down: a chain is
 * walked by numbers, and names are compared (which costs more beyond ASCII) where all of the hash
 * is equal.
 */
static struct wanted *
of_target(struct wanted *w, const char *target, uint64_t hash)
{
	while (w != NULL && (w->hash != hash || !iname_same(w->target, target)))
		w = w->same_hash;
	return w;
}

struct wanted *
wanted_find(const struct driver *d, uint32_t instance)
{
	return instance < LIMIT_SESSIONS ? d->index->by_instance[instance] : NULL;
}

struct wanted *
wanted_find_address(const struct driver *d, const char *target, const struct registry_address *a)
{
	struct wanted *w = wanted_of_target(d, target, NULL);

	while (w != NULL && !registry_address_same(&w->a, a))
		w = wanted_of_target(d, target, w);
	return w;
}

struct wanted *
wanted_of_target(const struct driver *d, const char *target, const struct wanted *after)
{
	uint64_t hash = iname_hash(target);

	return of_target(
	    after != NULL ? after->same_hash : *chain_of(d->index, hash), target, hash);
}

void
wanted_choose_tag(const struct driver *d, const char *target, struct registry_address *a)
{
	const struct wanted *w = wanted_of_target(d, target, NULL);
	struct registry_address same = *a;

	for (; w != NULL; w = wanted_of_target(d, target, w)) {
		same.tpgt = w->a.tpgt;
		if (!registry_address_same(&w->a, &same))
			continue;
		a->tpgt = w->a.tpgt;
		return;
	}
}

struct wanted *
wanted_from(const struct driver *d, uint32_t instance)
{
	while (instance < LIMIT_SESSIONS && d->index->by_instance[instance] == NULL)
		instance++;
	return instance < LIMIT_SESSIONS ? d->index->by_instance[instance] : NULL;
}

void
wanted_insert(struct wanted *w)
{
	struct wanted_index *p = w->d->index;
	struct list *before = &w->d->sessions;
	struct wanted **chain;
	uint32_t i = w->instance;

	w->hash = iname_hash(w->target);
	chain = chain_of(p, w->hash);
	while (i > 0 && p->by_instance[i - 1] == NULL)
		i--;
	if (i > 0)
		before = &p->by_instance[i - 1]->link;
	list_insert(before, &w->link);
	p->by_instance[w->instance] = w;
	w->same_hash = *chain;
	*chain = w;
}

void
wanted_remove(struct wanted *w)
{
	struct wanted_index *p = w->d->index;
	struct wanted **chain = chain_of(p, w->hash);

	while (*chain != w)
		chain = &(*chain)->same_hash;
	*chain = w->same_hash;
	p->by_instance[w->instance] = NULL;
	list_remove(&w->link);
}
