#include "core/violation.h"

#include <stddef.h>

static const struct {
	const char *text;
	unsigned message;
} violations[] = {
#define VIOLATION(id, guide, text) { text, guide },
#include "core/violation.def"
#undef VIOLATION
};

const char *
violation_text(enum login_violation v)
{
	return violations[v].text;
}

unsigned
violation_message(enum login_violation v)
{
	return violations[v].message;
}

bool
violation_is_targets(enum login_violation v)
{
	return v != VIOLATION_NONE && v != VIOLATION_CHAP_UNVERIFIED;
}
