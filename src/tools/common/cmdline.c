#include "tools/common/cmdline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/match.h"
#include "tools/common/say.h"
#include "tools/common/usage.h"

/* What is left to read. */
struct scan {
	struct cmdline *c;
	int argc, at;
	char **argv;
	bool is_help; /* --help stands in the line: nothing is missing from it */
};

static bool read_long(struct scan *s, const char *word);
static bool read_cluster(struct scan *s, const char *word);
static bool read_number(struct scan *s, size_t i, const char **cluster);
static bool read_text(struct scan *s, size_t i, const char *attached);
static bool read_list(struct scan *s, size_t i, const char *attached);
static bool take_number(struct scan *s, size_t i, const char *text, size_t len);
static size_t find_long(const struct cmdline_tool *t, const char *word, size_t len, bool *is_short);
static bool is_option(const char *word);
static bool give(struct scan *s, size_t i);
static const char *next_word(struct scan *s);

enum cmdline_result
cmdline_parse(
    struct cmdline *ret, const struct cmdline_tool *tool, int argc, char **argv, FILE *out)
{
	struct scan s = { .c = ret,
		.argc = argc,
		.at = 1,
		.argv = argv,
		.is_help = cmdline_has(argc, argv, "-h") || cmdline_has(argc, argv, "--help") };
	bool options_end = false;
	int distance;

	*ret = (struct cmdline){ .tool = tool };
	ret->operands = say_need(calloc((size_t)argc + 1, sizeof(char *)));
	while (s.at < argc) {
		const char *word = argv[s.at++];

		if (options_end || !is_option(word))
			ret->operands[ret->n_operands++] = word;
		else if (strcmp(word, "--") == 0)
			options_end = true;
		else if (word[1] == '-' ? !read_long(&s, word + 2) : !read_cluster(&s, word + 1))
			return CMDLINE_WRONG;
	}
	if (cmdline_common(ret, CMDLINE_COMMON_help)->given) {
		usage_print(out, tool, ret->given);
		return CMDLINE_DONE;
	}
	if (cmdline_common(ret, CMDLINE_COMMON_version)->given) {
		fprintf(out, "%s (OpenISW) %s\n", tool->name, OPENISW_VERSION);
		return CMDLINE_DONE;
	}
	ret->form = match_nearest(ret, &distance);
	if (distance == 0)
		return CMDLINE_GO;
	match_explain(ret, ret->form);
	return CMDLINE_WRONG;
}

void
cmdline_fini(struct cmdline *c)
{
	free(c->operands);
	c->operands = NULL;
	for (size_t i = 0; c->tool != NULL && i < c->tool->n_options; i++)
		if (c->tool->options[i].arg == CMDLINE_TEXTS) {
			free(c->values[i].list);
			c->values[i].list = NULL;
		}
}

size_t
cmdline_common_index(const struct cmdline_tool *tool, enum cmdline_common id)
{
	return tool->n_options - CMDLINE_COMMON_COUNT + id;
}

const struct cmdline_value *
cmdline_common(const struct cmdline *c, enum cmdline_common id)
{
	return &c->values[cmdline_common_index(c->tool, id)];
}

bool
cmdline_has(int argc, char *const *argv, const char *word)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], word) == 0)
			return true;
	return false;
}

cmdline_set
cmdline_verbs(const struct cmdline_tool *tool)
{
	cmdline_set bits = 0;

	for (size_t i = 0; i < tool->n_options; i++)
		if (tool->options[i].role == CMDLINE_VERB)
			bits |= CMDLINE_BIT(i);
	return bits;
}

const char *
cmdline_option_name(const struct cmdline_option *o, char buf[static 32])
{
	if (o->letter != 0)
		snprintf(buf, 32, "-%c", o->letter);
	else
		snprintf(buf, 32, "--%s", o->name);
	return buf;
}

/* The row of a long name or of what only one begins with; n_options: there is none. */
static size_t
find_long(const struct cmdline_tool *t, const char *word, size_t len, bool *is_short)
{
	size_t found = t->n_options;

	*is_short = false;
	for (size_t i = 0; i < t->n_options && len > 0; i++) {
		const char *name = t->options[i].name;

		if (name == NULL || strncmp(name, word, len) != 0)
			continue;
		if (name[len] == '\0')
			return i;
		*is_short = found != t->n_options;
		found = i;
	}
	return *is_short ? t->n_options : found;
}

