/* SPDX-License-Identifier: ISC */
/*
 * The machine stops. A session does all that a session does, and writes down
 * what a client would have been told; each system call of it that changes
 * something is recorded. Then, for each point at which the power may go, what
 * may be on disk is laid out, opened under another boot, and compared with
 * what was told until then.
 *
 * What may be on disk, of directories:
 *
 *	JOURNAL		all changes up to the last flush of anything, in
 *			their order (a journal), and none that came later
 *	ALL		all changes
 *	FLUSHED		those that some flush was for, with what they rest
 *			on, and no other: each directory for itself
 *
 * and of what was written to a file behind its last flush: nothing, parts of
 * it, or all.
 *
 * Each moment of a session of lib/store is tried. What whole programs do, by
 * chosen moments, is judged by the same rules in tests/scenario/crash/power.py.
 */
#include "lib/store/mailbox.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "lib/log/log.h"
#include "lib/store/mail_append.h"
#include "tests/unit/lib/store/folder.h"

enum {
	TOLD_FD = 200,
	FOLDERS = 12,
	MAILS = 24,
	STATES = 64,
	EVENTS = 8000,
	INODES = 4000,
	NAME = 256,
};

static struct why why;

/* ---- another boot ---- */

static bool other_boot;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int
__wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (other_boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
		path = "other-boot";
	return __real_open(path, flags, mode);
}

/* ---- what a client knows ---- */

enum { HAS_WORD = 1 << 20, HAS_WORD_26 = 1 << 21 };

struct known_mail {
	int ident; /* of its text */
	uint32_t uid;
	uint32_t flags;
};

struct known_folder {
	char name[40];
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
	uint32_t count;
	struct known_mail mails[MAILS];
};

struct known {
	uint32_t count;
	struct known_folder folders[FOLDERS];
};

#define MUST(x) must(x, __LINE__)

static void
must(bool good, int line)
{
	if (good)
		return;
	fprintf(stderr, "line %d: %s\n", line, why.text);
	_exit(2);
}

static struct mail_account *
account(void)
{
	static const struct special_folder none[] = { { NULL, 0 } };
	const struct mail_account_settings settings = {
		.location = "maildir:Maildir",
		.separator = '/',
		.special = none,
		.flush_flags = true,
	};
	struct mail_account *a = NULL;

	MUST(mail_account_open(&settings, &a, &why) == MAIL_OK);
	return a;
}

static struct mailbox *
box(struct mail_account *a, const char *name)
{
	struct mailbox *m = NULL;

	MUST(mailbox_open(a, span_of(name), &m, &why) == MAIL_OK);
	return m;
}

/* -1: it cannot be read, or says nothing. */
static int
ident_of(struct mailbox *m, uint32_t uid)
{
	struct store_blob blob;
	char text[64] = "";
	int ident = -1;

	if (mailbox_fetch(m, uid, &blob, &why) != MAIL_OK)
		return -1;
	if (store_blob_read(&blob, text, sizeof(text) - 1) > 0)
		(void)!sscanf(text, "Subject: %d", &ident);
	store_blob_close(&blob);
	return ident;
}

static uint32_t
words_of(struct mailbox *m, uint64_t keywords)
{
	int word = mailbox_keyword(m, SPAN("$Word"), false, &why);
	int last = mailbox_keyword(m, SPAN("w26"), false, &why);

	return (word >= 0 && (keywords >> word & 1) != 0 ? HAS_WORD : 0) |
	    (last >= 0 && (keywords >> last & 1) != 0 ? HAS_WORD_26 : 0);
}

static void
look_into(struct mail_account *a, const char *name, struct known_folder *f)
{
	struct mailbox *m = box(a, name);
	struct mailbox_status status;
	struct mail_message message;
	struct uid_set all = { 0 };
	uint32_t uid = 0;

	snprintf(f->name, sizeof(f->name), "%s", name);
	MUST(mailbox_uids(m, 0, &all, &why) == MAIL_OK);
	while (uid_set_next(&all, &uid)) {
		struct known_mail *k = &f->mails[f->count++];

		MUST(f->count < MAILS);
		MUST(mailbox_message(m, uid, 0, &message, &why) == MAIL_OK);
		*k = (struct known_mail){ ident_of(m, uid), uid,
			message.flags | words_of(m, message.keywords) };
	}
	MUST(mailbox_status(m, 0, &status, &why) == MAIL_OK);
	f->uidvalidity = status.uidvalidity;
	f->uidnext = status.uidnext;
	f->modseq = status.highest_modseq;
	uid_set_fini(&all);
	mailbox_close(&m);
}

struct names {
	size_t count;
	char names[FOLDERS][40];
};

static bool
note_name(void *with, const struct mail_folder *f)
{
	struct names *n = with;

	if (f->exists && f->selectable)
		snprintf(n->names[n->count++], 40, "%s", f->name);
	return n->count < FOLDERS;
}

