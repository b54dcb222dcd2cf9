/* What a session does where there is more than one way, ini/choices.def.  Pure. */
#ifndef INI_CHOICES_H
#define INI_CHOICES_H

#include <stdbool.h>

enum choice_id {
#define CHOICE(id, ...) CHOICE_##id,
#include "ini/choices.def"
	CHOICE_COUNT
};

/* The ways of each, as struct choices has them. */
#define WAY(id, number, way, word) enum { CHOICE_##id##_##way = (number) };
#include "ini/choices.def"

/* By choice_id; zeroed: the defaults. */
struct choices {
	unsigned way[CHOICE_COUNT];
};

const char *choices_name(enum choice_id id);
/* In any case of letters, as in choices_parse(). */
bool choices_find(const char *name, enum choice_id *ret_id);
/* "fail", "warn"; NULL: it has no such way. */
const char *choices_word(enum choice_id id, unsigned way);
/* False: it is none of its words. */
bool choices_parse(enum choice_id id, const char *word, unsigned *ret_way);

#endif
