/*
 * Everything an initiator may ask of outside itself: connections, a target's
 * verification, random bytes, a log.  The driver, the library and the simulator
 * each bring a world of their own; time is its agenda's.  Questions are asked
 * with these operations, answers come as calls of login_run.h, later, never from
 * inside.  On one agenda's thread.
 */
#ifndef INI_WORLD_H
#define INI_WORLD_H

#include "base/agenda.h"
#include "base/limits.h"
#include "base/say.h"
#include "ini/portal.h"
#include "ini/settings.h"

struct login_run;
struct world;

/*
 * Somebody who knows the target's secret must say whether its response is
 * right (CHAP_BI without a local secret).
 */
struct verify_query {
	unsigned stamp; /* which login asks; the answer has it again */
	uint8_t identifier;
	uint32_t timeout_ms; /* asked and answered within this */
	size_t challenge_len, response_len;
	uint8_t challenge[CHAPCFG_CHALLENGE_BYTES];
	uint8_t response[CHAP_DIGEST_MAX];
	char name[CHAP_NAME_MAX + 1];
};

struct world_ops {
	/*
	 * Have a connection made within timeout_ms.  login_run_connected() or
	 * login_run_unreachable() is the answer.
	 */
	void (*connect)(struct world *w, struct login_run *r, const struct portal_address *to,
	    const struct connect_from *from, uint32_t timeout_ms);
	/*
	 * No answer is wanted any more; a connection that is there is closed (is_reset:
	 * so that the other side drops what it still holds of it), and
	 * login_run_closed() follows only for one that was there.
	 */
	void (*disconnect)(struct world *w, struct login_run *r, bool is_reset);
	/* login_run_verified() is the answer; one question a run at a time. */
	void (*verify)(struct world *w, struct login_run *r, const struct verify_query *q);
	/* No answer is wanted any more. */
	void (*verify_cancel)(struct world *w, struct login_run *r);
	/* The run ends: forget what you have of it (r->line).  After disconnect(). */
	void (*forget)(struct world *w, struct login_run *r);
	/* False: there are none; whoever asked must do without. */
	bool (*random)(struct world *w, void *ret_bytes, size_t n);
	void (*say)(struct world *w, enum say_level level, const char *sentence);
	/* I/O of a disk of the session failed; NULL: it is said. */
	void (*io_failed)(struct world *w, const char *disk, const char *sentence);
};

struct world {
	const struct world_ops *ops;
	struct agenda *agenda;
	struct spare *spare; /* the thread's (core/spare.h), or NULL */
};

#endif
