/*
 * Service URLs of RFC 4018, section 5.2:
 * service:iscsi:target://host[:port]/iscsi-name[/identity]
 */
#ifndef ISLPD_SURL_H
#define ISLPD_SURL_H

#include "core/addr.h"
#include "core/iname.h"
#include "islpd/slp.h"

#define SURL_TYPE "service:iscsi:target"
#define SURL_DA   "service:directory-agent"

enum surl_result {
#define SURL(id, text) SURL_##id,
#include "islpd/surl_result.def"
#undef SURL
	SURL_FAULTS, /* how many there are */
};

struct surl {
	struct addr portal; /* without a tag: that is an attribute */
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
};

/*
 * The address may be a host name.  The identity is passed over: it tells URLs
 * apart that name the same target.  *ret_name (may be NULL) says with SURL_NAME
 * what is wrong with it.
 */
enum surl_result surl_get(struct slp_text url, struct surl *ret, enum iname_result *ret_name);
/* Whether a URL is of the type `type`, which compares without case. */
bool surl_is(struct slp_text url, const char *type);
const char *surl_text(enum surl_result r);

#endif
