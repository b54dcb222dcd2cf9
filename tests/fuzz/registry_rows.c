#include "registry_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* A sentence for each call that failed. */
static bool
is_fine(struct registry *r, int err)
{
	FUZZ_CHECK(err <= 0);
	if (err != 0 && err != -ENOENT)
		FUZZ_CHECK(registry_error(r)->message[0] != '\0');
	return err == 0;
}

static void
check_text(const char *text, size_t room)
{
	size_t n = strnlen(text, room);

	FUZZ_CHECK(n < room && utf8_valid(text, n));
}

static uint64_t
of_address(uint64_t h, const struct registry_address *a)
{
	check_text(a->address, sizeof a->address);
	h = fuzz_hash(h, a->address, strlen(a->address));
	h = fuzz_hash(h, &a->port, sizeof a->port);
	return fuzz_hash(h, &a->tpgt, sizeof a->tpgt);
}

static uint64_t
of_scope(struct registry *r, uint64_t h, const struct registry_scope *scope)
{
	struct registry_values all;
	enum registry_level level;

	if (!is_fine(r, registry_effective_all(r, scope, &all)))
		return fuzz_hash(h, "failed", 6);
	for (enum registry_key key = 0; key < REGISTRY_KEYS; key++) {
		const char *value = registry_values_get(&all, key, &level);
		char *one = NULL;
		int err;

		if (value == NULL &&
		    key != 0) /* one that is not set stands for all: time is short */
			continue;
		err = registry_effective(r, scope, key, &one, &level);
		FUZZ_CHECK((value != NULL) == (err == 0) || (err != 0 && err != -ENOENT));
		if (is_fine(r, err)) {
			FUZZ_CHECK(level < REGISTRY_LEVELS);
			FUZZ_CHECK(value != NULL && strcmp(one, value) == 0);
			check_text(one, LIMIT_REGISTRY_BYTES);
			h = fuzz_hash(h, one, strlen(one));
		}
		free(one);
	}
	registry_values_fini(&all);
	return h;
}

static uint64_t
of_redirect(struct registry *r, uint64_t h, const char *target, const struct registry_address *a)
{
	struct registry_address to;

	return is_fine(r, registry_redirect_get(r, target, a, &to)) ? of_address(h, &to) : h;
}

static uint64_t
of_targets(struct registry *r, uint64_t h)
{
	struct registry_target *list;
	size_t n;

	if (!is_fine(r, registry_target_list(r, NULL, &list, &n)))
		return fuzz_hash(h, "failed", 6);
	for (size_t i = 0; i < n; i++) {
		const struct registry_target *t = &list[i];
		struct registry_scope scope = { REGISTRY_TARGET, t->name, NULL };

		check_text(t->name, sizeof t->name);
		check_text(t->alias, sizeof t->alias);
		FUZZ_CHECK(registry_source_name(t->source)[0] != '\0');
		h = fuzz_hash(h, t->name, strlen(t->name));
		h = of_scope(r, h, &scope);
		for (size_t k = 0; k < t->n_addresses; k++) {
			FUZZ_CHECK(registry_source_name(t->addresses[k].source)[0] != '\0');
			h = of_address(h, &t->addresses[k].a);
			h = of_redirect(r, h, t->name, &t->addresses[k].a);
		}
	}
	registry_targets_free(list, n);
	return h;
}

static uint64_t
of_pages(struct registry *r, uint64_t h)
{
	struct registry_target *list;
	int64_t after = 0;
	size_t n, pages = 0;

	do {
		if (!is_fine(r, registry_target_page(r, &after, 2, &list, &n)))
			return fuzz_hash(h, "failed", 6);
		FUZZ_CHECK(n <= 2 && pages++ < 1000);
		registry_targets_free(list, n);
		h = fuzz_hash(h, &n, sizeof n);
	} while (n == 2);
	return h;
}

