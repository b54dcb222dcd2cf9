/* For tests: a path on a virtual clock whose commands the test answers itself, in any order. */
#ifndef LU_FAKE_PATH_H
#define LU_FAKE_PATH_H

#include <stddef.h>

#include "lu/lu.h"
#include "lu/pool.h"

#define FAKE_PATH_MAX   512
#define FAKE_PATH_UNITS 32
#define FAKE_BLOCKS     2048

struct fake_path {
	struct path path;
	struct agenda agenda;
	struct req *out[FAKE_PATH_MAX]; /* n of them wait for an answer, in the order they came */
	size_t n;
	struct lunpath *units[FAKE_PATH_UNITS]; /* those that are told of events; n_units */
	size_t n_units;
	bool is_unsendable; /* nothing leaves: what is submitted can be withdrawn */
	unsigned submitted, withdrawn, worked, learned, units_changed, luns_changed, said;
	char last[700]; /* the last sentence */
};

/* Up, under nexus 1; a promise of 120 s, commands of 30 s. */
void fake_path_init(struct fake_path *f, unsigned slots);
/* Nothing is under way, and nothing is armed. */
void fake_path_fini(struct fake_path *f);
void fake_path_add(struct fake_path *f, struct lu *u);
/* The same for a unit that has joined by this. */
void fake_path_add_way(struct fake_path *f, struct lunpath *lp);

/* A turn of the agenda. */
void fake_path_turn(struct fake_path *f);
/* Let this much time pass, with a turn at every deadline in it. */
void fake_path_pass(struct fake_path *f, uint64_t us);

/* The i-th command that waits. */
struct req *fake_path_req(struct fake_path *f, size_t i);
/* Answer it: GOOD, with all data moved. */
void fake_path_good(struct fake_path *f, size_t i);
/* CHECK CONDITION with fixed format sense. */
void fake_path_check(struct fake_path *f, size_t i, uint8_t key, uint8_t asc, uint8_t ascq);
/* The same, of an earlier command. */
void fake_path_deferred(struct fake_path *f, size_t i, uint8_t key, uint8_t asc, uint8_t ascq);
void fake_path_status(struct fake_path *f, size_t i, uint8_t status);
void fake_path_result(struct fake_path *f, size_t i, enum req_result result);
/* As the fields of *r say (result, status, data_got …): set them first. */
void fake_path_answer(struct fake_path *f, size_t i);

/* The connection ends: all that is out comes back, then the units are told. */
void fake_path_down(struct fake_path *f, bool is_silent);
/* A login; is_dead: it ended the nexus before. */
void fake_path_up(struct fake_path *f, bool is_dead);
void fake_path_give_up(struct fake_path *f);

/* A request of an exporter that the test waits for. */
struct fake_req {
	struct blk_req r;
	unsigned done; /* times that it was answered */
};
/* Submit it; for data there is a buffer that all share. */
void fake_submit(
    struct lu *u, struct fake_req *q, enum blk_op op, uint64_t offset, uint64_t len, bool fua);

/*
 * A disk of 1 MiB that has its write cache on and knows FUA, learned under nexus
 * 1; naa 0: without a name.
 */
struct lu_info fake_info(uint32_t number, uint64_t naa);

#endif
