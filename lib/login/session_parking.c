/* SPDX-License-Identifier: ISC */
/*
 * Connections that nobody serves for now: each is a descriptor, the words of
 * the process that set it aside, and the directories whose change wakes it.
 *
 * SECURITY. In the parent, which is root: it never reads from a client and
 * never looks into the words. A connection goes back to a process of the very
 * account whose process parked it, and to no other; and only if the account
 * is still what it was when its client logged in, which auth-session is asked
 * each time. The directories come as
 * descriptors that the user's process could open with its own rights; they
 * are watched and not read. What a process can make the parent hold is
 * bounded for each user, and a fork of the parent for one user has none of
 * the others' words (MADV_DONTFORK).
 */
#include "lib/login/session_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uthash.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	OTHER_FILES = 512, /* descriptors that are no parked connections */
	OF_ONE_USER = 1000,
	BYTES_OF_ONE_USER = 8 << 20,
	WATCHES = PARKING_WATCHES,
	TICK_MS = 1000, /* timers are this coarse */
	PROVEN_MS = 1000, /* so long it is not asked again for one account */
	DEAF_MOST = 5, /* signs of life that a client did not take */
	CHANGES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
	    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

/* A directory that is watched, for all connections that want it. */
struct spot {
	int number; /* of inotify */
	struct place *places;
	UT_hash_handle hh;
};

/* A connection's interest in a spot. */
struct place {
	struct spot *spot; /* NULL: none */
	struct place *next, **link;
	struct parked *parked;
};

/* An account as it was, and its connections. */
struct holder {
	struct parked *first;
	size_t count;
	size_t bytes; /* of memory */
	int64_t proven; /* until then the account is what it was, clock_ms */
	struct session_owner owner; /* its texts are in the key */
	UT_hash_handle hh;
	size_t key_size;
	char key[];
};

struct parked {
	struct session_watch watch; /* first */
	struct parked *next, **link; /* of its holder */
	struct holder *holder;
	struct place places[WATCHES];
	int fd;
	unsigned int deaf;
	int64_t end; /* clock_ms(); INT64_MAX: never */
	int64_t sign; /* the next sign of life; INT64_MAX: none */
	int64_t sign_ms;
	const char *behind, *id, *client, *method, *tls; /* in text */
	size_t size; /* of this, with the text */
	struct span state; /* behind the texts */
	struct span compression; /* behind that */
	char text[];
};

static const struct session_stage *stage;
static struct holder *holders;
static struct spot *spots;
static size_t count, most;
static int inotify = -1, timer = -1;
static int64_t timer_at = INT64_MAX;

/*
 * Memory for parked connections, in pieces of few sizes, which forked
 * processes do not get.
 */
enum { SLAB = 256 * 1024, SIZES = 7 };

static struct room {
	size_t size;
	struct free_piece {
		struct free_piece *next;
	} * free;
} rooms[SIZES] = { { 512, NULL }, { 1024, NULL }, { 2048, NULL },
	{ 4096, NULL }, { 8192, NULL }, { 16384, NULL }, { 40960, NULL } };

static struct room *
room_for(size_t size)
{
	for (size_t i = 0; i < SIZES; i++)
		if (size <= rooms[i].size)
			return &rooms[i];
	unreachable();
}