static void
look(struct mail_account *a, struct known *k)
{
	struct names n = { 0 };

	memset(k, 0, sizeof(*k));
	MUST(mail_folder_each(a, note_name, &n, &why) == MAIL_OK);
	for (size_t i = 0; i < n.count; i++)
		look_into(a, n.names[i], &k->folders[k->count++]);
}

/* All that is to be seen is told, once it is settled. */
static void
tell(struct mail_account *a)
{
	struct known k;

	look(a, &k);
	MUST(mail_account_settle(a, &why) == MAIL_OK);
	if (write(TOLD_FD, &k, sizeof(k)) != (ssize_t)sizeof(k))
		_exit(3);
}

/* ---- what a session does ---- */

static int next_ident = 1;

static uint32_t
append(struct mailbox *m, unsigned int count)
{
	struct mail_append_message how = { .internal_date = 1700000000,
		.flags = MAIL_SEEN };
	struct mail_append *a = mail_append_new(m);
	struct uid_set uids = { 0 };
	uint32_t validity, first;
	char text[64];

	for (unsigned int i = 0; i < count; i++) {
		int n = snprintf(text, sizeof(text),
		    "Subject: %d\r\n\r\nand some text\r\n", next_ident++);

		MUST(mail_append_begin(a, &how, UINT64_MAX, &why) == MAIL_OK);
		MUST(mail_append_write(a, text, (size_t)n, &why) == MAIL_OK);
	}
	MUST(mail_append_commit(a, &validity, &uids, &why) == MAIL_OK);
	first = uids.ranges[0].first;
	mail_append_free(&a);
	uid_set_fini(&uids);
	return first;
}

static void
append_to(struct mail_account *a, const char *name, unsigned int count)
{
	struct mailbox *m = box(a, name);

	(void)append(m, count);
	mailbox_close(&m);
	tell(a);
}

static void
flag(struct mail_account *a, const char *name, uint32_t uid, uint32_t flags,
    const char *word)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.flags = flags,
		.unchanged_since = UINT64_MAX };
	struct mailbox *m = box(a, name);
	struct uid_set uids = { 0 };
	uint64_t modseq;
	int bit;

	if (word != NULL) {
		bit = mailbox_keyword(m, span_of(word), true, &why);
		MUST(bit >= 0);
		change.keywords = UINT64_C(1) << bit;
	}
	uid_set_add(&uids, uid);
	MUST(mailbox_change_flags(m, &uids, &change, &modseq, NULL, &why) ==
	    MAIL_OK);
	uid_set_fini(&uids);
	mailbox_close(&m);
	tell(a);
}

static void
expunge(struct mail_account *a, const char *name, uint32_t uid)
{
	struct uid_set removed = { 0 };
	struct mailbox *m;

	flag(a, name, uid, MAIL_DELETED, NULL);
	m = box(a, name);
	MUST(mailbox_expunge(m, NULL, &removed, &why) == MAIL_OK);
	MUST(uid_set_members(&removed) == 1);
	uid_set_fini(&removed);
	mailbox_close(&m);
	tell(a);
}

static void
transfer(struct mail_account *a, uint32_t first, uint32_t last, bool move)
{
	struct mailbox *from = box(a, "INBOX"), *to = box(a, "z");
	struct mail_copies copies = { 0 };
	struct uid_set uids = { 0 };

	uid_set_add_range(&uids, first, last);
	MUST(mailbox_copy(from, &uids, to,
		 &(struct mail_copying){ .move = move }, &copies,
		 &why) == MAIL_OK);
	MUST(copies.count == last - first + 1);
	mail_copies_fini(&copies);
	uid_set_fini(&uids);
	mailbox_close(&to);
	mailbox_close(&from);
	tell(a);
}

/* As virtual(8) copies: flushed before it is in new. */
static void
deliver(struct mail_account *a)
{
	char text[64], path[64];
	int fd,
	    n = snprintf(text, sizeof(text), "Subject: %d\r\n\r\n", next_ident);

	fd = open("Maildir/tmp/d", O_WRONLY | O_CREAT | O_EXCL, 0600);
	MUST(fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0);
	close(fd);
	snprintf(path, sizeof(path), "Maildir/new/17000000%02d.x,S=%d",
	    next_ident++, n);
	MUST(rename("Maildir/tmp/d", path) == 0);
	fd = open("Maildir/new", O_RDONLY | O_DIRECTORY);
	MUST(fd >= 0 && fsync(fd) == 0);
	close(fd);
	tell(a);
}

/* The file of INBOX with this UID. */
static void
path_of(uint32_t uid, char path[600])
{
	DIR *d = opendir("Maildir/cur");
	char field[32];
	struct dirent *e;

	path[0] = '\0';
	snprintf(field, sizeof(field), ",U=%u:", uid);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strstr(e->d_name, field) != NULL)
			snprintf(path, 600, "Maildir/cur/%s", e->d_name);
	closedir(d);
	MUST(path[0] != '\0');
}

