/*
 * "Start on boot" of the guide, chapter 4: whether `iscsi start` starts a daemon
 * that is not always needed.  Enabled is: its mark, a file, exists.  It is
 * written by commands, never by the daemon.
 */
#ifndef IPC_HELPER_BOOT_H
#define IPC_HELPER_BOOT_H

#include <stdbool.h>

#include "sys/paths.h"

/* What was asked: at most one of them. */
struct helper_boot {
	bool enable, disable, show;
};

/* Whether anything was. */
bool helper_boot_is_asked(const struct helper_boot *b);
/*
 * Do it, with a sentence, for the daemon `program`, whose mark is `mark`; the exit status
 * (sys/instance.h): NOT_RUNNING is "disabled".
 */
int helper_boot_act(
    const struct helper_boot *b, const struct paths *paths, const char *program, const char *mark);

#endif
