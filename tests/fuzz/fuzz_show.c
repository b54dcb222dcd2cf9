/*
 * What commands show of a driver's answer, whatever it is: sessions, targets, statistics, the I/O
 * tree.
 *
 * All of it is text that no terminal obeys, and not much more than what came.
 *
 * Covers: src/tools/iscsiutil/show.c src/tools/iscsiutil/stats.c src/tools/iscsiutil/metrics.c
 * Covers: src/tools/ioscan/list.c src/tools/common/label.c src/tools/common/table.c
 * Covers: src/tools/common/result.c src/tools/insf/told.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"
#include "fuzz.h"
#include "ipc/codec.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/insf/told.h"
#include "tools/ioscan/list.h"
#include "tools/iscsiutil/metrics.h"
#include "tools/iscsiutil/overview.h"
#include "tools/iscsiutil/show.h"
#include "tools/iscsiutil/stats.h"

/* Of a display whose rows are short there is more than came, but not without end. */
#define GROWTH     400
#define GROWTH_MIN 65536

static void
list(FILE *out, uint8_t what, const json_t *result)
{
	const struct list_filter filter = {
		.hw_path = (what & 0x20) != 0 ? "255/0" : NULL,
		.instance = -1,
		.usable = (what & 0x40) != 0,
	};
	json_t *some = list_select(result, &filter);

	if (some != NULL)
		FUZZ_CHECK(list_count(some, &filter) <= list_count(result, &filter));
	json_decref(some);
	list_table(out, result, &filter, (what & 16) != 0, true);
	list_fields(out, result, &filter, (what & 16) != 0);
}

static void
show(FILE *out, uint8_t what, const json_t *result)
{
	bool more = (what & 16) != 0;

	switch (what & 15) {
	case 0:
		show_driver(out, result);
		show_nop(out, result);
		break;
	case 1:
		show_initiator(out, result, more);
		break;
	case 2:
		show_discovery(out, result);
		break;
	case 3:
		show_targets(out, result);
		break;
	case 4:
		show_sessions(out, result, more);
		break;
	case 5:
		show_connections(out, result, -1, more);
		(void)show_count_connections(result, 0); /* any number is one */
		break;
	case 6:
		show_all(out, result, result, result);
		overview_show(out, result, result, json_object_get(result, "units"),
		    &(struct units_view){ .width = more ? 79 : 0,
			.before = more ? json_object_get(result, "before") : NULL,
			.seconds = 2 });
		break;
	case 7:
		stats_show(out, result, true, true);
		break;
	case 8:
		metrics_show(out, more ? METRICS_OPEN : METRICS_PROMETHEUS,
		    &(struct metrics_answers){ result, result, result, result });
		break;
	case 9:
	case 10:
		list(out, what, result);
		break;
	case 11:
		told_made(out, result, true);
		told_notes(result);
		break;
	default:
		result_print(out, result);
	}
}

static void
check_text(const char *text, size_t n)
{
	const char *p = text, *end = text + n;

	while (p < end) {
		bool is_shown;
		size_t bytes = visible_next(p, (size_t)(end - p), &is_shown);

		FUZZ_CHECK(is_shown || *p == '\n' || *p == '\t');
		p += bytes;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	uint8_t what = cursor_u8(&in);
	char why[256], *text = NULL;
	json_t *result;
	size_t n = cursor_left(&in);
	FILE *out;

	if (n == 0 ||
	    ipc_parse((const char *)cursor_bytes(&in, n), n, &result, why, sizeof why) != 0)
		return 0;
	out = open_memstream(&text, &n);
	if (out == NULL)
		abort();
	say_init("test", out);
	show(out, what, result);
	if (fclose(out) != 0)
		abort();
	FUZZ_CHECK(n <= size * GROWTH + GROWTH_MIN);
	check_text(text, n);
	free(text);
	json_decref(result);
	return 0;
}
