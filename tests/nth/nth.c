/*
 * A library that is preloaded into one program of ours: the n-th call of a function of the C
 * library fails, or moves fewer bytes, and the clock of the wall jumps.  A page of memory that is
 * shared with the test (NTH_PAGE, a file) says which, counts what was called, and notes from where
 * (nth.py has its other side).  Every program but NTH_PROGRAM is left alone.
 *
 * A call is known by the functions that led to it, as offsets in their files, so that it is the
 * same one in the next run whatever other threads do in between; or by its number among all calls
 * of that function.
 *
 * No header of the C library that declares what is defined here is included: calls.def has
 * prototypes of its own.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "able.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"

#define FRAMES     14
#define OWN_FRAMES 3 /* of ours, on top of each stack */
#define SITES      8192
#define MODULES    48

/* As the headers have them. */
#define O_RDWR_     2
#define O_CLOEXEC_  02000000
#define PROT_READ_  1
#define PROT_WRITE_ 2
#define MAP_SHARED_ 1

enum call {
	CALL_malloc,
	CALL_calloc,
	CALL_realloc,
#define CALL(type, name, ...)    CALL_##name,
#define BYTES(type, name, ...)   CALL_##name,
#define IO(type, name, ...)      CALL_##name,
#define OF_KIND(type, name, ...) CALL_##name,
#define CODE(type, name, ...)    CALL_##name,
#include "calls.def"
	CALLS
};

/* All words are of 8 bytes: nth.py reads them by their names. */
struct page {
	_Atomic uint64_t is_armed;
	uint64_t call, site, at, times, error;
	uint64_t children; /* 1: it happens to the program's children, not to itself */
	_Atomic uint64_t matched, failed;
	_Atomic int64_t wall_s; /* the clock of the wall is so much ahead */
	char module[MODULES][256];
	struct site {
		_Atomic uint64_t hash;
		uint64_t call, children, first;
		_Atomic uint64_t count;
		uint64_t frames[FRAMES];
	} sites[SITES];
};

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
/* AddressSanitizer's, where it is there. */
extern void *__interceptor_malloc(size_t n) __attribute__((weak));
extern void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *p, size_t n) __attribute__((weak));
extern int backtrace(void **at, int n);
extern char *getenv(const char *name);
extern char *program_invocation_short_name;
extern int pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));

static struct page *page;
static uint64_t generation;
static struct {
	uintptr_t from, to, base;
} modules[MODULES];
static unsigned n_modules;
static _Atomic uint64_t calls;
static __thread bool is_inside __attribute__((tls_model("initial-exec")));

/* ---- who calls ---- */

static int
add_module(struct dl_phdr_info *info, size_t size, void *user)
{
	(void)size;
	(void)user;
	if (n_modules == MODULES)
		return 1;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];

		if (h->p_type != PT_LOAD || !(h->p_flags & PF_X))
			continue;
		modules[n_modules].base = info->dlpi_addr;
		modules[n_modules].from = info->dlpi_addr + h->p_vaddr;
		modules[n_modules].to = modules[n_modules].from + h->p_memsz;
		strncpy(page->module[n_modules], info->dlpi_name, sizeof page->module[0] - 1);
		n_modules++;
		return 0;
	}
	return 0;
}

/* Module and offset; 0 in what was loaded later. */
static uint64_t
place(void *at)
{
	uintptr_t p = (uintptr_t)at;

	for (unsigned i = 0; i < n_modules; i++)
		if (p >= modules[i].from && p < modules[i].to)
			return (uint64_t)(i + 1) << 48 | (p - modules[i].base);
	return 0;
}

static uint64_t
look_back(enum call call, uint64_t frames[FRAMES])
{
	void *at[FRAMES + OWN_FRAMES] = { NULL };
	int n = backtrace(at, FRAMES + OWN_FRAMES);
	uint64_t hash = 0xcbf29ce484222325 + call * 2 + (generation > 0);

	for (int i = 0; i < FRAMES; i++) {
		frames[i] = i + OWN_FRAMES < n ? place(at[i + OWN_FRAMES]) : 0;
		hash = (hash ^ frames[i]) * 0x100000001b3;
	}
	return hash == 0 ? 1 : hash;
}

static void
note_site(enum call call, uint64_t hash, const uint64_t frames[FRAMES])
{
	uint64_t number = atomic_fetch_add(&calls, 1);

	for (unsigned i = 0; i < SITES; i++) {
		struct site *s = &page->sites[(hash + i) % SITES];
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&s->hash, &none, hash)) {
			s->call = call;
			s->children = generation > 0;
			s->first = number;
			memcpy(s->frames, frames, FRAMES * sizeof frames[0]);
			none = hash;
		}
		if (none == hash) {
			atomic_fetch_add(&s->count, 1);
			return;
		}
	}
}

static void *
no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/* 0, or the errno that this call has. */
static __attribute__((noinline)) int
judge(enum call call)
{
	uint64_t frames[FRAMES], hash, number;

	if (page == NULL || is_inside)
		return 0;
	/* Looking back takes time: only to learn what there is, or where it may be this one. */
	if (atomic_load(&page->is_armed) && page->call != call)
		return 0;
	is_inside = true;
	hash = look_back(call, frames);
	note_site(call, hash, frames);
	is_inside = false;
	if (!atomic_load(&page->is_armed) || page->children != (generation > 0))
		return 0;
	if (page->site != 0 && page->site != hash)
		return 0;
	number = atomic_fetch_add(&page->matched, 1) + 1;
	if (number < page->at || number >= page->at + page->times)
		return 0;
	atomic_fetch_add(&page->failed, 1);
	return (int)page->error;
}

