#include "tools/iscsidiag/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/common/say.h"

static const char *const words[] = {
#define SECRET(word, why) word,
#include "tools/iscsidiag/secrets.def"
};

/* Characters that a name is made of: "chap_secret", "rd.iscsi.password". */
static bool
in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* The length of the word at p that announces a secret, with the rest of its name; 0: none. */
static size_t
announces(const char *p)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);

		if (strncasecmp(p, words[i], n) != 0)
			continue;
		while (in_name(p[n]))
			n++;
		return n;
	}
	return 0;
}

/* The beginning of the name that ends at `end`. */
static const char *
name_of(const char *text, const char *end)
{
	while (end > text && in_name(end[-1]))
		end--;
	return end;
}

/* A command's option: --chap-secret X. */
static bool
is_option(const char *text, const char *end)
{
	return *name_of(text, end) == '-';
}

/* The first word of a line, as in a file of settings. */
static bool
is_setting(const char *text, const char *end)
{
	const char *p = name_of(text, end);

	while (p > text && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p == text || p[-1] == '\n';
}

/*
 * What stands between the name before p and its value: "=" or ":", with blanks
 * and quotes around; a quote; blanks behind a setting's name.  0 where no value
 * follows: prose may speak of secrets.
 */
static size_t
skip_gap(const char *text, const char *p)
{
	size_t n = strspn(p, "\"'\\ \t");

	if (p[n] == '=' || p[n] == ':')
		return n + strspn(p + n, "=:\"'\\ \t");
	if (n > 0 && (strcspn(p, "\"'") < n || is_setting(text, p) || is_option(text, p)))
		return n;
	return 0;
}

/*
 * The value: a quoted one to its quote, a setting's to the end of its line,
 * any other to the next blank.  More than necessary may go; that is the right
 * side to err on.
 */
static size_t
skip_value(const char *text, const char *p, size_t gap)
{
	const char *value = p + gap, *end;
	char quote = p[gap - 1];

	if (quote == '"' || quote == '\'') {
		end = strchr(value, quote);
		return end != NULL ? (size_t)(end - value) : strlen(value);
	}
	if (is_setting(text, p) && !is_option(text, p))
		return strcspn(value, "\r\n");
	return strcspn(value, " \t\r\n,;&\"'");
}

/* scheme://user:password@host: the length up to the password at p, 0 for no such thing. */
static size_t
url_password(const char *p, size_t *ret_len)
{
	const char *at, *colon;
	size_t host;

	if (strncmp(p, "://", 3) != 0)
		return 0;
	host = strcspn(p + 3, " \t\r\n\"'/");
	at = memrchr(p + 3, '@', host);
	colon = at != NULL ? memchr(p + 3, ':', (size_t)(at - p) - 3) : NULL;
	if (colon == NULL)
		return 0;
	*ret_len = (size_t)(at - colon) - 1;
	return (size_t)(colon - p) + 1;
}

char *
redact_text(const char *text)
{
	char *out = NULL;
	size_t len;
	FILE *f = say_need(open_memstream(&out, &len));

	for (const char *p = text; *p != '\0';) {
		size_t n = announces(p), gap, value = 0;

		if (n > 0) {
			fwrite(p, 1, n, f);
			p += n;
			gap = skip_gap(text, p);
			fwrite(p, 1, gap, f);
			value = gap > 0 ? skip_value(text, p, gap) : 0;
			p += gap;
		} else if ((n = url_password(p, &value)) > 0) {
			fwrite(p, 1, n, f);
			p += n;
		} else {
			fputc(*p++, f);
		}
		if (value > 0)
			fputs(REDACT_MARK, f);
		p += value;
	}
	say_need(fclose(f) == 0 ? out : NULL);
	return out;
}

static bool
is_secret_name(const char *name)
{
	for (; *name != '\0'; name++)
		if (announces(name) > 0)
			return true;
	return false;
}

static json_t *
redact_object(const json_t *object)
{
	json_t *copy = say_need(json_object()), *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value)
	{
		char *name = redact_text(key);
		/* "Number of login failures due to not configuring CHAP secret": a counter. */
		bool is_count = json_is_number(value) && strchr(key, ' ') != NULL;
		json_t *new = is_secret_name(key) && !is_count && !json_is_boolean(value) &&
				      !json_is_null(value)
				  ? json_string(REDACT_MARK)
				  : redact_json(value);

		say_need(json_object_set_new(copy, name, say_need(new)) == 0 ? copy : NULL);
		free(name);
	}
	return copy;
}

json_t *
redact_json(const json_t *value)
{
	json_t *copy, *item;
	char *text;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return redact_object(value);
	case JSON_ARRAY:
		copy = say_need(json_array());
		json_array_foreach(value, i, item)
		    say_need(json_array_append_new(copy, redact_json(item)) == 0 ? copy : NULL);
		return copy;
	case JSON_STRING:
		text = redact_text(json_string_value(value));
		copy = say_need(json_string(text));
		free(text);
		return copy;
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return say_need(json_deep_copy(value));
}
