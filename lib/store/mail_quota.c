/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/store/mail_account_internal.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_size.h"

enum {
	OLD_FILE_S = 900, /* a full account may be counted anew after that */
	LIMITS_LINE_MAX = 64,
	LINES_MAX = 16 << 20, /* bytes of those that come during a count */
	SLICE_MS = 5, /* a count lets others run that often */
	ASKS = 2, /* while others change what was counted */
	CLAIM_WAITS = 20, /* of a millisecond */
};

static const char file_name[] = "maildirsize";

/* "1000000S,500C"; a part of 0 is no limit, and left out. */
static void
limits_line(uint64_t bytes, uint64_t messages, char out[LIMITS_LINE_MAX])
{
	char *at = out;

	out[0] = '\0';
	if (bytes != 0)
		at += snprintf(at, LIMITS_LINE_MAX, "%lluS",
		    (unsigned long long)bytes);
	if (messages != 0)
		snprintf(at, LIMITS_LINE_MAX - (size_t)(at - out), "%s%lluC",
		    bytes != 0 ? "," : "", (unsigned long long)messages);
}

struct known {
	struct mail_quota quota;
	size_t changes; /* lines behind the first count */
	int64_t age; /* seconds since the file was written */
};

/* False: to be counted anew. */
static bool
read_file(int root, uint64_t bytes_limit, uint64_t messages_limit,
    struct known *out)
{
	struct buf text = BUF_INIT(MAILDIR_SIZE_FILE_MAX);
	struct maildir_size size;
	struct file_stamp stamp;
	bool good;

	good = mail_file_read(root, file_name, &text, &stamp) == 0 &&
	    maildir_size_parse(buf_span(&text), &size) &&
	    maildir_size_of(&size, bytes_limit, messages_limit);
	if (good) {
		out->quota.bytes = (uint64_t)size.bytes;
		out->quota.messages = (uint64_t)size.messages;
		out->changes = size.changes;
		out->age = clock_wall_us() / 1000000 - stamp.seconds;
	}
	buf_fini(&text);
	return good;
}

struct counting {
	const struct mail_quota_question *asked;
	struct mail_quota *sum;
	int root;
	int64_t until; /* others run then */
	bool given_up;
};

/* False: it is given up. */
static bool
let_others_run(struct counting *c)
{
	if (c->given_up || c->asked->pause == NULL || clock_ms() < c->until)
		return !c->given_up;
	c->given_up = !c->asked->pause(c->asked->with, 0);
	c->until = clock_ms() + SLICE_MS;
	return !c->given_up;
}

static void
count_file(DIR *d, const char *name, struct counting *c)
{
	struct maildir_message m;
	struct stat st;

	if (!maildir_name_parse(span_of(name), &m))
		return;
	if (m.stored == UINT64_MAX) {
		if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return;
		m.stored = (uint64_t)st.st_size;
	}
	c->sum->bytes += m.stored;
	c->sum->messages++;
}

static void
count_directory(int at, const char *name, struct counting *c)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		fd_close(&fd);
		return;
	}
	while (let_others_run(c) && (e = readdir(d)) != NULL)
		count_file(d, e->d_name, c);
	closedir(d);
}

static void
count_folder(int at, struct counting *c)
{
	count_directory(at, "cur", c);
	count_directory(at, "new", c);
}

static bool
see_entry(void *counting)
{
	return let_others_run(counting);
}

