/*
 * The event log: every diagnostic message as one JSON object a line, in a file
 * that is rotated (events.jsonl, events.jsonl.1, …) and so bounded.
 *
 *   {"time":"2026-01-01T00:00:00.123Z","id":"ISW_LOG_...","level":3,"session":0,
 *    "target":"iqn…","address":"192.0.2.1:3260,1","text":"…","held_back":0}
 *
 * Messages may come from any thread; they are written by the loop's thread, so
 * that no data path ever waits for a file.
 */
#ifndef DRIVER_DIAG_EVENT_LOG_H
#define DRIVER_DIAG_EVENT_LOG_H

#include "driver/diag/diag.h"
#include "engine/loop.h"

/* A file this large is moved aside; so many old ones are kept. */
#define EVENT_LOG_BYTES (4u << 20)
#define EVENT_LOG_OLD   4

struct event_log;

/* `path` is copied; the file is made owner-only.  0 or a negative errno. */
int event_log_open(struct loop *loop, const char *path, struct event_log **ret_log);
/* On the loop's thread, when no other thread says anything any more.  NULL is fine. */
void event_log_close(struct event_log *log);
/* A diag_cfg.sink with the log as its user. */
void event_log_sink(void *log, const struct diag_event *ev);
/* Somebody who wants to see each line as it is written, on the loop's thread; embedded. */
struct event_watch {
	void (*line)(struct event_watch *w, const char *text, size_t len); /* no newline */
	struct list link;
};
void event_log_watch(struct event_log *log, struct event_watch *w);
/* Harmless where it does not watch.  Not from inside line(). */
void event_log_unwatch(struct event_log *log, struct event_watch *w);
/* Messages that could not be kept: no memory, or the file could not be written. */
uint64_t event_log_lost(const struct event_log *log);

#endif
