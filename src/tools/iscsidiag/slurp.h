/* Reading small files: of /proc, of /sys, of settings, the end of a log. */
#ifndef ISCSIDIAG_SLURP_H
#define ISCSIDIAG_SLURP_H

#include <jansson.h>
#include <stddef.h>

/* At most so much of any file. */
#define SLURP_BYTES (1u << 20)

/* The file's text, at most its first SLURP_BYTES; the caller frees it.  NULL with errno. */
char *slurp(const char *path);
/* The same of a path that printf() makes. */
char *slurpf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The first line, without its end; "" where there is none.  The caller frees it. */
char *slurp_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The last whole lines that fit into `max` bytes; the caller frees it.  NULL with errno. */
char *slurp_tail(const char *path, size_t max);
/* What a program prints, at most `max` bytes of it, without a standard input or error; "" where it
 * cannot be run. The caller frees it. */
char *slurp_program(char *const *argv, size_t max);
/* The text's lines as a list; `text` is cut up. */
json_t *slurp_lines(char *text);
/* The value behind "name:" in text as /proc/PID/status has it; the caller frees it.  NULL: none. */
char *slurp_value(const char *text, const char *name);

#endif
