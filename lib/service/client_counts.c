/* SPDX-License-Identifier: ISC */
#include "lib/service/client_counts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	COLUMNS = 32, /* processes of one service that count together */
	BUCKETS = 2048,
	WAYS = 8,
	FILE_VERSION = 2,
	LOCK_WAIT_MS = 100, /* once */
	INIT_WAIT_MS = 2000,
	INIT_LOCK = COLUMNS, /* bytes of the file; the columns' come first */
	TABLE_LOCK,
};

struct counter {
	unsigned char key[CLIENT_KEY_SIZE]; /* of client_key_of */
	int64_t window; /* begin of the current time unit, clock_ms */
	uint32_t events[CLIENT_EVENTS]; /* in it */
	uint16_t connections[COLUMNS];
};

/*
 * SECURITY: a process that was taken over can write here what it likes, while
 * another begins as root: numbers only, nothing that is followed. A robust
 * mutex would hold pointers to write through; the kernel's locks do not.
 */
struct shared {
	uint64_t seed; /* so that nobody can choose a bucket */
	struct counter counters[BUCKETS * WAYS];
};

static struct {
	struct shared *table;
	int fd; /* holds the column's lock; -1: the table is ours alone */
	unsigned int column;
} here = { NULL, -1, 0 };

/* The memory is all zero. */
static void
begin_table(struct shared *t)
{
	if (getrandom(&t->seed, sizeof(t->seed), 0) < 0)
		t->seed = (uint64_t)clock_wall_us();
}

/*
 * Held for less than a microsecond, and gone with a process that is killed:
 * then counters may be one off, no more. A process that was taken over could
 * hold it for ever; nobody waits for that: we go on without, and counters may
 * be off by more.
 */
static void
lock_table(void)
{
	static bool told;
	int64_t end;

	if (here.fd < 0)
		return;
	end = clock_ms() + (told ? 0 : LOCK_WAIT_MS);
	while (!fd_lock_byte(here.fd, TABLE_LOCK)) {
		if (clock_ms() > end) {
			if (!told)
				log_warning("a process keeps the lock of the "
					    "client counters: we count "
					    "without it");
			told = true;
			return;
		}
		(void)sched_yield();
	}
}

static void
unlock_table(void)
{
	if (here.fd >= 0)
		fd_unlock_byte(here.fd, TABLE_LOCK);
}

/* Nobody else writes here. */
static void
clear_column(void)
{
	for (size_t i = 0; i < BUCKETS * WAYS; i++) {
		uint16_t *left =
		    &here.table->counters[i].connections[here.column];

		/* most pages were never touched, and stay so */
		if (*left != 0)
			*left = 0;
	}
	/* nor do those that were only looked at count as ours */
	(void)madvise(here.table, sizeof(*here.table), MADV_DONTNEED);
}

static bool
begin_file(void)
{
	if (ftruncate(here.fd, 0) < 0 ||
	    fd_reserve(here.fd, sizeof(struct shared)) < 0)
		return false;
	begin_table(here.table);
	return true;
}

/*
 * Held for milliseconds by who begins. One that was taken over could hold it
 * for ever, and nobody else would begin any more.
 */
