/* The machine, its kernel, its network. */
#include <sys/utsname.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/say.h"
#include "tools/iscsidiag/gather.h"
#include "tools/iscsidiag/slurp.h"

static void
put_file_line(json_t *data, const char *key, const char *path)
{
	char *line = slurp_line("%s", path);

	step_put_text(data, key, line[0] != '\0' ? line : "unknown");
	free(line);
}

static json_t *
access_to(const char *path)
{
	if (access(path, R_OK | W_OK) == 0)
		return json_string("there, and may be used");
	return json_sprintf("no: %s", strerror(errno));
}

static void
put_memory(json_t *data)
{
	static const char *const rows[] = { "MemTotal", "MemAvailable", "SwapTotal", "SwapFree",
		"Dirty", "Writeback" };
	json_t *memory = say_need(json_object());
	char *text = slurp("/proc/meminfo");

	for (size_t i = 0; text != NULL && i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *value = slurp_value(text, rows[i]);

		if (value != NULL)
			step_put_text(memory, rows[i], value);
		free(value);
	}
	free(text);
	step_put(data, "memory", memory);
}

void
gather_system(const struct paths *paths, json_t *data, json_t *missing)
{
	struct utsname u;

	if (uname(&u) == 0) {
		step_put_text(data, "host", u.nodename);
		step_put(data, "kernel", json_sprintf("%s %s %s", u.sysname, u.release, u.machine));
		step_put_text(data, "kernel build", u.version);
	} else {
		step_missing(missing, "the kernel does not say its name: %s", strerror(errno));
	}
	put_file_line(data, "system", "/etc/os-release");
	step_put_text(data, "root of the initiator", paths->root);
	step_put(data, "user", json_integer((json_int_t)geteuid()));
	step_put(data, "processors", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	put_file_line(data, "load", "/proc/loadavg");
	put_file_line(data, "uptime in seconds", "/proc/uptime");
	put_memory(data);
	put_file_line(data, "control group", "/proc/self/cgroup");
	step_put(data, "FUSE (/dev/fuse)", access_to("/dev/fuse"));
	step_put(data, "loop devices (/dev/loop-control)", access_to("/dev/loop-control"));
	put_file_line(
	    data, "clock", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

/* ---- network ---- */

static json_t *
interface_flags(unsigned flags)
{
	static const struct {
		unsigned flag;
		const char *word;
	} rows[] = { { IFF_UP, "up" }, { IFF_RUNNING, "running" }, { IFF_LOOPBACK, "loopback" },
		{ IFF_POINTOPOINT, "point-to-point" }, { IFF_PROMISC, "promiscuous" } };
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((flags & rows[i].flag) != 0)
			step_add_text(list, rows[i].word);
	return list;
}

static unsigned
prefix_bits(const struct sockaddr *mask)
{
	const uint8_t *p;
	unsigned bits = 0;
	size_t n;

	if (mask == NULL)
		return 0;
	n = mask->sa_family == AF_INET ? 4 : 16;
	p = mask->sa_family == AF_INET
		? (const uint8_t *)&((const struct sockaddr_in *)(const void *)mask)->sin_addr
		: (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr;
	for (size_t i = 0; i < n; i++)
		bits += (unsigned)__builtin_popcount(p[i]);
	return bits;
}

static void
put_address(json_t *addresses, const struct ifaddrs *a)
{
	char text[INET6_ADDRSTRLEN];
	const void *raw;

	if (a->ifa_addr == NULL)
		return;
	if (a->ifa_addr->sa_family == AF_INET)
		raw = &((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr;
	else if (a->ifa_addr->sa_family == AF_INET6)
		raw = &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr;
	else
		return;
	if (inet_ntop(a->ifa_addr->sa_family, raw, text, sizeof text) == NULL)
		return;
	say_need(json_array_append_new(
		     addresses, json_sprintf("%s/%u", text, prefix_bits(a->ifa_netmask))) == 0
		     ? addresses
		     : NULL);
}

static void
put_interfaces(json_t *data, json_t *missing)
{
	json_t *all = say_need(json_object());
	struct ifaddrs *list;

	if (getifaddrs(&list) != 0) {
		step_missing(missing, "the interfaces: %s", strerror(errno));
		json_decref(all);
		return;
	}
	for (const struct ifaddrs *a = list; a != NULL; a = a->ifa_next) {
		json_t *one = json_object_get(all, a->ifa_name);

		if (one == NULL) {
			char *mtu = slurp_line("/sys/class/net/%s/mtu", a->ifa_name);
			char *speed = slurp_line("/sys/class/net/%s/speed", a->ifa_name);

			one = say_need(json_pack("{s:o, s:s, s:s, s:[]}", "flags",
			    interface_flags(a->ifa_flags), "mtu", mtu, "Mbit/s", speed,
			    "addresses"));
			step_put(all, a->ifa_name, one);
			free(mtu);
			free(speed);
		}
		put_address(json_object_get(one, "addresses"), a);
	}
	freeifaddrs(list);
	step_put(data, "interfaces", all);
}

static void
put_route4(json_t *routes, const char *line)
{
	char name[IFNAMSIZ + 1], to[INET_ADDRSTRLEN], via[INET_ADDRSTRLEN];
	unsigned long dst, gate, mask;
	struct in_addr a;

	if (sscanf(line, "%16s %lx %lx %*x %*d %*d %*d %lx", name, &dst, &gate, &mask) != 4)
		return; /* the headings */
	a.s_addr = (in_addr_t)dst;
	(void)inet_ntop(AF_INET, &a, to, sizeof to); /* has room */
	a.s_addr = (in_addr_t)gate;
	(void)inet_ntop(AF_INET, &a, via, sizeof via);
	say_need(json_array_append_new(routes, json_sprintf("%s/%d via %s, %s", to,
						   __builtin_popcountl(mask), via, name)) == 0
		     ? routes
		     : NULL);
}

/* 32 hexadecimal digits as an address. */
static void
hex_address(const char *hex, char out[INET6_ADDRSTRLEN])
{
	struct in6_addr a = { 0 };

	for (size_t i = 0; i < 16; i++) {
		const char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		a.s6_addr[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	(void)inet_ntop(AF_INET6, &a, out, INET6_ADDRSTRLEN); /* has room */
}

static void
put_route6(json_t *routes, const char *line)
{
	char dst[33], gate[33], name[IFNAMSIZ + 1], to[INET6_ADDRSTRLEN], via[INET6_ADDRSTRLEN];
	unsigned bits;

	if (sscanf(line, "%32s %x %*s %*x %32s %*x %*x %*x %*x %16s", dst, &bits, gate, name) !=
		4 ||
	    strlen(dst) != 32 || strlen(gate) != 32)
		return;
	hex_address(dst, to);
	hex_address(gate, via);
	say_need(json_array_append_new(
		     routes, json_sprintf("%s/%u via %s, %s", to, bits, via, name)) == 0
		     ? routes
		     : NULL);
}

static void
put_routes(json_t *data, json_t *missing, const char *key, const char *path,
    void put(json_t *routes, const char *line))
{
	char *text = slurp(path), *rest = text, *line;
	json_t *routes = say_need(json_array());

	if (text == NULL)
		step_missing(missing, "%s: %s: %s", key, path, strerror(errno));
	while ((line = strsep(&rest, "\n")) != NULL)
		put(routes, line);
	free(text);
	step_put(data, key, routes);
}

/* TCP's counters: retransmissions are what is looked for. */
static void
put_tcp(json_t *data)
{
	char *text = slurp("/proc/net/snmp"), *rest = text, *line, *names = NULL, *values = NULL;
	json_t *tcp = say_need(json_object());

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "Tcp: ", 5) != 0)
			continue;
		if (names == NULL)
			names = line + 5;
		else
			values = line + 5;
	}
	while (names != NULL && values != NULL)
		step_put_text(tcp, strsep(&names, " "), strsep(&values, " "));
	free(text);
	step_put(data, "TCP", tcp);
}

void
gather_network(const struct paths *paths, json_t *data, json_t *missing)
{
	(void)paths;
	put_interfaces(data, missing);
	put_routes(data, missing, "routes, IPv4", "/proc/net/route", put_route4);
	put_routes(data, missing, "routes, IPv6", "/proc/net/ipv6_route", put_route6);
	put_file_line(data, "congestion control", "/proc/sys/net/ipv4/tcp_congestion_control");
	put_file_line(data, "receive memory", "/proc/sys/net/ipv4/tcp_rmem");
	put_file_line(data, "send memory", "/proc/sys/net/ipv4/tcp_wmem");
	put_tcp(data);
}