/* pop3d, mutt: nothing of theirs is flushed. */
static void
others(struct mail_account *a, uint32_t removed, uint32_t flagged)
{
	char path[600], to[700];

	path_of(removed, path);
	MUST(unlink(path) == 0);
	tell(a);
	path_of(flagged, path);
	snprintf(to, sizeof(to), "%.*sFS", (int)strlen(path) - 1, path);
	MUST(rename(path, to) == 0);
	tell(a);
}

static void
words(struct mail_account *a)
{
	struct mailbox *m = box(a, "INBOX");
	char word[8];

	flag(a, "INBOX", 1, 0, "$Word");
	for (int i = 0; i < 26; i++) {
		snprintf(word, sizeof(word), "w%d", i);
		MUST(mailbox_keyword(m, span_of(word), true, &why) >= 0);
	}
	mailbox_close(&m);
	flag(a, "INBOX", 1, 0, "w26");
	flag(a, "INBOX", 2, MAIL_DRAFT, "w26");
}

static void
change_messages(struct mail_account *a)
{
	append_to(a, "INBOX", 1);
	append_to(a, "INBOX", 3);
	flag(a, "INBOX", 1, MAIL_FLAGGED, NULL);
	deliver(a);
	words(a);
	expunge(a, "INBOX", 3);
	transfer(a, 1, 2, false);
	transfer(a, 4, 5, true);
	others(a, 6, 7);
}

static void
change_tree(struct mail_account *a)
{
	MUST(mail_folder_create(a, SPAN("new/below"), 0, &why) == MAIL_OK);
	tell(a);
	append_to(a, "new/below", 2);
	MUST(mail_folder_rename(a, SPAN("a"), SPAN("q/a"), &why) == MAIL_OK);
	tell(a);
	MUST(mail_folder_delete(a, SPAN("new/below"), &why) == MAIL_OK);
	tell(a);
	MUST(
	    mail_folder_rename(a, SPAN("INBOX"), SPAN("old"), &why) == MAIL_OK);
	tell(a);
}

static void
session(void)
{
	struct mail_account *a = account();

	tell(a);
	change_messages(a);
	mail_account_close(&a);
	/* what was closed in order is believed */
	a = account();
	tell(a);
	flag(a, "INBOX", 2, MAIL_ANSWERED, NULL);
	append_to(a, "z", 1);
	change_tree(a);
	append_to(a, "INBOX", 1);
	mail_account_close(&a);
	_exit(0);
}

/* INBOX with five messages, a/b/c with two, z. */
static void
prepare(void)
{
	struct mail_account *a = account();
	struct mailbox *m = box(a, "INBOX");

	(void)append(m, 5);
	mailbox_close(&m);
	MUST(mail_folder_create(a, SPAN("a/b/c"), 0, &why) == MAIL_OK);
	MUST(mail_folder_create(a, SPAN("z"), 0, &why) == MAIL_OK);
	m = box(a, "a/b/c");
	(void)append(m, 2);
	mailbox_close(&m);
	mail_account_close(&a);
	_exit(0);
}

/* ---- the disk, as a list of changes ---- */

enum kind { NAMED, UNNAMED, RENAMED, WRITTEN, CUT, FLUSHED_FILE, TOLD };

struct event {
	enum kind kind;
	int inode; /* that it is about */
	int from, to; /* directories; of NAMED and UNNAMED "to" */
	char from_name[NAME], to_name[NAME];
	off_t at; /* of WRITTEN; the size of CUT */
	size_t n;
	char *data;
};

struct inode {
	dev_t device;
	ino_t number;
	bool directory;
	char *data; /* at the beginning */
	size_t n;
};

static struct event events[EVENTS];
static int count;
static struct inode inodes[INODES];
static int inode_count;
static int first_event; /* before it: what was there at the beginning */

static int
inode_of(const struct stat *st)
{
	for (int i = inode_count - 1; i >= 0; i--)
		if (inodes[i].number == st->st_ino &&
		    inodes[i].device == st->st_dev)
			return i;
	return -1;
}

static int
new_inode(const struct stat *st)
{
	assert_true(inode_count < INODES);
	inodes[inode_count] = (struct inode){ .device = st->st_dev,
		.number = st->st_ino,
		.directory = S_ISDIR(st->st_mode) };
	return inode_count++;
}

static struct event *
new_event(enum kind kind, int inode)
{
	assert_true(count < EVENTS);
	events[count] = (struct event){ .kind = kind, .inode = inode };
	return &events[count++];
}

