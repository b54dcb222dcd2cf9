/* Exit statuses of all commands; the rows are in sys/exit.def. */
#ifndef TOOLS_STATUS_H
#define TOOLS_STATUS_H

#include "ipc/ops.h"

enum status {
#define STATUS(id, number, ...) STATUS_##id = (number),
#include "sys/exit.def"
};

/* The status in which an error of the control protocol ends. */
enum status status_of_error(enum ipc_error_code code);
/* What to end with after several steps of one command. */
struct status_tally {
	unsigned done, failed;
	enum status first; /* of those that failed */
};
void status_count(struct status_tally *t, enum status s);
/* OK where nothing failed, PARTIAL where something was done, else the first failure. */
enum status status_sum(const struct status_tally *t);

#endif
