/*
 * How a target can break a login, by name: rows of violation.def, with a
 * sentence and the number of the guide's message (Appendix C) for each.
 */
#ifndef CORE_VIOLATION_H
#define CORE_VIOLATION_H

#include <stdbool.h>

enum login_violation {
#define VIOLATION(id, guide, text) VIOLATION_##id,
#include "core/violation.def"
#undef VIOLATION
};

/* A sentence; static text. */
const char *violation_text(enum login_violation v);
/* Whether it is the target's doing. */
bool violation_is_targets(enum login_violation v);
/* Number of the guide's message, Appendix C, "ISCSI_LOG_…"; 0: none. */
unsigned violation_message(enum login_violation v);

#endif