static int
note_there(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int i = new_inode(st);
	struct stat above;
	struct event *e;
	char parent[1024];
	int fd;

	(void)type;
	if (ftw->level == 0)
		return 0;
	snprintf(parent, sizeof(parent), "%.*s", ftw->base - 1, path);
	assert_int_equal(stat(parent, &above), 0);
	e = new_event(NAMED, i);
	e->to = inode_of(&above);
	snprintf(e->to_name, NAME, "%s", path + ftw->base);
	if (inodes[i].directory)
		return 0;
	inodes[i].n = (size_t)st->st_size;
	inodes[i].data = malloc(inodes[i].n + 1);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, inodes[i].data, inodes[i].n), inodes[i].n);
	close(fd);
	return 0;
}

/* ---- recording ---- */

struct call {
	long number;
	unsigned long a[6];
	int inode; /* before the call */
	int from, to;
	char path[2][1200], name[2][NAME];
	struct stat before;
	bool there;
};

static void
read_memory(pid_t pid, unsigned long address, void *out, size_t n)
{
	struct iovec here = { out, n }, there = { (void *)address, n };

	assert_int_equal(process_vm_readv(pid, &here, 1, &there, 1, 0), n);
}

static void
read_text(pid_t pid, unsigned long address, char *out, size_t n)
{
	size_t i = 0;

	do {
		assert_true(i < n);
		read_memory(pid, address + i, out + i, 1);
	} while (out[i++] != '\0');
}

/* The directory's inode and the name in it; *path is where we find it. */
static int
place(pid_t pid, long at, unsigned long address, char path[1200],
    char name[NAME])
{
	char text[600], base[40], *slash;
	struct stat st;

	read_text(pid, address, text, sizeof(text));
	if ((int)at == AT_FDCWD)
		snprintf(base, sizeof(base), "/proc/%d/cwd", pid);
	else
		snprintf(base, sizeof(base), "/proc/%d/fd/%d", pid, (int)at);
	snprintf(path, 1200, "%s%s%s", text[0] == '/' ? "" : base,
	    text[0] == '/' ? "" : "/", text);
	slash = strrchr(path, '/');
	snprintf(name, NAME, "%s", slash + 1);
	*slash = '\0';
	if (stat(path[0] == '\0' ? "/" : path, &st) != 0)
		st = (struct stat){ 0 };
	*slash = '/';
	return inode_of(&st);
}

static int
inode_of_fd(pid_t pid, unsigned long fd)
{
	char path[60];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	return stat(path, &st) == 0 &&
		(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) ?
	    inode_of(&st) :
	    -1;
}

static bool
writes_through(pid_t pid, unsigned long fd)
{
	char path[60], line[100];
	unsigned long flags = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, (int)fd);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		(void)!sscanf(line, "flags: %lo", &flags);
	if (f != NULL)
		fclose(f);
	return (flags & O_DSYNC) != 0;
}

/* Paths are looked at before the call. */
static void
enter_call(pid_t pid, const struct user_regs_struct *r, struct call *c)
{
	*c = (struct call){ .number = (long)r->orig_rax,
		.a = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };
	switch (c->number) {
	case SYS_open:
		memmove(c->a + 1, c->a, 3 * sizeof(c->a[0]));
		c->a[0] = (unsigned long)AT_FDCWD;
		/* fallthrough */
	case SYS_openat:
		c->number = SYS_openat;
		if ((c->a[2] & (O_CREAT | O_TRUNC)) == 0 ||
		    (c->a[2] & O_TMPFILE) == O_TMPFILE) {
			c->number = -1;
			return;
		}
		break;
	case SYS_mkdir:
	case SYS_unlink:
	case SYS_rmdir:
		c->a[1] = c->a[0];
		c->a[0] = (unsigned long)AT_FDCWD;
		c->number = c->number == SYS_mkdir ? SYS_mkdirat : SYS_unlinkat;
		break;
	case SYS_rename:
	case SYS_link:
		c->a[3] = c->a[1];
		c->a[1] = c->a[0];
		c->a[0] = c->a[2] = (unsigned long)AT_FDCWD;
		c->number = c->number == SYS_rename ? SYS_renameat : SYS_linkat;
		break;
	case SYS_renameat2:
		c->number = SYS_renameat;
		break;
	case SYS_mkdirat:
	case SYS_unlinkat:
	case SYS_renameat:
	case SYS_linkat:
		break;
	default:
		return;
	}
	c->from = place(pid, (long)c->a[0], c->a[1], c->path[0], c->name[0]);
	c->there = lstat(c->path[0], &c->before) == 0;
	c->inode = c->there ? inode_of(&c->before) : -1;
	if (c->number == SYS_renameat || c->number == SYS_linkat)
		c->to =
		    place(pid, (long)c->a[2], c->a[3], c->path[1], c->name[1]);
}

static void
note_write(pid_t pid, const struct call *c, unsigned long address, size_t n,
    off_t at, int inode)
{
	struct event *e;

	if (n == 0)
		return;
	e = new_event(WRITTEN, inode);
	e->at = at;
	e->n = n;
	e->data = malloc(n);
	read_memory(pid, address, e->data, n);
	(void)c;
}

