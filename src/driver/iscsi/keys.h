/*
 * The login keys that a user configures: what counts where.  The guide,
 * appendix A: a key of a target's address counts before the target's own,
 * that before the global one; what is configured nowhere has its default.  A
 * discovery address has no target.  Pure.
 */
#ifndef ISCSI_KEYS_H
#define ISCSI_KEYS_H

#include "base/limits.h"
#include "core/neg.h"
#include "ini/choices.h"
#include "ini/timers.h"

/* Where a value comes from; a later one counts before an earlier one. */
enum keys_level { KEYS_DEFAULT, KEYS_GLOBAL, KEYS_TARGET, KEYS_ADDRESS, KEYS_LEVELS };

/* "default", "global", "target", "address" */
const char *keys_level_name(enum keys_level level);

/* Values as keys_parse() made them, by level and key; NULL: not configured.  Borrowed. */
struct keys_config {
	const char *value[KEYS_LEVELS][KEY_COUNT];
};

struct keys_effective {
	struct neg_offer offer;
	uint8_t from[KEY_COUNT]; /* enum keys_level */
	bool is_bad[KEY_COUNT];  /* a value of it was passed over: not one of this release's */
};

/* FirstBurstLength is never offered above MaxBurstLength (RFC 7143, section 13.14). */
void keys_merge(const struct keys_config *config, struct keys_effective *ret);

/* Lists of the guide's keys have no more values than this. */
#define KEYS_VALUES_MAX  2
#define KEYS_VALUE_BYTES LIMIT_FILTERS_BYTES
#define KEYS_WHY_BYTES   1024

/* Beside login keys and time limits: where connections come from, how they go, and what stands in
 * front of disks. */
enum keys_path {
#define ROUTE(id, ...) KEYS_PATH_##id,
#include "ini/routes.def"
	KEYS_PATHS
};

enum keys_kind { KEYS_LOGIN, KEYS_TIMER, KEYS_PATH, KEYS_SHARE, KEYS_CHOICE };

/* What a user wants. */
struct keys_change {
	enum keys_kind kind;
	enum key_id key[2]; /* KEYS_LOGIN: n of them, "bothdigest" is two */
	unsigned n;         /* names that change: keys, or 1 */
	enum timer_id timer;
	enum keys_path path;
	enum choice_id choice;
	bool is_unset; /* "default": back to the level above */
	char value[KEYS_VALUE_BYTES];
};

/*
 * The name of a key, a time limit, a path or a choice, and its values, separated by commas, both in
 * any case. False with a sentence that says what is wrong and what would be right.
 */
bool keys_parse(
    const char *name, const char *values, struct keys_change *ret, char ret_why[KEYS_WHY_BYTES]);

/* Filters of disks count at once, everything else from the next login. */
bool keys_wait_for_login(const struct keys_change *c);

/* "HeaderDigest", "NOPTimeout", "Interface": the i-th name that changes. */
const char *keys_change_name(const struct keys_change *c, unsigned i);

#endif
