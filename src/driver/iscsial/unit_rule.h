/*
 * What is configured for a unit and for its paths, beside what is configured for its targets:
 * PathPolicy and Failback of a unit, PathPreferred of a path to it (registry level REGISTRY_UNIT,
 * by its first designator).
 */
#ifndef ISCSIAL_UNIT_RULE_H
#define ISCSIAL_UNIT_RULE_H

#include "driver/iscsi/wanted.h"
#include "driver/iscsial/tree.h"
#include "lu/lu.h"

/* What counts for the unit with these names. */
void unit_rule_read(const struct driver *d, const struct identity *id, struct lu_rule *ret);
/* Is the path over this session preferred?  1: yes, 0: no, -1: nothing is said of that. */
int unit_rule_prefers(const struct driver *d, const struct identity *id, uint32_t instance);
/* Something else is configured for the unit with this name: its disk, where it is shown, hears of
 * it. */
void unit_rule_push(struct driver *d, const char *name);
/*
 * The name under which things are configured for the unit that is meant: that of the disk of this
 * name, or a designator that is written out ("naa.…").  False: there is none.
 */
bool unit_rule_name(
    const struct driver *d, const char *text, char *ret, size_t n, struct fault *ret_fault);

#endif