static off_t
position(pid_t pid, unsigned long fd)
{
	char path[60], line[100];
	long at = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, (int)fd);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		(void)!sscanf(line, "pos: %ld", &at);
	fclose(f);
	return at;
}

/* Positions are read behind the call: it has moved them. */
static void
note_writes(pid_t pid, const struct call *c, long result)
{
	bool vector = c->number == SYS_writev || c->number == SYS_pwritev;
	bool placed = c->number == SYS_pwrite64 || c->number == SYS_pwritev;
	int inode = inode_of_fd(pid, c->a[0]);
	size_t left = (size_t)result;
	off_t at;

	if (c->number == SYS_write && c->a[0] == TOLD_FD) {
		struct event *e = new_event(TOLD, -1);

		assert_int_equal(result, sizeof(struct known));
		e->data = malloc(sizeof(struct known));
		read_memory(pid, c->a[1], e->data, sizeof(struct known));
		return;
	}
	if (inode == -1)
		return;
	at = placed ? (off_t)c->a[3] : position(pid, c->a[0]) - result;
	if (!vector)
		note_write(pid, c, c->a[1], left, at, inode);
	for (size_t i = 0; vector && left > 0; i++) {
		struct iovec v;
		size_t n;

		read_memory(pid, c->a[1] + i * sizeof(v), &v, sizeof(v));
		n = v.iov_len < left ? v.iov_len : left;
		note_write(pid, c, (unsigned long)v.iov_base, n, at, inode);
		left -= n;
		at += (off_t)n;
	}
	if (writes_through(pid, c->a[0]))
		(void)new_event(FLUSHED_FILE, inode);
}

static void
note_named(int inode, int directory, const char *name)
{
	struct event *e = new_event(NAMED, inode);

	e->to = directory;
	snprintf(e->to_name, NAME, "%s", name);
}

static void
note_opened(const struct call *c)
{
	struct stat st;

	if (c->from == -1)
		return;
	if (!c->there) {
		assert_int_equal(lstat(c->path[0], &st), 0);
		note_named(new_inode(&st), c->from, c->name[0]);
	} else if ((c->a[2] & O_TRUNC) != 0 && c->inode != -1) {
		new_event(CUT, c->inode)->at = 0;
	}
}

static void
leave_call(pid_t pid, const struct call *c, long result)
{
	struct event *e;
	struct stat st;

	if (result < 0)
		return;
	switch (c->number) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
		note_writes(pid, c, result);
		return;
	case SYS_fsync:
	case SYS_fdatasync:
		if (inode_of_fd(pid, c->a[0]) != -1)
			(void)new_event(FLUSHED_FILE,
			    inode_of_fd(pid, c->a[0]));
		return;
	case SYS_ftruncate:
		if (inode_of_fd(pid, c->a[0]) != -1)
			new_event(CUT, inode_of_fd(pid, c->a[0]))->at =
			    (off_t)c->a[1];
		return;
	case SYS_openat:
		note_opened(c);
		return;
	case SYS_mkdirat:
		assert_int_equal(lstat(c->path[0], &st), 0);
		if (c->from != -1)
			note_named(new_inode(&st), c->from, c->name[0]);
		return;
	case SYS_linkat:
		assert_true(c->from != -1 && c->to != -1);
		note_named(c->inode, c->to, c->name[1]);
		return;
	case SYS_unlinkat:
		if (c->from == -1)
			return;
		e = new_event(UNNAMED, c->inode);
		e->to = c->from;
		snprintf(e->to_name, NAME, "%s", c->name[0]);
		return;
	case SYS_renameat:
		assert_true(c->from != -1 && c->to != -1);
		e = new_event(RENAMED, c->inode);
		e->from = c->from;
		e->to = c->to;
		snprintf(e->from_name, NAME, "%s", c->name[0]);
		snprintf(e->to_name, NAME, "%s", c->name[1]);
		return;
	case SYS_copy_file_range:
	case SYS_sendfile:
		fail_msg("a call that is not recorded");
	}
}

static void
run_recorded(void)
{
	struct user_regs_struct r;
	bool entering = true;
	struct call c = { 0 };
	int status, pass = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, TOLD_FD);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		next_ident = 8;
		session();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ptrace(PTRACE_SETOPTIONS, pid, NULL,
	    PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, pass), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		assert_true(WIFSTOPPED(status));
		pass =
		    WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
		if (pass != 0)
			continue;
		ptrace(PTRACE_GETREGS, pid, NULL, &r);
		if (entering)
			enter_call(pid, &r, &c);
		else
			leave_call(pid, &c, (long)r.rax);
		entering = !entering;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- what the power leaves ---- */

enum dirs { JOURNAL, ALL, FLUSHED };
enum data { NOTHING, PARTS, WHOLE };

static const char *const names_text[] = { "journal", "all", "flushed" };
static const char *const data_text[] = { "nothing", "parts", "whole" };

