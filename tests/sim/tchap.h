/* CHAP (RFC 1994; RFC 7143, 12.1.3) as a target and a RADIUS server know it. */
#ifndef SIM_TCHAP_H
#define SIM_TCHAP_H

#include "core/chap.h"
#include "target.h"

/*
 * The hash that both sides were given: what it is matters to neither, so it is none of those that
 * it stands for, only as long.
 */
size_t tchap_hash(
    void *ctx, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out);
/* The initiator's secret at target i, and the target's own; the first is one that is wrong. */
void tchap_secret(char ret[32], unsigned i, bool is_wrong);
void tchap_own_secret(char ret[32], unsigned i);
/* Is this what target i answers to that? */
bool tchap_is_right(unsigned i, unsigned algorithm, uint8_t identifier, const uint8_t *challenge,
    size_t challenge_len, const uint8_t *response, size_t response_len);

enum tchap_next {
	TCHAP_GO_ON,  /* the answer is in c->reply, and the stage does not end yet */
	TCHAP_END,    /* … and may end */
	TCHAP_REFUSE, /* the response is wrong */
};
/* The target has chosen CHAP, and a request is complete. */
enum tchap_next tchap_step(struct tconn *c);

#endif
