#include "tools/common/status.h"

enum status
status_of_error(enum ipc_error_code code)
{
	/* No default: the compiler finds a code that has no row. */
	switch (code) {
#define ERROR(code, id)      \
	case IPC_ERR_##code: \
		return STATUS_##id;
#include "tools/common/status.def"
	case IPC_ERROR_CODES:
		break;
	}
	return STATUS_FAILED;
}

void
status_count(struct status_tally *t, enum status s)
{
	if (s == STATUS_OK) {
		t->done++;
		return;
	}
	if (t->failed++ == 0)
		t->first = s;
}

enum status
status_sum(const struct status_tally *t)
{
	if (t->failed == 0)
		return STATUS_OK;
	return t->done > 0 ? STATUS_PARTIAL : t->first;
}
