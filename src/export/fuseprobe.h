/* Can there be FUSE mounts here?  Containers and ordinary users often have none. */
#ifndef EXPORT_FUSEPROBE_H
#define EXPORT_FUSEPROBE_H

#include <stdbool.h>

#define FUSEPROBE_WHY_BYTES 160

/*
 * Mount, and take away again, on a directory of its own below `base`, as a session's
 * would be, by the porter or fusermount3 where they are there.  False: it cannot be, and `why`
 * says what is missing, without a full stop; what fails for another reason is no answer.  Waits for
 * it; before there are sessions.
 */
bool fuseprobe(const char *base, char why[FUSEPROBE_WHY_BYTES]);

#endif
