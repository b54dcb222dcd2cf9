/* Configuration files of daemons: a word and its value a line, '#' begins a comment. */
#ifndef SYS_CONF_H
#define SYS_CONF_H

#include <stddef.h>

/*
 * Read a file, which need not exist: take() is called with each line's word and value and returns
 * 0, or a negative errno with a sentence's end in `why`.  0, or a negative errno with a sentence in
 * `why`: the file cannot be read, or a line (its number is said) is wrong.
 */
int conf_read(const char *path,
    int (*take)(void *user, const char *word, const char *value, char *why, size_t why_bytes),
    void *user, char *why, size_t why_bytes);

#endif
