#include "core/iname_form.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

#include "base/utf8.h"

#define MAPPING_STEPS_MAX 4

/* How many steps of the library's profile change a name; the others only look at it. */
static size_t
mapping_steps(void)
{
	size_t n = 0;

	while (stringprep_iscsi[n].operation == STRINGPREP_MAP_TABLE ||
	       stringprep_iscsi[n].operation == STRINGPREP_NFKC)
		n++;
	return n;
}

bool
iname_form_read(struct iname_form *ret, const char *name, size_t n)
{
	const char *end = name + n;

	if (n > LIMIT_ISCSI_NAME_BYTES)
		return false;
	ret->n = 0;
	while (name < end) {
		size_t bytes = utf8_length(name, (size_t)(end - name));

		if (bytes == 0 || *name == '\0')
			return false;
		ret->c[ret->n++] = utf8_code(name, bytes);
		name += bytes;
	}
	return true;
}

void
iname_form_map(struct iname_form *f)
{
	Stringprep_profile steps[MAPPING_STEPS_MAX + 1] = { 0 };
	size_t n = mapping_steps();
	int rc;

	assert(n <= MAPPING_STEPS_MAX);
	memcpy(steps, stringprep_iscsi, n * sizeof steps[0]);
	rc = stringprep_4i(f->c, &f->n, INAME_FORM_MAX, 0, steps);
	/* Well-formed characters have a normal form: only memory was wanting. */
	if (rc == STRINGPREP_NFKC_FAILED)
		abort();
	assert(rc == STRINGPREP_OK);
}

enum iname_result
iname_form_judge(struct iname_form *f)
{
	const Stringprep_profile unseen[] = {
		{ STRINGPREP_PROHIBIT_TABLE, 0, stringprep_iscsi->table,
		    stringprep_iscsi->table_size },
		{ 0 },
	};
	int rc;

	assert(stringprep_iscsi->table == stringprep_rfc3454_B_1);
	rc = stringprep_4i(f->c, &f->n, INAME_FORM_MAX, 0, unseen);
	if (rc == STRINGPREP_OK)
		rc = stringprep_4i(
		    f->c, &f->n, INAME_FORM_MAX, 0, stringprep_iscsi + mapping_steps());
	switch (rc) {
	case STRINGPREP_OK:
		return INAME_OK;
	case STRINGPREP_BIDI_BOTH_L_AND_RAL:
	case STRINGPREP_BIDI_LEADTRAIL_NOT_RAL:
		return INAME_BIDI;
	default:
		return INAME_PROHIBITED;
	}
}

bool
iname_form_write(
    const struct iname_form *f, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1], size_t *ret_n)
{
	char text[LIMIT_ISCSI_NAME_BYTES + 1], bytes[6];
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		size_t more = (size_t)stringprep_unichar_to_utf8(f->c[i], bytes);

		if (n + more > LIMIT_ISCSI_NAME_BYTES)
			return false;
		memcpy(text + n, bytes, more);
		n += more;
	}
	text[n] = '\0';
	memcpy(ret_name, text, n + 1);
	*ret_n = n;
	return true;
}