static bool
lock_beginning(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int64_t end = clock_ms() + INIT_WAIT_MS;

	while (!fd_lock_byte(here.fd, INIT_LOCK)) {
		if (clock_ms() > end) {
			errno = EBUSY;
			return false;
		}
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

/*
 * A column nobody holds. What its last owner left behind is cleared; and if
 * all are free, nobody else is here, and everything begins anew.
 */
static bool
take_column(void)
{
	unsigned int free_columns = 0;

	for (unsigned int i = 0; i < COLUMNS; i++) {
		if (!fd_lock_byte(here.fd, i))
			continue;
		if (free_columns++ == 0)
			here.column = i;
		else /* only tried */
			fd_unlock_byte(here.fd, i);
	}
	if (free_columns == COLUMNS)
		return begin_file();
	if (free_columns > 0)
		clear_column();
	else
		errno = EUSERS;
	return free_columns > 0;
}

/* Ours alone: root works in a directory that another user owns. */
static int
open_file(const char *directory, const char *program, const char *service)
{
	char *path = mem_printf("%s/%s-limits-%d.%s", directory, program,
	    FILE_VERSION, service);
	struct stat st;
	int fd;

	for (char *p = path + strlen(directory) + 1; *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 &&
	    (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
		st.st_uid != geteuid())) {
		errno = EPERM;
		fd_close(&fd);
	}
	free(path);
	return fd;
}

static bool
share(const char *directory, const char *program, const char *service)
{
	void *map;
	bool good;

	here.fd = open_file(directory, program, service);
	if (here.fd < 0)
		return false;
	if (fd_reserve(here.fd, sizeof(struct shared)) < 0)
		return false;
	map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED, here.fd, 0);
	if (map == MAP_FAILED)
		return false;
	here.table = map;
	if (!lock_beginning()) {
		munmap(map, sizeof(struct shared));
		return false;
	}
	good = take_column();
	fd_unlock_byte(here.fd, INIT_LOCK);
	if (!good)
		munmap(map, sizeof(struct shared));
	return good;
}

void
client_counts_open(const char *directory, const char *program,
    const char *service)
{
	void *map;

	if (directory[0] != '\0') {
		if (share(directory, program, service))
			return;
		log_warning("%s/%s-limits-%d.%s: %s; this process counts its "
			    "clients alone",
		    directory, program, FILE_VERSION, service,
		    errno == EBUSY ? "a process keeps its lock" :
				     strerror(errno));
	}
	fd_close(&here.fd);
	here.column = 0;
	map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		fatal("no memory for the counters of clients");
	here.table = map;
	begin_table(here.table);
}

void
client_key_of(const struct address *a, unsigned int ipv4_bits,
    unsigned int ipv6_bits, struct client_key *out)
{
	unsigned int bits;

	memset(out->bytes, 0, CLIENT_KEY_SIZE);
	if (!address_is_ip(a))
		return; /* "::", which no client has */
	if (a->any.sa_family == AF_INET) {
		out->bytes[10] = out->bytes[11] = 0xff;
		memcpy(out->bytes + 12, &a->v4.sin_addr, 4);
		bits = 96 + ipv4_bits;
	} else {
		memcpy(out->bytes, &a->v6.sin6_addr, 16);
		bits = ipv6_bits;
	}
	for (unsigned int b = bits; b < CLIENT_KEY_SIZE * 8; b++)
		out->bytes[b / 8] &= (unsigned char)~(0x80 >> b % 8);
}

static size_t
bucket_of(const struct client_key *key)
{
	uint64_t h = here.table->seed;

	for (int i = 0; i < CLIENT_KEY_SIZE; i++) {
		h = (h ^ key->bytes[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h % BUCKETS;
}

static unsigned int
connections(const struct counter *c)
{
	unsigned int sum = 0;

	for (int i = 0; i < COLUMNS; i++)
		sum += c->connections[i];
	return sum;
}

/*
 * The client's counter; the oldest of one that has nobody connected makes
 * room. NULL when a whole bucket of clients is connected.
 */
static struct counter *
counter_of(const struct client_key *key)
{
	struct counter *bucket, *oldest = NULL;

	bucket = &here.table->counters[bucket_of(key) * WAYS];
	for (int i = 0; i < WAYS; i++) {
		struct counter *c = &bucket[i];

		if (memcmp(c->key, key->bytes, CLIENT_KEY_SIZE) == 0 &&
		    c->window != 0)
			return c;
		if (connections(c) == 0 &&
		    (oldest == NULL || c->window < oldest->window))
			oldest = c;
	}
	if (oldest != NULL) {
		memset(oldest, 0, sizeof(*oldest));
		memcpy(oldest->key, key->bytes, CLIENT_KEY_SIZE);
		oldest->window = clock_ms();
	}
	return oldest;
}

static uint32_t
count_event(struct counter *c, unsigned int event, int64_t unit_ms)
{
	int64_t now = clock_ms();

	ensure(event < CLIENT_EVENTS);
	if (c->window <= now - unit_ms || c->window > now) {
		c->window = now;
		memset(c->events, 0, sizeof(c->events));
	}
	if (c->events[event] < UINT32_MAX)
		c->events[event]++;
	return c->events[event];
}

struct client_count
client_counts_connect(const struct client_key *key, unsigned int event,
    int64_t unit_ms)
{
	struct client_count n = { .counted = false };
	struct counter *c;

	lock_table();
	c = counter_of(key);
	if (c != NULL) {
		n.events = count_event(c, event, unit_ms);
		if (c->connections[here.column] < UINT16_MAX) {
			c->connections[here.column]++;
			n.counted = true;
		}
		n.open = connections(c);
		n.slot = (unsigned int)(c - here.table->counters);
	}
	unlock_table();
	return n;
}

void
client_counts_disconnect(struct client_count *n)
{
	struct counter *c;

	if (!n->counted)
		return;
	lock_table();
	c = &here.table->counters[n->slot];
	if (c->connections[here.column] > 0)
		c->connections[here.column]--;
	unlock_table();
	n->counted = false;
}

uint32_t
client_counts_event(const struct client_key *key, unsigned int event,
    int64_t unit_ms)
{
	struct counter *c;
	uint32_t events = 0;

	lock_table();
	c = counter_of(key);
	if (c != NULL)
		events = count_event(c, event, unit_ms);
	unlock_table();
	return events;
}
