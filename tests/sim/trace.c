/* The last events, kept as they are and made readable only when somebody looks. */
#include <stdio.h>
#include <string.h>

#include "main.h"
#include "sim.h"

static void
print_value(FILE *f, char how, uint64_t v)
{
	switch (how) {
	case 'u':
		(void)fprintf(f, "%llu", (unsigned long long)v);
		break;
	case 'd':
		(void)fprintf(f, "%lld", (long long)v);
		break;
	case 'x':
		(void)fprintf(f, "%llx", (unsigned long long)v);
		break;
	case 't':
		(void)fprintf(f, "%.3f s", (double)v / 1e6);
		break;
	case 's':
		(void)fprintf(f, "%s", (const char *)(uintptr_t)v);
		break;
	}
}

static void
print_row(FILE *f, const struct sim *w, const struct trace_row *r)
{
	unsigned at = 0;

	(void)fprintf(
	    f, "%6llu %13.6f  ", (unsigned long long)r->step, (double)(r->us - w->begin_us) / 1e6);
	for (const char *p = r->fmt; *p != '\0'; p++)
		if (p[0] == '%' && at < 4)
			print_value(f, *++p, r->v[at++]);
		else
			(void)fputc(*p, f);
	(void)fputc('\n', f);
}

void
sim_trace(struct sim *w, const char *fmt, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct trace_row *r = &w->trace[w->traces++ % TRACE_ROWS];

	r->us = sim_now(w);
	r->step = w->step;
	r->fmt = fmt;
	r->v[0] = a;
	r->v[1] = b;
	r->v[2] = c;
	r->v[3] = d;
	if (w->is_traced)
		print_row(stdout, w, r);
}

void
sim_say(struct sim *w, const char *text)
{
	if (w->is_traced)
		(void)printf("%6llu %13.6f  > %s\n", (unsigned long long)w->step,
		    (double)(sim_now(w) - w->begin_us) / 1e6, text);
}

void
sim_dump(const struct sim *w, unsigned rows)
{
	uint64_t first = w->traces > rows ? w->traces - rows : 0;

	if (w->traces > TRACE_ROWS && first < w->traces - TRACE_ROWS)
		first = w->traces - TRACE_ROWS;
	for (uint64_t i = first; i < w->traces; i++)
		print_row(stderr, w, &w->trace[i % TRACE_ROWS]);
}
