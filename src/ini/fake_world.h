/*
 * For tests: a world on a virtual clock with a small target behind each
 * connection.  The target writes and reads PDUs byte by byte with a codec of
 * its own; what it does next is set in struct fake_world, at any time.
 */
#ifndef INI_FAKE_WORLD_H
#define INI_FAKE_WORLD_H

#include "ini/login_run.h"

enum fake_dial { FAKE_CONNECTS, FAKE_REFUSES, FAKE_NO_NAME, FAKE_NEVER_ANSWERS };
enum fake_login {
	FAKE_LOGIN_OK,
	FAKE_LOGIN_STATUS,   /* `status` */
	FAKE_LOGIN_REDIRECT, /* to redirect_to; redirect_for_good; where only_from is the host */
	FAKE_LOGIN_DROP,     /* it closes at once */
	FAKE_LOGIN_SILENT,
};
enum fake_logout { FAKE_LOGOUT_OK, FAKE_LOGOUT_SILENT, FAKE_LOGOUT_DROP };
enum fake_text {
	FAKE_TEXT_OK,
	FAKE_TEXT_ENDLESS,
	FAKE_TEXT_REJECT,
	FAKE_TEXT_SILENT,
	FAKE_TEXT_DROP
};

#define FAKE_LINES 8

struct fake_line;
struct fake_disk;

struct fake_world {
	struct world world;
	struct agenda agenda;
	uint64_t random;
	bool has_no_random;

	/* What the network and the target do. */
	enum fake_dial dial;
	uint64_t dial_us; /* how long a connect takes */
	enum fake_login login;
	uint8_t status[2];
	char redirect_to[64], redirect_from[64];
	bool redirect_for_good;
	enum fake_logout logout;
	uint8_t logout_response;
	enum fake_text text;
	const char *targets; /* the answer to SendTargets: "A=1\nB=2\n" */
	bool is_silent;      /* after the login it answers nothing more */
	bool is_commandless; /* it answers no SCSI commands, but pings */
	bool wants_chap, refuses_lists, closes_on_lists; /* … of more than MD5 */
	uint32_t tpgt, time2wait, time2retain, window;
	uint64_t answer_us; /* how long an answer takes */

	struct fake_disk *disk; /* who answers commands, fake_disk.h; NULL: GOOD to all */

	/* What happened. */
	unsigned connects, logins, logouts, commands, resets;
	uint64_t connect_us; /* when the last connect was asked for */
	char connect_host[64], offered_algorithms[64];
	unsigned says[5];
	char said[2048]; /* the last warning, error or note */
	void (*hear)(struct fake_world *w, enum say_level level, const char *sentence);
	unsigned verifies, verify_cancels;
	/*
	 * No try before the target's Time2Wait has passed, as the target knows it;
	 * the test says when somebody overrode that.
	 */
	uint64_t not_before_us;
	bool is_overridden;
	unsigned early;
	struct login_run *asks; /* a question is open */
	struct verify_query query;
	struct list lines;
};

void fake_world_init(struct fake_world *w, uint64_t seed);
void fake_world_fini(struct fake_world *w);
/* Let time pass. */
void fake_world_run(struct fake_world *w, uint64_t us);
/* The next thing that happens, or false: nothing within us. */
bool fake_world_step(struct fake_world *w, uint64_t us);
uint32_t fake_world_random(struct fake_world *w, uint32_t below);

/* The target ends all connections: err 0: in order, else so. */
void fake_world_drop(struct fake_world *w, int err);
/* An asynchronous message on all connections, 11.9; sense for event 0. */
void fake_world_async(
    struct fake_world *w, uint8_t event, uint16_t p1, uint16_t p2, uint16_t p3, uint16_t asc);
/* Connections that are there. */
unsigned fake_world_lines(const struct fake_world *w);

/* A hash for CHAP that is none. */
extern const struct chap_ops fake_chap_ops;
/* Settings for tests, with defaults; name is the initiator's. */
struct settings *fake_settings(void);

#endif
