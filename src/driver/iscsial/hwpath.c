#include "driver/iscsial/hwpath.h"

#include <stdio.h>
#include <string.h>

/* What stands before each part: 255/0/3.0.0.1 */
static const char separators[HWPATH_PARTS] = { 0, '/', '/', '.', '.', '.' };

struct hwpath
hwpath_hba(void)
{
	return (struct hwpath){ .n = HWPATH_AT_HBA, .part = { HWPATH_ROOT, 0 } };
}

struct hwpath
hwpath_bus(uint32_t session, uint32_t bus)
{
	return (struct hwpath){ .n = HWPATH_AT_BUS, .part = { HWPATH_ROOT, 0, session, bus } };
}

struct hwpath
hwpath_target(uint32_t session, uint32_t bus, uint32_t target)
{
	return (struct hwpath){ .n = HWPATH_AT_TARGET,
		.part = { HWPATH_ROOT, 0, session, bus, target } };
}

struct hwpath
hwpath_lun(uint32_t session, uint32_t bus, uint32_t target, uint32_t lun)
{
	return (struct hwpath){ .n = HWPATH_AT_LUN,
		.part = { HWPATH_ROOT, 0, session, bus, target, lun } };
}

void
hwpath_print(char ret_text[HWPATH_TEXT_BYTES], const struct hwpath *p)
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (unsigned i = 0; i < p->n; i++) {
		int n = i == 0 ? snprintf(ret_text, HWPATH_TEXT_BYTES, "%u", p->part[0])
			       : snprintf(ret_text + used, HWPATH_TEXT_BYTES - used, "%c%u",
				     separators[i], p->part[i]);

		if (n < 0 || (size_t)n >= HWPATH_TEXT_BYTES - used)
			return;
		used += (size_t)n;
	}
}

bool
hwpath_parse(const char *text, struct hwpath *ret_path)
{
	struct hwpath p = { 0 };

	for (;;) {
		uint32_t v = 0;
		unsigned digits = 0;

		for (; *text >= '0' && *text <= '9' && digits < 8; text++, digits++)
			v = v * 10 + (uint32_t)(*text - '0');
		if (digits == 0 || (p.n == 0 && v != HWPATH_ROOT))
			return false;
		p.part[p.n++] = v;
		if (*text == '\0')
			break;
		if (p.n == HWPATH_PARTS || *text++ != separators[p.n])
			return false;
	}
	*ret_path = p;
	return true;
}

bool
hwpath_is_below(const struct hwpath *p, const struct hwpath *top)
{
	return p->n >= top->n && memcmp(p->part, top->part, top->n * sizeof p->part[0]) == 0;
}

int
hwpath_cmp(const struct hwpath *a, const struct hwpath *b)
{
	for (unsigned i = 0; i < a->n && i < b->n; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return (int)a->n - (int)b->n;
}
