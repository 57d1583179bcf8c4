/* SPDX-License-Identifier: ISC */
#include "auth/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	STATE_MAGIC = 0x70687434,
	TICKETS = 1024,
	BUCKETS = 1024,
	WAYS = 4, /* failures with equal low bits */
	DIGEST = 32,
	TICKET_BYTES = 24, /* 48 letters */
	BOOT_ID = 40,
	SERVICE_MAX = 32,
	FORGET_MS = 10 * 60 * 1000,
	FIRST_DELAY_MS = 500,
};

struct ticket {
	unsigned char digest[DIGEST];
	int64_t ends; /* 0: free */
	char service[SERVICE_MAX];
	struct state_login whose;
};

struct failure {
	uint64_t who; /* keyed hash of address or account */
	int64_t last;
	uint64_t count;
};

struct question {
	uint64_t number; /* 0: free */
	uint64_t source; /* keyed hash */
	int64_t ends;
};

struct shared {
	uint32_t magic;
	uint32_t size;
	char boot[BOOT_ID]; /* clock_ms() begins anew with each boot */
	unsigned char secret[DIGEST]; /* so that nobody can aim at buckets */
	struct ticket tickets[TICKETS];
	struct failure failures[BUCKETS][WAYS];
	uint64_t asked; /* questions so far */
	struct question questions[STATE_QUESTIONS_MAX];
};

struct state {
	int fd;
	struct shared *shared;
};

/*
 * One lock for everything, held for microseconds, and released by the kernel
 * when its holder dies. What a killed holder leaves half written is at worst
 * one useless ticket or count.
 */
static void
lock(const struct state *s)
{
	while (flock(s->fd, LOCK_EX) == -1)
		ensure(errno == EINTR);
}

static void
unlock(const struct state *s)
{
	flock(s->fd, LOCK_UN);
}

static void
read_boot_id(char out[BOOT_ID])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	memset(out, 0, BOOT_ID);
	if (fd == -1)
		return;
	n = read(fd, out, BOOT_ID - 1);
	(void)n; /* an unreadable id compares equal: tickets just stay */
	fd_close(&fd);
}

static void
begin_anew(struct shared *m, const char *boot)
{
	memset(m, 0, sizeof(*m));
	if (RAND_bytes(m->secret, DIGEST) != 1)
		fatal("no random numbers");
	memcpy(m->boot, boot, BOOT_ID);
	m->size = sizeof(*m);
	m->magic = STATE_MAGIC;
}

static void
map(struct state *s, const char *path)
{
	char boot[BOOT_ID];
	struct stat st;

	read_boot_id(boot);
	lock(s);
	if (fstat(s->fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || st.st_nlink != 1 ||
	    fd_reserve(s->fd, sizeof(*s->shared)) == -1)
		fatal("%s: not a file of ours, or no room: %s", path,
		    strerror(errno));
	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED, s->fd, 0);
	if (s->shared == MAP_FAILED)
		fatal("map %s: %s", path, strerror(errno));
	if (s->shared->magic != STATE_MAGIC ||
	    s->shared->size != sizeof(*s->shared) ||
	    memcmp(s->shared->boot, boot, BOOT_ID) != 0)
		begin_anew(s->shared, boot);
	unlock(s);
}

/* One that another user left (a suite once run without root) is removed. */
static int
open_own(const char *path)
{
	enum { FLAGS = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW };
	int fd = open(path, FLAGS, 0600);
	struct stat st;

	if (fd != -1 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    st.st_nlink == 1)
		return fd;
	fd_close(&fd);
	if (unlink(path) == -1)
		return -1;
	return open(path, FLAGS | O_EXCL, 0600);
}

struct state *
state_open(const char *directory)
{
	struct state *s = mem_new(sizeof(*s));
	char *path = mem_printf("%s/auth_state", directory);

	s->fd = open_own(path);
	if (s->fd == -1)
		fatal("open %s: %s", path, strerror(errno));
	map(s, path);
	free(path);
	return s;
}

void
state_close(struct state **s)
{
	if (*s == NULL)
		return;
	munmap((*s)->shared, sizeof(*(*s)->shared));
	fd_close(&(*s)->fd);
	free(*s);
	*s = NULL;
}