static bool
is_name(const struct event *e)
{
	return e->kind <= RENAMED;
}

static bool
same_name(int d, const char *n, const struct event *e)
{
	return (e->to == d && strcmp(e->to_name, n) == 0) ||
	    (e->kind == RENAMED && e->from == d &&
		strcmp(e->from_name, n) == 0);
}

/* Does the one rest on the other, which was before? */
static bool
rests_on(const struct event *e, const struct event *on)
{
	return e->inode == on->inode || on->inode == e->to ||
	    (e->kind == RENAMED && on->inode == e->from) ||
	    same_name(e->to, e->to_name, on) ||
	    (e->kind == RENAMED && same_name(e->from, e->from_name, on));
}

static void
choose(int end, enum dirs names, bool there[EVENTS])
{
	int last = first_event;

	for (int i = 0; i < end; i++)
		if (events[i].kind == FLUSHED_FILE)
			last = i;
	for (int i = 0; i < end; i++)
		there[i] = is_name(&events[i]) &&
		    (i < first_event || names == ALL ||
			(names == JOURNAL && i < last));
	if (names != FLUSHED)
		return;
	for (int i = first_event; i < end; i++) {
		int inode = events[i].inode;

		if (events[i].kind != FLUSHED_FILE)
			continue;
		for (int j = first_event; j < i; j++)
			if (is_name(&events[j]) &&
			    (events[j].inode == inode ||
				events[j].to == inode ||
				(events[j].kind == RENAMED &&
				    events[j].from == inode)))
				there[j] = true;
	}
	for (int i = end - 1; i >= first_event; i--)
		for (int j = first_event; there[i] && j < i; j++)
			if (is_name(&events[j]) &&
			    rests_on(&events[i], &events[j]))
				there[j] = true;
}

static unsigned int dice = 1;

static unsigned int throw(void)
{
	dice = dice * 1103515245 + 12345;
	return dice >> 16;
}

static void
put_file(const char *path, int inode, int end, enum data data)
{
	int flushed = first_event;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, inodes[inode].data, inodes[inode].n),
	    inodes[inode].n);
	for (int i = first_event; i < end; i++)
		if (events[i].kind == FLUSHED_FILE && events[i].inode == inode)
			flushed = i;
	for (int i = first_event; i < end; i++) {
		const struct event *e = &events[i];
		size_t n = e->n;

		if (e->inode != inode || (e->kind != WRITTEN && e->kind != CUT))
			continue;
		if (i > flushed && data == NOTHING)
			break;
		if (i > flushed && data == PARTS && throw() % 2 == 0)
			continue;
		if (i > flushed && data == PARTS && throw() % 2 == 0)
			n /= 2;
		if (e->kind == CUT)
			assert_int_equal(ftruncate(fd, e->at), 0);
		else
			assert_int_equal(pwrite(fd, e->data, n, e->at), n);
	}
	close(fd);
}

struct entry {
	int directory, inode;
	const char *name;
};

static struct entry entries[INODES];
static int entry_count;

static void
drop_entry(int directory, const char *name)
{
	for (int i = 0; i < entry_count; i++)
		if (entries[i].directory == directory &&
		    strcmp(entries[i].name, name) == 0) {
			entries[i] = entries[--entry_count];
			return;
		}
}

static void
put_directory(const char *path, int inode, int end, enum data data)
{
	char below[1200];

	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	for (int i = 0; i < entry_count; i++) {
		if (entries[i].directory != inode)
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entries[i].name);
		if (inodes[entries[i].inode].directory)
			put_directory(below, entries[i].inode, end, data);
		else
			put_file(below, entries[i].inode, end, data);
	}
}

/* Links stay apart from each other: nothing here writes into a message. */
static void
lay_out(const char *path, int end, enum dirs names, enum data data)
{
	static bool there[EVENTS];

	choose(end, names, there);
	entry_count = 0;
	for (int i = 0; i < end; i++) {
		const struct event *e = &events[i];

		if (!there[i])
			continue;
		if (e->kind == RENAMED)
			drop_entry(e->from, e->from_name);
		drop_entry(e->to, e->to_name);
		if (e->kind != UNNAMED)
			entries[entry_count++] =
			    (struct entry){ e->to, e->inode, e->to_name };
	}
	put_directory(path, 0, end, data);
}

/* ---- is it so? ---- */

static const struct known_folder *
folder_in(const struct known *k, const char *name)
{
	for (uint32_t i = 0; i < k->count; i++)
		if (strcmp(k->folders[i].name, name) == 0)
			return &k->folders[i];
	return NULL;
}

static const struct known_mail *
mail_in(const struct known *k, const char *folder, uint32_t uid)
{
	const struct known_folder *f = folder_in(k, folder);

	for (uint32_t i = 0; f != NULL && i < f->count; i++)
		if (f->mails[i].uid == uid)
			return &f->mails[i];
	return NULL;
}

