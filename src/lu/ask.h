/*
 * Asking one LUN who it is, and what it is like: INQUIRY, the pages of vital
 * product data that name it; then whether it is ready, its capacity, mode and
 * limits (ask_steps.c).  A question that got no good answer is no answer, never
 * a yes or a no.  Embedded in whoever asks; allocates nothing.  On the path's
 * thread.
 */
#ifndef LU_ASK_H
#define LU_ASK_H

#include "lu/lu_info.h"
#include "lu/path.h"
#include "lu/retry.h"

#define ASK_BUFFER_BYTES 4096
/* SCSI-2 counts the allocation length of INQUIRY in one byte. */
#define ASK_PAGE_BYTES 255
#define ASK_TIMEOUT_MS 10000
/* Of a short promise a question takes no more than an eighth, but a second. */
#define ASK_TIMEOUT_MIN_MS 1000
/* While a suspect flies (path.h) nothing else is sent: look again after this. */
#define ASK_TRIAL_US 10000

struct ask;
struct ask_ops {
	/*
	 * Who it is is known, or that nobody is there, or that it is not to be
	 * known: info.answer.  Somebody: true goes on with what it is like.
	 */
	bool (*known)(struct ask *a);
	/* The end: nothing is under way.  After ask_stop(): what was is back. */
	void (*done)(struct ask *a);
	/*
	 * A question was answered by a unit attention, or by the error of an
	 * earlier command; it is asked again.  May be NULL.
	 */
	void (*attention)(struct ask *a, const struct sense *s);
};

struct ask {
	/* Set by ask_init(), and by whoever asks. */
	struct path *path;
	const struct ask_ops *ops;
	unsigned patience;   /* so often a question that was not executed is repeated */
	bool is_ready_first; /* begin with TEST UNIT READY: it takes the unit attentions away */
	bool is_check;      /* that alone will do, where it is answered well: known() is not told */
	bool is_size_first; /* its size comes before known(), where it can be had */
	struct {
		bool is_known, has_designators, has_serial, is_strong;
	} expect; /* what the unit is known to have, by ask_expect(); zeros: nothing is known */
	void *user;

	/* What was learned; info.number and info.wire are set before ask_start(). */
	struct lu_info info;
	unsigned inquiries, inquiries_failed;
	struct {
		uint8_t status, response;
		enum req_result result;
	} bad_inquiry; /* the last that failed */

	/* The ask's own. */
	struct req req;
	struct agenda_timer again;
	unsigned step, tries, rounds;
	bool is_busy;    /* between ask_start() and done() */
	bool is_out;     /* the command is with the path */
	bool is_stopped; /* nobody wants the answer */
	bool is_stale;   /* answers of this round may be older than a change: begin anew */
	bool is_known;   /* known() was told somebody */
	bool is_started; /* START STOP UNIT was tried */
	bool is_starting;
	/* This round found it. */
	bool has_size, has_mode, has_report, has_limits, has_provision;
	bool has_met; /* a question was refused because of the port's state: */
	uint8_t met;  /* enum alua_state */
	struct vpd_pages pages;
	uint16_t alloc; /* of a page: grows once when the page is longer */
	uint8_t buf[ASK_BUFFER_BYTES];
};

void ask_init(struct ask *a, struct path *path, const struct ask_ops *ops);
void ask_expect(struct ask *a, const struct identity *id);
/* It is idle.  What is known of the details (info) stays where a question fails. */
void ask_start(struct ask *a);
/* Whatever was answered so far counts no more: begin anew as soon as the command is back. */
void ask_restart(struct ask *a);
/* No answer is wanted any more.  A command under way comes back into done(), else that is not
 * called. */
void ask_stop(struct ask *a);
/* No command of it is with the path. */
bool ask_is_idle(const struct ask *a);

/* ask_steps.c: one question. */
enum ask_need {
	ASK_FIRST,  /* nobody needs its answer: it takes unit attentions away */
	ASK_MUST,   /* without an answer nothing is known */
	ASK_NAME,   /* the same, but a unit that is not known to have it may refuse it */
	ASK_PORT,   /* what it would have told stays as it is, unless it is refused */
	ASK_EARLY,  /* it is asked again later */
	ASK_DETAIL, /* what it would have told stays as it is */
	ASK_READY,  /* the same, and the unit has a fault, unless it does not know the command */
	ASK_SIZE    /* the same, and the unit has a fault */
};
struct ask_step {
	bool (*want)(const struct ask *a);     /* NULL: always */
	void (*build)(struct ask *a);          /* cdb, dir and data_len */
	bool (*take)(struct ask *a, size_t n); /* n bytes came; false: that is no answer */
	bool is_page; /* a page of vital product data: may be longer than asked for */
	enum ask_need need;
};
extern const struct ask_step ask_steps[];
extern const unsigned ask_steps_n;
/* Does the port execute more than questions, as far as this round has heard? */
bool ask_is_served(const struct ask *a);
/* Does the unit have this by what is known?  For steps of ASK_NAME. */
bool ask_expects(const struct ask *a, uint8_t page);

#endif