static void
digest(const struct state *s, const char *text, unsigned char out[DIGEST])
{
	struct buf b = BUF_INIT(1024);

	buf_add(&b, s->shared->secret, DIGEST);
	buf_add_text(&b, text);
	ensure(!b.overflow);
	ensure(EVP_Digest(b.p, b.n, out, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_cleanse(b.p, b.n);
	buf_fini(&b);
}

static struct ticket *
free_ticket(struct shared *m, int64_t now)
{
	for (size_t i = 0; i < TICKETS; i++)
		if (m->tickets[i].ends <= now)
			return &m->tickets[i];
	return NULL;
}

/* False: it does not fit, or there is no room. */
static bool
keep(struct state *s, const char *service, const char *user, const char *behind,
    int64_t now, const char *ticket)
{
	struct ticket *t;

	if (strlen(service) >= SERVICE_MAX || strlen(user) >= STATE_USER_MAX ||
	    strlen(behind) >= STATE_BEHIND_MAX)
		return false;
	lock(s);
	t = free_ticket(s->shared, now);
	if (t != NULL) {
		memset(t, 0, sizeof(*t));
		digest(s, ticket, t->digest);
		memcpy(t->service, service, strlen(service));
		memcpy(t->whose.user, user, strlen(user));
		memcpy(t->whose.behind, behind, strlen(behind));
		t->ends = now + TICKET_LIFE_MS;
	}
	unlock(s);
	return t != NULL;
}

bool
state_issue(struct state *s, const char *service, const char *user,
    const char *behind, int64_t now, char ticket[TICKET_TEXT_MAX])
{
	unsigned char bytes[TICKET_BYTES];
	bool kept;

	if (RAND_bytes(bytes, TICKET_BYTES) != 1)
		return false;
	for (size_t i = 0; i < TICKET_BYTES; i++)
		snprintf(ticket + 2 * i, 3, "%02x", bytes[i]);
	kept = keep(s, service, user, behind, now, ticket);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return kept;
}

bool
state_unredeem(struct state *s, const char *service, const char *ticket,
    int64_t now, const struct state_login *whose)
{
	return keep(s, service, whose->user, whose->behind, now, ticket);
}

bool
state_redeem(struct state *s, const char *service, const char *ticket,
    int64_t now, struct state_login *out)
{
	unsigned char wanted[DIGEST];
	bool found = false;

	if (strlen(ticket) >= TICKET_TEXT_MAX)
		return false;
	lock(s);
	digest(s, ticket, wanted);
	for (size_t i = 0; i < TICKETS && !found; i++) {
		struct ticket *t = &s->shared->tickets[i];

		if (t->ends <= now ||
		    CRYPTO_memcmp(t->digest, wanted, DIGEST) != 0)
			continue;
		/* used up, whoever asks: a wrong service is an attack */
		found = strncmp(t->service, service, SERVICE_MAX) == 0;
		*out = t->whose;
		out->user[STATE_USER_MAX - 1] = '\0';
		out->behind[STATE_BEHIND_MAX - 1] = '\0';
		memset(t, 0, sizeof(*t));
	}
	unlock(s);
	return found;
}

void
state_source(const char *client, char out[STATE_SOURCE_MAX])
{
	struct in6_addr six;

	if (inet_pton(AF_INET6, client, &six) == 1) {
		memset(six.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &six, out, STATE_SOURCE_MAX);
	} else {
		snprintf(out, STATE_SOURCE_MAX, "%s", client);
	}
}

static struct failure *
find_failure(struct shared *m, uint64_t who)
{
	struct failure *set = m->failures[who % BUCKETS], *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].who == who)
			return &set[i];
		if (set[i].last < oldest->last)
			oldest = &set[i];
	}
	*oldest = (struct failure){ who, 0, 0 };
	return oldest;
}

static uint64_t
keyed_hash(const struct state *s, const char *kind, const char *name)
{
	unsigned char bytes[DIGEST];
	char text[512];
	uint64_t hash;

	snprintf(text, sizeof(text), "%s %s", kind, name);
	digest(s, text, bytes);
	memcpy(&hash, bytes, sizeof(hash));
	return hash;
}

static uint64_t
count_failure(struct state *s, const char *kind, const char *name, int64_t now)
{
	uint64_t who = keyed_hash(s, kind, name);
	struct failure *f;

	f = find_failure(s->shared, who);
	if (f->last < now - FORGET_MS || f->last > now)
		f->count = 0;
	if (f->count < UINT64_MAX)
		f->count++;
	f->last = now;
	return f->count;
}

uint64_t
state_failure(struct state *s, const char *client, const char *user,
    const char *master, int64_t now, uint64_t most_ms)
{
	char source[STATE_SOURCE_MAX];
	uint64_t count, other, third = 0, delay = FIRST_DELAY_MS;

	state_source(client, source);
	lock(s);
	count = count_failure(s, "from", source, now);
	other = count_failure(s, "for", user, now);
	if (master[0] != '\0')
		third = count_failure(s, "of", master, now);
	unlock(s);
	if (other > count)
		count = other;
	if (third > count)
		count = third;
	while (--count > 0 && delay < most_ms)
		delay *= 2;
	return delay < most_ms ? delay : most_ms;
}

/* A free place, and how many others there are; NULL: none. */
static struct question *
count_questions(struct shared *m, uint64_t source, int64_t now,
    unsigned int *all, unsigned int *same)
{
	struct question *place = NULL;

	*all = *same = 0;
	for (size_t i = 0; i < STATE_QUESTIONS_MAX; i++) {
		struct question *q = &m->questions[i];

		if (q->number == 0 || q->ends <= now) {
			place = q;
			continue;
		}
		(*all)++;
		*same += q->source == source;
	}
	return place;
}

enum state_room
state_ask(struct state *s, const char *source, int64_t now,
    const struct state_limits *limits, uint64_t *question, unsigned int *count)
{
	enum state_room room = STATE_ROOM;
	unsigned int all, same;
	struct question *q;
	uint64_t hash;

	lock(s);
	hash = keyed_hash(s, "asks", source);
	q = count_questions(s->shared, hash, now, &all, &same);
	if (q == NULL || all >= limits->most)
		room = STATE_FULL;
	else if (same >= limits->most_of_one)
		room = STATE_FULL_OF_SOURCE;
	else
		*q =
		    (struct question){ .number = *question = ++s->shared->asked,
			    .source = hash,
			    .ends = limits->ends };
	unlock(s);
	*count = room == STATE_FULL ? all : same;
	return room;
}

void
state_answered(struct state *s, uint64_t question)
{
	lock(s);
	for (size_t i = 0; i < STATE_QUESTIONS_MAX; i++)
		if (s->shared->questions[i].number == question)
			s->shared->questions[i].number = 0;
	unlock(s);
}
