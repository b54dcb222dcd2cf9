/*
 * Asymmetric logical unit access: what a target port is to a logical unit.  SPC-4, sections 5.15,
 * 6.37 (REPORT TARGET PORT GROUPS), 6.45 (SET TARGET PORT GROUPS), 7.8.5 (which port it is).
 */
#ifndef SCSI_ALUA_H
#define SCSI_ALUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/sense.h"

enum alua_state {
#define ALUA(id, code, serves, word) ALUA_##id = (code),
#include "scsi/alua.def"
};

struct alua {
	bool has_group; /* the page of names says which port this is: */
	uint16_t group, port;
	bool is_reported; /* the target has told the state; else it is what commands met */
	uint8_t state;    /* enum alua_state, or a code without a row; zero where nobody knows */
	bool is_preferred;
	uint8_t transition_s; /* the longest implicit transition; 0: not told */
	bool can_set;         /* SET TARGET PORT GROUPS is there */
};

/* Are reads and writes executed in this state?  Not in one that is not known. */
bool alua_serves(uint8_t state);
/* "standby"; "reserved" for a code without a row.  Static text. */
const char *alua_word(uint8_t state);
/* The group and the port of the page 83h that came over this path.  False: it does not say. */
bool alua_take_page(struct alua *a, const void *bytes, size_t n);
/*
 * The answer of REPORT TARGET PORT GROUPS, with (is_extended) or without the header that tells the
 * time of transitions: what it says of a->group.  False: nothing, or it is not whole.
 */
bool alua_take_report(struct alua *a, const void *bytes, size_t n, bool is_extended);
/* 02/04/0A to 0C: a command met this state.  False: the sense says something else. */
bool alua_of_sense(const struct sense *s, uint8_t *ret_state);
/* The parameter list of SET TARGET PORT GROUPS that makes this group active/optimized. */
#define ALUA_SET_BYTES 8
void alua_set_list(uint8_t ret_list[ALUA_SET_BYTES], uint16_t group);

#endif