/* A failure that this descriptor cannot have does not happen. */
static bool
may_fail(bool can)
{
	if (!can)
		atomic_fetch_sub(&page->failed, 1);
	return can;
}

static bool
can_have(enum call call, int fd, int err, int flags)
{
	bool can;

	is_inside = true;
	can = able_to_have(fd, err, flags, call == CALL_pread64 || call == CALL_pwrite64);
	is_inside = false;
	return may_fail(can);
}

/* ---- what is called ---- */

#define REAL(type, name, params)      \
	static type(*real) params;    \
	int err = judge(CALL_##name); \
	if (real == NULL)             \
	real = (type(*) params)dlsym(RTLD_NEXT, #name)
#define CALL(type, name, failed_as, errnos, params, args) \
	type name params                                  \
	{                                                 \
		REAL(type, name, params);                 \
		if (err != 0) {                           \
			errno = err;                      \
			return failed_as;                 \
		}                                         \
		return real args;                         \
	}
#define IO(type, name, flags, failed_as, errnos, params, args)           \
	type name params                                                 \
	{                                                                \
		REAL(type, name, params);                                \
		if (err != 0 && can_have(CALL_##name, fd, err, flags)) { \
			errno = err;                                     \
			return failed_as;                                \
		}                                                        \
		return real args;                                        \
	}
#define BYTES(type, name, flags, failed_as, errnos, params, args)        \
	type name params                                                 \
	{                                                                \
		REAL(type, name, params);                                \
		if (err != 0 && can_have(CALL_##name, fd, err, flags)) { \
			errno = err;                                     \
			if (err != SHORT_COUNT)                          \
				return failed_as;                        \
			n = n / 2 + n % 2;                               \
		}                                                        \
		return real args;                                        \
	}
#define OF_KIND(type, name, able, failed_as, errnos, params, args) \
	type name params                                           \
	{                                                          \
		REAL(type, name, params);                          \
		if (err != 0 && may_fail(able)) {                  \
			errno = err;                               \
			return failed_as;                          \
		}                                                  \
		return real args;                                  \
	}
#define CODE(type, name, failed_as, errnos, params, args) \
	type name params                                  \
	{                                                 \
		REAL(type, name, params);                 \
		return err != 0 ? err : real args;        \
	}
#include "calls.def"

void *
malloc(unsigned long n)
{
	if (judge(CALL_malloc) != 0)
		return no_memory();
	return __interceptor_malloc != NULL ? __interceptor_malloc(n) : __libc_malloc(n);
}

void *
calloc(unsigned long n, unsigned long size)
{
	if (judge(CALL_calloc) != 0)
		return no_memory();
	return __interceptor_calloc != NULL ? __interceptor_calloc(n, size)
					    : __libc_calloc(n, size);
}

void *
realloc(void *p, unsigned long n)
{
	if (judge(CALL_realloc) != 0)
		return no_memory();
	return __interceptor_realloc != NULL ? __interceptor_realloc(p, n) : __libc_realloc(p, n);
}

/* ---- the clock of the wall ---- */

struct clock {
	long s, rest;
};

int
clock_gettime(int which, struct clock *ret)
{
	static int (*real)(int, struct clock *);

	if (real == NULL)
		real = (int (*)(int, struct clock *))dlsym(RTLD_NEXT, "clock_gettime");
	int rc = real(which, ret);
	if (rc == 0 && which == 0 && page != NULL)
		ret->s += atomic_load(&page->wall_s);
	return rc;
}

int
gettimeofday(struct clock *ret, void *zone)
{
	static int (*real)(struct clock *, void *);

	if (real == NULL)
		real = (int (*)(struct clock *, void *))dlsym(RTLD_NEXT, "gettimeofday");
	int rc = real(ret, zone);
	if (rc == 0 && page != NULL)
		ret->s += atomic_load(&page->wall_s);
	return rc;
}

long
time(long *ret)
{
	struct clock now;

	clock_gettime(0, &now);
	if (ret != NULL)
		*ret = now.s;
	return now.s;
}

/* ---- the page ---- */

static void
note_fork(void)
{
	generation++;
}

static __attribute__((constructor)) void
begin(void)
{
	const char *program = getenv("NTH_PROGRAM"), *path = getenv("NTH_PAGE");
	int (*open_file)(const char *, int, ...) =
	    (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
	void *(*map)(void *, size_t, int, int, int, long) =
	    (void *(*)(void *, size_t, int, int, int, long))dlsym(RTLD_NEXT, "mmap64");
	void *at[FRAMES], *shared;
	int fd;

	if (program == NULL || path == NULL || strcmp(program, program_invocation_short_name) != 0)
		return;
	fd = open_file(path, O_RDWR_ | O_CLOEXEC_);
	if (fd < 0)
		__builtin_trap();
	shared = map(NULL, sizeof *page, PROT_READ_ | PROT_WRITE_, MAP_SHARED_, fd, 0);
	if (shared == (void *)-1)
		__builtin_trap();
	((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd);
	/* It loads a library the first time, which is forbidden later. */
	(void)backtrace(at, FRAMES);
	pthread_atfork(NULL, NULL, note_fork);
	page = shared;
	dl_iterate_phdr(add_module, NULL);
}
