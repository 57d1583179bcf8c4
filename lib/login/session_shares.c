/* SPDX-License-Identifier: ISC */
/*
 * SECURITY. In the session stage's parent, which is root. Names come from
 * processes of users, which may be anybody's by now: each becomes a file name
 * in one way, without '/' and without a '.' in front, and is kept only if
 * auth-session knows it as an account, so that nobody can fill the directory.
 * data_directory is the queue owner's: the directory in it is made by root,
 * opened without following a link, and taken only if it is root's.
 */
#include "lib/login/session_shares.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/hash_table.h"
#include "lib/base/hex.h"
#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/ipc/proto_auth.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

enum {
	ASK_ALL_TIMEOUT_S = 10, /* for all whose accounts a user may see */
	ASK_TIMEOUT_MS = 2000,
	SLOW_MS = 500, /* an answer that is none, and took so long */
	UNASKED_MS = 10000, /* after such a one nobody is asked */
	KNOWN_MS = 60000, /* an account is asked about once in so long */
	LATER_MS = 10000, /* or in so long, where the answer was none */
	KNOWN_MAX = 10000,
	NAME_ROOM = 256,
	AT_ONCE = 25, /* questions, each on a connection of its own */
	ENTRIES_MAX = 1000, /* read for one user: some are of nobody any more */
};

static const char service[] = "auth-session";

static const char directory_name[] = "imap-shares";

static int shares = -1; /* that directory */

/* What auth-session said of an account. */
struct known {
	char *name; /* that was asked for */
	int64_t until;
	bool there;
	struct session_share account; /* its texts are its own */
	UT_hash_handle hh;
};

static struct known *all_known;

