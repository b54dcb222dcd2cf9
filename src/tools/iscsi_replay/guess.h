/*
 * What an initiator was configured with, as its Login Requests tell: names, offers,
 * authentication.  Secrets are not among it, nor needed: who replays sees no response
 * (core/tapmask.h).
 */
#ifndef ISCSI_REPLAY_GUESS_H
#define ISCSI_REPLAY_GUESS_H

#include "core/sess.h"
#include "tools/iscsi_replay/talks.h"

#define GUESS_CHALLENGE_BYTES 1024

struct guess {
	struct sess_cfg cfg; /* points into the rest */
	struct chap_cfg chap;
	uint8_t challenge[GUESS_CHALLENGE_BYTES];
	char name[LIMIT_ISCSI_NAME_BYTES + 1], alias[LIMIT_ALIAS_BYTES + 1],
	    target[LIMIT_ISCSI_NAME_BYTES + 1], chap_name[CHAP_NAME_MAX + 1];
	uint32_t cmd_sn; /* of the first Login Request: the session's may have begun before */
	bool is_discovery;
};

/* False: it has no Login Request that says who the initiator is. */
bool guess_settings(struct guess *g, const struct talks_one *c);

#endif
