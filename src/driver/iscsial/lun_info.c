#include "driver/iscsial/lun_info.h"

#include <string.h>

bool
lun_info_may_cache(const struct lun_info *i)
{
	return !i->has_mode || !i->mode.has_caching || i->mode.is_write_cache_enabled;
}

/*
 * A designator is compared with a designator, a serial number with a serial
 * number.  A unit that had a name and has none now (or the reverse) is another
 * one: a target does not forget.  Two units without any name cannot be told
 * apart; that is the target's choice, and refusing them would make every such
 * target useless.
 */
bool
lun_info_is_same(const struct lun_id *a, const struct lun_id *b)
{
	if (a->designator[0] != '\0' || b->designator[0] != '\0')
		return strcmp(a->designator, b->designator) == 0;
	return strcmp(a->serial, b->serial) == 0;
}

const char *
lun_info_name(const struct lun_id *id)
{
	if (id->designator[0] != '\0')
		return id->designator;
	return id->serial[0] != '\0' ? id->serial : "a unit without a name";
}
