#include "tools/common/wrap.h"

#include <sys/ioctl.h>

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Where a terminal does not say how wide it is. */
#define WIDTH_DEFAULT 80

static size_t columns(const char *text, size_t n);

size_t
wrap_width(FILE *out)
{
	struct winsize size;

	if (!isatty(fileno(out)))
		return 0;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return WIDTH_DEFAULT - 1;
	return size.ws_col - 1;
}

void
wrap_put(FILE *out, const char *text, size_t column, size_t indent, size_t width)
{
	bool is_first = true;

	while (*text != '\0') {
		size_t n = 0, wide;

		for (int depth = 0; text[n] != '\0' && (text[n] != ' ' || depth > 0); n++)
			depth += (text[n] == '[') - (text[n] == ']' && depth > 0);
		wide = columns(text, n);
		if (!is_first && width > 0 && column + 1 + wide > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!is_first) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)n, text);
		column += wide;
		text += n + (text[n] == ' ');
		is_first = false;
	}
	fputc('\n', out);
}

/* Characters of UTF-8: bytes that do not continue one. */
static size_t
columns(const char *text, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += ((unsigned char)text[i] & 0xc0) != 0x80;
	return found;
}
