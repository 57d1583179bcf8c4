/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_size.h"

enum {
	OLD_FILE_S = 900, /* a full account may be counted anew after that */
	LIMITS_LINE_MAX = 64,
	COUNTS = 3, /* while others change it */
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
	    maildir_size_parse(buf_span(&text), &size) && size.changes > 0 &&
	    size.bytes_limit == bytes_limit &&
	    size.messages_limit == messages_limit && size.bytes >= 0 &&
	    size.messages >= 0;
	if (good) {
		out->quota.bytes = (uint64_t)size.bytes;
		out->quota.messages = (uint64_t)size.messages;
		out->changes = size.changes;
		out->age = clock_wall_us() / 1000000 - stamp.seconds;
	}
	buf_fini(&text);
	return good;
}

static void
count_file(DIR *d, const char *name, struct mail_quota *q)
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
	q->bytes += m.stored;
	q->messages++;
}

static void
count_directory(int at, const char *name, struct mail_quota *q)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		fd_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		count_file(d, e->d_name, q);
	closedir(d);
}

static void
count_folder(struct mail_tree *t, const char *name, struct mail_quota *q)
{
	struct mail_directories dirs;
	struct mail_place p;
	struct why why;

	if (mail_place_find(t, span_of(name), &p) != MAIL_OK)
		return;
	if (mail_place_open(t, &p, &dirs, &why) == MAIL_OK) {
		count_directory(dirs.mail, "cur", q);
		count_directory(dirs.mail, "new", q);
		mail_directories_close(&dirs);
	}
	mail_place_fini(&p);
}

/* All names of all folders are read: seconds for a million messages. */
static enum mail_result
count(struct mail_tree *t, struct mail_quota *out, struct why *why)
{
	struct mail_folder_list l = { 0 };
	enum mail_result r = mail_tree_list(t, &l, why);

	out->bytes = out->messages = 0;
	for (size_t i = 0; r == MAIL_OK && i < l.count; i++)
		if (l.all[i].selectable)
			count_folder(t, l.all[i].name, out);
	mail_folder_list_fini(&l);
	return r;
}

static bool
is_same(int root, const struct file_stamp *before)
{
	struct file_stamp now;

	mail_file_stamp(root, file_name, &now);
	return mail_file_same(before, &now);
}

/* False: somebody's line came since "before" (NULL: no matter). */
static bool
write_file(int root, const struct mail_quota *q,
    const struct file_stamp *before)
{
	char temporary[64], limits[LIMITS_LINE_MAX];
	struct buf text = BUF_INIT(256);
	bool same = true;
	int fd;

	limits_line(q->bytes_limit, q->messages_limit, limits);
	buf_printf(&text, "%s\n%llu %llu\n", limits,
	    (unsigned long long)q->bytes, (unsigned long long)q->messages);
	snprintf(temporary, sizeof(temporary), "%s.%ld.new", file_name,
	    (long)process_id());
	fd = openat(root, temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && fd_write_all(fd, buf_text(&text), text.n) == 0) {
		same = before == NULL || is_same(root, before);
		if (!same || renameat(root, temporary, root, file_name) != 0)
			(void)!unlinkat(root, temporary, 0);
	}
	fd_close(&fd);
	buf_fini(&text);
	return same;
}

/* What came or went while it was counted is in it or not: once more. */
static enum mail_result
count_and_write(struct mail_tree *t, struct mail_quota *out, struct why *why)
{
	struct file_stamp before;
	enum mail_result r;

	for (int i = 1;; i++) {
		mail_file_stamp(t->root, file_name, &before);
		r = count(t, out, why);
		if (r != MAIL_OK ||
		    write_file(t->root, out, i < COUNTS ? &before : NULL))
			return r;
	}
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

/* Usage, for a question about so much more. */
static enum mail_result
use(struct mail_tree *t, const struct mail_quota *limits, uint64_t bytes,
    uint64_t messages, struct mail_quota *out, struct why *why)
{
	bool limited = limits->bytes_limit != 0 || limits->messages_limit != 0;
	struct known k = { .quota = *limits };
	enum mail_result r;

	if (!limited ||
	    !read_file(t->root, limits->bytes_limit, limits->messages_limit,
		&k) ||
	    !believable(&k, bytes, messages)) {
		r = limited ? count_and_write(t, &k.quota, why) :
			      count(t, &k.quota, why);
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
	return use(t, limits, 0, 0, out, why);
}

enum mail_result
mail_quota_ask(struct mail_tree *t, const struct mail_quota *limits,
    uint64_t bytes, uint64_t messages, struct why *why)
{
	struct mail_quota q;
	enum mail_result r;

	if (limits->bytes_limit == 0 && limits->messages_limit == 0)
		return MAIL_OK;
	r = use(t, limits, bytes, messages, &q, why);
	if (r == MAIL_OK && !mail_quota_allows(&q, bytes, messages)) {
		why_set(why, "5.2.2", "mailbox is full");
		r = MAIL_OVER_QUOTA;
	}
	return r;
}

enum mail_result
mail_quota_take(int root, const struct mail_quota *limits, uint64_t bytes,
    uint64_t messages, struct maildir_claim *claim, struct why *why)
{
	*claim = (struct maildir_claim){ .fd = -1 };
	if ((limits->bytes_limit == 0 && limits->messages_limit == 0) ||
	    maildir_size_take(root, bytes, messages, claim) ==
		MAILDIR_ROOM_TAKEN)
		return MAIL_OK;
	why_set(why, "4.2.2", "mailbox is full, if all that comes fits");
	return MAIL_OVER_QUOTA;
}

enum mail_result
mail_quota_check(const char *location, const struct mail_quota *limits,
    uint64_t bytes, uint64_t messages, struct why *why)
{
	struct mail_location at;
	struct mail_tree t;
	enum mail_result r;

	why_clear(why);
	if (limits->bytes_limit == 0 && limits->messages_limit == 0)
		return MAIL_OK;
	if (!mail_location_parse(location, &at, why))
		return MAIL_FAILED;
	r = mail_tree_open(AT_FDCWD, &at, '/', false, &t, why);
	if (r == MAIL_NONEXISTENT)
		return mail_quota_allows(limits, bytes, messages) ?
		    MAIL_OK :
		    MAIL_OVER_QUOTA;
	if (r == MAIL_OK) {
		r = mail_quota_ask(&t, limits, bytes, messages, why);
		mail_tree_close(&t);
	}
	return r;
}

void
mail_quota_forget(int root)
{
	(void)!unlinkat(root, file_name, 0);
}
