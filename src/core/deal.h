/*
 * One login's negotiation, key by key, RFC 7143, section 6.2: what we propose,
 * what the target answers or proposes, what holds at the end of a stage.
 *
 * A proposal is written with deal_propose(); everything the target sends under
 * the name of a key of neg_params goes through deal_receive(), which writes
 * the answer where the target proposes; deal_finish() closes a stage.
 */
#ifndef CORE_DEAL_H
#define CORE_DEAL_H

#include "core/neg.h"
#include "core/violation.h"

struct deal {
	struct neg_offer
	    offer; /* made consistent: FirstBurstLength does not exceed MaxBurstLength */
	struct neg_params params;
	bool discovery;
	uint8_t state[KEY_COUNT];
};

void deal_begin(struct deal *d, const struct neg_offer *offer, bool discovery);
/* Writes our proposals and declarations of a stage (SECURITY or OPERATIONAL). */
void deal_propose(struct deal *d, enum key_stage stage, struct put *w);
/* Whether we proposed or declared that key. */
bool deal_proposed(const struct deal *d, enum key_id key);
/* Whether the target answered our proposal with Reject. */
bool deal_rejected(const struct deal *d, enum key_id key);
/*
 * The target sent key=value, for the first time; `key` is below
 * neg_param_count().  An answer, if one is due, goes to `answers`;
 * *ret_answer_needed says that the negotiation is open without it (6.2.2).
 */
enum login_violation deal_receive(struct deal *d, enum key_id key, const char *value,
    struct put *answers, bool *ret_answer_needed);
/*
 * The stage ended: every proposal needs its answer, and the values must go
 * together.  *ret_culprit is written unless VIOLATION_NONE.
 */
enum login_violation deal_finish(struct deal *d, enum key_stage stage, enum key_id *ret_culprit);

#endif
