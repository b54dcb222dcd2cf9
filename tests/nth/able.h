/* Which failures a descriptor can have. */
#ifndef NTH_ABLE_H
#define NTH_ABLE_H

#include <stdbool.h>

#define SHORT_COUNT 10000 /* the "errno" of fewer bytes than were asked for */

/*
 * flags: MSG_… of the call.  A transfer by offset (pread(), pwrite()) has is_at.  Where the end of
 * a connection is asked for, it has ended.
 */
bool able_to_have(int fd, int err, int flags, bool is_at);
/* The same of epoll_ctl() and fcntl(), by what they are to do. */
bool able_to_have_watch(int what);
bool able_to_have_control(int what, long arg, int err);

#endif
