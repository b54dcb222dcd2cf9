/*
 * "Start on boot" of the guide, chapter 4: whether `iscsi start` starts islpd.
 * Enabled is: the file exists.  It is written by the command, never by the
 * daemon.
 */
#ifndef ISLPD_BOOT_H
#define ISLPD_BOOT_H

#include <stdbool.h>

#include "sys/paths.h"

/* What was asked: at most one of them. */
struct boot {
	bool enable, disable, show;
};

/* Do it, with a sentence; the exit status (sys/instance.h): NOT_RUNNING is "disabled". */
int boot_act(const struct boot *b, const struct paths *paths);

#endif
