/*
 * Build step: fill a manual page with what the tables say.  tables < page.in > page
 *
 * A line that is the name of a table between two @ is replaced by an mdoc list
 * of its rows: a page cannot say anything else than the program does.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "core/neg.h"
#include "driver/diag/diag_limit.h"
#include "driver/diag/event_log.h"
#include "export/loopdev.h"
#include "export/porter_serve.h"
#include "ini/discovery.h"
#include "ini/session.h"
#include "sys/log_limit.h"
#include "sys/paths.h"

static void put_text(const char *text);
static void put_sentence(const char *text);
static void put_quoted(const char *macro, const char *text);

/* ---- the tables ---- */

struct section {
	const char *id, *title;
};

struct stat_row {
	const char *section, *name, *class, *text;
};

static const struct stat_row stats[] = {
#define STAT_CORE(section, id, field, name, class, text) { #section, name, class, text },
#define STAT_INI(section, id, field, name, class, text)  { #section, name, class, text },
#define STAT(section, id, name, class, text)             { #section, name, class, text },
#define STAT_NOW(section, id, name, class, text)         { #section, name, class, text },
#define STAT_TIME(section, id, name, class, text)        { #section, name, class, text },
#include "driver/diag/stats.def"
#define LUN_STAT(id, count, name, class, text) { "LUN", name, class, text },
#include "driver/diag/lun_stats.def"
};

static void
put_stats(const char *section)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++) {
		if (strcmp(stats[i].section, section) != 0)
			continue;
		put_quoted(".It Sy", stats[i].name);
		printf(".Pq %s\n", stats[i].class);
		put_text(stats[i].text);
	}
	puts(".El");
}

static void
statistics(void)
{
	static const struct section sections[] = {
		{ "TRANSPORT_GLOBAL", "Transport driver, global" },
		{ "TRANSPORT_SESSION", "Transport driver, of a session" },
		{ "SWD_GLOBAL", "Interface driver, global" },
		{ "SWD_CONNECTION", "Interface driver, of a connection" },
		{ "LUN", "Of a logical unit" },
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		printf(".Ss %s\n", sections[i].title);
		put_stats(sections[i].id);
	}
	/* A section of the table that no list shows would be a gap in the page. */
	for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++) {
		size_t known = 0;

		for (size_t j = 0; j < sizeof(sections) / sizeof(sections[0]); j++)
			known += strcmp(stats[i].section, sections[j].id) == 0;
		if (known == 0) {
			fprintf(stderr, "statistic of an unknown section: %s\n", stats[i].section);
			exit(1);
		}
	}
}