static uint64_t
of_discovery(struct registry *r, uint64_t h)
{
	struct registry_address *list;
	struct registry_found *found;
	size_t n, n_found;

	if (!is_fine(r, registry_discovery_list(r, &list, &n)))
		return fuzz_hash(h, "failed", 6);
	for (size_t i = 0; i < n; i++) {
		struct registry_scope scope = { REGISTRY_DISCOVERY, NULL, &list[i] };

		h = of_address(h, &list[i]);
		h = of_scope(r, h, &scope);
		if (!is_fine(r, registry_found_list(r, &list[i], &found, &n_found)))
			continue;
		for (size_t k = 0; k < n_found; k++)
			h = of_address(h, &found[k].a);
		free(found);
	}
	free(list);
	return h;
}

static uint64_t
of_unit(struct registry *r, uint64_t h, const char *hw_path)
{
	struct identity id;

	memset(&id, 0, sizeof id);
	if (!is_fine(r, registry_identity_get(r, hw_path, &id)))
		return h;
	for (const char *d = identity_first(&id); d != NULL; d = identity_next(&id, d))
		h = fuzz_hash(h, d, strlen(d));
	check_text(id.serial, sizeof id.serial);
	check_text(id.vendor, sizeof id.vendor);
	check_text(id.product, sizeof id.product);
	return h;
}

static uint64_t
of_instances(struct registry *r, uint64_t h)
{
	struct registry_session *sessions;
	struct registry_device *devices;
	struct registry_io *io;
	size_t n;

	if (is_fine(r, registry_session_list(r, &sessions, &n))) {
		for (size_t i = 0; i < n; i++) {
			FUZZ_CHECK(sessions[i].instance < LIMIT_SESSIONS);
			check_text(sessions[i].target, sizeof sessions[i].target);
			h = of_address(h, &sessions[i].a);
		}
		free(sessions);
	}
	if (is_fine(r, registry_device_list(r, &devices, &n))) {
		for (size_t i = 0; i < n; i++) {
			check_text(devices[i].name, sizeof devices[i].name);
			check_text(devices[i].hw_path, sizeof devices[i].hw_path);
			h = fuzz_hash(h, devices[i].name, strlen(devices[i].name));
		}
		free(devices);
	}
	if (!is_fine(r, registry_io_list(r, &io, &n)))
		return fuzz_hash(h, "failed", 6);
	for (size_t i = 0; i < n; i++) {
		FUZZ_CHECK(io[i].class < REGISTRY_CLASSES);
		check_text(io[i].hw_path, sizeof io[i].hw_path);
		h = fuzz_hash(h, io[i].hw_path, strlen(io[i].hw_path));
		h = of_unit(r, h, io[i].hw_path);
	}
	free(io);
	return h;
}

uint64_t
registry_rows(struct registry *r)
{
	uint64_t h = of_scope(r, 0, NULL);

	h = of_targets(r, h);
	h = of_pages(r, h);
	h = of_discovery(r, h);
	return of_instances(r, h);
}

void
registry_rows_change(struct registry *r)
{
	const struct registry_address a = { "192.0.2.1", 3260, 1 };
	const char *name = "iqn.2026-11.org.x:y";
	struct registry_made_name made;
	uint32_t instance;
	bool is_new;

	if (!is_fine(r, registry_begin(r)))
		return;
	(void)is_fine(r, registry_initiator_name(r, "/dev/null", &made));
	(void)is_fine(r, registry_discovery_add(r, &a));
	(void)is_fine(
	    r, registry_target_found(r, name, REGISTRY_SENDTARGETS, &a, &a, 2, 5, &is_new));
	if (is_fine(r, registry_session_instance(r, name, &a, &instance)))
		FUZZ_CHECK(instance < LIMIT_SESSIONS);
	if (is_fine(r, registry_io_instance(r, REGISTRY_CLASS_disk, "255/0/9.0.0.0", &instance)))
		FUZZ_CHECK(instance < LIMIT_IO_INSTANCES);
	(void)is_fine(r, registry_target_remove(r, name, NULL));
	registry_rollback(r);
}
