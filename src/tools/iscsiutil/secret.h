/* Secrets on the command line, and those that are asked for. */
#ifndef ISCSIUTIL_SECRET_H
#define ISCSIUTIL_SECRET_H

#include <jansson.h>

#include "tools/common/status.h"

#define SECRET_BYTES 1024

/*
 * Put a secret into a request.  `word` "-": it is read, from the terminal
 * without an echo, twice, where the standard input is one, else one line of
 * it; `what` names it.  A secret that stands in the command line is wiped
 * there, so that a process list shows it no longer than it must.  FAILED where the
 * question was broken off, USAGE where it is no secret; with a sentence.
 */
enum status secret_put(json_t *args, const char *key, const char *word, const char *what);

#endif
