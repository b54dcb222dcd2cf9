/* Which of a tool's forms a line is, and what keeps it from being one. */
#ifndef TOOLS_MATCH_H
#define TOOLS_MATCH_H

#include "tools/common/cmdline.h"

/*
 * The form that the line's options and operands fit, *ret_distance is 0 then;
 * else the nearest one, to which the fewest changes lead.
 */
const struct cmdline_form *match_nearest(const struct cmdline *c, int *ret_distance);
/* Say (say.h) what is wrong with a line that is not quite this form. */
void match_explain(const struct cmdline *c, const struct cmdline_form *f);
/* Say that an option has two values where only one can count. */
void match_twice(const struct cmdline_option *o);

/* The next step where nothing better is known; takes the tool's name. */
#define MATCH_HELP "run '%s --help' for what there is"

#endif
