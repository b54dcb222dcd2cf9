/* What tests hold a pool to after every step. */
#ifndef LU_FAKE_POOL_H
#define LU_FAKE_POOL_H

#include "lu/pool.h"

/* Assert that its sums are those of its units. */
void fake_pool_check(const struct pool *p);

#endif
