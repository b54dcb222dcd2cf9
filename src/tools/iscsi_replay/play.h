/*
 * One connection of a capture, played to the protocol's core (core/sess.h): it gets what the
 * initiator was asked for and all that the target sent, at the capture's times, and what it sends
 * is compared with what the initiator sent.
 */
#ifndef ISCSI_REPLAY_PLAY_H
#define ISCSI_REPLAY_PLAY_H

#include "tools/iscsi_replay/talks.h"

enum play_result {
	PLAY_EQUAL,     /* all of it was played, and the core did the same */
	PLAY_PART,      /* the same, but not all could be played: see why */
	PLAY_NOT,       /* it could not be played: see why */
	PLAY_DIFFERENT, /* see the notes */
	PLAY_VIOLATION, /* the core found that the target broke the protocol: see why */
	PLAY_RESULTS,
};

/* Sentences say nothing that a terminal would obey (base/visible.h). */
#define PLAY_WHY_BYTES 384
#define PLAY_NOTES     64
struct play_note {
	size_t pdu; /* of the capture, from 0 */
	char text[192];
};

struct play {
	enum play_result result;
	size_t played;            /* PDUs */
	char why[PLAY_WHY_BYTES]; /* a sentence without its full stop, or "" */
	struct play_note note[PLAY_NOTES];
	size_t n_notes, more_notes; /* and so many that have no place */
};

void play_run(const struct talks_one *c, struct play *ret);
/* "equal" … */
const char *play_word(enum play_result r);

#endif
