/* What a line expects, word by word; and the events, which expect_event.c has. */
#ifndef SCENARIO_EXPECT_H
#define SCENARIO_EXPECT_H

#include "world.h"

/* Whether "key=…" equals a number; a word that is not this key is fine, and false. */
bool expect_number(struct world *w, const struct word *word, const char *key, uint64_t got);
bool expect_text(struct world *w, const struct word *word, const char *key, const char *got);
/* Nothing knows this word. */
void expect_unknown(struct world *w, const struct word *word);

/* The commands of events, by enum sess_event_kind. */
extern const char *const expect_event_kinds[];

#endif
