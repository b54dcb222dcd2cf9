/*
 * Hardware paths of the I/O tree, the guide, chapter 2:
 * 255/<virtual HBA>/<session>.<bus>.<target>.<lun>.  A path may stop at any
 * level.  Pure.
 */
#ifndef ISCSIAL_HWPATH_H
#define ISCSIAL_HWPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HWPATH_ROOT  255
#define HWPATH_PARTS 6
/* Six numbers of ten digits, five separators, a NUL. */
#define HWPATH_TEXT_BYTES 66

enum hwpath_level {
	HWPATH_AT_ROOT = 1, /* 255 */
	HWPATH_AT_HBA,      /* 255/0 */
	HWPATH_AT_SESSION,  /* 255/0/3 */
	HWPATH_AT_BUS,
	HWPATH_AT_TARGET,
	HWPATH_AT_LUN
};

struct hwpath {
	uint8_t n; /* parts that are given: an enum hwpath_level */
	uint32_t part[HWPATH_PARTS];
};

struct hwpath hwpath_hba(void);
struct hwpath hwpath_bus(uint32_t session, uint32_t bus);
struct hwpath hwpath_target(uint32_t session, uint32_t bus, uint32_t target);
struct hwpath hwpath_lun(uint32_t session, uint32_t bus, uint32_t target, uint32_t lun);

/* Writes at most HWPATH_TEXT_BYTES, with the NUL. */
void hwpath_print(char ret_text[HWPATH_TEXT_BYTES], const struct hwpath *p);
/* False: not a hardware path below 255; *ret_path is untouched. */
bool hwpath_parse(const char *text, struct hwpath *ret_path);
/* Is `p` at or below `top`? */
bool hwpath_is_below(const struct hwpath *p, const struct hwpath *top);
/* Order of a depth-first walk: <0, 0, >0. */
int hwpath_cmp(const struct hwpath *a, const struct hwpath *b);

#endif
