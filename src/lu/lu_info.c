#include "lu/lu_info.h"

#include <stdlib.h>

bool
lu_keep(struct lu_kept *k, const struct lu_info *info)
{
	struct identity_kept *id = identity_pack(&info->id);

	if (id == NULL)
		return false;
	free(k->id);
	k->id = id;
	k->facts = info->facts;
	fault_keep(&k->fault, &info->fault);
	return true;
}

void
lu_kept_get(const struct lu_kept *k, struct lu_info *ret)
{
	ret->facts = k->facts;
	identity_unpack(k->id, &ret->id);
	ret->fault = *fault_kept(k->fault);
}

void
lu_kept_fini(struct lu_kept *k)
{
	free(k->id);
	fault_keep(&k->fault, NULL);
}

bool
lu_info_may_cache(const struct lu_facts *i)
{
	return !i->has_mode || !i->mode.has_caching || i->mode.is_write_cache_enabled;
}

bool
lu_info_has_said_mode(const struct lu_facts *i)
{
	return i->has_mode || i->is_mode_refused;
}

bool
lu_info_elsewhere(struct lu_info *i, uint32_t number)
{
	i->number = number;
	i->nexus = i->doubts = 0;
	i->alua = (struct alua){ 0 };
	return luns_encode(LUNS_PERIPHERAL, number, i->wire) ||
	       luns_encode(LUNS_FLAT, number, i->wire);
}