static void
add_slab(struct room *r)
{
	char *slab = mmap(NULL, SLAB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (slab == MAP_FAILED || madvise(slab, SLAB, MADV_DONTFORK) == -1)
		fatal("memory for parked connections: %m");
	/* from the end, so that the first ones are used first */
	for (size_t at = SLAB; at >= r->size; at -= r->size) {
		struct free_piece *p = (void *)(slab + at - r->size);

		p->next = r->free;
		r->free = p;
	}
}

static void *
take_piece(size_t size)
{
	struct room *r = room_for(size);
	struct free_piece *p;

	if (r->free == NULL)
		add_slab(r);
	p = r->free;
	r->free = p->next;
	memset(p, 0, size);
	return p;
}

static void
give_piece(void *piece, size_t size)
{
	struct room *r = room_for(size);
	struct free_piece *p = piece;

	memset(piece, 0, size);
	p->next = r->free;
	r->free = p;
}

/* Accounts. */

static size_t
make_key(const struct session_owner *o, char *out, size_t size)
{
	int n =
	    snprintf(out, size, "%llu %llu %s\n%s", (unsigned long long)o->uid,
		(unsigned long long)o->gid, o->user, o->mail);

	return (size_t)n;
}

static struct holder *
find_holder(const struct session_owner *o)
{
	char key[1600];
	size_t n = make_key(o, key, sizeof(key));
	struct holder *h = NULL;

	if (n < sizeof(key))
		HASH_FIND(hh, holders, key, n, h);
	return h;
}

static struct holder *
get_holder(const struct session_owner *o)
{
	struct holder *h = find_holder(o);
	size_t n = make_key(o, NULL, 0), users = strlen(o->user) + 1,
	       mails = strlen(o->mail) + 1;
	char *texts;

	if (h != NULL)
		return h;
	h = mem_new(sizeof(*h) + n + 1 + users + mails);
	(void)make_key(o, h->key, n + 1);
	h->key_size = n;
	texts = h->key + n + 1;
	memcpy(texts, o->user, users);
	memcpy(texts + users, o->mail, mails);
	h->owner = *o;
	h->owner.user = texts;
	h->owner.mail = texts + users;
	HASH_ADD_KEYPTR(hh, holders, h->key, n, h);
	return h;
}

static void
drop_holder(struct holder *h)
{
	if (h->count > 0)
		return;
	HASH_DELETE(hh, holders, h);
	free(h);
}

size_t
parking_count(void)
{
	return count;
}

uint64_t
parking_of(const struct session_owner *owner, const char *client)
{
	struct holder *h = holders == NULL ? NULL : find_holder(owner);
	uint64_t n = 0;

	for (struct parked *p = h == NULL ? NULL : h->first; p != NULL;
	     p = p->next)
		n += strcmp(p->client, client) == 0;
	return n;
}

/* Directories. */

static void
leave_spot(struct place *at)
{
	struct spot *s = at->spot;

	if (s == NULL)
		return;
	at->spot = NULL;
	*at->link = at->next;
	if (at->next != NULL)
		at->next->link = at->link;
	if (s->places != NULL)
		return;
	(void)inotify_rm_watch(inotify, s->number);
	HASH_DELETE(hh, spots, s);
	free(s);
}

/* False: no more can be watched. */
static bool
enter_spot(struct parked *p, struct place *at, int directory)
{
	char path[64];
	struct spot *s;
	int number;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", directory);
	number = inotify_add_watch(inotify, path, CHANGES);
	if (number == -1)
		return false;
	HASH_FIND_INT(spots, &number, s);
	if (s == NULL) {
		s = mem_new(sizeof(*s));
		s->number = number;
		HASH_ADD_INT(spots, number, s);
	}
	at->parked = p;
	at->spot = s;
	at->link = &s->places;
	at->next = s->places;
	if (at->next != NULL)
		at->next->link = &at->next;
	s->places = at;
	return true;
}

/* Did something happen between the process's last look and our watch? */
static bool
changed_since(const struct parking_ahead *a)
{
	struct stat st;

	return fstat(a->fd, &st) == -1 ||
	    (uint64_t)st.st_mtim.tv_sec * 1000000000U +
		(uint64_t)st.st_mtim.tv_nsec !=
	    a->changed;
}

/* Time. */

static void
set_timer(int64_t at)
{
	struct itimerspec t = { .it_value = { .tv_sec = at / 1000,
				    .tv_nsec = at % 1000 * 1000000 } };

	if (at >= timer_at)
		return;
	timer_at = at;
	if (at != INT64_MAX &&
	    timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL) == -1)
		log_warning("timerfd: %m");
}

