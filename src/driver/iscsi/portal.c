#include "driver/iscsi/portal.h"

#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "core/addr.h"
#include "driver/call.h"

/* However it is written, in the same words: there may be thousands to compare it with. */
static struct registry_address
plain(const struct registry_address *a)
{
	struct registry_address ret = *a;
	struct addr host;

	if (addr_parse_host(a->address, &host) == ADDR_OK)
		cut_copy(ret.address, sizeof ret.address, host.host);
	return ret;
}

/* NULL: none. */
static struct portal *
find(struct driver *d, const struct registry_address *plain)
{
	LIST_EACH(node, tmp, &d->portals)
	{
		struct portal *p = LIST_ENTRY(node, struct portal, link);

		if (p->a.port == plain->port && p->a.tpgt == plain->tpgt &&
		    strcmp(p->a.address, plain->address) == 0)
			return p;
	}
	return NULL;
}

struct portal *
portal_get(struct driver *d, const struct registry_address *a)
{
	struct registry_address wanted = plain(a);
	struct portal *p = find(d, &wanted);

	if (p == NULL) {
		p = call_alloc(sizeof *p);
		p->a = wanted;
		list_push_back(&d->portals, &p->link);
	}
	return p;
}

void
portal_forget(struct driver *d, const struct registry_address *a)
{
	struct registry_address gone = plain(a);
	struct portal *p = find(d, &gone);

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
