/*
 * Where the file goes, /tmp included: a directory everybody may write to, and
 * where others may have laid links and traps before us.
 */
#ifndef ISCSIDIAG_PLACE_H
#define ISCSIDIAG_PLACE_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/common/status.h"

struct place {
	FILE *file;
	char *path; /* for people */
};

/*
 * Make `dir` for us alone (0700) where it is missing, and in it a new file
 * `name`, owner-only.  No link is followed, neither as the directory nor as
 * the file; a directory that is another user's, or that others may write to,
 * is refused, but for a sticky one that is root's and that `is_chosen` (the
 * user named it): there a new file is safe, too.  An old file of the same name
 * that is ours is replaced.  Any status but OK was told (say.h).
 */
enum status place_open(struct place *ret, const char *dir, const char *name, bool is_chosen);
/* Everything has arrived on the disk, or it is told. */
enum status place_close(struct place *p);

#endif
