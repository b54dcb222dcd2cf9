#include "cover.h"

#include <stdio.h>
#include <string.h>

/* Names of each kind; numbers of those that have none. */
struct row {
	const char *name;
	unsigned id;
	const char
	    *counter; /* of a statistic: what the core counts for it, NULL: the driver does */
};

enum {
#define CONN_STAT(id, text) COUNTER_##id,
#include "core/conn_stats.def"
#define CONN_RESULT(id, text) RESULT_##id,
#include "core/conn_result.def"
	NUMBERS_END
};

static const struct row counters[] = {
#define CONN_STAT(id, text) { #id, COUNTER_##id, NULL },
#include "core/conn_stats.def"
};
static const struct row statistics[] = {
#define STAT_CORE(section, id, field, ...) { #section "." #id, 0, #field },
#define STAT_INI(section, id, field, ...)  { #section "." #id, 0, NULL },
#define STAT(section, id, ...)             { #section "." #id, 0, NULL },
#define STAT_NOW(section, id, ...)         { #section "." #id, 0, NULL },
#include "driver/diag/stats.def"
};
enum {
#define MSG(appendix, number, id, ...) MESSAGE_##id,
#include "driver/diag/messages.def"
	MESSAGE_END
};
static const struct row messages[] = {
#define MSG(appendix, number, id, ...) { #id, MESSAGE_##id, NULL },
#include "driver/diag/messages.def"
};
enum {
#define VIOLATION(id, ...) VIOLATION_NUMBER_##id,
#include "core/violation.def"
#undef VIOLATION
};
static const struct row violations[] = {
#define VIOLATION(id, ...) { #id, VIOLATION_NUMBER_##id, NULL },
#include "core/violation.def"
#undef VIOLATION
};
static const struct row results[] = {
#define CONN_RESULT(id, text) { #id, RESULT_##id - RESULT_OK, NULL },
#include "core/conn_result.def"
};
/* RFC 7143, section 11.13.5, and one of each class that it does not name. */
static const struct row statuses[] = { { "0101", 0x0101, 0 }, { "0102", 0x0102, 0 },
	{ "0200", 0x0200, 0 }, { "0201", 0x0201, 0 }, { "0202", 0x0202, 0 }, { "0203", 0x0203, 0 },
	{ "0204", 0x0204, 0 }, { "0205", 0x0205, 0 }, { "0206", 0x0206, 0 }, { "0207", 0x0207, 0 },
	{ "0208", 0x0208, 0 }, { "0209", 0x0209, 0 }, { "020a", 0x020a, 0 }, { "020b", 0x020b, 0 },
	{ "0300", 0x0300, 0 }, { "0301", 0x0301, 0 }, { "0302", 0x0302, 0 }, { "0177", 0x0177, 0 },
	{ "0277", 0x0277, 0 }, { "0377", 0x0377, 0 }, { "7700", 0x7700, 0 } };
/* 11.9.1, and one that it does not name. */
static const struct row asyncs[] = { { "0", 0, 0 }, { "1", 1, 0 }, { "2", 2, 0 }, { "3", 3, 0 },
	{ "4", 4, 0 }, { "5", 5, 0 }, { "77", 77, 0 }, { "255", 255, 0 } };
/* 11.17.1, and one that it does not name. */
static const struct row rejects[] = { { "02", 2, 0 }, { "03", 3, 0 }, { "04", 4, 0 },
	{ "05", 5, 0 }, { "06", 6, 0 }, { "07", 7, 0 }, { "08", 8, 0 }, { "09", 9, 0 },
	{ "0a", 10, 0 }, { "0b", 11, 0 }, { "0c", 12, 0 }, { "77", 0x77, 0 } };
/* 11.6.1 */
static const struct row tmfs[] = { { "0", 0, 0 }, { "1", 1, 0 }, { "2", 2, 0 }, { "3", 3, 0 },
	{ "4", 4, 0 }, { "5", 5, 0 }, { "6", 6, 0 }, { "255", 255, 0 } };
/* 11.15.1 */
static const struct row logouts[] = { { "0", 0, 0 }, { "1", 1, 0 }, { "2", 2, 0 }, { "3", 3, 0 } };

