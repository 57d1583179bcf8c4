/* SPDX-License-Identifier: ISC */
/*
 * COPY and MOVE. A copy is a link(2), a move a rename(2), each in the order
 * of UIDs, inside one transaction of the index; what was done is flushed by
 * the next mail_account_settle: one flush for each of the two folders,
 * however many messages there are. mailbox_copy_journal.h keeps a killed
 * process from leaving a part.
 *
 * Each copy has a base name of its own, because a base name is what a POP3
 * client knows a message by.
 */
#include "lib/store/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/store/mail_append.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mail_quota.h"
#include "lib/store/mailbox_copy_journal.h"
#include "lib/store/mailbox_kind.h"

enum {
	OLD_PATH_MAX = MAILDIR_FILE_MAX + 8,
	NO_KEYWORD = 255,
	TELL_EACH = 256,
};

struct copying {
	struct mailbox *from, *to;
	const struct mail_copying *how;
	bool apart; /* on different devices: bytes are copied */
	bool refused; /* a move, as if they were on different ones */
	struct uid_set uids; /* that are there */
	uint32_t first; /* UID of the first copy */
	uint64_t count;
	char base[MAIL_BASE_MAX];
	unsigned char keyword[MAIL_KEYWORDS_MAX]; /* bit there */
	uint64_t bytes; /* of files that quota counts */
	uint64_t carried; /* of those that were copied */
	struct mail_room room; /* of the quota, for all */
	struct arriving journal;
	bool journaled; /* there is one */
	bool final; /* no way back */
	char name[MAILDIR_FILE_MAX]; /* without one: of what arrived, or "" */
	char old[OLD_PATH_MAX]; /* and where it was */
	struct mail_copies *out;
	struct why *why;
};

/* One message on its way. */
struct passing {
	uint32_t uid; /* there */
	size_t number; /* of those on their way */
	uint64_t keywords; /* as the source's folder counts them */
	struct mail_index_message row;
	char old[OLD_PATH_MAX]; /* "cur/NAME" */
	char name[MAILDIR_FILE_MAX];
};

void
mail_copies_fini(struct mail_copies *c)
{
	uid_set_fini(&c->from);
	uid_set_fini(&c->to);
	c->count = 0;
}

static enum mail_result
disk_failed(struct copying *c)
{
	return mailbox_disk_failed(c->how->move ? "cannot move messages" :
						  "cannot copy messages",
	    c->why);
}

/* ---- before the transaction ---- */

struct survey {
	struct copying *c;
	uint64_t keywords;
};

static void
path_of(const struct mail_index_message *row, char out[OLD_PATH_MAX])
{
	snprintf(out, OLD_PATH_MAX, "%s/%.*s",
	    row->have & IN_NEW ? "new" : "cur", SPAN_ARG(row->name));
}

/* As who counts anew does. */
static uint64_t
counted(const struct mailbox *m, const struct mail_index_message *row)
{
	char path[OLD_PATH_MAX];
	struct maildir_file file;
	struct stat st;

	if (maildir_file_parse(row->name, &file) && file.stored != UINT64_MAX)
		return file.stored;
	path_of(row, path);
	return fstatat(m->folder->files.dir, path, &st, AT_SYMLINK_NOFOLLOW) ==
		0 ?
	    (uint64_t)st.st_size :
	    0;
}

static bool
survey_row(void *with, const struct mail_index_message *row)
{
	struct survey *s = with;

	s->keywords |= row->keywords;
	if (!s->c->how->move)
		s->c->bytes += counted(s->c->from, row);
	return true;
}

static const char *
keyword_name(struct mailbox *m, int bit)
{
	const char *const *names = mailbox_keywords(m);

	for (int i = 0; names[i] != NULL; i++)
		if (i == bit)
			return names[i];
	return NULL;
}

static enum mail_result
map_keywords(struct copying *c, uint64_t used)
{
	bool same = c->from->folder == c->to->folder;

	for (int i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		const char *name;
		int bit = same ? i : -1;

		if (!same && (used >> i & 1) != 0 &&
		    (name = keyword_name(c->from, i)) != NULL)
			bit =
			    mailbox_keyword(c->to, span_of(name), true, c->why);
		if (bit < 0 && c->why->error != 0)
			return mail_result_of(c->why->error);
		/* of as many as a folder can have, the message goes without */
		c->keyword[i] = bit < 0 ? NO_KEYWORD : (unsigned char)bit;
	}
	return MAIL_OK;
}

