#include "tools/common/label.h"

#include <stdlib.h>
#include <string.h>

#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/wrap.h"

static void put_row(FILE *out, const struct label *row, const json_t *object);
static void put_words(FILE *out, const struct label *row, const json_t *object);
static void put_pairs(FILE *out, const struct label *row, const json_t *object);
static void put_limits(FILE *out, const struct label *row, const json_t *object);

/* A terminal has a long one in several lines, between words; nobody else does. */
static void
put_value(FILE *out, const char *value)
{
	size_t column = LABEL_WIDTH + 2, width = wrap_width(out), n;
	char *text = NULL;
	FILE *f;

	if (width == 0 || column + strlen(value) <= width) {
		say_text(out, value);
		fputc('\n', out);
		return;
	}
	f = say_need(open_memstream(&text, &n));
	say_text(f, value);
	say_need(fclose(f) == 0 ? text : NULL);
	wrap_put(out, text, column, column, width);
	free(text);
}

void
label_put(FILE *out, const char *label, const char *value)
{
	int width = 0;

	/* A label may be a key that a target negotiated. */
	for (const char *p = label; *p != '\0'; p++)
		width++;
	say_text(out, label);
	fprintf(out, "%*s: ", width < LABEL_WIDTH ? LABEL_WIDTH - width : 0, "");
	put_value(out, value);
}

void
label_print(FILE *out, const struct label *rows, size_t n, unsigned sections, const json_t *object)
{
	for (size_t i = 0; i < n; i++)
		if ((rows[i].sections & sections) != 0)
			put_row(out, &rows[i], object);
}

static void
put_if_set(FILE *out, const struct label *row, const json_t *object)
{
	const char *text = result_text(object, row->key);
	char number[24];

	if (json_is_integer(json_object_get(object, row->key))) {
		snprintf(
		    number, sizeof(number), "%lld", (long long)result_number(object, row->key));
		text = number;
	}
	if (text[0] != '\0')
		label_put(out, row->label, text);
}

static void
put_row(FILE *out, const struct label *row, const json_t *object)
{
	char number[24] = "";

	switch (row->kind) {
	case LABEL_TEXT:
		label_put(out, row->label, result_text(object, row->key));
		break;
	case LABEL_IF_SET:
		put_if_set(out, row, object);
		break;
	case LABEL_NUMBER:
		if (json_is_integer(json_object_get(object, row->key)))
			snprintf(number, sizeof(number), "%lld",
			    (long long)result_number(object, row->key));
		label_put(out, row->label, number);
		break;
	case LABEL_WORDS:
		put_words(out, row, object);
		break;
	case LABEL_PAIRS:
		put_pairs(out, row, object);
		break;
	case LABEL_IF_ANY:
		if (json_object_size(json_object_get(object, row->key)) > 0)
			put_limits(out, row, object);
		break;
	case LABEL_LIMITS:
		put_limits(out, row, object);
		break;
	case LABEL_SECRET:
		label_put(out, row->label, result_is_true(object, row->key) ? "set" : "not set");
		break;
	case LABEL_TRUTH:
		label_put(out, row->label, result_is_true(object, row->key) ? "yes" : "no");
		break;
	case LABEL_BLANK:
		fputc('\n', out);
		break;
	}
}

static void
put_words(FILE *out, const struct label *row, const json_t *object)
{
	char *words = result_list(object, row->key);
	char *flag = say_format("%s_is_default", row->key);
	char *value = say_format("%s%s", words, result_is_true(object, flag) ? " (default)" : "");

	label_put(out, row->label, value);
	free(value);
	free(flag);
	free(words);
}

static void
put_pairs(FILE *out, const struct label *row, const json_t *object)
{
	json_t *pairs = json_object_get(object, row->key), *value;
	const char *key, *gap = "";
	char *text = NULL;
	size_t len;
	FILE *f = say_need(open_memstream(&text, &len));

	json_object_foreach(pairs, key, value)
	{
		char *words = json_is_array(value) ? result_list(pairs, key)
						   : say_format("%s", result_text(pairs, key));

		if (json_is_array(value) || json_is_string(value)) {
			fprintf(f, "%s%s=%s", gap, key, words);
			gap = " ";
		}
		free(words);
	}
	say_need(fclose(f) == 0 ? text : NULL);
	label_put(out, row->label, text);
	free(text);
}

/* Seconds or a word, and the level they come from where it is not the default. */
static void
put_limits(FILE *out, const struct label *row, const json_t *object)
{
	json_t *limits = json_object_get(object, row->key), *limit;
	const char *key, *gap = "";
	char *text = NULL;
	size_t len;
	FILE *f = say_need(open_memstream(&text, &len));

	json_object_foreach(limits, key, limit)
	{
		const char *from = result_text(limit, "from");

		fprintf(f, "%s%s=", gap, key);
		if (json_object_get(limit, "value") != NULL)
			say_text(f, result_text(limit, "value"));
		else
			fprintf(f, "%g", json_number_value(json_object_get(limit, "seconds")));
		if (strcmp(from, "default") != 0)
			fprintf(f, " (%s)", from);
		gap = " ";
	}
	say_need(fclose(f) == 0 ? text : NULL);
	label_put(out, row->label, text);
	free(text);
}
