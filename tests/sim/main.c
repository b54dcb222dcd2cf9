/*
 * usage: sim [--seed N | --seeds A-B] [--steps M] [--drop LIST] [--trace] [--plan] [--visits]
 * [--last N]
 *
 * A failure is one line: seed, step, oracle, what happened, and the command that plays it again.
 */
#include "main.h"

#include <sys/time.h>

#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plan.h"
#include "user.h"
#include "visits.h"
#include "world.h"

#define STEPS 20000
/* No turn of a world takes so long: it spins. */
#define STUCK_S 20

struct sim *sim_running;

static struct {
	uint64_t first, last, steps;
	const char *drop, *program;
	unsigned rows;
	bool is_traced, is_plan_wanted, are_visits_wanted;
} opt = { .first = 1, .last = 1, .steps = STEPS, .rows = 20 };

static void failed(const char *oracle, const char *text) __attribute__((noreturn));
static void
failed(const char *oracle, const char *text)
{
	const struct sim *w = sim_running;

	if (!opt.is_traced)
		sim_dump(w, opt.rows);
	(void)fflush(stdout);
	(void)fprintf(stderr,
	    "FAILED seed %llu, step %llu, %s: %s; replay: %s --seed %llu --steps %llu%s%s "
	    "--trace\n",
	    (unsigned long long)w->seed, (unsigned long long)w->step, oracle, text, opt.program,
	    (unsigned long long)w->seed, (unsigned long long)opt.steps,
	    opt.drop != NULL ? " --drop " : "", opt.drop != NULL ? opt.drop : "");
	_exit(1);
}

void
sim_fail(struct sim *w, const char *oracle, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	(void)w;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	failed(oracle, text);
}

static void
died(int sig)
{
	failed(sig == SIGALRM ? "stuck" : "assert",
	    sig == SIGALRM ? "a turn does not end" : strsignal(sig));
}

static int
usage(void)
{
	(void)fprintf(stderr,
	    "usage: %s [--seed N | --seeds A-B] [--steps M] [--drop LIST] [--trace] "
	    "[--plan] [--visits] [--last N]\n",
	    opt.program);
	return 2;
}

static bool
parse_range(const char *text)
{
	char *at;

	opt.first = opt.last = strtoull(text, &at, 10);
	if (*at == '-')
		opt.last = strtoull(at + 1, &at, 10);
	return *at == '\0' && opt.last >= opt.first;
}

static bool
parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(word, "--trace") == 0)
			opt.is_traced = true;
		else if (strcmp(word, "--plan") == 0)
			opt.is_plan_wanted = true;
		else if (strcmp(word, "--visits") == 0)
			opt.are_visits_wanted = true;
		else if (value == NULL)
			return false;
		else if (strcmp(word, "--seed") == 0 || strcmp(word, "--seeds") == 0) {
			if (!parse_range(argv[++i]))
				return false;
		} else if (strcmp(word, "--steps") == 0)
			opt.steps = strtoull(argv[++i], NULL, 10);
		else if (strcmp(word, "--drop") == 0)
			opt.drop = argv[++i];
		else if (strcmp(word, "--last") == 0)
			opt.rows = (unsigned)strtoul(argv[++i], NULL, 10);
		else
			return false;
	}
	return true;
}

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
run_all(void)
{
	static struct sim w;
	struct {
		uint64_t steps, requests, failed, commands, pdus, logins, ghosts, killed, crashes,
		    again;
		double virtual_s;
	} sum = { 0 };
	double begin = seconds(), took;

	sim_running = &w;
	for (uint64_t seed = opt.first; seed <= opt.last; seed++) {
		(void)alarm(STUCK_S);
		world_make(&w, seed, opt.drop, opt.rows > 0, opt.is_traced);
		if (opt.is_plan_wanted)
			plan_print(&w);
		world_run(&w, opt.steps);
		sum.steps += w.step;
		sum.requests += w.requests;
		sum.failed += w.failed;
		sum.commands += w.commands;
		sum.pdus += w.pdus;
		sum.logins += w.logins;
		sum.ghosts += w.ghosts;
		sum.killed += w.killed;
		sum.crashes += w.life;
		sum.again += w.again;
		sum.virtual_s += (double)(sim_now(&w) - w.begin_us) / 1e6;
	}
	took = seconds() - begin;
	(void)printf(
	    "%llu schedules, %llu steps, %.0f virtual seconds, %llu logins, %llu requests, "
	    "%llu failed, %llu commands, %llu PDUs, %llu late executions, %llu nexuses "
	    "killed, %llu crashes, %llu requests again; %.1f s, %.0f schedules a second\n",
	    (unsigned long long)(opt.last - opt.first + 1), (unsigned long long)sum.steps,
	    sum.virtual_s, (unsigned long long)sum.logins, (unsigned long long)sum.requests,
	    (unsigned long long)sum.failed, (unsigned long long)sum.commands,
	    (unsigned long long)sum.pdus, (unsigned long long)sum.ghosts,
	    (unsigned long long)sum.killed, (unsigned long long)sum.crashes,
	    (unsigned long long)sum.again, took, (double)(opt.last - opt.first + 1) / took);
}

int
main(int argc, char **argv)
{
	opt.program = argv[0];
	if (!parse(argc, argv))
		return usage();
	(void)signal(SIGABRT, died);
	(void)signal(SIGSEGV, died);
	(void)signal(SIGALRM, died);
	/* Memory is kept from world to world. */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
	user_init();
	run_all();
	return opt.are_visits_wanted && visits_print() > 0 ? 1 : 0;
}