static int
places(const struct known *k, int ident)
{
	int n = 0;

	for (uint32_t i = 0; i < k->count; i++)
		for (uint32_t j = 0; j < k->folders[i].count; j++)
			n += k->folders[i].mails[j].ident == ident;
	return n;
}

static char wrong[400];

#define CHECK(condition, ...) \
	do { \
		if (!(condition)) { \
			snprintf(wrong, sizeof(wrong), __VA_ARGS__); \
			return false; \
		} \
	} while (0)

/* A message that is there: as it was told, or as it was about to be. */
static bool
check_found(const struct known *was, const struct known *next,
    const struct known_folder *f, const struct known_mail *mail)
{
	const struct known_folder *old = folder_in(was, f->name);
	const struct known_mail *a = mail_in(was, f->name, mail->uid);
	const struct known_mail *b = mail_in(next, f->name, mail->uid);

	CHECK(mail->ident >= 0, "%s %u has no text", f->name, mail->uid);
	CHECK(a == NULL || a->ident == mail->ident,
	    "%s %u was message %d and is %d", f->name, mail->uid, a->ident,
	    mail->ident);
	CHECK(a != NULL || old == NULL || mail->uid >= old->uidnext,
	    "%s: message %d has UID %u below UIDNEXT %u", f->name, mail->ident,
	    mail->uid, old->uidnext);
	CHECK(places(was, mail->ident) > 0 || places(next, mail->ident) > 0,
	    "%s %u: message %d is there again", f->name, mail->uid,
	    mail->ident);
	if (a != NULL && b != NULL)
		CHECK(((mail->flags ^ a->flags) & ~(a->flags ^ b->flags)) == 0,
		    "%s %u has flags %x, told %x, then %x", f->name, mail->uid,
		    mail->flags, a->flags, b->flags);
	else if (a != NULL)
		CHECK((mail->flags & a->flags) == a->flags,
		    "%s %u has flags %x, told %x", f->name, mail->uid,
		    mail->flags, a->flags);
	return true;
}

static bool
check_told(const struct known *was, const struct known *next,
    const struct known *found, const struct known_folder *f)
{
	const struct known_folder *now = folder_in(found, f->name);

	CHECK(now != NULL || folder_in(next, f->name) == NULL,
	    "folder %s is gone", f->name);
	if (now != NULL) {
		CHECK(now->uidvalidity == f->uidvalidity,
		    "%s had UIDVALIDITY %u, has %u", f->name, f->uidvalidity,
		    now->uidvalidity);
		CHECK(now->uidnext >= f->uidnext, "%s had UIDNEXT %u, has %u",
		    f->name, f->uidnext, now->uidnext);
		CHECK(now->modseq >= f->modseq, "%s: older HIGHESTMODSEQ",
		    f->name);
	}
	for (uint32_t i = 0; i < f->count; i++) {
		const struct known_mail *mail = &f->mails[i];
		int n = places(found, mail->ident);

		CHECK(mail_in(next, f->name, mail->uid) == NULL ||
			mail_in(found, f->name, mail->uid) != NULL,
		    "%s %u, message %d, is lost", f->name, mail->uid,
		    mail->ident);
		CHECK(n > 0 || places(next, mail->ident) == 0,
		    "message %d is lost", mail->ident);
		CHECK(n <= places(was, mail->ident) ||
			n <= places(next, mail->ident),
		    "message %d is in %d places", mail->ident, n);
	}
	return true;
}

static bool
check(const struct known *was, const struct known *next,
    const struct known *found)
{
	for (uint32_t i = 0; i < was->count; i++)
		if (!check_told(was, next, found, &was->folders[i]))
			return false;
	for (uint32_t i = 0; i < found->count; i++)
		for (uint32_t j = 0; j < found->folders[i].count; j++)
			if (!check_found(was, next, &found->folders[i],
				&found->folders[i].mails[j]))
				return false;
	return true;
}

/* In a process of its own, under another boot. */
static void
look_again(const struct known *was, const struct known *next)
{
	const struct known_folder *inbox = folder_in(was, "INBOX");
	struct known found;
	struct mail_account *a;
	struct mailbox *m;
	uint32_t uid;

	other_boot = true;
	file_put("other-boot", "00000000-0000-0000-0000-000000000001\n");
	a = account();
	look(a, &found);
	if (!check(was, next, &found)) {
		fprintf(stderr, "%s\n", wrong);
		_exit(1);
	}
	m = box(a, "INBOX");
	uid = append(m, 1);
	if (uid < inbox->uidnext) {
		fprintf(stderr, "UID %u is given again\n", uid);
		_exit(1);
	}
	mailbox_close(&m);
	mail_account_close(&a);
	_exit(0);
}

static char disk[64];

