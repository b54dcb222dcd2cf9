/*
 * iSCSI names: RFC 7143, section 4.2.7, and the characters of RFC 3722.  A
 * name that comes from a target is judged as it is; one that a user typed is
 * folded to lower case first (iname_normalise()).
 */
#ifndef CORE_INAME_H
#define CORE_INAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
/*
 * Below 0, 0, above 0: an order of names in which those that RFC 3722 calls the
 * same are equal (its case folding; names must be in normalisation form KC
 * already).  Any bytes are compared, without a NUL; the hexadecimal digits of
 * eui. and naa. are the same in either case, too.  Names are compared by this
 * and by nothing else, and shown as whoever has them spells them.
 */
int iname_compare(const char *a, size_t a_len, const char *b, size_t b_len);
bool iname_same(const char *a, const char *b);
/* Equal for names that are the same; whoever chooses the names can make it equal for others, too.
 */
uint64_t iname_hash(const char *name);
/* A sentence for each result; static text. */
const char *iname_text(enum iname_result r);

#endif
