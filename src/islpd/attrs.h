/*
 * The attributes of a target, RFC 2608, section 5, and RFC 4018, section 5.2:
 * (tag=value,value),(tag=value),keyword
 */
#ifndef ISLPD_ATTRS_H
#define ISLPD_ATTRS_H

#include "base/limits.h"
#include "islpd/slp.h"

struct attrs {
	bool has_tpgt, has_transports, has_tcp;
	uint16_t tpgt;
	/* "" where there is none. */
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	char alias[LIMIT_ALIAS_BYTES + 1];
	char mgmt_entity[LIMIT_HOST_BYTES + 1];
};

/*
 * Read a list.  Values that are not what the template says are passed over.
 * False: the list is malformed; `truncated`: only its whole attributes count,
 * and it never is.
 */
bool attrs_get(struct slp_text list, bool truncated, struct attrs *ret);
#define ATTRS_TAGS_BYTES 128
/* The tags to ask for, with commas. */
const char *attrs_tags(char ret_tags[ATTRS_TAGS_BYTES]);

#endif
