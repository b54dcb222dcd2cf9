/* What is shown of a capture: its connections, their PDUs, and what a replay said. */
#ifndef ISCSI_REPLAY_SHOW_H
#define ISCSI_REPLAY_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "tools/iscsi_replay/play.h"

/* Connection `number` (from 1), as people read it: one PDU a line where `with_pdus`. */
void show_text(
    FILE *out, const struct talks_one *c, const struct play *p, size_t number, bool with_pdus);
/* The same facts. */
json_t *show_json(const struct talks_one *c, const struct play *p, size_t number, bool with_pdus);

#endif
