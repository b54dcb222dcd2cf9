/* A registry as an older version of the program left it. */
#ifndef STORE_OLD_H
#define STORE_OLD_H

/* Versions before today's: 1 to OLD_VERSIONS. */
extern const int OLD_VERSIONS;

/* The file at `path`, which is not there, with something in each of its tables; not NULL: why not.
 */
const char *old_make(const char *path, int version);

#endif
