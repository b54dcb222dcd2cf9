#include "driver/iscsial/known.h"

int
known_get(struct registry *r, const char *hw_path, struct identity *ret)
{
	return registry_identity_get(r, hw_path, ret);
}

int
known_set(struct registry *r, const char *hw_path, const struct identity *id)
{
	return registry_identity_set(r, hw_path, id);
}
