/* What insf tells of its work, in HP-UX's words. */
#ifndef INSF_TOLD_H
#define INSF_TOLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * "insf: Installing special files for sdisk instance 0 address 255/0/0.0.0.0",
 * a line for each device of the answer whose files were made; with `files`,
 * the files under it.
 */
void told_made(FILE *out, const json_t *result, bool files);
/* The driver's notes (no loop devices, …), with say_note(). */
void told_notes(const json_t *result);

#endif
