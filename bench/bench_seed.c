/*
 * Puts one operational target into a registry before its driver starts, for
 * targets that cannot be discovered (the null target has no SendTargets).
 *
 * usage: bench_seed REGISTRY IQN ADDRESS PORT TAG
 */
#include <stdio.h>
#include <stdlib.h>

#include "registry/registry.h"

int
main(int argc, char **argv)
{
	struct registry_address a = { 0 };
	struct registry_error error;
	struct registry *r;
	bool is_new;
	int err;

	if (argc != 6) {
		fprintf(stderr, "usage: bench_seed REGISTRY IQN ADDRESS PORT TAG\n");
		return 2;
	}
	if (registry_open(argv[1], &r, &error) != 0) {
		fprintf(stderr, "bench_seed: %s\n", error.message);
		return 1;
	}
	snprintf(a.address, sizeof a.address, "%s", argv[3]);
	a.port = (uint16_t)strtoul(argv[4], NULL, 10);
	a.tpgt = (uint16_t)strtoul(argv[5], NULL, 10);
	err = registry_target_seen(r, argv[2], "", REGISTRY_STATIC, &a, 0, &is_new);
	if (err != 0)
		fprintf(stderr, "bench_seed: %s\n", registry_error(r)->message);
	registry_close(r);
	return err != 0;
}
