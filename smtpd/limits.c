/* SPDX-License-Identifier: ISC */
#include "smtpd/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "smtpd/session.h"

enum {
	COLUMNS = 32, /* processes of one service that count together */
	BUCKETS = 2048,
	WAYS = 8,
	KEY_SIZE = 16,
	FILE_VERSION = 2,
	INIT_LOCK = COLUMNS, /* bytes of the file; the columns' come first */
	TABLE_LOCK,
};

struct counter {
	unsigned char key[KEY_SIZE]; /* IPv6 form, less the host's bits */
	int64_t window; /* begin of the current time unit, clock_ms */
	uint32_t events[LIMIT_EVENTS]; /* in it */
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

static bool
lock_byte(int fd, off_t byte, bool wait)
{
	struct flock l = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l) == 0;
}

static void
unlock_byte(int fd, off_t byte)
{
	struct flock l = {
		.l_type = F_UNLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	(void)fcntl(fd, F_OFD_SETLK, &l);
}

/* The memory is all zero. */
static void
begin_table(struct shared *t)
{
	if (getrandom(&t->seed, sizeof(t->seed), 0) < 0)
		t->seed = (uint64_t)clock_wall_us();
}

/*
 * Held for less than a microsecond, and gone with a process that is killed:
 * then counters may be one off, no more.
 */
static void
lock_table(void)
{
	while (here.fd >= 0 && !lock_byte(here.fd, TABLE_LOCK, true))
		ensure(errno == EINTR);
}

static void
unlock_table(void)
{
	if (here.fd >= 0)
		unlock_byte(here.fd, TABLE_LOCK);
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
}

static bool
begin_file(void)
{
	if (ftruncate(here.fd, 0) < 0 ||
	    ftruncate(here.fd, sizeof(struct shared)) < 0)
		return false;
	begin_table(here.table);
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
		if (!lock_byte(here.fd, i, false))
			continue;
		if (free_columns++ == 0)
			here.column = i;
		else /* only tried */
			unlock_byte(here.fd, i);
	}
	if (free_columns == COLUMNS)
		return begin_file();
	if (free_columns > 0)
		clear_column();
	return free_columns > 0;
}

/* Ours alone: root works in a directory that another user owns. */
static int
open_file(const char *directory, const char *service)
{
	char *path = mem_printf("%s/smtpd-limits-%d.%s", directory,
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
	if (fd < 0)
		log_warning("%s: %s; each process counts its clients alone",
		    path, strerror(errno));
	free(path);
	return fd;
}

static bool
share(const char *directory, const char *service)
{
	void *map;
	bool good;

	here.fd = open_file(directory, service);
	if (here.fd < 0)
		return false;
	if (ftruncate(here.fd, sizeof(struct shared)) < 0)
		return false;
	map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED, here.fd, 0);
	if (map == MAP_FAILED)
		return false;
	here.table = map;
	if (!lock_byte(here.fd, INIT_LOCK, true)) {
		munmap(map, sizeof(struct shared));
		return false;
	}
	good = take_column();
	unlock_byte(here.fd, INIT_LOCK);
	if (!good)
		munmap(map, sizeof(struct shared));
	return good;
}

void
limits_open(const char *directory, const char *service)
{
	void *map;

	if (directory[0] != '\0' && share(directory, service))
		return;
	fd_close(&here.fd);
	here.column = 0;
	map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		fatal("no memory for the counters of clients");
	here.table = map;
	begin_table(here.table);
}

/* The client as a network: smtpd_client_ipv*_prefix_length. */
static void
client_key(const struct session *s, unsigned char key[KEY_SIZE])
{
	const struct address *a = &s->client.address;
	unsigned int bits;

	memset(key, 0, KEY_SIZE);
	if (a->any.sa_family == AF_INET) {
		key[10] = key[11] = 0xff;
		memcpy(key + 12, &a->v4.sin_addr, 4);
		bits = 96 + (unsigned int)s->p->smtpd_client_ipv4_prefix_length;
	} else {
		memcpy(key, &a->v6.sin6_addr, 16);
		bits = (unsigned int)s->p->smtpd_client_ipv6_prefix_length;
	}
	for (unsigned int b = bits; b < KEY_SIZE * 8; b++)
		key[b / 8] &= (unsigned char)~(0x80 >> b % 8);
}

