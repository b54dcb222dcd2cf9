#include "driver/iscsi/portal.h"

#include <stdlib.h>

#include "driver/call.h"

static struct portal *
find(struct driver *d, const struct registry_address *a)
{
	LIST_EACH(node, tmp, &d->portals)
	{
		struct portal *p = LIST_ENTRY(node, struct portal, link);

		if (registry_address_same(&p->a, a))
			return p;
	}
	return NULL;
}

struct portal *
portal_get(struct driver *d, const struct registry_address *a)
{
	struct portal *p = find(d, a);

	if (p == NULL) {
		p = call_alloc(sizeof *p);
		p->a = *a;
		list_push_back(&d->portals, &p->link);
	}
	return p;
}

void
portal_forget(struct driver *d, const struct registry_address *a)
{
	struct portal *p = find(d, a);

	if (p == NULL)
		return;
	list_remove(&p->link);
	free(p);
}

void
portal_forget_all(struct driver *d)
{
	struct list *node;

	while ((node = list_pop(&d->portals)) != NULL)
		free(LIST_ENTRY(node, struct portal, link));
}