static int64_t
due(const struct parked *p)
{
	return p->sign < p->end ? p->sign : p->end;
}

/* The end of being parked. */

static void
take_out(struct parked *p)
{
	session_watch_drop(p->fd);
	for (size_t i = 0; i < WATCHES; i++)
		leave_spot(&p->places[i]);
	*p->link = p->next;
	if (p->next != NULL)
		p->next->link = p->link;
	p->holder->count--;
	p->holder->bytes -= p->size;
	count--;
}

static void
free_parked(struct parked *p)
{
	static const struct linger no_waiting = { .l_onoff = 0 };
	struct holder *h = p->holder;

	/* whatever was set by whom: closing waits for no client */
	(void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &no_waiting,
	    sizeof(no_waiting));
	fd_close(&p->fd);
	give_piece(p, p->size);
	drop_holder(h);
}

/*
 * Where compression is on, in a block that is stored as it is (RFC 1951
 * section 3.2.4): what was sent before ended with a byte.
 */
static bool
say(const struct parked *p, const char *text)
{
	size_t n = strlen(text);
	const char head[] = { 0, (char)n, (char)(n >> 8), (char)~n,
		(char)(~n >> 8) };
	struct iovec parts[] = {
		{ (void *)(uintptr_t)head,
		    p->compression.n > 0 ? sizeof(head) : 0 },
		{ (void *)(uintptr_t)text, n },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	return sendmsg(p->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)(parts[0].iov_len + n);
}

/*
 * Closing with something unread would reset the connection, and the client
 * might not see why. TCP throws it away without showing it to us.
 */
static void
forget_unread(const struct parked *p)
{
	enum { AT_ONCE = 1 << 20, TIMES = 4 };

	for (int i = 0; i < TIMES; i++)
		if (recv(p->fd, NULL, AT_ONCE, MSG_TRUNC | MSG_DONTWAIT) <= 0)
			return;
}

/* As the user's process would have said. */
static void
end(struct parked *p, const char *bye, const char *why)
{
	if (bye != NULL) {
		(void)say(p, bye);
		forget_unread(p);
	}
	log_info("logout user=<%s>%s, client=%s, session=%s, reason=(%s)",
	    p->holder->owner.user, p->behind, p->client, p->id, why);
	take_out(p);
	free_parked(p);
}

static void
pass_on(struct parked *p, bool stay)
{
	const struct msg_serve_session m = {
		.user = p->holder->owner.user,
		.behind = p->behind,
		.id = p->id,
		.client = p->client,
		.method = p->method,
		.tls = p->tls,
		.tag = "",
		.early = SPAN(""),
		.state = p->state,
		.compression = p->compression,
		.stay = stay,
		.socket = p->fd,
	};

	take_out(p);
	if (!session_hand_over(&p->holder->owner, &m)) {
		log_warning("no process for user=<%s>, client=%s, session=%s",
		    p->holder->owner.user, p->client, p->id);
		(void)say(p, stage->bye_broken);
	}
	free_parked(p);
}

static void
account_changed(struct parked *p)
{
	end(p, stage->bye_changed, "the account has changed");
}

/*
 * Where the accounts cannot be read, it is as for connections that are not
 * parked: they go on.
 */
static bool
is_proven(struct holder *h)
{
	int64_t now = clock_ms();

	if (now < h->proven)
		return true;
	if (session_confirm(&h->owner) == NEVER)
		return false;
	h->proven = now + PROVEN_MS;
	return true;
}

static void
wake(struct parked *p, bool stay)
{
	if (is_proven(p->holder))
		pass_on(p, stay);
	else
		account_changed(p);
}
/* The client has said something, or has gone. */
static bool
client_ready(struct session_watch *w, unsigned int events)
{
	struct parked *p = (struct parked *)w;
	int unread = 0;

	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 &&
	    ioctl(p->fd, FIONREAD, &unread) == 0 && unread == 0)
		end(p, NULL, "lost connection");
	else
		wake(p, false);
	return false;
}

