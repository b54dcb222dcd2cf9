/* Hardware paths, "255/0/3.0.1.2": numbers with '/' or '.' between. */
#ifndef TOOLS_HWPATH_H
#define TOOLS_HWPATH_H

#include <stdbool.h>

bool hwpath_is_valid(const char *path);
/* The same path, or one below it: 255/0 covers 255/0/3.0, but not 255/01. */
bool hwpath_covers(const char *above, const char *path);
/* hwpath_is_valid() of a command's -H, with a sentence where it is not. */
bool hwpath_check(const char *path);

#endif
