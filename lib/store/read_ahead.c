/* SPDX-License-Identifier: ISC */
#include "lib/store/read_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/thread.h"
#include "lib/store/maildir_folder.h"

enum {
	SLOTS = 128, /* a power of two */
	ROOM = 1024 * 1024, /* bytes, of all that is under way */
	ALIGN = 64, /* no two files in one line of a processor's memory */
	SPINS = 1000, /* about as long as it takes to read a file */
	THREADS_MAX = 2, /* beside the first one, in a process */
};

enum thread { FIRST, SECOND };

enum state { WAITING, READING, DONE, STATES };

/*
 * What it says belongs to who put it until it waits, then to who has made
 * READING of that, then to who takes it. The state says which file it is of,
 * since a slot is used again and again.
 */
struct slot {
	_Atomic uint64_t state; /* number of the file * STATES + enum state */
	char name[MAILDIR_FILE_MAX];
	char *to;
	size_t size;
	bool times;
	bool good; /* it was as it was expected */
	size_t made; /* by the work, behind its bytes */
	struct timespec modified, changed;
	uint64_t end; /* of its bytes, in all that was ever put */
};

struct read_ahead {
	int directory;
	struct read_ahead_work work;
	char *room;
	struct slot *slots;
	pthread_t thread;
	/* the first thread's */
	uint64_t first; /* file that was put and not taken */
	bool taken; /* that one is in use */
	uint64_t free_from, next; /* bytes under way, of all ever put */
	/* of both */
	_Atomic uint64_t put; /* files so far */
	_Atomic bool asleep; /* the thread, as nothing is to be read */
	_Atomic bool waiting; /* the first one, for a file */
	_Atomic bool stop;
	pthread_mutex_t lock; /* about sleeping and waking alone */
	pthread_cond_t more, done;
};

static unsigned int threads; /* the first thread's */

static struct slot *
slot_of(const struct read_ahead *r, uint64_t n)
{
	return &r->slots[n % SLOTS];
}

static bool
is(struct slot *s, uint64_t n, enum state state)
{
	return atomic_load(&s->state) == n * STATES + state;
}

/* How much may be made of a file. */
static size_t
work_room(const struct read_ahead *r, size_t size)
{
	return r->work.run != NULL ? r->work.least + size : 0;
}

/* Opens and reads it; good only if it is all there, and nothing behind. */
static void
read_file(const struct read_ahead *r, struct slot *s)
{
	int fd = fd_open_unnoted(r->directory, s->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	s->good = false;
	if (fd == -1)
		return;
	do {
		n = pread(fd, s->to, s->size + 1, 0);
	} while (n == -1 && errno == EINTR);
	s->good = n == (ssize_t)s->size;
	if (s->good && s->times) {
		s->good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
		s->modified = st.st_mtim;
		s->changed = st.st_ctim;
	}
	close(fd);
}

static void
work_on(const struct read_ahead *r, struct slot *s, enum thread who)
{
	s->made = 0;
	if (s->good && r->work.run != NULL)
		s->made = r->work.run(r->work.with[who],
		    (struct span){ s->to, s->size }, s->to + s->size + 1,
		    work_room(r, s->size));
}

/* Reads file n if nobody has begun to. */
static bool
read_one(struct read_ahead *r, uint64_t n, enum thread who)
{
	struct slot *s = slot_of(r, n);
	uint64_t waits = n * STATES + WAITING;

	if (!atomic_compare_exchange_strong(&s->state, &waits,
		n * STATES + READING))
		return false;
	read_file(r, s);
	work_on(r, s, who);
	atomic_store(&s->state, n * STATES + DONE);
	return true;
}

/* ---- the thread ---- */

/* False: it is over. */
static bool
sleep_until_more(struct read_ahead *r, uint64_t n)
{
	(void)pthread_mutex_lock(&r->lock);
	for (;;) {
		/* each time: who went with nothing put has taken it back */
		atomic_store(&r->asleep, true);
		if (atomic_load(&r->stop) || atomic_load(&r->put) != n)
			break;
		(void)pthread_cond_wait(&r->more, &r->lock);
	}
	atomic_store(&r->asleep, false);
	(void)pthread_mutex_unlock(&r->lock);
	return !atomic_load(&r->stop);
}

static void
tell_done(struct read_ahead *r)
{
	if (!atomic_load(&r->waiting))
		return;
	(void)pthread_mutex_lock(&r->lock);
	(void)pthread_mutex_unlock(&r->lock);
	(void)pthread_cond_signal(&r->done);
}

static void *
read_all(void *with)
{
	struct read_ahead *r = with;

	for (uint64_t n = 0; !atomic_load(&r->stop);) {
		uint64_t put = atomic_load(&r->put);

		if (n == put) {
			if (!sleep_until_more(r, n))
				break;
			continue;
		}
		/* those are long gone */
		if (put - n > SLOTS)
			n = put - SLOTS;
		if (read_one(r, n++, SECOND))
			tell_done(r);
	}
	return NULL;
}

/* ---- the first thread ---- */

static void
free_all(struct read_ahead *r)
{
	(void)pthread_cond_destroy(&r->more);
	(void)pthread_cond_destroy(&r->done);
	(void)pthread_mutex_destroy(&r->lock);
	fd_close(&r->directory);
	free(r->slots);
	free(r->room);
	free(r);
}

static bool
worth_while(void)
{
	cpu_set_t where;

	return threads < THREADS_MAX &&
	    sched_getaffinity(0, sizeof(where), &where) == 0 &&
	    CPU_COUNT(&where) > 1;
}

struct read_ahead *
read_ahead_new(int directory, const struct read_ahead_work *work)
{
	struct read_ahead *r;

	if (!worth_while())
		return NULL;
	r = mem_new(sizeof(*r));
	r->slots = mem_array(SLOTS, sizeof(r->slots[0]));
	r->room = mem_new(ROOM);
	if (work != NULL)
		r->work = *work;
	/* its own: the caller's may become another one meanwhile */
	r->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->more, NULL);
	(void)pthread_cond_init(&r->done, NULL);
	for (size_t i = 0; i < SLOTS; i++)
		atomic_init(&r->slots[i].state, UINT64_MAX);
	if (r->directory == -1 || !thread_start(&r->thread, read_all, r)) {
		free_all(r);
		return NULL;
	}
	threads++;
	return r;
}

