/*
 * islpd.conf, iradd.conf and iisnsd.conf.
 *
 * It is read, or there is a sentence; agents are within limits, and each is known again by what it
 * is called.
 *
 * Covers: src/sys/conf.c src/sys/conf_table.c src/islpd/config.c src/iradd/raddconf.c
 * Covers: src/iisnsd/iisnsdconf.c
 */
#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "iisnsd/iisnsdconf.h"
#include "iradd/raddconf.h"
#include "islpd/config.h"

static void
check(const struct config *was)
{
	struct config c = *was;
	char text[LIMIT_HOST_BYTES + 16], why[512];

	FUZZ_CHECK(c.n_agents <= CONFIG_AGENTS_MAX && c.port != 0);
	for (size_t i = 0; i < was->n_agents; i++) {
		const struct config_agent *a = &was->agents[i];
		bool is_ipv6 = strchr(a->host, ':') != NULL;
		size_t n;

		(void)snprintf(text, sizeof text, is_ipv6 ? "[%s]" : "%s", a->host); /* it fits */
		n = strlen(text);
		if (a->port != 0)
			(void)snprintf(text + n, sizeof text - n, ":%u", a->port);
		/* It is there already. */
		FUZZ_CHECK(config_add_agent(&c, text, why, sizeof why) == 0);
		FUZZ_CHECK(c.n_agents == was->n_agents);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("islpd.conf", MFD_CLOEXEC), err;
	char path[64], why[1024] = "";
	struct iisnsdconf isns;
	struct raddconf radd;
	struct config c;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* it fits */
	config_init(&c);
	err = config_read(&c, path, why, sizeof why);
	FUZZ_CHECK(err == 0 || (err < 0 && why[0] != '\0'));
	if (err == 0)
		check(&c);
	raddconf_init(&radd);
	why[0] = '\0';
	err = raddconf_read(&radd, path, why, sizeof why);
	FUZZ_CHECK(err == 0 || (err < 0 && why[0] != '\0'));
	FUZZ_CHECK(radd.value[RADDCONF_RETRIES] <= 100 && radd.value[RADDCONF_TIMEOUT] <= 60);
	iisnsdconf_init(&isns);
	why[0] = '\0';
	err = iisnsdconf_read(&isns, path, why, sizeof why);
	FUZZ_CHECK(err == 0 || (err < 0 && why[0] != '\0'));
	FUZZ_CHECK(isns.value[IISNSDCONF_REFRESH] >= 5 && isns.value[IISNSDCONF_TIMEOUT] >= 1);
	close(fd);
	return 0;
}
