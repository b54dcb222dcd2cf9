/*
 * iscsiutil's displays: from the driver's answers (doc/control-protocol.md) to
 * "label : value" lines (labels.def).  Each target, address, session and
 * connection is a block with an empty line before the next.
 */
#ifndef ISCSIUTIL_SHOW_H
#define ISCSIUTIL_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

void show_driver(FILE *out, const json_t *result);
void show_initiator(FILE *out, const json_t *result, bool is_verbose);
void show_nop(FILE *out, const json_t *result);

void show_discovery(FILE *out, const json_t *result);
void show_isns(FILE *out, const json_t *result);
void show_targets(FILE *out, const json_t *result);
/* Sessions; with `keys`, what their connections negotiated. */
void show_sessions(FILE *out, const json_t *result, bool keys);
/* The connections of the sessions; `cid` -1: all of them. */
void show_connections(FILE *out, const json_t *result, long cid, bool keys);
unsigned show_count_connections(const json_t *result, long cid);
/* Three answers under each other. */
void show_all(FILE *out, const json_t *discovery, const json_t *targets, const json_t *sessions);

#endif
