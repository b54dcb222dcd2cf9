/*
 * iSCSI names: RFC 7143, section 4.2.7, and the characters of RFC 3722.  A
 * name that comes from a target is judged as it is; one that a user typed is
 * folded to lower case first (iname_normalise()).
 */
#ifndef CORE_INAME_H
#define CORE_INAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

enum iname_result {
#define INAME(id, text) INAME_##id,
#include "core/iname.def"
#undef INAME
};

/* Judges a name of n bytes; it need not end with a NUL. */
enum iname_result iname_check(const char *name, size_t n);
/*
 * Maps upper-case ASCII letters to lower case (RFC 3722, section 1; hexadecimal
 * digits of eui. and naa. keep their case), checks, and writes the name with
 * its NUL.  Written only with INAME_OK.
 */
enum iname_result iname_normalise(const char *name, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1]);
/* A sentence for each result; static text. */
const char *iname_text(enum iname_result r);

#endif
