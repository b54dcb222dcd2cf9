#include "tools/common/say.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"
#include "tools/common/status.h"

static const char *say_name = "openisw";
static FILE *say_err;

static char *format(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static void print_sentence(const char *text);

void
say_init(const char *program, FILE *err)
{
	say_name = program;
	say_err = err;
}

const char *
say_program(void)
{
	return say_name;
}

void
say_problem(const char *next, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	fprintf(say_err, "%s: ", say_name);
	print_sentence(text);
	if (next != NULL && next[0] != '\0') {
		fputs(" Next: ", say_err);
		print_sentence(next);
	}
	fputc('\n', say_err);
	free(text);
}

void
say_note(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	fprintf(say_err, "%s: ", say_name);
	print_sentence(text);
	fputc('\n', say_err);
	free(text);
}

void
say_text(FILE *out, const char *text)
{
	bool is_shown;

	for (size_t n, left = strlen(text); left > 0; text += n, left -= n) {
		n = visible_next(text, left, &is_shown);
		for (size_t i = 0; i < n; i++)
			fprintf(out, is_shown ? "%c" : "\\x%02x", (unsigned char)text[i]);
	}
}

char *
say_clean(const char *text)
{
	char *buf = NULL;
	size_t len;
	FILE *f = say_need(open_memstream(&buf, &len));

	say_text(f, text);
	say_need(fclose(f) == 0 ? buf : NULL);
	return buf;
}

char *
say_format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	return text;
}

void *
say_need(void *p)
{
	if (p == NULL) {
		fprintf(stderr,
		    "%s: no memory is left. Next: end other programs, then try again.\n", say_name);
		exit(STATUS_FAILED);
	}
	return p;
}

static char *
format(const char *fmt, va_list ap)
{
	char *text;

	return say_need(vasprintf(&text, fmt, ap) < 0 ? NULL : text);
}

static void
print_sentence(const char *text)
{
	size_t len = strlen(text);

	say_text(say_err, text);
	if (len > 0 && strchr(".!?", text[len - 1]) == NULL)
		fputc('.', say_err);
}
