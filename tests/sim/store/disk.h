/*
 * A disk in memory, and the directory on it, that loses what was not synced when power is lost: any
 * sectors of any file that were written since its last sync, in any combination, and the newest
 * names since the directory's last sync.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "../rng.h"

enum visit {
#define VISIT(id, ...) VISIT_##id,
#include "store.def"
	VISITS
};
extern uint64_t visits[VISITS];

/* An empty one. */
void disk_new(uint64_t seed);
/* The n-th operation from now on is not done any more, nor is what follows; 0: none. */
void disk_stop_in(uint64_t n);
bool disk_is_stopped(void);
/* From the n-th operation on it fails, so many times, with -err. */
void disk_fail_in(uint64_t n, unsigned times, int err);
/* It did fail since it was told to. */
bool disk_has_failed(void);
/* It works again as before; is_power: and what was not synced is lost. */
void disk_go_on(bool is_power);
/* How many operations there were. */
uint64_t disk_ops(void);

/* Files by name; a negative errno. */
int disk_find(const char *name);
int disk_create(const char *name);
int disk_unlink(const char *name);
int disk_rename(const char *from, const char *to);
int disk_sync_names(void);

int64_t disk_size(int file);
/* How many bytes there were. */
size_t disk_read(int file, void *ret_bytes, size_t n, uint64_t at);
/* what: VISIT_WRITE_… */
int disk_write(int file, const void *bytes, size_t n, uint64_t at, enum visit what);
int disk_truncate(int file, uint64_t size);
int disk_sync(int file);

#endif
