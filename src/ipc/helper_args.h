/* The arguments of a daemon's request (helper.h), taken out with their checks. */
#ifndef IPC_HELPER_ARGS_H
#define IPC_HELPER_ARGS_H

#include <jansson.h>
#include <stddef.h>

/*
 * The string `name`, borrowed from args; `fallback` where it is absent or
 * null.  NULL with a sentence in `why`: it must be there (fallback is NULL), is
 * no string, or holds a NUL.
 */
const char *helper_args_string(
    const json_t *args, const char *name, const char *fallback, char *why, size_t why_bytes);
/* The number `name`, which must be there.  0, or -EINVAL with a sentence in `why`. */
int helper_args_int(
    const json_t *args, const char *name, int min, int max, int *ret, char *why, size_t why_bytes);

#endif
