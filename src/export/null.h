/* The exporter "null": nobody sees its devices.  For benchmarks and tests. */
#ifndef EXPORT_NULL_H
#define EXPORT_NULL_H

#include "export/export.h"

extern const struct export_ops null_export;

#endif
