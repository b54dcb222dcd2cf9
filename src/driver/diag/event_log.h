/*
 * The event log: every diagnostic message as one JSON object a line, in a file
 * that is rotated (events.jsonl, events.jsonl.1, …) and so bounded.
 *
 *   {"time":"2026-01-01T00:00:00.123Z","id":"ISW_LOG_...","level":3,"session":0,
 *    "target":"iqn…","address":"192.0.2.1:3260,1","unit":"c0t0d1","text":"…",
 *    "held_back":0}
 *
 * "lost":N follows where N events before it could not be kept.
 *
 * Messages may come from any thread.  The file is opened, written, rotated and
 * read by a thread of its own, which may hang where the file's disk does; nobody
 * waits for it.  Then EVENT_LOG_QUEUE lines wait, and what comes is lost and
 * counted.
 */
#ifndef DRIVER_DIAG_EVENT_LOG_H
#define DRIVER_DIAG_EVENT_LOG_H

#include "driver/diag/diag.h"
#include "driver/diag/event_filter.h"
#include "engine/loop.h"

/* A file this large is moved aside; so many old ones are kept. */
#define EVENT_LOG_BYTES (4u << 20)
#define EVENT_LOG_OLD   4
/*
 * Lines of 300 bytes, usually; 10 KiB where every byte of a target's had to be
 * escaped.  A session says DIAG_BURST lines of a kind at once; 4096 sessions that
 * are lost together fit.
 */
#define EVENT_LOG_QUEUE 8192

struct event_log;

/*
 * `path` is copied; the file is made owner-only.  Opening it waits: before there
 * are disks of ours.  0 or a negative errno.
 */
int event_log_open(struct loop *loop, const char *path, struct event_log **ret_log);
/*
 * On the loop's thread, when no other thread says anything any more and nobody
 * watches or reads.  What waits gets a second to be written.  False: the thread hangs, and uses the
 * log and its loop still; the process is to end.  NULL is fine.
 */
bool event_log_close(struct event_log *log);
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

/*
 * Somebody who wants the last n lines that pass (event_read_last()); embedded.  On the
 * loop's thread line() is called for each of them, then done() with 0 or a
 * negative errno.  Whoever begins to watch in done() gets every line that
 * follows, and none twice.
 */
struct event_reader {
	size_t n;
	struct event_filter filter;
	void (*line)(struct event_reader *r, const char *text, size_t len); /* no newline */
	void (*done)(struct event_reader *r, int err);
	struct event_request *request; /* the log's, while it is under way; else NULL */
};
/* 0, -ENOMEM or -EAGAIN: too much waits for the file already, and nothing will be called. */
int event_log_read(struct event_log *log, struct event_reader *r);
/* Nothing is called any more.  Harmless where nothing is under way. */
void event_log_cancel(struct event_reader *r);

#endif
