/*
 * Reading the driver's answers.  What is missing, null or of another type than
 * expected reads as empty: an older or newer driver must not stop a display.
 */
#ifndef TOOLS_RESULT_H
#define TOOLS_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Borrowed; "" when there is none. */
const char *result_text(const json_t *object, const char *key);
/* -1 when there is none. */
json_int_t result_number(const json_t *object, const char *key);
bool result_is_true(const json_t *object, const char *key);
/* "None,CRC32C"; the caller frees it. */
char *result_list(const json_t *object, const char *key);
/* "[2001:db8::1]:3260,1" from address, port and tpgt; the caller frees it. */
char *result_portal(const json_t *object);

/* `object` on several lines, all non-ASCII escaped, so that no terminal obeys it. */
void result_print(FILE *out, const json_t *object);

#endif
