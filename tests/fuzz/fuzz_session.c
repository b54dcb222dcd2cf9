/*
 * A session in full feature phase with requests open; target.h says what is checked.
 *
 * Covers: src/core/conn.c src/core/conn_rx.c src/core/conn_tx.c src/core/ctl_in.c
 * Covers: src/core/ctl_out.c src/core/exchange.c src/core/sess.c src/core/task.c
 * Covers: src/core/task_in.c src/core/tmf.c
 */
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	uint16_t configuration =
	    cursor_be16(&in) & (uint16_t) ~(unsigned)(TARGET_CHAP | TARGET_SKIP_SECURITY);
	struct target *t = target_new(configuration);
	struct pdus_unit unit;

	target_connect(t);
	target_log_in(t);
	if ((configuration & TARGET_DISCOVERY) == 0) {
		target_submit(t, REQ_READ, 20000);
		target_submit(t, REQ_WRITE, 100000);
		target_submit(t, REQ_WRITE, 6000);
		target_submit(t, REQ_NONE, 0);
		target_pull(t, SIZE_MAX);
	}
	while (pdus_next(&in, &unit))
		target_play(t, &unit);
	target_free(t);
	return 0;
}
