/* The commands of a script, command.def. */
#ifndef SCENARIO_COMMANDS_H
#define SCENARIO_COMMANDS_H

#include "world.h"

/* word[0] is the command itself; n counts it too. */
#define COMMAND(text, id, ...) \
	void command_##id(struct world *w, const struct word *word, size_t n);
#include "commands.def"

/* Execute a line. */
void commands_run(struct world *w, const struct line *line);
/* What no line asserted: events, messages, counters, requests, bytes. */
void commands_end(struct world *w);
/* "> PDU …" for commands that are made of others. */
void wiretalk_send(struct world *w, const struct word *word, size_t n);

#endif
