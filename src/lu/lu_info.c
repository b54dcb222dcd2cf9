#include "lu/lu_info.h"

bool
lu_info_may_cache(const struct lu_info *i)
{
	return !i->has_mode || !i->mode.has_caching || i->mode.is_write_cache_enabled;
}