static void
see_folder(void *counting, const char *path)
{
	struct counting *c = counting;
	int at = openat(c->root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (at >= 0)
		count_folder(at, c);
	fd_close(&at);
}

/*
 * All names of all folders are read: seconds for a million messages. Others run
 * amid all of it, also where the owner has made more folders than anybody
 * needs: they are counted as they are met, and by nothing but their
 * directories.
 */
static enum mail_result
count(struct mail_tree *t, const struct mail_quota_question *q,
    struct mail_quota *out, struct why *why)
{
	struct counting c = { .asked = q,
		.sum = out,
		.root = t->root,
		.until = clock_ms() + SLICE_MS };
	const struct mail_tree_visitor visitor = { see_entry, see_folder, &c };
	enum mail_result r;

	out->bytes = out->messages = 0;
	if (t->at.mbox)
		return MAIL_OK; /* it has limits of its own */
	count_folder(t->inbox, &c);
	r = mail_tree_visit(t, &visitor, why);
	if (!c.given_up)
		return r;
	why_set(why, "4.3.0", "its count was given up");
	return MAIL_FAILED;
}

static void
stat_file(int root, int fd, struct stat *out)
{
	if ((fd >= 0 ? fstat(fd, out) :
		       fstatat(root, file_name, out, AT_SYMLINK_NOFOLLOW)) != 0)
		memset(out, 0, sizeof(*out));
}

static bool
wait_a_little(const struct mail_quota_question *q)
{
	const struct timespec tick = { .tv_nsec = 1000000 };

	if (q->pause != NULL)
		return q->pause(q->with, 1);
	(void)nanosleep(&tick, NULL);
	return true;
}

/*
 * Until nobody is between a line and the name of its message, as a rule
 * at once. False: somebody holds the lock longer, who is not waited for.
 */
static bool
wait_for_claims(int fd, const struct mail_quota_question *q)
{
	for (unsigned int i = 0; i < CLAIM_WAITS; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return true;
		if (!wait_a_little(q))
			break;
	}
	return false;
}

/* In front of it are lines of messages that are there, behind it all others. */
static void
mark(int root, const struct mail_quota_question *q, struct mail_quota_mark *m)
{
	struct stat st;

	m->fd = openat(root, file_name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	m->unsure = !wait_for_claims(m->fd, q);
	stat_file(root, m->fd, &st);
	m->device = st.st_dev;
	m->inode = st.st_ino;
	if (m->fd >= 0 &&
	    (!S_ISREG(st.st_mode) || lseek(m->fd, st.st_size, SEEK_SET) == -1))
		fd_close(&m->fd);
	(void)flock(m->fd, LOCK_UN);
}

/* Is the file still the one, or still none? */
static bool
is_marked(int root, const struct mail_quota_mark *m)
{
	struct stat st;

	stat_file(root, -1, &st);
	return m->device == st.st_dev && m->inode == st.st_ino;
}

/*
 * Those since the mark, or since this was asked last: their sum. One that is
 * not whole yet is read again then. False: not all of them can be had.
 */
static bool
lines_since(const struct mail_quota_mark *m, struct maildir_size *sum)
{
	char text[8192];
	const char *end;
	size_t whole;
	ssize_t n;

	memset(sum, 0, sizeof(*sum));
	for (size_t all = 0; m->fd >= 0 && all < LINES_MAX; all += whole) {
		n = read(m->fd, text, sizeof(text));
		if (n <= 0)
			return n == 0;
		end = memrchr(text, '\n', (size_t)n);
		whole = end == NULL ? 0 : (size_t)(end - text) + 1;
		maildir_size_sum((struct span){ text, whole }, sum);
		if (whole < (size_t)n &&
		    lseek(m->fd, (off_t)whole - n, SEEK_CUR) == -1)
			return false;
		if (whole == 0) /* what is too long is no line */
			return n < (ssize_t)sizeof(text);
	}
	return m->fd < 0;
}

static void
print_lines(struct buf *text, const struct maildir_size *sum)
{
	if (sum->changes > 0)
		buf_printf(text, "%lld %lld\n", (long long)sum->bytes,
		    (long long)sum->messages);
}

/* To the file that others write to by now, in one write. */
static void
add_late_lines(int root, int fd, const struct mail_quota_question *q,
    const struct mail_quota_mark *m)
{
	struct buf text = BUF_INIT(64);
	struct maildir_size late;
	bool settled;

	/* who has a share of the old one's lock writes no line to it later */
	settled = wait_for_claims(m->fd, q);
	if (!lines_since(m, &late) || !settled)
		mail_quota_forget(root);
	print_lines(&text, &late);
	if (text.n > 0)
		(void)!write(fd, buf_text(&text), text.n);
	buf_fini(&text);
}

/* Where another count was quicker its file stays: lines are in it. */
static void
write_file(int root, const struct mail_quota_question *q,
    const struct mail_quota *count, const struct maildir_size *lines,
    const struct mail_quota_mark *m)
{
	char temporary[64], limits[LIMITS_LINE_MAX];
	struct buf text = BUF_INIT(256);
	int fd;

	limits_line(count->bytes_limit, count->messages_limit, limits);
	buf_printf(&text, "%s\n%llu %llu\n", limits,
	    (unsigned long long)count->bytes,
	    (unsigned long long)count->messages);
	print_lines(&text, lines);
	snprintf(temporary, sizeof(temporary), "%s.%ld.new", file_name,
	    (long)process_id());
	fd = openat(root, temporary,
	    O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd >= 0 && fd_write_all(fd, buf_text(&text), text.n) == 0 &&
	    is_marked(root, m) &&
	    renameat(root, temporary, root, file_name) == 0)
		add_late_lines(root, fd, q, m);
	else if (fd >= 0)
		(void)!unlinkat(root, temporary, 0);
	fd_close(&fd);
	buf_fini(&text);
}

static uint64_t
sum_of(uint64_t counted, int64_t more)
{
	uint64_t sum = counted + (uint64_t)more;

	return more < 0 && sum > counted ? 0 : sum;
}

/*
 * However long it takes. What was noted meanwhile may have been counted or not:
 * it stays noted behind the count, so that no line is lost, and a count that
 * says full by a message that is in it twice is not believed the next time.
 * Where messages were removed or moved it is counted once more, whatever the
 * sum is: of a copy and a removal it may be nothing, and both were missed. Of
 * more lines than anybody can read no count is kept: who asks next counts anew.
 * So does who asks next where somebody held the lock: the count is an answer,
 * and the file stays.
 */
static enum mail_result
count_and_write(struct mail_tree *t, const struct mail_quota_question *q,
    const struct mail_quota_mark *since, struct mail_quota *out,
    struct why *why)
{
	struct mail_quota_mark now = { .fd = -1 };
	const struct mail_quota_mark *m = since == NULL ? &now : since;
	struct maildir_size lines;
	enum mail_result r;
	bool all;

	if (since == NULL)
		mark(t->root, q, &now);
	r = count(t, q, out, why);
	all = lines_since(m, &lines);
	if (r == MAIL_OK && lines.less) {
		r = count(t, q, out, why);
		all = lines_since(m, &lines) && all;
	}
	if (r == MAIL_OK) {
		if (all && !m->unsure)
			write_file(t->root, q, out, &lines, m);
		else if (!all)
			mail_quota_forget(t->root);
		out->bytes = sum_of(out->bytes, lines.bytes);
		out->messages = sum_of(out->messages, lines.messages);
	}
	fd_close(&now.fd);
	return r;
}

bool
mail_quota_allows(const struct mail_quota *q, uint64_t bytes, uint64_t messages)
{
	return (q->bytes_limit == 0 ||
		   (q->bytes <= q->bytes_limit &&
		       bytes <= q->bytes_limit - q->bytes)) &&
	    (q->messages_limit == 0 ||
		(q->messages <= q->messages_limit &&
		    messages <= q->messages_limit - q->messages));
}

/*
 * A count that says full is believed when nothing was noted since it was made
 * and it is not old.
 */
static bool
believable(const struct known *k, uint64_t bytes, uint64_t messages)
{
	return mail_quota_allows(&k->quota, bytes, messages) ||
	    (k->changes == 1 && k->age >= 0 && k->age < OLD_FILE_S);
}

static bool
is_limited(const struct mail_quota *limits)
{
	return limits->bytes_limit != 0 || limits->messages_limit != 0;
}

/* Usage, for a question about so much more. */
static enum mail_result
use(struct mail_tree *t, const struct mail_quota_question *q,
    const struct mail_quota_mark *since, struct mail_quota *out,
    struct why *why)
{
	bool limited = is_limited(&q->limits);
	struct known k = { .quota = q->limits };
	enum mail_result r;

	if (!limited ||
	    !read_file(t->root, q->limits.bytes_limit, q->limits.messages_limit,
		&k) ||
	    !believable(&k, q->bytes, q->messages)) {
		r = limited ? count_and_write(t, q, since, &k.quota, why) :
			      count(t, q, &k.quota, why);
		if (r != MAIL_OK)
			return r;
	}
	*out = k.quota;
	return MAIL_OK;
}

enum mail_result
mail_quota_use(struct mail_tree *t, const struct mail_quota *limits,
    struct mail_quota *out, struct why *why)
{
	const struct mail_quota_question q = { .limits = *limits };

	return use(t, &q, NULL, out, why);
}

static enum mail_result
is_full(struct why *why)
{
	why_set(why, "5.2.2", "mailbox is full");
	return MAIL_OVER_QUOTA;
}

static enum mail_result
ask(struct mail_tree *t, const struct mail_quota_question *q,
    const struct mail_quota_mark *since, struct why *why)
{
	struct mail_quota has;
	enum mail_result r;

	if (!is_limited(&q->limits))
		return MAIL_OK;
	r = use(t, q, since, &has, why);
	if (r == MAIL_OK && !mail_quota_allows(&has, q->bytes, q->messages))
		r = is_full(why);
	return r;
}

enum mail_result
mail_quota_ask(struct mail_tree *t, const struct mail_quota *limits,
    uint64_t bytes, uint64_t messages, struct why *why)
{
	const struct mail_quota_question q = { .limits = *limits,
		.bytes = bytes,
		.messages = messages };

	return ask(t, &q, NULL, why);
}

enum mail_result
mail_room_take(struct mail_room *m, const struct mail_account *a,
    uint64_t bytes, uint64_t messages, struct why *why)
{
	const struct mail_quota limits = mail_account_limits(a);
	const struct maildir_size by = { .bytes_limit = limits.bytes_limit,
		.messages_limit = limits.messages_limit };
	const struct mail_quota_question q = { .limits = limits };
	enum maildir_room r;

	mail_room_end(m);
	m->claim = (struct maildir_claim){ .fd = -1 };
	if (!is_limited(&limits))
		return MAIL_OK;
	r = maildir_size_claim(a->root, &by, bytes, messages, &m->claim);
	if (r == MAILDIR_ROOM_TAKEN)
		return MAIL_OK;
	if (r == MAILDIR_ROOM_CONTENDED) {
		why_set(why, "4.2.2",
		    "mailbox is full, if all that comes fits");
		return MAIL_OVER_QUOTA;
	}
	if (m->asked >= ASKS && (r == MAILDIR_ROOM_UNKNOWN || m->stale))
		return MAIL_OK; /* there can be no file */
	m->ask = m->asked < ASKS && !m->together;
	if (m->ask)
		mark(a->root, &q, &m->mark);
	return is_full(why);
}

enum mail_result
mail_room_ask(struct mail_room *m, const struct mail_account *a, uint64_t bytes,
    uint64_t messages, struct why *why)
{
	const struct mail_quota_question q = { .limits = mail_account_limits(a),
		.bytes = bytes,
		.messages = messages };
	enum mail_result r;

	why_clear(why);
	r = ask(a->tree, &q, &m->mark, why);
	m->asked++;
	m->stale = m->mark.unsure;
	mail_room_end(m);
	return r;
}

void
mail_room_end(struct mail_room *m)
{
	m->ask = false;
	fd_close(&m->mark.fd);
	maildir_claim_end(&m->claim);
}

enum mail_result
mail_quota_check(const char *location, const struct mail_quota_question *q,
    struct why *why)
{
	struct mail_location at;
	struct mail_tree t;
	enum mail_result r;

	why_clear(why);
	if (!is_limited(&q->limits))
		return MAIL_OK;
	if (!mail_location_parse(location, &at, why))
		return MAIL_FAILED;
	r = mail_tree_open(AT_FDCWD, &at, '/', false, &t, why);
	if (r == MAIL_NONEXISTENT)
		return mail_quota_allows(&q->limits, q->bytes, q->messages) ?
		    MAIL_OK :
		    MAIL_OVER_QUOTA;
	if (r == MAIL_OK) {
		r = ask(&t, q, NULL, why);
		mail_tree_close(&t);
	}
	return r;
}

void
mail_quota_forget(int root)
{
	(void)!unlinkat(root, file_name, 0);
}
