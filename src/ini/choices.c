#include "ini/choices.h"

#include <stddef.h>
#include <strings.h>

#define WAYS 5

static const struct {
	const char *name, *words[WAYS];
} info[CHOICE_COUNT] = {
#define CHOICE(id, text, ...)      [CHOICE_##id].name = (text),
#define WAY(id, number, way, text) [CHOICE_##id].words[number] = (text),
#include "ini/choices.def"
};

const char *
choices_name(enum choice_id id)
{
	return info[id].name;
}

bool
choices_find(const char *name, enum choice_id *ret_id)
{
	for (int i = 0; i < CHOICE_COUNT; i++)
		if (strcasecmp(info[i].name, name) == 0) {
			*ret_id = (enum choice_id)i;
			return true;
		}
	return false;
}

const char *
choices_word(enum choice_id id, unsigned way)
{
	return way < WAYS ? info[id].words[way] : NULL;
}

bool
choices_parse(enum choice_id id, const char *word, unsigned *ret_way)
{
	for (unsigned i = 0; choices_word(id, i) != NULL; i++)
		if (strcasecmp(info[id].words[i], word) == 0) {
			*ret_way = i;
			return true;
		}
	return false;
}
