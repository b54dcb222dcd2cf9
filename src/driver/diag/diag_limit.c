#include "driver/diag/diag_limit.h"

#include <stddef.h>

#include "driver/diag/diag.h"

/* One more in this place; up to `burst` of them pass in a window. */
static bool
count(struct diag_place *p, uint64_t now_ms, uint32_t burst, uint32_t *ret_held_back)
{
	if (p->since_ms == 0 || now_ms - p->since_ms >= DIAG_WINDOW_MS) {
		*ret_held_back = p->held_back;
		p->since_ms = now_ms;
		p->passed = 1;
		p->held_back = 0;
		return true;
	}
	*ret_held_back = 0;
	if (p->passed < burst) {
		p->passed++;
		return true;
	}
	p->held_back++;
	return false;
}

/* Its place, an unused one, or one whose window is over and has nothing to tell; else NULL. */
static struct diag_place *
find(struct diag_place set[DIAG_LIMIT_WAYS], uint64_t now_ms, uint32_t id, uint32_t peer)
{
	struct diag_place *free_one = NULL;

	for (int i = 0; i < DIAG_LIMIT_WAYS; i++) {
		struct diag_place *p = &set[i];
		bool is_over = p->since_ms == 0 || now_ms - p->since_ms >= DIAG_WINDOW_MS;

		if (p->since_ms != 0 && p->id == id && p->peer == peer)
			return p;
		/* What was held back may be told within another window; then it is forgotten. */
		if (is_over &&
		    (p->held_back == 0 || now_ms - p->since_ms >= 2 * (uint64_t)DIAG_WINDOW_MS))
			free_one = p;
	}
	if (free_one != NULL)
		*free_one = (struct diag_place){ .id = id, .peer = peer };
	return free_one;
}

bool
diag_limit_passes(
    struct diag_limit *l, uint64_t now_ms, uint32_t id, uint32_t peer, uint32_t *ret_held_back)
{
	uint32_t hash = (id * 0x9e3779b1u) ^ (peer * 0x85ebca6bu);
	struct diag_place *p = find(l->place[(hash >> 16) % DIAG_LIMIT_SETS], now_ms, id, peer);

	if (p != NULL)
		return count(p, now_ms, DIAG_BURST, ret_held_back);
	return count(&l->others, now_ms, DIAG_LIMIT_OTHERS, ret_held_back);
}
