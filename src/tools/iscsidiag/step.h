/*
 * A step of the gathering runs in a process of its own with a time limit, so
 * that whatever hangs, a file system or the driver, costs its own section and
 * nothing else.
 */
#ifndef ISCSIDIAG_STEP_H
#define ISCSIDIAG_STEP_H

#include <jansson.h>
#include <stdint.h>

#include "sys/paths.h"

/* What a step returns at most; a longer answer counts as missing. */
#define STEP_BYTES (32u << 20)

/* Fill `data`, an object; what could not be had is a sentence in `missing`, a list. */
typedef void step_gather(const struct paths *paths, json_t *data, json_t *missing);

/*
 * {"data":{…},"missing":["sentence"],"ms":N}; never NULL.  What the step
 * started and did not end by then is killed.
 */
json_t *step_run(step_gather *gather, const struct paths *paths, uint32_t limit_ms);

/* Append a sentence to `missing`. */
void step_missing(json_t *missing, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Put `value`, whose reference is taken. */
void step_put(json_t *data, const char *key, json_t *value);
/* Put a text, made UTF-8 where it is not. */
void step_put_text(json_t *data, const char *key, const char *text);
void step_add_text(json_t *list, const char *text);

#endif
