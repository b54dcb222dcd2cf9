#include "tools/common/say.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"
#include "tools/common/status.h"
#include "tools/common/wrap.h"

/* Of what goes on in the next line of a terminal. */
#define INDENT 2

static struct {
	const char *program;
	FILE *err;
	bool is_json;
} say = { .program = "openisw" };

static char *format(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static void print_line(const char *text, const char *next);
static void print_problem(
    enum ipc_error_code code, const json_t *extra, const char *next, const char *text);
static void print_json(json_t *object);

void
say_init(const char *program, FILE *err)
{
	say.program = program;
	say.err = err;
	say.is_json = false;
}

void
say_as_json(void)
{
	say.is_json = true;
}

const char *
say_program(void)
{
	return say.program;
}

bool
say_is_json(void)
{
	return say.is_json;
}

void
say_problem(const char *next, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	print_problem(IPC_ERR_INVALID, NULL, next, text);
	free(text);
}

void
say_failure(enum ipc_error_code code, const json_t *extra, const char *next, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	print_problem(code, extra, next, text);
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
	if (say.is_json) {
		print_json(json_pack("{s:s}", "note", text));
	} else {
		print_line(text, NULL);
	}
	free(text);
}

void
say_progress(const json_t *report)
{
	print_json(json_pack("{s:O}", "progress", report));
	fflush(say.err);
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
		    "%s: no memory is left. Next: end other programs, then try again.\n",
		    say.program);
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
print_problem(enum ipc_error_code code, const json_t *extra, const char *next, const char *text)
{
	json_t *error;

	if (say.is_json) {
		error = say_need(json_pack("{s:s, s:s, s:s?}", "code", ipc_error_name(code),
		    "message", text, "next", next));
		if (extra != NULL)
			say_need(json_object_update_missing(error, (json_t *)(uintptr_t)extra) == 0
				     ? error
				     : NULL);
		print_json(json_pack("{s:o}", "error", error));
		return;
	}
	print_line(text, next);
}

/* One line; takes the reference. */
static void
print_json(json_t *object)
{
	char *text = say_need(json_dumps(say_need(object), JSON_COMPACT | JSON_ENSURE_ASCII));

	/* DEL is the one harmful byte that jansson leaves as it is; text in quotes has no line's
	 * end. */
	for (const char *p = text; *p != '\0'; p++)
		fprintf(say.err, *p == 0x7f ? "\\u%04x" : "%c", (unsigned char)*p);
	fputc('\n', say.err);
	free(text);
	json_decref(object);
}

static void
put_sentence(FILE *out, const char *text)
{
	size_t len = strlen(text);

	say_text(out, text);
	if (len > 0 && strchr(".!?", text[len - 1]) == NULL)
		fputc('.', out);
}

/* On a terminal it is broken between words. */
static void
print_line(const char *text, const char *next)
{
	char *line = NULL;
	size_t len;
	FILE *f = say_need(open_memstream(&line, &len));

	fprintf(f, "%s: ", say.program);
	put_sentence(f, text);
	if (next != NULL && next[0] != '\0') {
		fputs(" Next: ", f);
		put_sentence(f, next);
	}
	say_need(fclose(f) == 0 ? line : NULL);
	wrap_put(say.err, line, 0, INDENT, wrap_width(say.err));
	free(line);
}