static enum mail_result
survey(struct copying *c)
{
	struct mail_index *x = c->from->account->index;
	struct survey s = { .c = c };
	enum mail_result r = mailbox_hold_rows(c->from, c->why);
	bool good;

	if (r != MAIL_OK)
		return r;
	good = mail_index_walk_set(x, c->from->folder->row.number, &c->uids,
	    survey_row, &s);
	mail_index_release(x);
	if (!good)
		return mailbox_index_failed(c->from, c->why);
	why_clear(c->why);
	return map_keywords(c, s.keywords);
}

/* What is moved has its room: it is only told. */
static enum mail_result
take_room(struct copying *c)
{
	if (!c->how->move)
		return mail_room_take(&c->room, c->to->account, c->bytes,
		    c->count, c->why);
	maildir_claim_move(c->to->account->root, &c->room.claim);
	return MAIL_OK;
}

static void
settle_room(struct copying *c, uint64_t bytes, uint64_t messages)
{
	maildir_claim_settle(&c->room.claim, c->to->account->root,
	    (int64_t)bytes, c->how->move ? 0 : (int64_t)messages);
}

static bool
on_other_device(const struct copying *c)
{
	struct stat from, to;

	return fstat(c->from->folder->files.cur, &from) == 0 &&
	    fstat(c->to->folder->files.cur, &to) == 0 &&
	    from.st_dev != to.st_dev;
}

/* ---- one message ---- */

