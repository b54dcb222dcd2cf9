#include "tools/iscsiutil/scsi_word.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/hex.h"
#include "tools/common/say.h"

#define WORDS_MAX 20

enum fill { FILL_PLAIN, FILL_PAGE, FILL_REGISTER, FILL_RESERVE, FILL_CLEAR, FILL_PREEMPT };

static const struct row {
	const char *word, *arguments, *cdb;
	uint32_t in;
	enum fill fill;
	unsigned min, max; /* of arguments */
} rows[] = {
#define ARGS_PLAIN    0, 0
#define ARGS_PAGE     1, 1
#define ARGS_REGISTER 1, 2
#define ARGS_RESERVE  2, 2
#define ARGS_CLEAR    1, 1
#define ARGS_PREEMPT  3, 3
#define SCSI_WORD(word, arguments, cdb, in, fill, text) \
	{ word, arguments, cdb, in, FILL_##fill, ARGS_##fill },
#include "tools/iscsiutil/scsi.def"
};

static const struct {
	const char *word;
	uint8_t code;
} types[] = {
#define SCSI_TYPE(word, code) { word, code },
#include "tools/iscsiutil/scsi.def"
};

static bool
number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 0);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *ret <= max)
		return true;
	say_problem(
	    "give a number, such as 0x83", "'%s' is no number that --scsi takes here", text);
	return false;
}

static bool
type(const char *text, uint8_t *ret)
{
	uint64_t n;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i].word, text) == 0) {
			*ret = types[i].code;
			return true;
		}
	if (text[0] < '0' || text[0] > '9') {
		say_problem("give write-exclusive, exclusive-access, or these with -registrants or "
			    "-all behind them",
		    "'%s' is no type of a persistent reservation", text);
		return false;
	}
	if (!number(text, 15, &n))
		return false;
	*ret = (uint8_t)n;
	return true;
}

/* PERSISTENT RESERVE OUT: both keys, and byte 2 of the command: scope (logical unit) and type. */
static bool
fill_reserve(struct scsi_word *w, const char *key, const char *service_key, const char *type_word)
{
	uint64_t k = 0, s = 0;

	if ((key != NULL && !number(key, UINT64_MAX, &k)) ||
	    (service_key != NULL && !number(service_key, UINT64_MAX, &s)) ||
	    (type_word != NULL && !type(type_word, &w->cdb[2])))
		return false;
	w->list_len = SCSI_LIST_MAX;
	be_put64(w->list, k);
	be_put64(w->list + 8, s);
	return true;
}

static bool
fill(struct scsi_word *w, enum fill how, char *const *arg, unsigned n)
{
	uint64_t page;

	switch (how) {
	case FILL_PLAIN:
		return true;
	case FILL_PAGE:
		if (!number(arg[0], UINT8_MAX, &page))
			return false;
		w->cdb[2] = (uint8_t)page;
		return true;
	case FILL_REGISTER:
		return fill_reserve(w, n > 1 ? arg[1] : NULL, arg[0], NULL);
	case FILL_RESERVE:
		return fill_reserve(w, arg[0], NULL, arg[1]);
	case FILL_CLEAR:
		return fill_reserve(w, arg[0], NULL, NULL);
	case FILL_PREEMPT:
		return fill_reserve(w, arg[0], arg[1], arg[2]);
	}
	return false;
}

/* Bytes, with blanks, colons or nothing between them. */
static bool
parse_bytes(const char *text, struct scsi_word *ret)
{
	char digits[2 * SCSI_CDB_MAX + 3];
	size_t n = 0;

	for (; *text != '\0' && n < sizeof digits - 1; text++) {
		if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
			text++;
		else if (*text != ' ' && *text != ':' && *text != ',')
			digits[n++] = *text;
	}
	digits[n] = '\0';
	return hex_decode(digits, ret->cdb, SCSI_CDB_MAX, &ret->cdb_len) && ret->cdb_len >= 6;
}

static bool
parse_word(const struct row *r, char *const *words, unsigned n, struct scsi_word *ret)
{
	if (n - 1 < r->min || n - 1 > r->max) {
		say_problem(NULL, "--scsi '%s%s%s' is how it is written", r->word,
		    r->arguments[0] != '\0' ? " " : "", r->arguments);
		return false;
	}
	(void)hex_decode(r->cdb, ret->cdb, SCSI_CDB_MAX, &ret->cdb_len); /* a row of ours */
	ret->in = r->in;
	ret->is_word = true;
	return fill(ret, r->fill, words + 1, n - 1);
}

bool
scsi_word_parse(const char *text, struct scsi_word *ret)
{
	char *copy = say_need(strdup(text)), *words[WORDS_MAX], *rest = NULL;
	const struct row *row = NULL;
	unsigned n = 0;
	bool ok = false;

	memset(ret, 0, sizeof *ret);
	for (char *w = strtok_r(copy, " ", &rest); w != NULL && n < WORDS_MAX;
	     w = strtok_r(NULL, " ", &rest))
		words[n++] = w;
	for (size_t i = 0; n > 0 && i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].word, words[0]) == 0)
			row = &rows[i];
	if (row != NULL)
		ok = parse_word(row, words, n, ret);
	else if (!(ok = parse_bytes(text, ret)))
		say_problem("give 6 to 16 bytes in hexadecimal digits, or one of the words of "
			    "iscsiutil(8), such as inquiry",
		    "'%s' is no SCSI command", text);
	free(copy);
	return ok;
}
