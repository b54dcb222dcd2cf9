/*
 * For tests: a disk behind the target of fake_world.h, that executes commands
 * late, also those of connections that are gone, as long as their nexus lives.
 * It holds versions instead of data, and asserts that nothing old lands on
 * what is newer and was answered, and nothing on another unit.
 */
#ifndef INI_FAKE_DISK_H
#define INI_FAKE_DISK_H

#include "ini/fake_world.h"

#define FAKE_DISK_BLOCKS 2048u
/* Those that tests write: one version each. */
#define FAKE_DISK_SLOTS 8u

struct fake_line;

struct fake_disk {
	struct fake_world *w;
	uint64_t naa;
	bool is_other;       /* another unit stands there: no data may move */
	bool holds;          /* writes are executed late */
	unsigned busy;       /* the next so many commands are answered BUSY */
	unsigned attentions; /* … with a unit attention 29/00 */
	uint64_t version[FAKE_DISK_SLOTS], answered[FAKE_DISK_SLOTS];
	struct list held;
	unsigned executed_late, killed, reads, writes;
};

void fake_disk_init(struct fake_disk *d, struct fake_world *w, uint64_t naa);
void fake_disk_fini(struct fake_disk *d);
/* A SCSI command came, with its immediate data. */
void fake_disk_command(
    struct fake_disk *d, struct fake_line *l, const uint8_t *bhs, const uint8_t *data, uint32_t n);
/* The target's portal group has a new login of ours: what the old ones left is gone. */
void fake_disk_reinstated(struct fake_disk *d, uint32_t tpgt);
/* The target logged us out. */
void fake_disk_logged_out(struct fake_disk *d, struct fake_line *l);
/* A connection ended: what it left lives for so long. */
void fake_disk_lost(struct fake_disk *d, struct fake_line *l, uint64_t us);

#endif