static uint64_t
keywords_there(const struct copying *c, uint64_t keywords)
{
	uint64_t there = 0;

	for (int i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if ((keywords >> i & 1) != 0 && c->keyword[i] != NO_KEYWORD)
			there |= UINT64_C(1) << c->keyword[i];
	return there;
}

/* Where the old name tells sizes, the new one does. */
static bool
name_of(const struct copying *c, struct passing *p)
{
	char plain[MAILDIR_FILE_MAX];
	struct maildir_file old, file;
	size_t n;

	if (!maildir_file_parse(p->row.name, &old))
		return false;
	n = (size_t)snprintf(plain, sizeof(plain), "%.*s_%zu%s",
	    (int)strcspn(c->base, "."), c->base, p->number,
	    strchr(c->base, '.'));
	if (old.stored != UINT64_MAX)
		n += (size_t)snprintf(plain + n, sizeof(plain) - n, ",S=%llu",
		    (unsigned long long)old.stored);
	if (old.size == UINT64_MAX && (p->row.have & HAVE_SIZE))
		old.size = p->row.size;
	if (old.size != UINT64_MAX && n < sizeof(plain))
		snprintf(plain + n, sizeof(plain) - n, ",W=%llu",
		    (unsigned long long)old.size);
	return maildir_file_parse(span_of(plain), &file) &&
	    maildir_file_name(&file, p->uid, p->row.flags, p->row.keywords,
		p->name);
}

/* As the source's row says, with what will be different. */
static enum mail_result
prepare(struct copying *c, uint32_t uid, size_t i, struct passing *p)
{
	enum mail_result r = mailbox_row(c->from, uid, &p->row, c->why);

	if (r != MAIL_OK)
		return r;
	p->uid = c->first + (uint32_t)i;
	path_of(&p->row, p->old);
	p->number = i;
	p->keywords = p->row.keywords;
	p->row.keywords = keywords_there(c, p->keywords);
	if (name_of(c, p))
		return MAIL_OK;
	why_set(c->why, "5.2.0", "the file's name would be too long");
	return MAIL_LIMIT;
}

/* The bytes, made durable, with the file's time. */
static int
copy_bytes(int from, int to)
{
	struct stat st;
	off_t left;
	ssize_t n;

	if (fstat(from, &st) != 0)
		return -1;
	for (left = st.st_size; left > 0; left -= n) {
		n = copy_file_range(from, NULL, to, NULL, (size_t)left, 0);
		if (n <= 0)
			break;
	}
	if (left > 0) {
		char chunk[16384];

		while ((n = read(from, chunk, sizeof(chunk))) > 0)
			if (fd_write_all(to, chunk, (size_t)n) != 0)
				return -1;
		if (n < 0)
			return -1;
	}
	return futimens(to,
		   (struct timespec[2]){ { .tv_nsec = UTIME_OMIT },
		       st.st_mtim }) == 0 &&
		fsync(to) == 0 ?
	    0 :
	    -1;
}

static int
copy_file(struct copying *c, const struct passing *p)
{
	const struct maildir_folder *to = &c->to->folder->files;
	char tmp[MAILDIR_FILE_MAX + 8];
	int in, out = -1, result = -1;

	snprintf(tmp, sizeof(tmp), "tmp/%s", p->name);
	in = openat(c->from->folder->files.dir, p->old,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in >= 0)
		out = openat(to->dir, tmp,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out >= 0 && copy_bytes(in, out) == 0)
		result = renameat(to->dir, tmp, to->cur, p->name);
	if (result != 0 && out >= 0) {
		int error = errno;

		(void)!unlinkat(to->dir, tmp, 0);
		errno = error;
	}
	fd_close(&in);
	fd_close(&out);
	return result;
}

static void
expect(struct copying *c, const struct passing *p)
{
	/* a file that is moved or copied; or a link */
	mailbox_expect(c->to, EVENT_COMES, p->name);
	if (c->how->move)
		mailbox_expect(c->from, EVENT_LEAVES, p->old + 4);
	else
		mailbox_expect(c->to, EVENT_MADE, p->name);
}

static int
pass(struct copying *c, const struct passing *p)
{
	int from = c->from->folder->files.dir, cur = c->to->folder->files.cur;

	if (c->apart)
		return copy_file(c, p);
	if (c->how->move && renameat(from, p->old, cur, p->name) != 0) {
		/* one device, and yet a bind mount or a project's quota */
		c->refused = errno == EXDEV;
		return -1;
	}
	if (c->how->move)
		return 0;
	if (linkat(from, p->old, cur, p->name, 0) == 0)
		return 0;
	/* too many links, or a file system without */
	if (errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP ||
	    errno == EXDEV)
		return copy_file(c, p);
	return -1;
}

/*
 * Others may have renamed it: a flag was set. What the copy is called says so
 * too.
 */
static bool
follow_rename(struct copying *c, struct passing *p)
{
	struct maildir_file file;
	char now[MAILDIR_FILE_MAX];
	bool in_new = p->old[0] == 'n';

	errno = ENOENT;
	memcpy(now, p->old + 4, strlen(p->old + 4) + 1);
	if (!maildir_file_parse(span_of(now), &file) ||
	    !mailbox_find_file(c->from, file.base, now, &in_new) ||
	    !maildir_file_parse(span_of(now), &file))
		return false;
	snprintf(p->old, sizeof(p->old), "%s/%s", in_new ? "new" : "cur", now);
	p->row.flags = file.flags;
	p->keywords =
	    (p->keywords >> FOLDER_KEYWORD_LETTERS << FOLDER_KEYWORD_LETTERS) |
	    file.keywords;
	p->row.keywords = keywords_there(c, p->keywords);
	errno = ENAMETOOLONG;
	return name_of(c, p);
}

static int
pass_again(struct copying *c, struct passing *p)
{
	if (!follow_rename(c, p) ||
	    (c->journaled &&
		!arriving_amend(&c->journal, p->name,
		    c->how->move && !c->apart ? p->old : NULL)))
		return -1;
	expect(c, p);
	return pass(c, p);
}

/* MAIL_GONE: it is left out. */
static enum mail_result
bring(struct copying *c, struct passing *p)
{
	expect(c, p);
	if (pass(c, p) == 0 || (errno == ENOENT && pass_again(c, p) == 0))
		return MAIL_OK;
	return errno == ENOENT ? MAIL_GONE : disk_failed(c);
}

static enum mail_result
arrive(struct copying *c, struct passing *p)
{
	enum mail_result r;

	p->row.uid = p->uid;
	p->row.save_date = clock_wall_us() / 1000000;
	p->row.have &= ~(uint32_t)(IN_NEW | IN_UIDLIST | IN_OWN_LIST);
	p->row.name = span_of(p->name);
	r = mailbox_arrive(c->to, &p->row, c->why);
	if (r == MAIL_OK)
		r = mail_append_keywords(c->to, p->row.keywords, p->uid,
		    c->why);
	return r;
}

/* ---- all of them ---- */

/*
 * Calls for each, with its number. Rows that are gone meanwhile are left out.
 */
static enum mail_result
each(struct copying *c,
    enum mail_result (
	*call)(struct copying *c, uint32_t uid, struct passing *p))
{
	const struct mail_copying *how = c->how;
	struct passing *p = mem_new(sizeof(*p));
	enum mail_result r = MAIL_OK;
	uint32_t uid = 0;

	for (size_t i = 0; uid_set_next(&c->uids, &uid); i++) {
		if (i % TELL_EACH == 0 && how->tell != NULL)
			how->tell(how->with, c->out->count, c->count, true);
		r = prepare(c, uid, i, p);
		if (r == MAIL_OK)
			r = call(c, uid, p);
		if (r != MAIL_OK && r != MAIL_GONE)
			break;
		r = MAIL_OK;
	}
	free(p);
	return r;
}

static enum mail_result
note(struct copying *c, uint32_t uid, struct passing *p)
{
	(void)uid;
	arriving_add(&c->journal, p->name,
	    c->how->move && !c->apart ? p->old : NULL);
	return MAIL_OK;
}

static enum mail_result
carry(struct copying *c, uint32_t uid, struct passing *p)
{
	enum mail_result r = bring(c, p);

	if (r != MAIL_OK)
		return r;
	if (!c->journaled) {
		memcpy(c->name, p->name, sizeof(c->name));
		memcpy(c->old, p->old, sizeof(c->old));
	}
	r = arrive(c, p);
	if (r == MAIL_OK && c->how->move && !c->apart)
		r = mailbox_depart(c->from, uid, c->why);
	if (r != MAIL_OK)
		return r == MAIL_GONE ? MAIL_FAILED : r;
	uid_set_add(&c->out->from, uid);
	uid_set_add(&c->out->to, p->uid);
	c->out->count++;
	if (!c->how->move)
		c->carried += counted(c->to, &p->row);
	return MAIL_OK;
}

/* Under the name that another program has given it. */
static int
unlink_again(struct copying *c, const struct passing *p)
{
	struct mailbox_folder *f = c->from->folder;
	struct maildir_file file;
	char now[MAILDIR_FILE_MAX];
	bool in_new = p->old[0] == 'n';

	memcpy(now, p->old + 4, strlen(p->old + 4) + 1);
	if (!maildir_file_parse(span_of(now), &file) ||
	    !mailbox_find_file(c->from, file.base, now, &in_new))
		return 0;
	mailbox_expect(c->from, EVENT_REMOVED, now);
	return maildir_folder_unlink(&f->files, in_new, now);
}

/* A move between devices: the copies are durable, the sources may go. */
static enum mail_result
leave(struct copying *c, uint32_t uid, struct passing *p)
{
	if (!uid_set_has(&c->out->from, uid))
		return MAIL_OK;
	mailbox_expect(c->from, EVENT_REMOVED, p->old + 4);
	if (unlinkat(c->from->folder->files.dir, p->old, 0) != 0 &&
	    (errno != ENOENT || unlink_again(c, p) != 0))
		return disk_failed(c);
	return mailbox_depart(c->from, uid, c->why);
}

/*
 * A move: between devices nothing goes before the copies' names stay. Where a
 * name may be lost with the old one, they stay before anybody, ourselves too,
 * flushes the folder that they have left.
 */
static enum mail_result
settle_moved(struct copying *c)
{
	const struct maildir_folder *to = &c->to->folder->files;

	if (!c->how->move || (!c->apart && !file_system_is_loose(to->cur)) ||
	    maildir_folder_flush(to) == 0)
		return MAIL_OK;
	return disk_failed(c);
}

/*
 * Sources may be on a device of their own, whose changes are not in order with
 * those of the account's root: a journal that a power cut brought back would
 * take away the only copies.
 */
static enum mail_result
leave_all(struct copying *c)
{
	if (file_system_commit(c->to->account->root, 0, FILE_TIME_READ) != 0)
		return disk_failed(c);
	/* from here on the copies are all there is */
	c->final = true;
	return each(c, leave);
}

static enum mail_result
carry_all(struct copying *c)
{
	enum mail_result r;

	if (c->count > 1 || (c->how->move && c->apart)) {
		arriving_begin(&c->journal, c->to, c->from);
		r = each(c, note);
		if (!arriving_ready(&c->journal))
			return disk_failed(c);
		c->journaled = true;
		if (r != MAIL_OK)
			return r;
	}
	r = each(c, carry);
	if (r == MAIL_OK)
		r = settle_moved(c);
	if (r == MAIL_OK && c->journaled && !arriving_done(&c->journal))
		r = disk_failed(c);
	if (r == MAIL_OK && c->how->move && c->apart)
		r = leave_all(c);
	return r;
}

/* What was refused is not to be found later. */
static void
take_back(struct copying *c)
{
	int from = c->from->folder->files.dir, cur = c->to->folder->files.cur;

	if (c->final)
		return;
	if (c->journaled)
		arriving_undo(&c->journal);
	else if (c->name[0] != '\0' && (!c->how->move || c->apart))
		(void)!unlinkat(cur, c->name, 0);
	else if (c->name[0] != '\0' &&
	    renameat(cur, c->name, from, c->old) == 0)
		arriving_settle(from, c->old);
}

static enum mail_result
in_transaction(struct copying *c)
{
	enum mail_result r = mailbox_begin(c->to, c->why);

	if (r != MAIL_OK)
		return r;
	r = take_room(c);
	if (r != MAIL_OK) {
		mailbox_leave(c->to);
		mailbox_leave(c->from);
		return r;
	}
	r = mailbox_give_uids(c->to, (uint32_t)c->count, &c->first, c->why);
	if (r == MAIL_OK)
		r = carry_all(c);
	if (r == MAIL_OK)
		settle_room(c, c->carried, c->out->count);
	if (r == MAIL_OK)
		r = mailbox_commit(c->to, c->why);
	return r;
}

static enum mail_result
attempt(struct copying *c)
{
	struct mail_index *x = c->from->account->index;
	enum mail_result r = mailbox_begin(c->from, c->why);

	if (r != MAIL_OK)
		return r;
	r = in_transaction(c);
	if (r == MAIL_OK)
		r = mailbox_commit(c->from, c->why);
	if (r != MAIL_OK) {
		take_back(c);
		settle_room(c, 0, 0);
	}
	if (r != MAIL_OK && mail_index_writing(x))
		mailbox_abort(c->from);
	if (c->journaled)
		arriving_end(&c->journal);
	maildir_claim_end(&c->room.claim);
	c->out->uidvalidity = c->to->folder->row.uidvalidity;
	return r;
}

static enum mail_result
copy(struct copying *c)
{
	enum mail_result r = survey(c);

	if (r != MAIL_OK)
		return r;
	c->apart = on_other_device(c);
	mail_append_base(c->base);
	r = attempt(c);
	/* all is counted anew between transactions */
	while (r == MAIL_OVER_QUOTA && c->room.ask) {
		r = mail_room_ask(&c->room, c->to->account, c->bytes, c->count,
		    c->why);
		if (r == MAIL_OK)
			r = attempt(c);
	}
	if (r == MAIL_OK || !c->refused)
		return r;
	/* all is as it was */
	mail_copies_fini(c->out);
	why_clear(c->why);
	c->apart = true;
	c->refused = c->journaled = false;
	return attempt(c);
}

enum mail_result
mailbox_copy_files(struct mailbox *from, const struct uid_set *uids,
    struct mailbox *to, const struct mail_copying *how, struct mail_copies *out,
    struct why *why)
{
	struct copying c = { .from = from,
		.to = to,
		.how = how,
		.room = MAIL_ROOM_INIT,
		.out = out,
		.why = why };
	enum mail_result r;

	memset(out, 0, sizeof(*out));
	out->uidvalidity = to->folder->row.uidvalidity;
	r = mailbox_uids(from, 0, &c.uids, why);
	if (r == MAIL_OK) {
		uid_set_intersect(&c.uids, uids);
		c.count = uid_set_members(&c.uids);
		if (c.count > 0)
			r = copy(&c);
	}
	if (r != MAIL_OK)
		mail_copies_fini(out);
	mail_room_end(&c.room);
	uid_set_fini(&c.uids);
	return r;
}
