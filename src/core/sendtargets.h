/*
 * The answer to SendTargets, RFC 7143, appendix C, fed in parts as Text
 * Responses bring them.  Records come out in order; what is wrong with one key
 * is reported and costs no other.
 *
 *   sendtargets_new
 *   for each part: sendtargets_feed; sendtargets_next until SENDTARGETS_END
 *   at the end:    sendtargets_finish; sendtargets_next until SENDTARGETS_END
 */
#ifndef CORE_SENDTARGETS_H
#define CORE_SENDTARGETS_H

#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/iname.h"

struct sendtargets;

enum sendtargets_kind {
	SENDTARGETS_END,        /* nothing more until the next part */
	SENDTARGETS_ADDRESS,    /* .name has the portal .addr */
	SENDTARGETS_NO_ADDRESS, /* .name came without address: it is at the discovery portal's own
				 */
	SENDTARGETS_BAD_KEY, /* .culprit: a key other than TargetName and TargetAddress (message 31)
			      */
	SENDTARGETS_BAD_ADDRESS,   /* .culprit, .reason: a malformed TargetAddress (message 32) */
	SENDTARGETS_BAD_NAME,      /* .culprit, .reason: an invalid TargetName (message 35); its
				      addresses are skipped */
	SENDTARGETS_STRAY_ADDRESS, /* .culprit: a TargetAddress before any TargetName (message 31)
				    */
	SENDTARGETS_BAD_TEXT, /* .culprit, .reason: not key=value text; addresses are skipped up to
				 the next TargetName */
	SENDTARGETS_TOO_MANY, /* .reason: more targets or addresses than limits.h allows; the rest
				 is skipped */
};

/* Strings are valid until the next call. */
struct sendtargets_record {
	enum sendtargets_kind kind;
	const char *name;
	struct addr addr;
	const char *culprit; /* bounded, unprintable bytes as '?' */
	const char *reason;  /* static text */
};

/* Heap; NULL when memory is short. */
struct sendtargets *sendtargets_new(void);
void sendtargets_free(struct sendtargets *s);
/* The next part; borrowed until sendtargets_next() said SENDTARGETS_END. */
void sendtargets_feed(struct sendtargets *s, const uint8_t *bytes, size_t n);
/* No more parts will come. */
void sendtargets_finish(struct sendtargets *s);
enum sendtargets_kind sendtargets_next(
    struct sendtargets *s, struct sendtargets_record *ret_record);

#endif
