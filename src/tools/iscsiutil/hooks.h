/*
 * The programs of a directory, which are told what happens: each executable whose name is letters,
 * digits, _ and -, in the order of their names, as run-parts(8) has it.  A directory or program
 * that somebody else could change is not run.
 */
#ifndef ISCSIUTIL_HOOKS_H
#define ISCSIUTIL_HOOKS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

/* So many run at once; one of them is ended after so long. */
#define HOOKS_AT_ONCE 32
#define HOOKS_SECONDS 60
/* One after the other at first, then one so often. */
#define HOOKS_BURST   20
#define HOOKS_PACE_MS 3000

struct hooks {
	const char *dir;
	pid_t running[HOOKS_AT_ONCE]; /* 0: free */
	int tokens_ms;                /* HOOKS_PACE_MS is one */
	long long filled_ms;
};

void hooks_init(struct hooks *h, const char *dir, long long now_ms);
/* May they be told of one more now?  It counts. */
bool hooks_may(struct hooks *h, long long now_ms);
/*
 * Start each of them with `text` at its standard input and these variables ("NAME=value", the last
 * is NULL) as its environment.  The number that were started; what is wrong is said.
 */
unsigned hooks_run(struct hooks *h, const char *text, char *const environment[]);
/* Those that have ended are forgotten; one that ended badly is told of. */
void hooks_reap(struct hooks *h);

#endif
