#include "ini/choices.h"

#include <assert.h>
#include <strings.h>

#define WAYS 2

static const struct {
	const char *name, *words[WAYS];
} info[CHOICE_COUNT] = {
#define CHOICE(id, name, first, second, text) [CHOICE_##id] = { name, { #first, #second } },
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
	assert(way < WAYS);
	return info[id].words[way];
}

bool
choices_parse(enum choice_id id, const char *word, unsigned *ret_way)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (strcasecmp(info[id].words[i], word) == 0) {
			*ret_way = i;
			return true;
		}
	return false;
}
