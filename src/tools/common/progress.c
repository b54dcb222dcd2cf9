#include "tools/common/progress.h"

#include <sys/ioctl.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/result.h"
#include "tools/common/say.h"

void
progress_init(struct progress *p, FILE *out, bool is_on, int width)
{
	*p = (struct progress){ .out = out, .is_on = is_on, .width = width };
}

void
progress_init_stderr(struct progress *p)
{
	struct winsize w;
	bool is_on = isatty(STDERR_FILENO) == 1;
	int width = 80;

	if (is_on && ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		width = w.ws_col;
	progress_init(p, stderr, is_on, width);
}

void
progress_init_told(struct progress *p)
{
	*p = (struct progress){ .is_told = true };
}

/* Frees the line. */
static void
draw(struct progress *p, char *line)
{
	char *clean = say_clean(line);

	/* A line as wide as the terminal would move it on, and the next one could not write over
	 * it. */
	fprintf(p->out, "\r\033[K%.*s", p->width > 1 ? p->width - 1 : 1, clean);
	fflush(p->out);
	p->is_drawn = true;
	free(clean);
	free(line);
}

void
progress_report(void *progress, const json_t *report)
{
	static const char *const stages[3] = { "discovery", "session", "luns" };
	struct progress *p = progress;
	const char *what = result_text(report, "what");
	bool is_waiting = json_is_null(json_object_get(report, "ok")) && what[0] != '\0';

	if (p->is_told)
		say_progress(report);
	if (!p->is_on)
		return;
	for (size_t i = 0; i < 3; i++)
		if (strcmp(result_text(report, "stage"), stages[i]) == 0)
			snprintf(p->counts[i], sizeof(p->counts[i]), "%s %lld/%lld  ", stages[i],
			    (long long)result_number(report, "done"),
			    (long long)result_number(report, "total"));
	draw(p, say_format("%s: %s%s%s%s%s", say_program(), p->counts[0], p->counts[1],
		    p->counts[2], is_waiting ? "waits for " : "", what));
}

void
progress_renew(void *progress, const json_t *report)
{
	struct progress *p = progress;

	if (p->is_on)
		draw(
		    p, say_format("%s: %lld of %lld; waits for %s", say_program(),
			   (long long)result_number(report, "done"),
			   (long long)result_number(report, "total"), result_text(report, "what")));
}

void
progress_wait(void *progress, const json_t *report)
{
	struct progress *p = progress;

	if (p->is_on)
		draw(p, say_format("%s: waits for %s (%lld s): %s", say_program(),
			    result_text(report, "what"),
			    (long long)result_number(report, "waited_ms") / 1000,
			    result_text(report, "why")));
}

void
progress_end(struct progress *p)
{
	if (!p->is_drawn)
		return;
	fputs("\r\033[K", p->out);
	fflush(p->out);
	p->is_drawn = false;
}
