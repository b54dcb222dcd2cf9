#include "islpd/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sys/log.h"

void
notes_add(struct notes *n, const char *fmt, ...)
{
	char text[NOTE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->texts[i], text) == 0)
			return;
	if (n->n == NOTES_MAX) {
		n->left_out++;
		return;
	}
	log_info("%s", text);
	memcpy(n->texts[n->n++], text, sizeof text);
}
