/*
 * Following a target that says it has moved (RFC 7143, section 11.13.5,
 * status class 1; the address is that of section 13.8).  Pure.
 */
#ifndef INI_REDIRECT_H
#define INI_REDIRECT_H

#include "base/fault.h"
#include "ini/portal.h"

/* Redirections in a row; a target that needs more sends us round in circles. */
#define REDIRECT_HOPS_MAX 4

/*
 * `text` is the TargetAddress; *hops counts those in a row, the caller sets it
 * to 0 when a login went well or a try is over.  ret_to: host, port and, where
 * the target names one, tag; else the tag stays what it was.  False with
 * *ret_fault: it cannot be followed.
 */
bool redirect_follow(
    const char *text, unsigned *hops, struct portal_address *ret_to, struct fault *ret_fault);

#endif
