/* The file itself: sections under headings for people, or one JSON object. */
#ifndef ISCSIDIAG_BUNDLE_H
#define ISCSIDIAG_BUNDLE_H

#include <jansson.h>
#include <stdio.h>

/* How a section's data is shown; `data` is what the step gathered. */
typedef void bundle_print(FILE *out, const json_t *data);

/* "name : value", nested ones indented. */
bundle_print bundle_tree;
/* The I/O tree as ioscan shows it, then every node's members. */
bundle_print bundle_nodes;
/* A line a PDU: "<" from the target, ">" from us. */
bundle_print bundle_trace;
/* A line or two an event. */
bundle_print bundle_events;

/*
 * One section: `section` is {"id","title","missing":[…],"ms":N,"data":{…}},
 * redacted already; `number` counts from 1.
 */
void bundle_section(FILE *out, unsigned number, const json_t *section, bundle_print *print);

#endif
