/*
 * The I/O tree: every node that is or was there, in depth-first order of
 * hardware paths.  Instances come from the registry.  On the main loop.
 */
#ifndef ISCSIAL_TREE_H
#define ISCSIAL_TREE_H

#include "base/list.h"
#include "driver/iscsi/mail.h"
#include "driver/iscsial/hwpath.h"
#include "export/loopdev.h"
#include "lu/lu_info.h"
#include "registry/registry.h"

enum tree_state {
#define TREE_STATE(id, name) TREE_##id,
#include "driver/iscsial/tree.def"
};

enum tree_kind {
#define TREE_KIND(id, ...) TREE_##id,
#include "driver/iscsial/tree.def"
};

#define TREE_NO_LOOP    (-1)
#define TREE_LOOP_LISTS 256
#define TREE_NAME_LISTS 1024

struct export_ops;
struct work;

struct node {
	struct hwpath path;
	char hw_path[HWPATH_TEXT_BYTES];
	enum tree_kind kind;
	const char *class_name, *driver, *hw_type; /* static text */
	uint32_t instance;
	enum tree_state state;
	char description[64];

	/* TREE_LUN only. */
	uint32_t lun;
	char name[32];                   /* c1t0d1, or "": not named yet; by tree_name_lun() */
	struct list name_link;           /* tree.names */
	struct lu_kept *info;            /* owned; NULL: not seen since the driver started */
	struct identity_sketch sketch;   /* of info's identity, or of what is remembered */
	bool is_showing;                 /* the worker was asked to show it, and has not answered */
	bool is_shown;                   /* the exporter has it */
	const struct export_ops *export; /* by which, NULL before it was shown first; */
	bool is_export_set;              /* it is the settings that say so */
	bool is_read_only;               /* a filter refuses writes; see tree_is_read_only() */
	bool is_replaced;                /* another unit than the registry's stands there: no I/O */
	bool is_same;                    /* the unit said so last: it gets I/O, over some path */
	bool is_absent;                  /* the target has no unit there now; it is waited for */
	bool is_away;              /* by the last look: another unit, or none, is at its own LUN */
	bool is_installed;         /* it has device files, or will when it is back */
	bool is_in_use;            /* as usage_collect() saw it last */
	unsigned doomed, removals; /* removals of its device files by rmsf: that look for its users,
				      that are under way */
	pid_t users[MAIL_USERS];   /* the first n_users of its openers, where that can be told */
	unsigned n_users;
	unsigned openers;  /* of the exporter's file, and whether the block device has a user, as */
	bool is_loop_used; /* the walk of usage.c that is under way found so far */
	struct work *attaching; /* devfile.c makes its block device; borrowed */
	char twin[32]; /* the disk that this is another path to, or "": it has none of its own */
	bool is_way;   /* that disk has it as a path, */
	bool is_elsewhere; /* or is on another worker than the session */
	char *note;        /* a sentence about what is unusual, or NULL; by tree_note() */
	int loop; /* its block device, as in loopuse.h, or TREE_NO_LOOP; by tree_set_loop() */
	struct loopdev_id loop_id;
	struct list loop_link; /* tree.loops */
};

struct tree {
	struct node **nodes; /* n of them, owned */
	size_t n, room;
	struct list watches;                /* struct tree_watch */
	struct list loops[TREE_LOOP_LISTS]; /* LUNs by the last bits of their loop */
	struct list names[TREE_NAME_LISTS]; /* and by a hash of their name */
};

/* Somebody who wants to know when something changed; looks later, not from inside. */
struct tree_watch {
	struct list link; /* tree.watches */
	void (*changed)(struct tree_watch *w);
};

/* The virtual node is always there. */
struct tree *tree_new(void);
/* NULL is fine. */
void tree_free(struct tree *t);

/* NULL: there is none. */
struct node *tree_find(const struct tree *t, const struct hwpath *path);
/* The node at this path, made (NO_HW) where there was none.  Path: a bus, target or LUN. */
struct node *tree_add(struct tree *t, const struct hwpath *path);
/* Index of the first node that is not before `path`, for walks. */
size_t tree_lower(const struct tree *t, const struct hwpath *path);
/* The nodes from index `from` up to `to` are gone for good. */
void tree_remove(struct tree *t, size_t from, size_t to);
/*
 * Why a LUN has no disk that can be used, and so gets no device files; "": it has one.
 */
#define TREE_WHY_BYTES 800
void tree_why_no_device(const struct node *n, char ret_text[TREE_WHY_BYTES]);
/* A sentence about what is unusual from now on, shortened to this; NULL: nothing is. */
#define TREE_NOTE_BYTES 160
void tree_note(struct node *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Units came, went, or got their files: whoever watches is told. */
void tree_changed(struct tree *t);
/* A LUN by its name; NULL: none. */
struct node *tree_find_name(const struct tree *t, const char *name);

/* `number`: of the block device of this LUN from now on, or TREE_NO_LOOP. */
void tree_set_loop(struct tree *t, struct node *n, int number);
/* The LUN, another one than `n`, whose block device has this number; NULL: none. */
struct node *tree_other_of_loop(struct tree *t, const struct node *n, int number);

/* What a LUN is: class and driver by its device type, description by its INQUIRY. */
void tree_describe_lun(struct node *n, const struct lu_info *info);
/* Its unit is write-protected, or a filter in front of it refuses writes. */
bool tree_is_read_only(const struct node *n);
/* Which device class of the registry an inquiry type has. */
enum registry_class tree_registry_class(uint8_t inquiry_type);
const char *tree_state_name(enum tree_state s);
/* "c1t0d2": X is the bus's instance.  Writes n->name; tree_find_name() knows it by that. */
void tree_name_lun(struct tree *t, struct node *n, uint32_t bus_instance);

#endif
