/*
 * A name as RFC 3722 prepares it, by the tables of GNU Libidn; for iname*.c
 * only.  The repertoire is that of Unicode 3.2 for ever.  What came later is
 * mapped to itself (RFC 3454, section 7, as in a query): it is the same only
 * as itself.
 */
#ifndef CORE_INAME_FORM_H
#define CORE_INAME_FORM_H

#include "core/iname.h"

/* No character becomes more than six for each of its bytes (U+FDFA: 18), and the library wants one
 * place more. */
#define INAME_FORM_MAX (6 * LIMIT_ISCSI_NAME_BYTES + 1)

struct iname_form {
	size_t n;
	uint32_t c[INAME_FORM_MAX];
};

/* Its form is its small letters: that needs no table. */
static inline bool
iname_form_is_ascii(const char *name, size_t n)
{
	unsigned char all = 0;

	for (size_t i = 0; i < n; i++)
		all |= (unsigned char)name[i];
	return all < 0x80;
}

/* As it is spelled.  False: it is not well-formed UTF-8, has a NUL, or is too long for a name. */
bool iname_form_read(struct iname_form *ret, const char *name, size_t n);
/*
 * Mapping and normalisation (sections 4 and 5).  It cannot fail: without memory
 * for these few bytes the process ends, and its supervisor starts it anew, for
 * an index whose order is not kept once is wrong for ever.
 */
void iname_form_map(struct iname_form *f);
/* INAME_OK, or what sections 6 and 7 say is wrong; in a name as it is spelled, also B.1.  It stays
 * as it is. */
enum iname_result iname_form_judge(struct iname_form *f);
/* In UTF-8, with its NUL.  False: it is too long. */
bool iname_form_write(
    const struct iname_form *f, char ret_name[LIMIT_ISCSI_NAME_BYTES + 1], size_t *ret_n);

#endif