static void
levels(void)
{
	puts(".Bl -tag -width Ds");
#define LEVEL(id, number, word, text)                                \
	printf(".It Cm %s , Li LVL_%s Pq " #number "\n", word, #id); \
	put_sentence(text);
#include "sys/log.def"
	puts(".El");
}

static void
put_message(
    const char *id, const char *level, const char *text, const char *cause, const char *action)
{
	printf(".It Sy %s Pq Li LVL_%s\n", id, level);
	puts(".Bd -ragged -offset indent -compact");
	put_text(text);
	puts(".Ed");
	put_text(cause);
	printf(".Em Action :\n");
	put_text(action);
}

#define MSG(appendix_, number, id, level, parameters, values, text, cause, action) \
	if (appendix == #appendix_[0])                                             \
		put_message(#id, #level, text, cause, action);

static void
put_messages(char appendix)
{
	puts(".Bl -tag -width Ds");
#include "driver/diag/messages.def"
	puts(".El");
}

static void
messages(void)
{
	puts(".Ss Transport driver");
	put_messages('C');
	puts(".Ss Interface driver");
	put_messages('E');
	puts(".Ss Of OpenISW");
	put_messages('O');
}

/* ---- keys ---- */

static const char *
rule(const struct key_info *k)
{
	switch (k->rule) {
	case KEY_RULE_MIN:
		return "the smaller number of both sides counts";
	case KEY_RULE_MAX:
		return "the larger number of both sides counts";
	case KEY_RULE_AND:
		return "Yes where both sides say Yes";
	case KEY_RULE_OR:
		return "Yes where one side says Yes";
	case KEY_RULE_CHOICE:
		return "the target takes the first value of our list that it can do";
	case KEY_RULE_DECLARE:
		return "each side declares its own";
	}
	return "";
}

static void
put_offer(enum key_id key)
{
	struct neg_offer offer;
	char text[256];

	neg_offer_default(&offer);
	if (neg_format_offer(&offer, key, text, sizeof text) && text[0] != '\0')
		printf("Offered unless configured:\n.Li \\&%s .\n", text);
}

static void
put_default(const struct key_info *k, enum key_id key)
{
	struct neg_params params;
	char value[256];

	neg_params_default(&params);
	if (neg_format(&params, key, value, sizeof value))
		printf("Without a negotiation:\n.Li \\&%s .\n", value);
	if (k->type == KEY_TYPE_NUM)
		printf("From %u to %u; this initiator can do %u to %u.\n", k->min, k->max,
		    k->can_min, k->can_max);
	for (size_t i = 0; k->type == KEY_TYPE_LIST && i < k->n_values; i++)
		printf("%s%s%s%s", i == 0 ? "Values: " : ", ", k->values[i].name,
		    k->values[i].can ? "" : " (never offered)", i + 1 == k->n_values ? ".\n" : "");
}

static void
keys(void)
{
	puts(".Bl -tag -width Ds");
	for (enum key_id key = 0; key < KEY_COUNT; key++) {
		const struct key_info *k = neg_key_info(key);

		printf(".It Sy %s\nRFC 7143, section %s", k->name, k->section);
		if (k->type == KEY_TYPE_GONE) {
			printf("; obsolete: never offered, and answered with %s.\n", k->answer);
			continue;
		}
		if (k->type == KEY_TYPE_SEC || k->type == KEY_TYPE_DECL) {
			printf("; sent by %s.\n", k->senders == KEY_SENDERS_I   ? "the initiator"
						  : k->senders == KEY_SENDERS_T ? "the target"
										: "both sides");
			continue;
		}
		printf("; of the %s; %s.\n", k->scope == KEY_SCOPE_SW ? "session" : "connection",
		    rule(k));
		put_default(k, key);
		put_offer(key);
	}
	puts(".El");
}

/* ---- paths, programs, names ---- */

static void
paths(void)
{
	puts(".Bl -tag -width Ds");
#define PATH_DIR(id, path, mode, text) \
	puts(".It Pa " path "/");      \
	put_sentence(text);
#define PATH_FILE(id, path, text) \
	puts(".It Pa " path);     \
	put_sentence(text);
#define PATH_DAEMON(id, program)                                                                  \
	puts(".It Pa run/openisw/" program "/" PATHS_SOCK_NAME " , run/openisw/" program ".pid"); \
	put_sentence("the driver's socket for " program ", and the daemon's process ID");
#include "sys/paths.def"
	puts(".El");
}

static void
names(void)
{
	puts(".Bl -bullet -compact");
#define INAME(id, text)               \
	if (strcmp(#id, "OK") != 0) { \
		puts(".It");          \
		put_sentence(text);   \
	}
#include "core/iname.def"
	puts(".El");
}

static void
statuses(void)
{
	puts(".Bl -tag -width Ds");
#define STATUS(id, number, text) \
	puts(".It " #number);    \
	put_text(text);
#include "sys/exit.def"
	puts(".El");
}

/* ---- limits ---- */

enum unit { UNIT_BYTES, UNIT_NUMBER, UNIT_MS, UNIT_US };

static void
put_amount(unsigned long long n, enum unit unit)
{
	switch (unit) {
	case UNIT_BYTES:
		if (n >= 1 << 20 && n % (1 << 20) == 0)
			printf("%llu MiB", n >> 20);
		else if (n >= 1 << 10 && n % (1 << 10) == 0)
			printf("%llu KiB", n >> 10);
		else
			printf("%llu bytes", n);
		return;
	case UNIT_NUMBER:
		printf("%llu", n);
		return;
	case UNIT_MS:
		printf("%llu s", n / 1000);
		return;
	case UNIT_US:
		printf("%llu s", n / 1000000);
		return;
	}
}

/* ".It It names targets : 4096, of the discovery" and the reason. */
static void
put_cost(
    const char *what, unsigned long long n, enum unit unit, const char *charged, const char *reason)
{
	put_quoted(".It Em", what);
	put_amount(n, unit);
	printf(", charged to ");
	put_text(charged);
	puts(".br");
	put_text(reason);
}

static void
put_costs(const char *peer, const struct section *kind)
{
	bool has_begun = false;

#define COST(peer_, kind_, what, limit, unit, charged, reason)            \
	if (strcmp(peer, #peer_) == 0 && strcmp(kind->id, #kind_) == 0) { \
		if (!has_begun)                                           \
			printf("%s\n.Bl -tag -width Ds\n", kind->title);  \
		has_begun = true;                                         \
		put_cost(what, limit, UNIT_##unit, charged, reason);      \
	}
#include "base/limits.def"
	if (has_begun)
		puts(".El");
}

static void
limits(void)
{
	static const struct section peers[] = {
		{ "TARGET", "A target" },
		{ "DISCOVERY", "A portal that is asked for targets" },
		{ "DIRECTORY", "A directory (SLP agents)" },
		{ "RADIUS", "A RADIUS server" },
		{ "DNS", "A DNS server" },
		{ "CLIENT", "A client of a control socket" },
		{ "DAEMON", "A daemon of ours" },
		{ "KERNEL", "Who uses a disk" },
		{ "DRIVER", "The driver itself, were it conquered, its porter" },
		{ "REGISTRY", "The registry's file" },
		{ "CONFIGURATION", "Configuration files" },
	};
	static const struct section kinds[] = {
		{ "HOLD", "Memory that it makes us hold, when it" },
		{ "WRITE", "What it makes us write, when it" },
		{ "START", "What it makes us start, when it" },
		{ "REPEAT", "What it makes us repeat, or wait for, when it" },
	};

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		printf(".Ss %s\n", peers[i].title);
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			put_costs(peers[i].id, &kinds[k]);
	}
}

/* ---- filling in ---- */

static const struct {
	const char *line;
	void (*put)(void);
} tables[] = {
	{ "@STATISTICS@\n", statistics },
	{ "@LEVELS@\n", levels },
	{ "@MESSAGES@\n", messages },
	{ "@KEYS@\n", keys },
	{ "@PATHS@\n", paths },
	{ "@NAMES@\n", names },
	{ "@STATUSES@\n", statuses },
	{ "@LIMITS@\n", limits },
};

int
main(void)
{
	char line[4096];

	while (fgets(line, sizeof line, stdin) != NULL) {
		size_t i = 0;

		while (i < sizeof(tables) / sizeof(tables[0]) && strcmp(line, tables[i].line) != 0)
			i++;
		if (i < sizeof(tables) / sizeof(tables[0]))
			tables[i].put();
		else if (line[0] == '@')
			return fprintf(stderr, "there is no table %s", line), 1;
		else
			fputs(line, stdout);
	}
	return ferror(stdin) || fflush(stdout) != 0;
}

/* ---- mdoc ---- */

static void
put_char(char c)
{
	switch (c) {
	case '\\':
		fputs("\\e", stdout);
		break;
	case '"':
		fputs("\\(dq", stdout);
		break;
	case '\'':
		fputs("\\(aq", stdout);
		break;
	case '-':
		fputs("\\-", stdout);
		break;
	case '\n':
		fputc(' ', stdout);
		break;
	default:
		fputc(c, stdout);
	}
}

/* A paragraph's lines, each a sentence; no word of it is taken for a request. */
static void
put_text(const char *text)
{
	char last = '\0';

	if (*text == '.')
		fputs("\\&", stdout);
	for (const char *p = text; *p != '\0'; p++) {
		/* A sentence begins its own line, as mdoc wants it. */
		if (*p == ' ' && last == '.' && p[1] >= 'A' && p[1] <= 'Z')
			fputc('\n', stdout);
		else
			put_char(*p);
		last = *p;
	}
	fputc('\n', stdout);
}

/* A phrase of a table as a sentence: a capital, unless it begins with a name, and a stop. */
static void
put_sentence(const char *text)
{
	char copy[1024];
	size_t n = strlen(text), word = strcspn(text, " ");

	if (n + 2 > sizeof copy) {
		fprintf(stderr, "too long: %s\n", text);
		exit(1);
	}
	memcpy(copy, text, n + 1);
	if (memchr(text, '.', word) == NULL && *text >= 'a' && *text <= 'z')
		copy[0] = (char)(*text - 'a' + 'A');
	if (n == 0 || text[n - 1] != '.')
		memcpy(copy + n, ".", 2);
	put_text(copy);
}

/* The whole text as one argument. */
static void
put_quoted(const char *macro, const char *text)
{
	printf("%s \"", macro);
	for (const char *p = text; *p != '\0'; p++)
		put_char(*p);
	puts("\"");
}
