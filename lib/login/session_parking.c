/* SPDX-License-Identifier: ISC */
/*
 * Connections that nobody serves for now: each is a descriptor, the words of
 * the process that set it aside, and the directories whose change wakes it.
 *
 * SECURITY. In the parent, which is root: it never reads from a client and
 * never looks into the words. A connection goes back to a process of the very
 * account whose process parked it, and to no other; and only if the account
 * is still what it was when its client logged in, which auth-session is asked
 * each time. Directories and files to be watched come as descriptors. Root may
 * watch what the process could not even read, so they must belong to the
 * account's system user; they are watched and not read, and all that anybody
 * learns is that something happened. What a process can make the parent hold
 * is bounded for each user, and a fork of the parent for one user has none of
 * the others' words (MADV_DONTFORK).
 */
#include "lib/login/session_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/login/parking_places.h"
#include "lib/login/parking_room.h"

enum {
	OTHER_FILES = 512, /* descriptors that are no parked connections */
	OF_ONE_USER = 1000,
	BYTES_OF_ONE_USER = 8 << 20,
	PLACES_OF_ONE_USER = 4000, /* where something is watched, at most */
	TICK_MS = 1000, /* timers are this coarse */
	PROVEN_MS = 1000, /* so long it is not asked again for one account */
	DEAF_MOST = 5, /* signs of life that a client did not take */
	CONFIRM_TIMEOUT_S = 2,
	UNASKED_MS = 10000, /* where that cannot be told, it is asked so late */
};

/* An account as it was, and its connections. */
struct holder {
	struct session_question question; /* first: is it still? */
	struct msg_find_account asked;
	struct parked *first;
	size_t count;
	size_t bytes; /* of memory */
	size_t places;
	size_t processes; /* that may hand over more, */
	size_t ahead; /* places that they have handed over ahead */
	int64_t proven; /* until then it is not asked, clock_ms */
	struct session_owner owner; /* its texts are in the key */
	UT_hash_handle hh;
	size_t key_size;
	char key[];
};

struct parked {
	struct session_watch watch; /* first */
	struct parked *next, **link; /* of its holder */
	struct holder *holder;
	struct place *places; /* behind this struct */
	size_t watches; /* how many those are */
	int fd;
	bool waking; /* nothing is watched: waits for its account's answer, */
	bool stay; /* and is not to be parked again soon */
	unsigned int deaf;
	int64_t end; /* clock_ms(); INT64_MAX: never */
	int64_t sign; /* the next sign of life; INT64_MAX: none */
	int64_t sign_ms;
	const char *behind, *id, *client, *method, *tls; /* in text */
	size_t size; /* of this, with the text */
	struct span state; /* behind the texts */
	struct span compression; /* behind that */
	char text[]; /* behind the places */
};

static const struct session_stage *stage;
static struct holder *holders;
static size_t count, most;
static size_t questions; /* under way */
static size_t most_places; /* of one account */
static struct session_timer timer;

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
	if (h->count > 0 || h->processes > 0)
		return;
	questions -= session_question_under_way(&h->question);
	session_question_drop(&h->question);
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

void
parking_drop_ahead(struct parking_ahead **a)
{
	struct holder *h = *a == NULL ? NULL : (*a)->holder;

	if (h == NULL)
		return;
	h->ahead -= (*a)->count;
	h->processes--;
	parking_places_drop(*a, (*a)->count);
	free(*a);
	*a = NULL;
	drop_holder(h);
}

/* Time. */

static int64_t
due(const struct parked *p)
{
	return p->sign < p->end ? p->sign : p->end;
}

/* The end of being parked. */

static void
watch_no_more(struct parked *p)
{
	session_watch_drop(p->fd);
	parking_places_leave(p->places, p->watches);
	p->holder->places -= p->watches;
	p->watches = 0;
}

