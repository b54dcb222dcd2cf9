/* Host names as they may be asked for: RFC 1123, section 2.1, over RFC 952. */
#ifndef NAMES_HOSTNAME_H
#define NAMES_HOSTNAME_H

/*
 * NULL when it is a name: labels of 1 to 63 letters, digits and inner hyphens,
 * 253 characters in all, perhaps a dot at the end, the last label not all
 * digits (which would be an address).  Else what is wrong with it, to stand
 * behind the name in a sentence.
 */
const char *hostname_fault(const char *name);

#endif
