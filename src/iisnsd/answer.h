/* What a server answers, RFC 4171, section 5.7.5: pure. */
#ifndef IISNSD_ANSWER_H
#define IISNSD_ANSWER_H

#include "base/limits.h"
#include "iisnsd/isnsp.h"

/* A target at one of its addresses. */
struct answer_target {
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	char address[ISNSP_ADDRESS_BYTES]; /* a literal */
	uint16_t port, tpgt;
	char *alias; /* owned; NULL: none */
};

/* Sorted by name, address and port, each once. */
struct answer_targets {
	struct answer_target *list; /* owned; n of them */
	size_t n;
	size_t left_out;  /* whose name or address cannot be used */
	bool is_too_many; /* there are more than LIMIT_ISNS_TARGETS: the list is not all */
};

void answer_targets_fini(struct answer_targets *t);
bool answer_targets_equal(const struct answer_targets *a, const struct answer_targets *b);

/* The status of a response; *body stands behind it then.  SHORT where there is none. */
enum isnsp_result answer_status(struct cursor *body, uint32_t *ret);
/*
 * Of a DevAttrRegRsp, behind its status: for how many seconds the registration lives without a sign
 * of ours; 0: for ever, or nothing is said.
 */
enum isnsp_result answer_period(struct cursor body, uint32_t *ret);
/*
 * Of a DevAttrQryRsp to request_query(), behind its status.  A server is free in the order of its
 * objects: a target is at an address where a portal group that has a tag says so.  *ret is to be
 * ended by the caller only where it is OK.
 */
enum isnsp_result answer_get_targets(struct cursor body, struct answer_targets *ret);

#endif