static void
take_out(struct parked *p)
{
	watch_no_more(p);
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
	parking_room_give(p, p->size);
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

/* With its last one the holder may go. */
static void
wake_all(struct holder *h, bool same)
{
	struct parked *p = h->first, *next;

	for (size_t n = h->count; n > 0; n--, p = next) {
		next = p->next;
		if (!p->waking)
			continue;
		if (same)
			pass_on(p, p->stay);
		else
			account_changed(p);
	}
}

/*
 * Where the accounts cannot be read, it is as for connections that are not
 * parked: they go on.
 */
static void
told(struct session_question *q, const struct msg_account *account)
{
	static int64_t next_warning;
	struct holder *h = (struct holder *)q;
	int64_t now = clock_ms();
	const char *why;
	enum verdict v = session_compare(&h->owner, account, &why);

	questions--;
	if (v != NEVER)
		h->proven = now + (v == LATER ? UNASKED_MS : PROVEN_MS);
	if (v == LATER && now >= next_warning) {
		next_warning = now + UNASKED_MS;
		log_warning("the accounts cannot be asked whether user=<%s>"
			    " is still the same: %s",
		    h->owner.user, why);
	}
	wake_all(h, v != NEVER);
}

static void
ask_whether_same(struct holder *h)
{
	questions++;
	if (questions > session_questions_most()) {
		told(&h->question, NULL);
		return;
	}
	h->asked = (struct msg_find_account){ .address = h->owner.user };
	h->question.kind = &message_find_account;
	h->question.asked = &h->asked;
	h->question.answered = told;
	session_ask(&h->question, CONFIRM_TIMEOUT_S);
}

/* It and all else of its account that wakes meanwhile wait for one answer. */
static void
wake(struct parked *p, bool stay)
{
	struct holder *h = p->holder;

	if (p->waking)
		return;
	if (clock_ms() < h->proven) {
		pass_on(p, stay);
		return;
	}
	p->waking = true;
	p->stay = stay;
	watch_no_more(p);
	if (!session_question_under_way(&h->question))
		ask_whether_same(h);
}

/* The client has said something, or has gone. */
static bool
client_ready(struct session_watch *w, unsigned int events)
{
	struct parked *p = (struct parked *)w;
	int unread = 0;

	if (p->waking)
		return false;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 &&
	    ioctl(p->fd, FIONREAD, &unread) == 0 && unread == 0)
		end(p, NULL, "lost connection");
	else
		wake(p, false);
	return false;
}

