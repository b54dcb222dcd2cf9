/*
 * scenario FILE.scn…: plays each scenario three times, with the target's bytes
 * arriving whole, one by one, and in thirteens, and reports in TAP.  Then it
 * compares what was asserted with the tables of what there is (cover.h).
 *
 *   --only TEXT   only scenarios whose name has this in it; no comparison
 *   --trace       say what goes over the wire
 *   --starve      instead: each allocation of each scenario fails once
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cover.h"
#include "fault.h"
#include "sys/log.h"

static const struct {
	const char *word;
	void (*run)(struct world *w, const struct word *word, size_t n);
	size_t words_min;
	bool needs_session;
} table[] = {
#define COMMAND(text, id, min, session) { text, command_##id, min, session },
#include "commands.def"
};

void
commands_run(struct world *w, const struct line *line)
{
	const struct line *outer = w->line;

	if (w->failed)
		return;
	w->line = line;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(table[i].word, line->word[0].text) != 0)
			continue;
		if (table[i].needs_session)
			world_start(w);
		if (w->failed)
			return;
		if (line->words < table[i].words_min)
			world_fail(w, "'%s' wants more words", table[i].word);
		else
			table[i].run(w, line->word, line->words);
		if (w->sess != NULL)
			world_turn(w);
		/* The last line's number is of use to what is checked at the end. */
		if (outer != NULL && !w->failed)
			w->line = outer;
		return;
	}
	world_fail(w, "there is no command '%s'", line->word[0].text);
}

static const struct world_cut cuts[] = {
	{ .name = "whole", .direct = true },
	{ .name = "in pieces of 1 byte", .bytes = 1 },
	{ .name = "in pieces of 13 bytes", .bytes = 13, .direct = true },
};

static void
play_lines(struct world *w, const struct scenario *sc)
{
	for (size_t l = 0; l < sc->lines && !w->failed; l++) {
		w->line = NULL;
		commands_run(w, &sc->line[l]);
		w->line = &sc->line[l];
	}
	if (!w->failed)
		commands_end(w);
}

/*
 * Once for each allocation that the play makes, which fails.  What the script says need not be
 * true then; but nothing may be used that is not there, and nothing stays.  How often it was.
 */
static unsigned
starve(const struct scenario *sc)
{
	struct world *w = fault_spare_calloc(1, sizeof *w);
	unsigned n = 0;
	bool has_failed;

	do {
		world_init(w, sc, &cuts[n % (sizeof cuts / sizeof cuts[0])]);
		fault_alloc_at(++n);
		play_lines(w, sc);
		has_failed = fault_has_failed();
		fault_alloc_at(0);
		world_fini(w);
	} while (has_failed);
	free(w);
	return n - 1;
}

static bool
play(const struct scenario *sc, bool trace, char *why, size_t size)
{
	struct world *w = fault_spare_calloc(1, sizeof *w);
	bool ok = true;

	for (size_t i = 0; ok && i < sizeof cuts / sizeof cuts[0]; i++) {
		world_init(w, sc, &cuts[i]);
		w->trace = trace && i == 0;
		play_lines(w, sc);
		ok = !w->failed;
		snprintf(why, size, "%s (%s)", w->why, cuts[i].name);
		fault_alloc_at(0);
		world_fini(w);
	}
	free(w);
	return ok;
}

int
main(int argc, char **argv)
{
	static struct script script;
	const char *only = NULL;
	bool trace = false, is_starved = false;
	unsigned number = 0, failed = 0, starved = 0;
	char why[2200];

	/* What was said so far is seen also when an assertion of the core ends the program. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LVL_CRIT);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			trace = true;
		else if (strcmp(argv[i], "--starve") == 0)
			is_starved = true;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = argv[++i];
		else if (!script_read(&script, argv[i]))
			return 2;
	}
	for (size_t i = 0; i < script.scenarios; i++) {
		const struct scenario *sc = &script.scenario[i];
		bool ok;

		if (only != NULL && strstr(sc->name, only) == NULL)
			continue;
		if (is_starved) {
			if (trace)
				printf("# %s\n", sc->name);
			starved += starve(sc);
			continue;
		}
		ok = play(sc, trace, why, sizeof why);
		printf("%sok %u - %s\n", ok ? "" : "not ", ++number, sc->name);
		if (!ok) {
			printf("# %s\n", why);
			failed++;
		}
	}
	if (is_starved)
		printf("%sok %u - each of %u allocations failed once\n", starved > 0 ? "" : "not ",
		    ++number, starved);
	else if (only == NULL)
		failed += cover_report(&number);
	printf("1..%u\n", number);
	return failed > 0;
}