static size_t
bucket_of(const unsigned char key[KEY_SIZE])
{
	uint64_t h = here.table->seed;

	for (int i = 0; i < KEY_SIZE; i++) {
		h = (h ^ key[i]) * 0x9e3779b97f4a7c15u;
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
counter_of(const struct session *s)
{
	unsigned char key[KEY_SIZE];
	struct counter *bucket, *oldest = NULL;

	client_key(s, key);
	bucket = &here.table->counters[bucket_of(key) * WAYS];
	for (int i = 0; i < WAYS; i++) {
		struct counter *c = &bucket[i];

		if (memcmp(c->key, key, KEY_SIZE) == 0 && c->window != 0)
			return c;
		if (connections(c) == 0 &&
		    (oldest == NULL || c->window < oldest->window))
			oldest = c;
	}
	if (oldest != NULL) {
		memset(oldest, 0, sizeof(*oldest));
		memcpy(oldest->key, key, KEY_SIZE);
		oldest->window = clock_ms();
	}
	return oldest;
}

static uint32_t
count_event(const struct session *s, struct counter *c, enum limit_event event)
{
	int64_t now = clock_ms();

	if (now - c->window >= s->p->anvil_rate_time_unit * 1000 ||
	    now < c->window) {
		c->window = now;
		memset(c->events, 0, sizeof(c->events));
	}
	if (c->events[event] < UINT32_MAX)
		c->events[event]++;
	return c->events[event];
}

static int64_t
rate_limit(const struct smtpd_params *p, enum limit_event event)
{
	switch (event) {
	case LIMIT_CONNECTION:
		return p->smtpd_client_connection_rate_limit;
	case LIMIT_MESSAGE:
		return p->smtpd_client_message_rate_limit;
	case LIMIT_RECIPIENT:
		return p->smtpd_client_recipient_rate_limit;
	case LIMIT_AUTH:
		return p->smtpd_client_auth_rate_limit;
	case LIMIT_TLS:
		return p->smtpd_client_new_tls_session_rate_limit;
	default:
		return 0;
	}
}

static bool
exempt(const struct session *s)
{
	return s->client.no_limits || !address_is_ip(&s->client.address);
}

enum limits_verdict
limits_connect(struct session *s)
{
	int64_t most = s->p->smtpd_client_connection_count_limit;
	int64_t rate = rate_limit(s->p, LIMIT_CONNECTION);
	struct counter *c;
	int64_t open = 0, events = 0;

	if (exempt(s) || (most == 0 && rate == 0))
		return LIMITS_OK;
	lock_table();
	c = counter_of(s);
	if (c != NULL) {
		events = count_event(s, c, LIMIT_CONNECTION);
		if (c->connections[here.column] < UINT16_MAX) {
			c->connections[here.column]++;
			s->client.counted = true;
		}
		open = connections(c);
		s->client.limit_slot = (unsigned int)(c - here.table->counters);
	}
	unlock_table();
	if (most > 0 && open > most)
		return LIMITS_COUNT;
	return rate > 0 && events > rate ? LIMITS_RATE : LIMITS_OK;
}

void
limits_disconnect(struct session *s)
{
	struct counter *c;

	if (!s->client.counted)
		return;
	lock_table();
	c = &here.table->counters[s->client.limit_slot];
	if (c->connections[here.column] > 0)
		c->connections[here.column]--;
	unlock_table();
	s->client.counted = false;
}

bool
limits_allow(struct session *s, enum limit_event event)
{
	int64_t limit = rate_limit(s->p, event);
	struct counter *c;
	int64_t events = 0;

	if (exempt(s) || limit == 0)
		return true;
	lock_table();
	c = counter_of(s);
	if (c != NULL)
		events = count_event(s, c, event);
	unlock_table();
	return events <= limit;
}
