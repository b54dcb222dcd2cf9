/* Which unit stood at a hardware path, as the registry remembers it. */
#ifndef ISCSIAL_KNOWN_H
#define ISCSIAL_KNOWN_H

#include "registry/registry.h"
#include "scsi/identity.h"

/* 0, -ENOENT: none is remembered, or another negative errno: it could not be read. */
int known_get(struct registry *r, const char *hw_path, struct identity *ret);
int known_set(struct registry *r, const char *hw_path, const struct identity *id);

#endif
