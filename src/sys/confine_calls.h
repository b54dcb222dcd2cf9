/* The filter of system calls of a profile: confine.def through libseccomp. */
#ifndef SYS_CONFINE_CALLS_H
#define SYS_CONFINE_CALLS_H

#include "sys/confine.h"

/*
 * Filter from now on, in all threads; PR_SET_NO_NEW_PRIVS is set, or we have
 * CAP_SYS_ADMIN.  0 or a negative errno: -ENOSYS where the kernel (or the
 * sandbox we are in) has no seccomp.
 */
int confine_calls_filter(enum confine_profile profile);

#endif
