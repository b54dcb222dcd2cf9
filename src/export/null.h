/*
 * The exporter "null": nobody sees its devices.  For tests and benchmarks,
 * which find a device here and send it requests themselves.
 */
#ifndef EXPORT_NULL_H
#define EXPORT_NULL_H

#include "export/export.h"

extern const struct export_ops null_export;

/* A device by name, or NULL. */
struct blk_dev *null_dev(const struct export *ex, const char *name);
unsigned null_count(const struct export *ex);
/* How often changed() was called for a device. */
unsigned null_changes(const struct export *ex, const struct blk_dev *dev);
/* Pretend that the device has so many openers. */
void null_set_openers(struct export *ex, const struct blk_dev *dev, unsigned openers);

#endif
