/* How large the unit is: one that calls itself the same over another path, and has another size, is
 * not used. */
#include "lu/lu_impl.h"

bool
lunpath_size_is_denied(const struct lunpath *lp)
{
	const struct lu *u = lp->lu;

	/* One that is used is believed: nothing has put another unit there. */
	if (lp->state == LU_SAME || !lp->ask->has_size ||
	    lp->ask->info.capacity.bytes == u->info.capacity.bytes)
		return false;
	LU_EACH_PATH(u, other)
	if (other != lp && lunpath_serves(other) && other->path->is_up)
		return true;
	return false;
}

/* A unit that was resized says so over each path; one that only calls itself the same gets nothing.
 */
void
lunpath_size_disagrees(struct lunpath *lp)
{
	struct fault why = { 0 };

	lp->claim_bytes = lp->ask->info.capacity.bytes;
	fault_set(&why, FAULT_OFFLINE, "look at the target: two units must not have one name",
	    "LUN %u calls itself the same, but has %llu bytes, and another path says %llu: it is "
	    "not used "
	    "until they agree",
	    lp->number, (unsigned long long)lp->claim_bytes,
	    (unsigned long long)lp->lu->info.capacity.bytes);
	if (lp->why == NULL || lp->ask_n == 1)
		lunpath_say_seldom(lp, "%s", why.message);
	fault_keep(&lp->why, &why);
	lu_settle(lp->lu);
	LU_EACH_PATH(lp->lu, other)
	if (other != lp && lunpath_serves(other) && !lunpath_is_asked(other))
		lunpath_ask_now(other);
}

void
lunpath_size_agrees(struct lunpath *lp)
{
	lp->claim_bytes = 0;
	LU_EACH_PATH(lp->lu, other)
	if (other->claim_bytes == lp->ask->info.capacity.bytes && lp->ask->has_size)
		lunpath_ask_within(other, 0);
}