void
read_ahead_free(struct read_ahead **rp)
{
	struct read_ahead *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	(void)pthread_mutex_lock(&r->lock);
	atomic_store(&r->stop, true);
	(void)pthread_cond_signal(&r->more);
	(void)pthread_mutex_unlock(&r->lock);
	(void)pthread_join(r->thread, NULL);
	threads--;
	free_all(r);
}

/* Until file n is read; others behind it are, meanwhile. */
static void
wait_for(struct read_ahead *r, uint64_t n)
{
	struct slot *s = slot_of(r, n);

	for (uint64_t k = n; k < atomic_load(&r->put); k++)
		if (is(s, n, DONE) || (read_one(r, k, FIRST) && is(s, n, DONE)))
			return;
	for (int i = 0; i < SPINS; i++)
		if (is(s, n, DONE))
			return;
	(void)pthread_mutex_lock(&r->lock);
	atomic_store(&r->waiting, true);
	while (!is(s, n, DONE))
		(void)pthread_cond_wait(&r->done, &r->lock);
	atomic_store(&r->waiting, false);
	(void)pthread_mutex_unlock(&r->lock);
}

/* Nobody reads it any more then: its slot and its room can be used again. */
static void
forget_first(struct read_ahead *r)
{
	wait_for(r, r->first);
	r->free_from = slot_of(r, r->first)->end;
	r->first++;
	r->taken = false;
}

/* Whoever is to read them, those that nobody has begun to read stay unread. */
static void
forget_before(struct read_ahead *r, uint64_t n)
{
	for (uint64_t k = r->first; k < n; k++) {
		uint64_t waits = k * STATES + WAITING;

		(void)atomic_compare_exchange_strong(&slot_of(r, k)->state,
		    &waits, k * STATES + DONE);
	}
	while (r->first < n)
		forget_first(r);
}

/* Room for so many bytes in one piece, of all that is ever put. */
static bool
find_room(const struct read_ahead *r, size_t n, uint64_t *at)
{
	*at = (r->next + ALIGN - 1) / ALIGN * ALIGN;
	if (*at % ROOM + n > ROOM)
		*at += ROOM - *at % ROOM;
	return *at + n - r->free_from <= ROOM;
}

bool
read_ahead_put(struct read_ahead *r, const char *name, size_t size, bool times)
{
	uint64_t n = atomic_load(&r->put), at;
	size_t length = strlen(name), needs = size + 1 + work_room(r, size);
	struct slot *s = slot_of(r, n);

	if (r->taken)
		forget_first(r);
	if (r->first == n)
		r->free_from = r->next;
	if (n - r->first == SLOTS || size > READ_AHEAD_FILE_MAX ||
	    length >= sizeof(s->name) || !find_room(r, needs, &at))
		return false;
	memcpy(s->name, name, length + 1);
	s->to = r->room + at % ROOM;
	s->size = size;
	s->times = times;
	s->end = r->next = at + needs;
	atomic_store(&s->state, n * STATES + WAITING);
	atomic_store(&r->put, n + 1);
	return true;
}

void
read_ahead_go(struct read_ahead *r)
{
	if (!atomic_exchange(&r->asleep, false))
		return;
	/* it waits, or sees what was put */
	(void)pthread_mutex_lock(&r->lock);
	(void)pthread_mutex_unlock(&r->lock);
	(void)pthread_cond_signal(&r->more);
}

void
read_ahead_forget(struct read_ahead *r)
{
	forget_before(r, atomic_load(&r->put));
}

size_t
read_ahead_waiting(const struct read_ahead *r)
{
	return (size_t)(atomic_load(&r->put) - r->first) - r->taken;
}

bool
read_ahead_take(struct read_ahead *r, const char *name,
    struct read_ahead_file *out)
{
	uint64_t put = atomic_load(&r->put), n;
	struct slot *s;

	if (r->taken)
		forget_first(r);
	for (n = r->first; n < put; n++)
		if (strcmp(slot_of(r, n)->name, name) == 0)
			break;
	if (n == put)
		return false;
	forget_before(r, n);
	wait_for(r, n);
	r->taken = true;
	s = slot_of(r, n);
	out->text = (struct span){ s->to, s->size };
	out->made = (struct span){ s->to + s->size + 1, s->made };
	out->times = s->times;
	out->modified = s->modified;
	out->changed = s->changed;
	return s->good;
}