void
session_shares_setup(const char *data_directory)
{
	int data = open(data_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (data == -1 ||
	    (mkdirat(data, directory_name, 0700) == -1 && errno != EEXIST) ||
	    (shares = openat(data, directory_name,
		 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1 ||
	    fstat(shares, &st) == -1)
		fatal("%s/%s: %m", data_directory, directory_name);
	if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		fatal("%s/%s: belongs to somebody else, or others may write it",
		    data_directory, directory_name);
	fd_close(&data);
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || strchr("@._+=-", c) != NULL;
}

bool
session_share_name(const char *user, char *out, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t at = 0;

	if (user[0] == '\0')
		return false;
	for (const char *p = user; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (at + 4 > n)
			return false;
		if (is_plain(*p) && (at > 0 || *p != '.')) {
			out[at++] = *p;
			continue;
		}
		out[at++] = '%';
		out[at++] = digits[c >> 4];
		out[at++] = digits[c & 15];
	}
	out[at] = '\0';
	return at <= NAME_MAX;
}

/* The user's name again; false: session_share_name has not made this. */
static bool
user_of(const char *name, char out[NAME_ROOM])
{
	char again[NAME_ROOM];
	size_t at = 0;

	for (const char *p = name; *p != '\0' && at + 1 < NAME_ROOM; p++) {
		if (*p != '%') {
			out[at++] = *p;
			continue;
		}
		if (hex_upper_digit(p[1]) < 0 || hex_upper_digit(p[2]) < 0)
			return false;
		out[at++] =
		    (char)(hex_upper_digit(p[1]) << 4 | hex_upper_digit(p[2]));
		p += 2;
	}
	out[at] = '\0';
	return session_share_name(out, again, sizeof(again)) &&
	    strcmp(again, name) == 0;
}

/* ---- accounts ---- */

static void
forget_known(struct known *k)
{
	HASH_DEL(all_known, k);
	free((char *)(uintptr_t)k->account.user);
	free((char *)(uintptr_t)k->account.mail);
	free(k->name);
	free(k);
}

static void
forget_all(void)
{
	struct known *k, *next;

	HASH_ITER (hh, all_known, k, next)
		forget_known(k);
}

/* NULL: what is known of it was too old then, or nothing is. */
static struct known *
find_known(const char *name, int64_t then)
{
	struct known *k;

	HASH_FIND_STR(all_known, name, k);
	if (k != NULL && k->until < then) {
		forget_known(k);
		k = NULL;
	}
	return k;
}

static void
remember(const char *name, const struct msg_account *a)
{
	struct known *k = find_known(name, clock_ms());

	if (k != NULL)
		forget_known(k);
	k = mem_new(sizeof(*k));
	k->there = a->verdict == OK;
	k->until = clock_ms() + (a->verdict == LATER ? LATER_MS : KNOWN_MS);
	k->account = (struct session_share){
		.user = mem_text(a->user),
		.mail = mem_text(a->mail),
		.uid = a->uid,
		.gid = a->gid,
		.quota_bytes = a->quota_bytes,
		.quota_messages = a->quota_messages,
	};
	k->name = mem_text(name);
	HASH_ADD_KEYPTR(hh, all_known, k->name, strlen(k->name), k);
}

/* One account, and whom it is asked of; NULL: nobody could be. */
struct asking {
	const char *name;
	struct ipc *auth;
};

static struct ipc *
begin(const char *name, int64_t deadline)
{
	const struct msg_find_account asked = { .address = name,
		.local = false };
	struct ipc *c = service_ask(service, &protocol_auth, deadline);

	if (c != NULL &&
	    ipc_send(c, &message_find_account, &asked, deadline) != IPC_OK)
		service_done(service, &c, false);
	return c;
}

/* Once more, of a process that lives. */
static const void *
ask_again(struct asking *a, int64_t deadline)
{
	const struct msg_find_account asked = { .address = a->name,
		.local = false };
	const struct service_question q = { &message_find_account, &asked,
		&message_account };

	service_done(service, &a->auth, false);
	return service_question(service, &protocol_auth, &q, deadline,
	    &a->auth);
}

/* False: it does not say now. */
static bool
finish(struct asking *a, int64_t deadline)
{
	const void *message = NULL;
	const struct msg_account *account;
	enum ipc_result r = IPC_CLOSED;
	bool said = false;

	if (a->auth != NULL)
		r = ipc_expect(a->auth, &message_account, &message, deadline);
	account = r == IPC_OK ? message :
	    r == IPC_CLOSED   ? ask_again(a, deadline) :
				NULL;
	if (account != NULL) {
		said = account->verdict != LATER;
		remember(a->name, account);
	}
	service_done(service, &a->auth, account != NULL);
	return said;
}

/*
 * All others wait meanwhile, and names that nobody can be asked about cost a
 * taken-over process nothing: so all are asked at once, with one time for all
 * of them, and where that is over nobody is asked for some time.
 */
static void
ask_all(struct asking *all, size_t n, int64_t deadline)
{
	static int64_t not_before;
	int64_t now = clock_ms(), most = now + ASK_TIMEOUT_MS;
	bool said = true;

	if (n == 0 || now < not_before || now >= deadline)
		return;
	if (most < deadline)
		deadline = most;
	for (size_t i = 0; i < n; i++)
		all[i].auth = begin(all[i].name, deadline);
	for (size_t i = 0; i < n; i++)
		said &= finish(&all[i], deadline);
	if (said || clock_ms() - now < SLOW_MS)
		return;
	not_before = clock_ms() + UNASKED_MS;
	log_warning("the accounts cannot be asked who shares with whom: some "
		    "shared mail may not be seen");
}

/*
 * What is known, and was not too old when it was looked for: what has become
 * so while others were asked will do. An address with an extension is nobody's
 * name.
 */
static const struct session_share *
known_account(const char *name, int64_t then)
{
	const struct known *k = find_known(name, then);

	return k != NULL && k->there && strcmp(k->account.user, name) == 0 ?
	    &k->account :
	    NULL;
}

static void
make_room(size_t n)
{
	if (HASH_COUNT(all_known) + n >= KNOWN_MAX)
		forget_all();
}

static const struct session_share *
find_account(const char *name, int64_t deadline)
{
	struct asking one = { .name = name };
	int64_t now = clock_ms();

	make_room(1);
	if (find_known(name, now) == NULL)
		ask_all(&one, 1, deadline);
	return known_account(name, now);
}

/* ---- the directory ---- */

static char *
path_of(const char *owner, const char *grantee)
{
	char from[NAME_ROOM], to[NAME_ROOM];

	if (!session_share_name(owner, from, sizeof(from)) ||
	    !session_share_name(grantee, to, sizeof(to)))
		return NULL;
	return mem_printf("%s/%s", to, from);
}

bool
session_shares_has(const char *owner, const char *user)
{
	char *path = path_of(owner, user);
	bool has;

	has = path != NULL &&
	    faccessat(shares, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	free(path);
	return has;
}

/* True: it was not there. */
static bool
add(const char *path)
{
	char *user = mem_text(path);
	int fd = -1, directory = -1;

	*strchr(user, '/') = '\0';
	if (mkdirat(shares, user, 0700) == 0)
		(void)fsync(shares);
	fd =
	    openat(shares, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 && errno != EEXIST)
		log_warning("%s/%s: %m", directory_name, path);
	if (fd != -1)
		directory =
		    openat(shares, user, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory != -1)
		(void)fsync(directory);
	free(user);
	fd_close(&directory);
	if (fd == -1)
		return false;
	fd_close(&fd);
	return true;
}

static void
take_away(char *path)
{
	if (unlinkat(shares, path, 0) == -1)
		return;
	*strchr(path, '/') = '\0';
	/* stays where others are in it */
	(void)unlinkat(shares, path, AT_REMOVEDIR);
}

bool
session_shares_set(const char *owner, const char *grantee, bool on,
    int64_t deadline)
{
	char *path = path_of(owner, grantee);
	bool is_new = false;

	if (path == NULL || strcmp(owner, grantee) == 0) {
		free(path);
		return false;
	}
	if (!on)
		take_away(path);
	else if (!session_shares_has(owner, grantee) &&
	    find_account(grantee, deadline) != NULL)
		is_new = add(path);
	free(path);
	return is_new;
}

/* ---- those of a user ---- */

struct names {
	char all[AT_ONCE][NAME_ROOM]; /* owners */
	size_t count;
};

struct found {
	const struct session_share *all[SESSION_SHARES_MAX];
	size_t count, bytes;
};

/* The next ones. False: there are none. */
static bool
read_names(DIR *list, struct names *n)
{
	struct dirent *e;

	n->count = 0;
	while (n->count < AT_ONCE && (e = readdir(list)) != NULL)
		if (e->d_name[0] != '.' && user_of(e->d_name, n->all[n->count]))
			n->count++;
	return n->count > 0;
}

static void
ask_unknown(const struct names *names, int64_t now, int64_t deadline)
{
	struct asking asked[AT_ONCE];
	size_t n = 0;

	for (size_t i = 0; i < names->count; i++)
		if (find_known(names->all[i], now) == NULL)
			asked[n++] = (struct asking){ .name = names->all[i] };
	ask_all(asked, n, deadline);
}

/* A folder that grows while it is read may name one twice. */
static bool
is_kept(const struct found *f, const struct session_share *a)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->all[i] == a)
			return true;
	return false;
}

/* False: there are more than fit. */
static bool
keep_accounts(const struct names *names, int64_t then, struct found *f)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct session_share *a =
		    known_account(names->all[i], then);

		if (a == NULL || is_kept(f, a))
			continue;
		if (f->count == SESSION_SHARES_MAX)
			return false;
		f->all[f->count++] = a;
		f->bytes += sizeof(*a) + strlen(a->user) + strlen(a->mail) + 2;
	}
	return true;
}

