#include "driver/iscsial/known.h"

#include <string.h>

#include "base/cut.h"

int
known_get(struct registry *r, const char *hw_path, struct identity *ret)
{
	struct registry_identity kept;
	int err = registry_identity_get(r, hw_path, &kept);

	if (err != 0)
		return err;
	memset(ret, 0, sizeof *ret);
	if (kept.designator[0] != '\0')
		(void)identity_add(ret, kept.designator); /* the first one always fits */
	cut_copy(ret->serial, sizeof ret->serial, kept.serial);
	ret->size_bytes = kept.size_bytes;
	return 0;
}

int
known_set(struct registry *r, const char *hw_path, const struct identity *id)
{
	struct registry_identity keep = { .size_bytes = id->size_bytes };
	const char *name = identity_first(id);

	if (name != NULL)
		cut_copy(keep.designator, sizeof keep.designator, name);
	cut_copy(keep.serial, sizeof keep.serial, id->serial);
	return registry_identity_set(r, hw_path, &keep);
}
