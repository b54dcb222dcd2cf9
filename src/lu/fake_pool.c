#include "lu/fake_pool.h"

#include <assert.h>

#include "lu/pool_impl.h"

void
fake_pool_check(const struct pool *p)
{
	unsigned used = 0, idle = 0, owed = 0, waiting = 0;

	LIST_EACH(node, tmp, (struct list *)&p->units)
	{
		const struct pool_share *s = LIST_ENTRY(node, struct pool_share, link);

		used += s->busy;
		idle += s->busy == 0;
		owed += s->busy < p->share ? p->share - s->busy : 0;
		waiting += !list_empty(&s->waiting);
	}
	assert(used == p->used && idle == p->idle && owed == p->owed && waiting == p->waiting);
	assert(used <= p->slots);
}
