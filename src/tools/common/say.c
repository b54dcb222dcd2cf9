#include "tools/common/say.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/status.h"

static const char *say_name = "openisw";
static FILE *say_err;

static char *format(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static void print_sentence(const char *text);
static int harmful_bytes(const char *p);

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
	for (const char *p = text; *p != '\0'; p++) {
		int n = harmful_bytes(p);

		if (n == 0) {
			fputc(*p, out);
			continue;
		}
		for (; n > 0; n--, p++)
			fprintf(out, "\\x%02x", (unsigned char)*p);
		p--;
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

/* C0 and DEL, and C1 as UTF-8 writes it (C2 80 to C2 9F): how many bytes to show as numbers. */
static int
harmful_bytes(const char *p)
{
	unsigned char c = (unsigned char)p[0], next = (unsigned char)p[1];

	if (c < 0x20 || c == 0x7f)
		return 1;
	return c == 0xc2 && next >= 0x80 && next <= 0x9f ? 2 : 0;
}