static void
place_changed(struct parked *p)
{
	wake(p, false);
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

static void
time_has_come(void)
{
	int64_t now = clock_ms(), next = INT64_MAX;
	struct parked *p, *following;
	struct holder *h, *other;

	HASH_ITER (hh, holders, h, other)
		for (p = h->first; p != NULL; p = following) {
			/* behind the last one the holder may be gone */
			following = p->next;
			if (!p->waking && serve_time(p, now) && due(p) < next)
				next = due(p);
		}
	if (next != INT64_MAX)
		session_timer_set(&timer,
		    next < now + TICK_MS ? now + TICK_MS : next);
}

void
parking_setup(const struct session_stage *of)
{
	struct rlimit files;

	stage = of;
	if (getrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    files.rlim_cur < 2 * OTHER_FILES)
		most = OTHER_FILES / 2;
	else
		most = (size_t)files.rlim_cur - OTHER_FILES;
	most_places = parking_places_most(PLACES_OF_ONE_USER,
	    "/proc/sys/fs/inotify/max_user_watches");
	if (!parking_places_setup(stage->separated, place_changed))
		fatal("parking: %m");
	session_timer_setup(&timer, time_has_come);
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
new_parked(struct holder *h, const struct msg_park *m, struct parking_ahead *a)
{
	size_t places = a->count * sizeof(*a->places);
	size_t size = sizeof(struct parked) + places + strlen(m->behind) +
	    strlen(m->id) + strlen(m->client) + strlen(m->method) +
	    strlen(m->tls) + 5 + m->state.n + m->compression.n;
	struct parked *p = parking_room_take(size);
	int64_t now = clock_ms();
	char *at = p->text + places;

	p->watch.ready = client_ready;
	p->size = size;
	p->fd = m->socket;
	p->places = (struct place *)(void *)p->text;
	p->watches = a->count;
	parking_places_give(a, p->places, p);
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
	h->places += p->watches;
	count++;
	return p;
}

/* Why it cannot be kept; NULL: it can. */
static const char *
obstacle(struct parked *p, const struct parking_ahead *a, size_t watches)
{
	const struct holder *h = p->holder;

	if (count > most)
		return "too many open files";
	if (h->count > OF_ONE_USER || h->bytes > BYTES_OF_ONE_USER ||
	    a->error == EDQUOT)
		return "too many of this user";
	if (a->error == EPERM)
		return "what is to be watched is not the user's own";
	if (a->error == ENOSPC)
		return "see fs.inotify.max_user_watches";
	if (a->error != 0)
		return strerror(a->error);
	if (p->watches != watches)
		return "not all is watched";
	return session_watch_add(p->fd, EPOLLIN | EPOLLRDHUP, &p->watch) ?
	    NULL :
	    strerror(errno);
}

/* "a" has nothing any more behind it, but memory. */
static void
park(const struct session_owner *owner, struct parking_ahead *a,
    const struct msg_park *m)
{
	static int64_t next_warning;
	struct holder *h = a->holder;
	struct parked *p;
	const char *why;

	/* of one that could not be parked after all */
	if (a->count > m->watches)
		parking_places_drop(a, a->count - m->watches);
	p = new_parked(h, m, a);
	why = obstacle(p, a, m->watches);
	if (why != NULL && clock_ms() >= next_warning) {
		next_warning = clock_ms() + 60000;
		log_warning("a connection of user=<%s> cannot be parked: %s",
		    owner->user, why);
	}
	if (why != NULL || a->early)
		wake(p, why != NULL);
	else
		session_timer_set(&timer, due(p));
}

/* All processes of the account count together, and what is parked. */
static void
watch_place(const struct session_owner *owner, struct parking_ahead *a,
    const struct msg_watch *m)
{
	if (a->count == SESSION_POINTS_MAX)
		parking_places_drop(a, 1);
	if (a->holder->places + a->holder->ahead + a->count >= most_places)
		a->error = EDQUOT;
	else
		parking_places_watch(owner, a, m);
}

static struct parking_ahead *
new_ahead(const struct session_owner *owner)
{
	struct parking_ahead *a = mem_new(sizeof(*a));

	a->holder = get_holder(owner);
	a->holder->processes++;
	return a;
}

/*
 * A process that was taken over may hand over whatever it has: the log pipe,
 * say, to have it back under a number that its filter does not know.
 */
static bool
is_connection(const struct session_owner *owner, int fd)
{
	if (fd_is_connection(fd))
		return true;
	log_error("user=<%s>: its process parks what is no connection",
	    owner->user);
	return false;
}

void
parking_take(const struct session_owner *owner, struct parking_ahead **a,
    const struct ipc_message *kind, const void *message)
{
	struct holder *h;

	if (*a == NULL)
		*a = new_ahead(owner);
	h = (*a)->holder;
	h->ahead -= (*a)->count;
	if (kind == &message_watch) {
		watch_place(owner, *a, message);
		ipc_close_fds(kind, message);
	} else if (kind == &message_park &&
	    is_connection(owner, ((const struct msg_park *)message)->socket)) {
		park(owner, *a, message);
		(*a)->early = false;
		(*a)->error = 0;
	} else {
		ipc_close_fds(kind, message);
	}
	h->ahead += (*a)->count;
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
	struct holder *h, *other;

	/* with its last one the holder may go */
	HASH_ITER (hh, holders, h, other)
		for (size_t n = h->count; n > 0; n--)
			end(h->first, stage->bye_stop, "the server stops");
}