static void
wake_spot(int number)
{
	struct spot *s;

	/* the last one to wake takes the spot along */
	for (;;) {
		HASH_FIND_INT(spots, &number, s);
		if (s == NULL)
			return;
		wake(s->places->parked, false);
	}
}

/* Events were lost: everybody has to look. */
static void
wake_all_spots(void)
{
	while (spots != NULL)
		wake_spot(spots->number);
}

static bool
inotify_ready(struct session_watch *w, unsigned int events)
{
	static union {
		struct inotify_event align;
		char bytes[65536];
	} in;
	const struct inotify_event *e;
	ssize_t n = read(inotify, in.bytes, sizeof(in.bytes));

	(void)w, (void)events;
	for (ssize_t at = 0; n > 0 && at < n;
	     at += (ssize_t)(sizeof(*e) + e->len)) {
		e = (const void *)(in.bytes + at);
		if ((e->mask & IN_Q_OVERFLOW) != 0)
			wake_all_spots();
		else
			wake_spot(e->wd);
	}
	return true;
}

/* False: it has ended. */
static bool
serve_time(struct parked *p, int64_t now)
{
	if (p->end <= now) {
		end(p, stage->bye_timeout, "timeout");
		return false;
	}
	if (p->sign > now)
		return true;
	p->deaf = say(p, stage->still_here) ? 0 : p->deaf + 1;
	p->sign = now + p->sign_ms;
	if (p->deaf < DEAF_MOST)
		return true;
	end(p, NULL, "the client takes nothing");
	return false;
}

static bool
timer_ready(struct session_watch *w, unsigned int events)
{
	int64_t now = clock_ms(), next = INT64_MAX;
	struct parked *p, *following;
	struct holder *h, *other;
	uint64_t times;

	(void)w, (void)events;
	if (read(timer, &times, sizeof(times)) == -1 && errno != EAGAIN)
		log_warning("timerfd: %m");
	HASH_ITER (hh, holders, h, other)
		for (p = h->first; p != NULL; p = following) {
			/* behind the last one the holder may be gone */
			following = p->next;
			if (serve_time(p, now) && due(p) < next)
				next = due(p);
		}
	timer_at = INT64_MAX;
	if (next != INT64_MAX)
		set_timer(next < now + TICK_MS ? now + TICK_MS : next);
	return true;
}

void
parking_setup(const struct session_stage *of)
{
	static struct session_watch changes = { inotify_ready },
				    time = { timer_ready };
	struct rlimit files;

	stage = of;
	if (getrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    files.rlim_cur < 2 * OTHER_FILES)
		most = OTHER_FILES / 2;
	else
		most = (size_t)files.rlim_cur - OTHER_FILES;
	inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (inotify == -1 || timer == -1 ||
	    !session_watch_add(inotify, EPOLLIN, &changes) ||
	    !session_watch_add(timer, EPOLLIN, &time))
		fatal("parking: %m");
}

/* From the user's process. */

static const char *
keep(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = memcpy(*at, text, n);

	*at += n;
	return copy;
}

static struct span
keep_bytes(char **at, struct span bytes)
{
	struct span kept = { *at, bytes.n };

	if (bytes.n > 0)
		memcpy(*at, bytes.p, bytes.n);
	*at += bytes.n;
	return kept;
}