char *
cmdline_argument(const struct cmdline_option *o)
{
	char *text = NULL;
	size_t len;
	FILE *f = say_need(open_memstream(&text, &len));

	for (const char *p = o->arg_name, *gap = ""; *p != '\0'; gap = " ") {
		int n = (int)strcspn(p, " ");

		fprintf(f, strncmp(p, "...", 3) == 0 ? "%s%.*s" : "%s<%.*s>", gap, n, p);
		p += n + (p[n] == ' ');
	}
	say_need(fclose(f) == 0 ? text : NULL);
	return text;
}

static bool
read_long(struct scan *s, const char *word)
{
	const struct cmdline_tool *t = s->c->tool;
	size_t len = strcspn(word, "=");
	const char *value = word[len] == '=' ? word + len + 1 : NULL;
	const char *nothing = "";
	bool is_short;
	size_t i = find_long(t, word, len, &is_short);
	char *next;

	if (i == t->n_options) {
		next = say_format(MATCH_HELP, t->name);
		say_problem(next, "unknown option --%.*s: %s", (int)len, word,
		    is_short ? "it is short for several" : "this command has no such option");
		free(next);
		return false;
	}
	if (!give(s, i))
		return false;
	if (t->options[i].arg == CMDLINE_NUMBER || t->options[i].arg == CMDLINE_NUMBER_MAYBE)
		return value != NULL ? take_number(s, i, value, strlen(value))
				     : read_number(s, i, &nothing);
	if (t->options[i].arg != CMDLINE_NONE)
		return read_text(s, i, value);
	if (value == NULL)
		return true;
	next = say_format("write --%s alone", t->options[i].name);
	say_problem(next, "--%s takes no value, but '%s' follows it", t->options[i].name, value);
	free(next);
	return false;
}

static bool
read_cluster(struct scan *s, const char *word)
{
	const struct cmdline_tool *t = s->c->tool;
	const char *p = word;

	while (*p != '\0') {
		size_t i = 0;

		while (i < t->n_options && t->options[i].letter != *p)
			i++;
		if (i == t->n_options) {
			char *next = say_format(MATCH_HELP, t->name);

			say_problem(
			    next, "unknown option -%c: this command has no such option", *p);
			free(next);
			return false;
		}
		if (!give(s, i))
			return false;
		p++;
		switch (t->options[i].arg) {
		case CMDLINE_NONE:
			break;
		case CMDLINE_NUMBER:
		case CMDLINE_NUMBER_MAYBE:
			if (!read_number(s, i, &p))
				return false;
			break;
		case CMDLINE_TEXT:
		case CMDLINE_TEXTS:
		case CMDLINE_WORDS:
			return read_text(s, i, *p != '\0' ? p : NULL);
		case CMDLINE_LIST:
			return read_list(s, i, *p != '\0' ? p : NULL);
		}
	}
	return true;
}

/* Digits that follow at once are the number, and letters behind them options again: -S0C1. */
static bool
read_number(struct scan *s, size_t i, const char **cluster)
{
	const struct cmdline_option *o = &s->c->tool->options[i];
	size_t digits = strspn(*cluster, "0123456789");
	const char *word;

	if (digits > 0) {
		const char *text = *cluster;

		*cluster += digits;
		return take_number(s, i, text, digits);
	}
	if (**cluster != '\0') {
		if (o->arg == CMDLINE_NUMBER_MAYBE)
			return true;
		word = *cluster;
		*cluster += strlen(*cluster);
		return take_number(s, i, word, strlen(word));
	}
	if (o->arg == CMDLINE_NUMBER) {
		word = next_word(s);
		return word != NULL ? take_number(s, i, word, strlen(word)) : read_text(s, i, NULL);
	}
	/* A path is the device file; any other word was meant to be the number. */
	if (s->at >= s->argc || is_option(s->argv[s->at]) || s->argv[s->at][0] == '/')
		return true;
	word = next_word(s);
	return take_number(s, i, word, strlen(word));
}

