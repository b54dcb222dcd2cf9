/* Putting a line's values into a request's arguments. */
#ifndef TOOLS_ARGS_H
#define TOOLS_ARGS_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/common/cmdline.h"

/*
 * Put option i's value under `key`: its text or number, or true for an option
 * that has no argument; nothing where it is not given or has none.  False,
 * with a sentence, for text that is not UTF-8 (the protocol has no other).
 */
bool args_put(json_t *args, const char *key, const struct cmdline *line, size_t i);
/* The same with a text of one's own. */
bool args_put_text(json_t *args, const char *key, const char *text);

#endif
