/* What iisnsd answers the driver. */
#ifndef IISNSD_FOLLOW_ANSWER_H
#define IISNSD_FOLLOW_ANSWER_H

#include <jansson.h>

#include "iisnsd/server.h"

/*
 * "serial", "servers" in the order of the list, and "targets" of all of them from the `from`-th
 * one on, as many as fit one datagram; "next": where those begin that do not, or null.  NULL: no
 * memory.
 */
json_t *follow_answer(const struct list *servers, int64_t serial, size_t from);

#endif