#define TABLE(rows) rows, sizeof rows / sizeof rows[0]
static const struct table {
	const char *kind, *what;
	const struct row *row;
	size_t rows;
} tables[COVER_KINDS] = {
	[COVER_COUNTER] = { "COUNTER", "every counter of the core", TABLE(counters) },
	[COVER_STATISTIC] = { "STATISTIC", "every statistic of the guide", TABLE(statistics) },
	[COVER_MESSAGE] = { "MESSAGE", "every message of the guide", TABLE(messages) },
	[COVER_VIOLATION] = { "VIOLATION", "every violation of a login", TABLE(violations) },
	[COVER_RESULT] = { "RESULT", "every end of a connection", TABLE(results) },
	[COVER_STATUS] = { "STATUS", "every status of a login", TABLE(statuses) },
	[COVER_ASYNC] = { "ASYNC", "every asynchronous event", TABLE(asyncs) },
	[COVER_REJECT] = { "REJECT", "every reason of a reject", TABLE(rejects) },
	[COVER_TMF] = { "TMF", "every task management response", TABLE(tmfs) },
	[COVER_LOGOUT] = { "LOGOUT", "every logout response", TABLE(logouts) },
};

static const struct exemption {
	const char *kind, *name, *reason;
} exemptions[] = {
#define EXEMPT(kind_, name_, reason_) { .kind = #kind_, .name = #name_, .reason = reason_ },
#include "exempt.def"
};
#define EXEMPTIONS (sizeof exemptions / sizeof exemptions[0])

#define ROWS 128
static bool seen[COVER_KINDS][ROWS];

void
cover_note(enum cover_kind kind, unsigned id)
{
	const struct table *t = &tables[kind];

	for (size_t i = 0; i < t->rows; i++)
		if (t->row[i].id == id)
			seen[kind][i] = true;
	if (kind != COVER_COUNTER)
		return;
	for (size_t i = 0; i < tables[COVER_STATISTIC].rows; i++)
		if (statistics[i].counter != NULL &&
		    strcmp(statistics[i].counter, counters[id].name) == 0)
			seen[COVER_STATISTIC][i] = true;
}

static const struct exemption *
exemption(const char *kind, const char *name)
{
	for (size_t i = 0; i < EXEMPTIONS; i++)
		if (strcmp(exemptions[i].kind, kind) == 0 && strcmp(exemptions[i].name, name) == 0)
			return &exemptions[i];
	return NULL;
}

/* Rows of exempt.def that name nothing. */
static unsigned
stray_exemptions(void)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < EXEMPTIONS; i++) {
		bool found = false;

		for (size_t k = 0; k < COVER_KINDS; k++)
			for (size_t r = 0; r < tables[k].rows; r++)
				found |= strcmp(tables[k].kind, exemptions[i].kind) == 0 &&
					 strcmp(tables[k].row[r].name, exemptions[i].name) == 0;
		if (!found) {
			printf("# exempt.def: there is no %s %s\n", exemptions[i].kind,
			    exemptions[i].name);
			wrong++;
		}
	}
	return wrong;
}

unsigned
cover_report(unsigned *number)
{
	unsigned failed = 0, stray;

	for (size_t k = 0; k < COVER_KINDS; k++) {
		const struct table *t = &tables[k];
		unsigned wrong = 0, exempt = 0;

		for (size_t i = 0; i < t->rows; i++) {
			const struct exemption *e = exemption(t->kind, t->row[i].name);

			exempt += e != NULL;
			if (seen[k][i] == (e == NULL))
				continue;
			wrong++;
			printf(e == NULL ? "# no scenario asserts %s %s\n"
					 : "# exempt.def excuses %s %s, which a scenario asserts\n",
			    t->kind, t->row[i].name);
		}
		printf("%sok %u - %s is asserted by a scenario (%zu, %u exempt)\n",
		    wrong > 0 ? "not " : "", ++*number, t->what, t->rows - exempt, exempt);
		failed += wrong > 0;
	}
	stray = stray_exemptions();
	printf("%sok %u - every exemption is of something that exists\n", stray > 0 ? "not " : "",
	    ++*number);
	return failed + (stray > 0);
}
