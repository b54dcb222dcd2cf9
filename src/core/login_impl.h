/* What the files of login share: its state, how it ends, what a key does to it. */
#ifndef CORE_LOGIN_IMPL_H
#define CORE_LOGIN_IMPL_H

#include "core/deal.h"
#include "core/login.h"
#include "core/text.h"

/*
 * Unknown keys one login may bring: as many as we can answer with
 * NotUnderstood within LIMIT_LOGIN_TEXT_BYTES, with room for all else we say.
 */
#define UNKNOWN_KEYS_MAX 160
#define CULPRIT_BYTES    200

struct login {
	const struct login_cfg *cfg;
	struct deal deal;
	struct chap chap;
	enum login_stage stage;
	unsigned rounds;   /* requests sent in this stage */
	bool want_transit; /* we are ready to leave the stage */
	bool had_text;     /* a response's text was complete before: TargetPortalGroupTag was due */
	bool is_listening; /* the target's last text had the C bit: more of it follows */
	bool answer_needed; /* the target proposed something in this text that must be answered */
	bool seen[KEY_COUNT];
	size_t n_unknown;
	uint64_t unknown[UNKNOWN_KEYS_MAX];     /* hashes of unknown keys that were answered */
	char unknown_names[CULPRIT_BYTES + 1];  /* as many of their names as fit */
	char rejected_names[CULPRIT_BYTES + 1]; /* of keys that the target rejected, likewise */

	/* The request that was sent last, and what is to be sent. */
	struct login_req last;
	struct put out;
	size_t out_sent;
	bool verify_final; /* T bit of the response that LOGIN_VERIFY waits with */

	/* How it came out. */
	bool ended;
	enum login_violation violation;
	int32_t tpgt;
	char target_alias[LIMIT_ALIAS_BYTES + 1];
	char redirect[LIMIT_ADDRESS_BYTES + 1];
	char culprit[CULPRIT_BYTES + 1], proposed[CULPRIT_BYTES + 1];
	char reason[3 * CULPRIT_BYTES];

	struct text_reader reader;
	uint8_t out_bytes[LIMIT_LOGIN_TEXT_BYTES];
};

/*
 * The login ends with a violation; `key` and `value`, where not NULL, are the
 * culprit.  Returns LOGIN_VIOLATION.
 */
enum login_step login_end(
    struct login *l, enum login_violation why, const char *key, const char *value);
/* The same with a number as value. */
enum login_step login_end_number(
    struct login *l, enum login_violation why, const char *name, uint32_t number);
/* The same for what the text reader found; `r` is an error. */
enum login_step login_end_text(struct login *l, enum text_result r);
/* A status other than success: LOGIN_REFUSED, LOGIN_REDIRECTED or a violation. */
enum login_step login_end_status(struct login *l, const struct login_rsp *rsp);

/* The target sent a pair; its answer, if one is due, goes to l->out. */
enum login_violation login_pair_receive(struct login *l, const struct text_pair *pair);

#endif
