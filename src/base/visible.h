/*
 * Text that a stranger wrote (a target's strings, a client's, a file's), as it
 * is shown to people: in logs, events, answers and on terminals.  What a
 * terminal would obey, what nobody sees, and what turns the order of other
 * characters round is shown as \xNN for each of its bytes, and so are bytes
 * that are no UTF-8.  All other characters of any language pass.
 */
#ifndef BASE_VISIBLE_H
#define BASE_VISIBLE_H

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* Bytes that visible_copy() makes of one at most. */
#define VISIBLE_GROWTH 4

/*
 * Unicode's controls (Cc), line and paragraph separators (Zl, Zp), bidirectional
 * controls, interlinear annotations, tags, and what is Default_Ignorable; except
 * variation selectors 15 and 16, which say how the character before them looks.
 */
static inline bool
visible_is_hidden(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f },     /* controls */
		{ 0x00ad, 0x00ad }, { 0x034f, 0x034f },     /* soft hyphen, grapheme joiner */
		{ 0x061c, 0x061c },                         /* Arabic letter mark */
		{ 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },     /* fillers, inherent vowels */
		{ 0x180b, 0x180f },                         /* Mongolian selectors */
		{ 0x200b, 0x200f },                         /* zero width, LRM, RLM */
		{ 0x2028, 0x202e },                         /* separators, embeddings, overrides */
		{ 0x2060, 0x206f },                         /* joiners, isolates, deprecated */
		{ 0x3164, 0x3164 }, { 0xfe00, 0xfe0d },     /* filler, variation selectors */
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },     /* byte order mark, filler */
		{ 0xfff0, 0xfffb },                         /* unassigned, annotations */
		{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, /* shorthand, musical controls */
		{ 0xe0000, 0xe0fff },                       /* tags, variation selectors */
	};

	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0] && c >= hidden[i].first; i++)
		if (c <= hidden[i].last)
			return true;
	return false;
}

/*
 * The character at p, of which `left` > 0 bytes are there: how many bytes it
 * has, and whether it is shown as it is (else each of them as \xNN).
 */
static inline size_t
visible_next(const char *p, size_t left, bool *ret_is_shown)
{
	size_t n = utf8_length(p, left);

	*ret_is_shown = n > 0 && !visible_is_hidden(utf8_code(p, n));
	return n > 0 ? n : 1;
}

/* `text` can be shown as it is. */
static inline bool
visible_is_plain(const char *text, size_t len)
{
	bool is_shown = true;

	for (size_t n; len > 0 && is_shown; text += n, len -= n)
		n = visible_next(text, len, &is_shown);
	return is_shown;
}

/*
 * `text` as it is shown, with a NUL; what has no room in cap bytes is cut off
 * between two characters, with "..." in its place.  cap is 4 at least.  Returns
 * the bytes written, without the NUL.
 */
static inline size_t
visible_copy(const char *text, size_t len, char *out, size_t cap)
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0, cut = 0; /* what may stay when "..." must follow */

	while (len > 0) {
		bool is_shown;
		size_t n = visible_next(text, len, &is_shown);
		size_t room = is_shown ? n : n * VISIBLE_GROWTH;

		if (at + sizeof "..." <= cap)
			cut = at;
		if (at + room + 1 > cap) {
			memcpy(out + cut, "...", 3);
			at = cut + 3;
			break;
		}
		for (size_t i = 0; i < n; i++) {
			unsigned char c = (unsigned char)text[i];

			if (is_shown) {
				out[at++] = text[i];
				continue;
			}
			out[at++] = '\\';
			out[at++] = 'x';
			out[at++] = hex[c >> 4];
			out[at++] = hex[c & 15];
		}
		text += n;
		len -= n;
	}
	out[at] = '\0';
	return at;
}

#endif
