/*
 * iSCSI names: RFC 7143, section 4.2.7, and RFC 3722: of Unicode 3.2, mapped
 * by the tables B.1 and B.2 of RFC 3454 and in normalisation form KC.  A name
 * that comes from a target is judged, kept and shown as it is; one that a user
 * typed is prepared first (iname_normalise()).  Names are the same where what
 * RFC 3722 makes of them is (iname_compare()).
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

/*
 * Judges a name of n bytes; it need not end with a NUL.  INAME_UPPER_CASE (all
 * of it is ASCII) and INAME_NOT_NORMAL: it is another spelling of a good name,
 * and can be used as it is.
 */
enum iname_result iname_check(const char *name, size_t n);
/*
 * Prepares a name of at most 223 bytes as RFC 3722 says (hexadecimal digits of
 * eui. and naa. keep their case), checks, and writes the name with its NUL.
 * Written only with INAME_OK.  Code points that Unicode 3.2 has not are left as
 * they are.
 */
enum iname_result iname_normalise(const char *name, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1]);
/*
 * Below 0, 0, above 0: an order of names in which those are equal of which RFC
 * 3722 makes the same, whatever else is wrong with them.  Any bytes are
 * compared: those that are no UTF-8, or too long for a name, only by the small
 * letters of ASCII, and such a name is not the same as one of the others.  The
 * hexadecimal digits of eui. and naa. are the same in either case, too.  Names
 * are compared by this and by nothing else, and shown as whoever has them
 * spells them.  ASCII needs no memory here; other names need some for a moment,
 * and without it the process ends (core/iname_form.h).
 */
int iname_compare(const char *a, size_t a_len, const char *b, size_t b_len);
bool iname_same(const char *a, const char *b);
/* Equal for names that are the same; whoever chooses the names can make it equal for others, too.
 */
uint64_t iname_hash(const char *name);
/* A sentence for each result; static text. */
const char *iname_text(enum iname_result r);

#endif