static int
drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void
cut_at(int end, enum dirs names, enum data data, const struct known *was,
    const struct known *next)
{
	int status;
	pid_t pid;

	(void)nftw(disk, drop, 20, FTW_PHYS | FTW_DEPTH);
	lay_out(disk, end, names, data);
	pid = fork();
	if (pid == 0) {
		if (chdir(disk) != 0)
			_exit(4);
		look_again(was, next);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("names: %s, data: %s, before change %d of %d"
			 " (%d: %s to %s), status %x",
		    names_text[names], data_text[data], end, count,
		    events[end].kind, events[end].from_name,
		    events[end].to_name, (unsigned int)status);
}

static void
cut_everywhere(void)
{
	static const struct {
		enum dirs names;
		enum data data;
	} ways[] = {
		{ JOURNAL, NOTHING },
		{ JOURNAL, PARTS },
		{ ALL, NOTHING },
		{ ALL, PARTS },
		{ ALL, WHOLE },
		{ FLUSHED, NOTHING },
		{ FLUSHED, WHOLE },
	};
	enum { WAYS = sizeof(ways) / sizeof(ways[0]), STEP = 5 };
	bool all = getenv("POWER_CUT_ALL") != NULL;
	const struct known *was = NULL, *next = NULL;
	unsigned int cuts = 0;

	for (int end = first_event; end <= count; end++) {
		/* what is written is the ways' */
		if (end < count && events[end].kind >= WRITTEN &&
		    events[end - 1].kind == events[end].kind)
			continue;
		was = next = NULL;
		for (int i = first_event; i < end; i++)
			if (events[i].kind == TOLD)
				was = (const void *)events[i].data;
		for (int i = count - 1; i >= end; i--)
			if (events[i].kind == TOLD)
				next = (const void *)events[i].data;
		if (was == NULL)
			continue;
		/* some of them at each, so that it does not take minutes */
		for (size_t w = 0; w < WAYS; w++)
			if (all || (w + cuts) % STEP == 0)
				cut_at(end, ways[w].names, ways[w].data, was,
				    next == NULL ? was : next);
		cuts++;
	}
	print_message("%d changes, cut at %u places\n", count - first_event,
	    cuts);
	assert_true(cuts > 200);
}

/* The same as another program has it. */
static void
make_maildir(void)
{
	static const char *const folders[] = { "", ".a/", ".a.b/", ".a.b.c/",
		".z/" };
	static const int mails[] = { 5, 0, 0, 2, 0 };
	char path[100], text[40];
	int ident = 1;

	assert_int_equal(system("rm -rf Maildir; mkdir Maildir"), 0);
	for (size_t i = 0; i < 5; i++) {
		snprintf(path, sizeof(path),
		    "mkdir -p Maildir/%scur Maildir/%snew Maildir/%stmp",
		    folders[i], folders[i], folders[i]);
		assert_int_equal(system(path), 0);
		for (int n = 0; n < mails[i]; n++, ident++) {
			snprintf(path, sizeof(path), "Maildir/%scur/%d.x:2,S",
			    folders[i], ident);
			snprintf(text, sizeof(text), "Subject: %d\r\n\r\n",
			    ident);
			file_put(path, text);
		}
	}
}

enum before { OURS, FOREIGN, DOVECOTS };

static void
record(enum before before)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		prepare();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	if (before != OURS)
		make_maildir();
	if (before == DOVECOTS)
		file_put("Maildir/dovecot-uidlist",
		    "3 V1000 N6 G3085f01b7f11094c501100008c4a11c1\n"
		    "1 :1.x\n2 :2.x\n3 :3.x\n4 :4.x\n5 :5.x\n");
	assert_int_equal(nftw(".", note_there, 20, FTW_PHYS), 0);
	first_event = count;
	run_recorded();
}

static void
what_was_told_holds(void **state)
{
	(void)state;
	record(OURS);
	cut_everywhere();
}

static void
also_of_an_account_that_is_new_to_us(void **state)
{
	(void)state;
	record(FOREIGN);
	cut_everywhere();
}

static void
also_with_the_lists_of_dovecot(void **state)
{
	(void)state;
	record(DOVECOTS);
	cut_everywhere();
}

static int
enter(void **state)
{
	log_threshold(LEVEL_ERROR);
	count = inode_count = 0;
	/* where flushes cost nothing */
	snprintf(disk, sizeof(disk), "%s/power.%d",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	return folder_enter(state);
}

static int
leave(void **state)
{
	(void)nftw(disk, drop, 20, FTW_PHYS | FTW_DEPTH);
	for (int i = 0; i < count; i++)
		free(events[i].data);
	for (int i = 0; i < inode_count; i++)
		free(inodes[i].data);
	return folder_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_told_holds, enter,
		    leave),
		cmocka_unit_test_setup_teardown(
		    also_of_an_account_that_is_new_to_us, enter, leave),
		cmocka_unit_test_setup_teardown(also_with_the_lists_of_dovecot,
		    enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