static struct parked *
new_parked(struct holder *h, const struct msg_park *m)
{
	size_t size = sizeof(struct parked) + strlen(m->behind) +
	    strlen(m->id) + strlen(m->client) + strlen(m->method) +
	    strlen(m->tls) + 5 + m->state.n + m->compression.n;
	struct parked *p = take_piece(size);
	int64_t now = clock_ms();
	char *at = p->text;

	p->watch.ready = client_ready;
	p->size = size;
	p->fd = m->socket;
	p->behind = keep(&at, m->behind);
	p->id = keep(&at, m->id);
	p->client = keep(&at, m->client);
	p->method = keep(&at, m->method);
	p->tls = keep(&at, m->tls);
	p->state = keep_bytes(&at, m->state);
	p->compression = keep_bytes(&at, m->compression);
	p->end = m->timeout == 0 ? INT64_MAX : now + (int64_t)m->timeout * 1000;
	p->sign_ms = (int64_t)m->keepalive * 1000;
	p->sign = m->keepalive == 0 ? INT64_MAX : now + p->sign_ms;
	p->holder = h;
	p->link = &h->first;
	p->next = h->first;
	if (p->next != NULL)
		p->next->link = &p->next;
	h->first = p;
	h->count++;
	h->bytes += size;
	count++;
	return p;
}

/* False: it cannot be kept. *early: something has happened already. */
static bool
watch_all(struct parked *p, const struct parking_ahead ahead[WATCHES],
    size_t watches, bool *early)
{
	bool good = true;

	for (size_t i = WATCHES - watches; i < WATCHES && good; i++) {
		good = ahead[i].fd != -1 &&
		    enter_spot(p, &p->places[i], ahead[i].fd);
		*early = *early || (good && changed_since(&ahead[i]));
	}
	return good &&
	    session_watch_add(p->fd, EPOLLIN | EPOLLRDHUP, &p->watch);
}

static void
park(const struct session_owner *owner,
    const struct parking_ahead ahead[WATCHES], const struct msg_park *m)
{
	static int64_t next_warning;
	struct holder *h = get_holder(owner);
	bool early = false, good;
	struct parked *p = new_parked(h, m);

	good = count <= most && h->count <= OF_ONE_USER &&
	    h->bytes <= BYTES_OF_ONE_USER &&
	    watch_all(p, ahead, m->watches, &early);
	if (!good && clock_ms() >= next_warning) {
		next_warning = clock_ms() + 60000;
		log_warning("a connection of user=<%s> cannot be parked: %s",
		    owner->user,
		    count > most ? "too many open files" :
			h->count > OF_ONE_USER || h->bytes > BYTES_OF_ONE_USER ?
				   "too many of this user" :
			errno == ENOSPC ? "see fs.inotify.max_user_watches" :
					  strerror(errno));
	}
	if (!good || early)
		wake(p, !good);
	else
		set_timer(due(p));
}

void
parking_drop_ahead(struct parking_ahead ahead[PARKING_WATCHES])
{
	for (size_t i = 0; i < WATCHES; i++)
		fd_close(&ahead[i].fd);
}

void
parking_take(const struct session_owner *owner,
    struct parking_ahead ahead[PARKING_WATCHES], const struct ipc_message *kind,
    const void *message)
{
	if (kind == &message_watch) {
		const struct msg_watch *m = message;

		fd_close(&ahead[0].fd);
		memmove(ahead, ahead + 1, (WATCHES - 1) * sizeof(*ahead));
		ahead[WATCHES - 1] =
		    (struct parking_ahead){ m->directory, m->changed };
	} else if (kind == &message_park) {
		park(owner, ahead, message);
		parking_drop_ahead(ahead);
	} else {
		ipc_close_fds(kind, message);
	}
}

void
parking_renew(const struct session_owner *owner)
{
	struct holder *h = holders == NULL ? NULL : find_holder(owner);

	if (h == NULL)
		return;
	h->owner.quota_bytes = owner->quota_bytes;
	h->owner.quota_messages = owner->quota_messages;
	h->proven = clock_ms() + PROVEN_MS;
}

void
parking_end(void)
{
	while (holders != NULL)
		end(holders->first, stage->bye_stop, "the server stops");
}
