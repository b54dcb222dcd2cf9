/*
 * Build step: how shells complete a program's words, from its tables.  A command has
 * them as such (common/cmdline.h); of a daemon, and of iscsi, what --help prints is
 * one (completion_help.c).
 */
#ifndef COMPLETION_COMPLETION_H
#define COMPLETION_COMPLETION_H

#include "tools/common/cmdline.h"

/* A command of sh that prints what an option's argument may be, one a line; NULL: nobody knows. */
const char *completion_list(const struct cmdline_option *o);
/* Its argument is a file; a directory. */
bool completion_is_file(const struct cmdline_option *o);
bool completion_is_dir(const struct cmdline_option *o);
/* The same as completion_list() for words that are no options. */
const char *completion_operands(const struct cmdline_tool *t);
/* An option whose second word is a value of the first one, a login key; n_options: there is none.
 */
size_t completion_keys(const struct cmdline_tool *t);
/* A command of sh that prints the values of the login key $K, one a line. */
const char *completion_values(void);
/* What may stand beside a verb; without verbs all. */
cmdline_set completion_fits(const struct cmdline_tool *t, size_t verb);
/* Options that every command takes. */
cmdline_set completion_common(const struct cmdline_tool *t);
/* Within single quotes, and `special` characters with a backslash. */
void completion_put_quoted(const char *text, const char *special);

/* Write it to the standard output. */
void completion_bash(const struct cmdline_tool *t);
void completion_zsh(const struct cmdline_tool *t);
void completion_fish(const struct cmdline_tool *t);
/* By the shell's name.  The exit status. */
int completion_write(const struct cmdline_tool *t, const char *shell);

#endif