static bool
take_number(struct scan *s, size_t i, const char *text, size_t len)
{
	const struct cmdline_option *o = &s->c->tool->options[i];
	struct cmdline_value *v = &s->c->values[i];
	char digits[20] = "", buf[32], *next;
	long n = -1;

	if (len > 0 && len < sizeof(digits) && strspn(text, "0123456789") >= len) {
		memcpy(digits, text, len);
		errno = 0;
		n = strtol(digits, NULL, 10);
		if (errno != 0)
			n = -1;
	}
	if (n >= o->min && n <= o->max) {
		v->has_arg = true;
		v->number = n;
		return true;
	}
	cmdline_option_name(o, buf);
	next = say_format("give %s a whole number from %ld to %ld", buf, o->min, o->max);
	say_problem(next, "%s %.*s: not a valid <%s>", buf, (int)len, text, o->arg_name);
	free(next);
	return false;
}

/* One of several: there are never more than words. */
static void
add_text(const struct scan *s, struct cmdline_value *v, const char *word)
{
	if (v->list == NULL)
		v->list = say_need(calloc((size_t)s->argc, sizeof(char *)));
	v->list[v->list_count++] = (char *)(uintptr_t)word; /* it is read only */
	v->text = v->list[0];
}

/* Said of an option that has none of its words; of one that asks for help it need not have any. */
static bool
lacks_words(const struct scan *s, const struct cmdline_option *o, const char *word)
{
	char buf[32], *next, *words;

	if (word == NULL && s->is_help)
		return true;
	cmdline_option_name(o, buf);
	words = cmdline_argument(o);
	next = say_format("write %s %s", buf, words);
	if (word == NULL && s->at < s->argc)
		say_problem(next, "%s needs %s, but '%s' follows it", buf, words, s->argv[s->at]);
	else
		say_problem(next, "%s needs %s, but none follows it", buf, words);
	free(words);
	free(next);
	return false;
}

static bool
read_text(struct scan *s, size_t i, const char *attached)
{
	const struct cmdline_option *o = &s->c->tool->options[i];
	struct cmdline_value *v = &s->c->values[i];
	const char *word = attached != NULL ? attached : next_word(s);

	if (word != NULL && (word[0] != '\0' || o->arg == CMDLINE_WORDS)) {
		v->has_arg = true;
		if (o->arg == CMDLINE_TEXTS)
			add_text(s, v, word);
		else
			v->text = word;
		return true;
	}
	return lacks_words(s, o, word);
}

static bool
read_list(struct scan *s, size_t i, const char *attached)
{
	struct cmdline_value *v = &s->c->values[i];

	if (attached != NULL) {
		/* A list is a piece of argv, where its first word must stand alone. */
		char buf[32], *next;
		const struct cmdline_option *o = &s->c->tool->options[i];

		cmdline_option_name(o, buf);
		next = say_format("write %s <%s>, with a space between", buf, o->arg_name);
		say_problem(next, "%s%s: a list of words follows %s", buf, attached, buf);
		free(next);
		return false;
	}
	v->list = &s->argv[s->at];
	/* A device file is none of its words. */
	while (s->at < s->argc && strncmp(s->argv[s->at], "/dev/", 5) != 0 && next_word(s) != NULL)
		v->list_count++;
	v->has_arg = v->list_count > 0;
	return v->has_arg || lacks_words(s, &s->c->tool->options[i], NULL);
}

/* The next word, unless it looks like an option. */
static const char *
next_word(struct scan *s)
{
	if (s->at >= s->argc || is_option(s->argv[s->at]))
		return NULL;
	return s->argv[s->at++];
}

/* A dash alone is a word, and so is a number: no option's letter is a digit. */
static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0' && (word[1] < '0' || word[1] > '9');
}

/* Saying a thing twice is harmless, but two values for one option are a mistake; of TEXTS the form
 * says it (match.c). */
static bool
give(struct scan *s, size_t i)
{
	const struct cmdline_option *o = &s->c->tool->options[i];
	struct cmdline_value *v = &s->c->values[i];

	if (v->given && o->arg != CMDLINE_NONE && o->arg != CMDLINE_TEXTS) {
		match_twice(o);
		return false;
	}
	v->given = true;
	s->c->given |= CMDLINE_BIT(i);
	return true;
}
