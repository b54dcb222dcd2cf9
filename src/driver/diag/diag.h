/*
 * Diagnostic messages: the guide's Appendices C and E and our own, from messages.def.
 *
 * For each row there is a typed function, diag_<identifier>(ctx, values...),
 * which any thread may call.  The message goes to the process's log when its
 * level is urgent enough, and always to the event log (event_log.h).  A message
 * that repeats for the same session is let through DIAG_BURST times in
 * DIAG_WINDOW_MS, then counted; the next one that passes says how many were
 * held back.  What bounds all of them together: diag_limit.h.
 */
#ifndef DRIVER_DIAG_DIAG_H
#define DRIVER_DIAG_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/log.h"

enum diag_id {
#define MSG(appendix, number, id, ...) DIAG_##id,
#include "driver/diag/messages.def"
	DIAG_COUNT
};

struct diag_info {
	const char *id, *text, *cause, *action;
	char appendix;   /* 'C', 'E', or 'O': our own */
	unsigned number; /* in that appendix */
	enum log_level level;
};

#define DIAG_BURST     5
#define DIAG_WINDOW_MS 10000

struct diag;

/* What a message is about; all borrowed for the call, each may be NULL (-1 for the instance). */
struct diag_ctx {
	int32_t session; /* instance, or -1 */
	const char *target, *address;
	struct diag *to;  /* who hears of it; NULL: the log alone */
	const char *unit; /* the disk, c1t0d1 */
};

/* One message, complete. */
struct diag_event {
	enum diag_id id;
	uint64_t wall_ms;   /* since the epoch */
	uint32_t held_back; /* repeats that were counted instead of written before this one */
	struct diag_ctx ctx;
	const char *text;
};

/* Both clocks may be NULL (the system's). */
struct diag_cfg {
	/* Where messages go besides the log: called on the thread that had something to say,
	 * under no lock; or NULL. */
	void (*sink)(void *user, const struct diag_event *ev);
	void *user;
	uint64_t (*clock_ms)(void); /* monotonic */
	uint64_t (*wall_ms)(void);  /* since the epoch */
};
/* NULL when memory is short. */
struct diag *diag_new(const struct diag_cfg *cfg);
/* NULL is fine. */
void diag_free(struct diag *d);
/* From now on messages go there. */
void diag_listen(struct diag *d, void (*sink)(void *user, const struct diag_event *ev), void *user);

const struct diag_info *diag_info(enum diag_id id);
/* By identifier ("ISCSI_LOG_..."), case does not matter. */
bool diag_find(const char *name, enum diag_id *ret_id);

/* Used by the functions below. */
void diag_print(enum diag_id id, const struct diag_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* clang-format off */
#define DIAG_LIST(...) __VA_OPT__(, ) __VA_ARGS__
#define MSG(appendix, number, id, level, parameters, values, text, ...)          \
	static inline void diag_##id(const struct diag_ctx *ctx DIAG_LIST parameters) \
	{                                                                        \
		diag_print(DIAG_##id, ctx, text DIAG_LIST values);               \
	}
#include "driver/diag/messages.def"
/* clang-format on */

#endif