/*
 * Entries stay when their owner's account goes, and are not counted. False:
 * some were left out.
 */
static bool
look(DIR *list, struct found *f)
{
	int64_t deadline = clock_in(ASK_ALL_TIMEOUT_S), now = clock_ms();
	struct names names;

	/* nothing of what is found is forgotten meanwhile, nor grows too old */
	make_room(ENTRIES_MAX);
	for (size_t read = 0; read_names(list, &names); read += names.count) {
		if (read + names.count > ENTRIES_MAX)
			return false;
		ask_unknown(&names, now, deadline);
		if (!keep_accounts(&names, now, f))
			return false;
	}
	return true;
}

static int
by_name(const void *a, const void *b)
{
	const struct session_share *const *left = a, *const *right = b;

	return strcmp((*left)->user, (*right)->user);
}

static struct session_share *
copy(const struct found *f)
{
	struct session_share *out = mem_new(f->bytes);
	char *at = (char *)(out + f->count);

	for (size_t i = 0; i < f->count; i++) {
		size_t n = strlen(f->all[i]->user) + 1;
		size_t m = strlen(f->all[i]->mail) + 1;

		out[i] = *f->all[i];
		out[i].user = memcpy(at, f->all[i]->user, n);
		out[i].mail = memcpy(at + n, f->all[i]->mail, m);
		at += n + m;
	}
	return out;
}

struct session_share *
session_shares_of(const char *user, size_t *count)
{
	struct found f = { .count = 0 };
	char name[NAME_ROOM];
	DIR *list = NULL;
	int fd = -1;

	*count = 0;
	if (shares != -1 && session_share_name(user, name, sizeof(name)))
		fd = openat(shares, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return NULL;
	list = fdopendir(fd);
	if (list == NULL) {
		fd_close(&fd);
		return NULL;
	}
	if (!look(list, &f))
		log_warning("user=<%s>: more than %d accounts share with this "
			    "one, or more than %d entries of %s are for it: "
			    "some are left out",
		    user, SESSION_SHARES_MAX, ENTRIES_MAX, directory_name);
	closedir(list);
	if (f.count == 0)
		return NULL;
	qsort(f.all, f.count, sizeof(f.all[0]), by_name);
	*count = f.count;
	return copy(&f);
}
