/*
 * Text of Login and Text PDUs: key=value pairs, each ended by a NUL, RFC 7143,
 * section 6.1.  Writing them, splitting them (also where a pair is split
 * across PDUs, C bit), and the forms a value can have.  Nothing here is
 * allocated; binary values are decoded in place into the caller's buffer.
 */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/put.h"

/* Writing.  Overflow shows in the put. */
void text_put(struct put *w, const char *key, const char *value);
void text_put_number(struct put *w, const char *key, uint64_t value);
/* Only a number, in decimal. */
void text_put_decimal(struct put *w, uint64_t value);
/* As much of s as fits before the last byte of w, with '?' for what a terminal should not see. */
void text_put_printable(struct put *w, const char *s);
/* Only a value, "0x…". */
void text_put_hex(struct put *w, const uint8_t *bytes, size_t n);

enum text_result {
	TEXT_PAIR,          /* *ret_pair is the next pair */
	TEXT_END,           /* the bytes that were fed are used up; feed more or finish */
	TEXT_NO_EQUAL,      /* a NUL came before an equal sign */
	TEXT_BAD_KEY,       /* a key name with characters other than 6.1 allows, or none at all */
	TEXT_KEY_TOO_LONG,  /* LIMIT_KEY_NAME_BYTES */
	TEXT_PAIR_TOO_LONG, /* LIMIT_KEY_VALUE_BYTES */
	TEXT_TOO_LONG,      /* more bytes than text_reader_init() allowed */
	TEXT_NO_NUL,        /* finish: the last pair has no NUL */
	TEXT_INCOMPLETE,    /* finish: a pair begun in an earlier part was not completed */
};

struct text_pair {
	const char *key, *value; /* NUL-terminated, valid until the next call on the reader */
	size_t value_len;
};

/* Any result but TEXT_PAIR and TEXT_END is final, the reader repeats it: unless text_reader_skip().
 */
struct text_reader {
	const uint8_t *p, *end; /* what was fed and not yet looked at; borrowed */
	size_t left;            /* bytes that may still be fed */
	enum text_result error; /* TEXT_PAIR while all is well */
	bool carried;           /* the pair under way began in an earlier part */
	bool has_equal, is_whole, skipping;
	size_t n, value_at;
	char pair[LIMIT_KEY_NAME_BYTES + 1 + LIMIT_KEY_VALUE_BYTES + 1];
};

/* At most max_bytes in all. */
void text_reader_init(struct text_reader *r, size_t max_bytes);
/* The next part.  Before it, text_reader_next() must have returned TEXT_END. */
void text_reader_feed(struct text_reader *r, const uint8_t *bytes, size_t n);
enum text_result text_reader_next(struct text_reader *r, struct text_pair *ret_pair);
/* The text is complete (C=0): TEXT_END if it ended with a whole pair. */
enum text_result text_reader_finish(struct text_reader *r);
/* After an error in a pair: go on behind that pair's NUL.  TEXT_TOO_LONG stays. */
void text_reader_skip(struct text_reader *r);
/* The unfinished or offending pair so far, for a message; NUL-terminated. */
const char *text_reader_rest(struct text_reader *r);

enum text_number { TEXT_NUMBER_OK, TEXT_NUMBER_BAD, TEXT_NUMBER_RANGE };

/* A numerical-value: decimal without leading zeros, or 0x…; up to 2^64-1, then lo..hi. */
enum text_number text_number(const char *s, uint64_t lo, uint64_t hi, uint64_t *ret_value);
/* "Yes" or "No"; false when it is neither. */
bool text_boolean(const char *s, bool *ret_value);
/*
 * Walks a list-of-values: sets *ret_item and *ret_len to the next item, moves
 * *s behind it; false at the end.  Empty items are returned with length 0.
 */
bool text_list_next(const char **s, const char **ret_item, size_t *ret_len);
/*
 * A binary-value "0x…" or "0b…" into at most max bytes.  Strict: no stray
 * characters, whole base64 groups with right padding and zero spare bits.
 * False when it is malformed, empty or too long.
 */
bool text_binary(const char *s, uint8_t *buf, size_t max, size_t *ret_len);
/*
 * The next character of UTF-8 (RFC 3629) at *p, which moves behind it; false
 * when the bytes are no character: overlong, a surrogate, above U+10FFFF or
 * cut off by `end`.  Requires *p < end.
 */
bool text_utf8_next(const uint8_t **p, const uint8_t *end, uint32_t *ret_char);
/* An iSCSI-local-name-value: valid UTF-8 without control characters. */
bool text_is_utf8(const char *s);

#endif
