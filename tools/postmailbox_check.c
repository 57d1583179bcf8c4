/* SPDX-License-Identifier: ISC */
/* Reads, and changes nothing, not even what is missing is made. */
#include "tools/postmailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/folder_state.h"
#include "lib/store/folder_uids.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mail_index.h"
#include "lib/store/maildir_folder.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_packed.h"

enum { STATE_MAX = 64 << 20, LIST_MAX = 512 << 20, TOLD_MAX = 5 };

/* A message's file. */
struct file {
	char *base;
	uint32_t name_uid; /* 0: none */
	uint32_t list_uid;
	uint32_t own_uid; /* posthaste-uids' */
};

struct folder {
	const char *name;
	struct maildir_folder at;
	const char *which; /* cur or new */
	struct file *all;
	size_t count, room, fresh;
	uint64_t bytes;
	unsigned int problems;
	unsigned int told; /* of one kind */
	bool has_state, has_list;
	struct folder_state state;
	uint64_t list_validity;
};

static struct {
	unsigned int folders, problems;
	uint64_t messages, bytes;
} total;

static void
put_clean(const char *text)
{
	for (; *text != '\0'; text++)
		putchar(
		    (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void problem(struct folder *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first few of each kind are told in full. */
static void
problem(struct folder *f, const char *format, ...)
{
	struct buf text = BUF_INIT(4096);
	char line[2048];
	va_list ap;

	total.problems++;
	if (f != NULL && (f->problems++, f->told++ >= TOLD_MAX))
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fputs("  problem: ", stdout);
	put_clean(line);
	putchar('\n');
	buf_fini(&text);
}

/* ---- messages ---- */

/* gzip alone is read; others are as good as torn. */
static bool
is_packed(const struct folder *f, const char *path)
{
	int fd = openat(f->at.dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const char *how = fd == -1 ? NULL : maildir_packed_how(fd);

	fd_close(&fd);
	return how != NULL && strcmp(how, "gzip") == 0;
}

static void
check_file(struct folder *f, const struct maildir_file *file)
{
	char path[MAILDIR_FILE_MAX + 8];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%.*s", f->which, SPAN_ARG(file->name));
	if (fstatat(f->at.dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return; /* it went meanwhile */
	if (!S_ISREG(st.st_mode)) {
		problem(f, "%s is not a regular file", path);
	} else if (file->stored != UINT64_MAX &&
	    (uint64_t)st.st_size < file->stored && !is_packed(f, path)) {
		problem(f, "%s is torn: %" PRIu64 " bytes of %" PRIu64, path,
		    (uint64_t)st.st_size, file->stored);
	}
	f->bytes += (uint64_t)st.st_size;
}

static bool
take_file(void *with, const struct maildir_file *file)
{
	struct folder *f = with;

	if (f->count == f->room) {
		f->room = f->room == 0 ? 256 : 2 * f->room;
		f->all = mem_resize(f->all, f->room * sizeof(*f->all));
	}
	f->all[f->count++] = (struct file){ .base = mem_span_text(file->base),
		.name_uid = file->uid };
	f->fresh += f->which[0] == 'n';
	check_file(f, file);
	return true;
}

static int
by_base(const void *left, const void *right)
{
	const struct file *a = left, *b = right;

	return strcmp(a->base, b->base);
}

static struct file *
find_file(struct folder *f, struct span base)
{
	struct file key = { .base = mem_span_text(base) }, *found;

	found = f->count == 0 ?
	    NULL :
	    bsearch(&key, f->all, f->count, sizeof(key), by_base);
	free(key.base);
	return found;
}

static void
read_messages(struct folder *f)
{
	static const char *const parts[] = { "cur", "new" };

	for (size_t i = 0; i < 2; i++) {
		f->which = parts[i];
		if (maildir_folder_scan(&f->at, parts[i], take_file, f) != 0)
			problem(f, "%s cannot be read: %s", parts[i],
			    strerror(errno));
	}
	if (f->count > 0)
		qsort(f->all, f->count, sizeof(*f->all), by_base);
	for (size_t i = 1; i < f->count; i++)
		if (strcmp(f->all[i - 1].base, f->all[i].base) == 0)
			problem(f, "two files have the base name %s",
			    f->all[i].base);
}

/* ---- UIDs ---- */

static void
read_list(struct folder *f, int control)
{
	struct buf text = BUF_INIT(LIST_MAX);
	struct maildir_note note;
	struct file_stamp stamp;
	struct span rest, line;
	uint32_t last = 0;

	if (mail_file_read(control, "dovecot-uidlist", &text, &stamp) == 0) {
		rest = buf_span(&text);
		f->has_list = span_cut(&rest, "\n", false, &line) &&
		    maildir_uidlist_header(line, &f->list_validity);
		if (!f->has_list)
			problem(f, "dovecot-uidlist is of no known form");
		while (f->has_list && span_cut(&rest, "\n", false, &line)) {
			struct file *file;

			if (!maildir_uidlist_line(line, &note))
				continue;
			if (note.uid <= last)
				problem(f,
				    "dovecot-uidlist: UID %" PRIu64
				    " is out of order",
				    note.uid);
			last = (uint32_t)note.uid;
			file = find_file(f, note.base);
			if (file != NULL)
				file->list_uid = (uint32_t)note.uid;
		}
	} else if (errno != ENOENT) {
		problem(f, "dovecot-uidlist: %s", strerror(errno));
	}
	buf_fini(&text);
}

/* Where neither Dovecot nor the name says one. */
static void
read_own_list(struct folder *f)
{
	struct buf text = BUF_INIT(LIST_MAX);
	struct maildir_note note;
	struct file_stamp stamp;
	struct span rest, line;
	uint64_t validity;

	if (mail_file_read(f->at.dir, FOLDER_UIDS_NAME, &text, &stamp) == 0) {
		rest = buf_span(&text);
		if (!span_cut(&rest, "\n", false, &line) ||
		    !maildir_uidlist_header(line, &validity))
			problem(f, "%s is of no known form", FOLDER_UIDS_NAME);
		else if (f->has_state && validity == f->state.uidvalidity)
			while (span_cut(&rest, "\n", false, &line)) {
				struct file *file;

				if (maildir_uidlist_line(line, &note) &&
				    (file = find_file(f, note.base)) != NULL &&
				    file->name_uid == 0)
					file->own_uid = (uint32_t)note.uid;
			}
	} else if (errno != ENOENT) {
		problem(f, "%s: %s", FOLDER_UIDS_NAME, strerror(errno));
	}
	buf_fini(&text);
}

static void
read_state(struct folder *f)
{
	struct buf text = BUF_INIT(STATE_MAX);
	struct file_stamp stamp;

	if (mail_file_read(f->at.dir, FOLDER_STATE_NAME, &text, &stamp) == 0) {
		f->has_state = folder_state_parse(buf_span(&text), &f->state);
		if (!f->has_state)
			problem(f, "%s is damaged", FOLDER_STATE_NAME);
	} else if (errno != ENOENT) {
		problem(f, "%s: %s", FOLDER_STATE_NAME, strerror(errno));
	}
	buf_fini(&text);
}

static int
by_uid(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* No UID twice, none beyond what was given. */
static void
check_uids(struct folder *f)
{
	uint32_t *uids = mem_array(f->count + 1, sizeof(*uids));
	size_t n = 0;

	f->told = 0;
	for (size_t i = 0; i < f->count; i++) {
		const struct file *file = &f->all[i];
		uint32_t uid = file->list_uid != 0 ? file->list_uid :
		    file->name_uid != 0            ? file->name_uid :
						     file->own_uid;

		if (uid != 0)
			uids[n++] = uid;
		if (file->list_uid != 0 && file->name_uid != 0 &&
		    file->list_uid != file->name_uid)
			problem(f,
			    "%s: UID %u by its name, %u by"
			    " dovecot-uidlist",
			    file->base, file->name_uid, file->list_uid);
		if (f->has_state && uid >= f->state.bound)
			problem(f, "%s: UID %u is beyond those given",
			    file->base, uid);
	}
	qsort(uids, n, sizeof(*uids), by_uid);
	for (size_t i = 1; i < n; i++)
		if (uids[i] == uids[i - 1])
			problem(f, "UID %u is two messages'", uids[i]);
	if (f->has_state && f->has_list &&
	    f->state.uidvalidity != f->list_validity)
		problem(f,
		    "UIDVALIDITY is %u by %s, %" PRIu64 " by dovecot-uidlist",
		    f->state.uidvalidity, FOLDER_STATE_NAME, f->list_validity);
	free(uids);
}

static void
put_folder(const struct folder *f, const struct mail_folder *listed)
{
	size_t listed_uids = 0, named = 0, own = 0;

	for (size_t i = 0; i < f->count; i++) {
		listed_uids += f->all[i].list_uid != 0;
		named += f->all[i].list_uid == 0 && f->all[i].name_uid != 0;
		own += f->all[i].list_uid == 0 && f->all[i].own_uid != 0;
	}
	printf("  %zu messages (%zu new), %" PRIu64 " bytes%s\n", f->count,
	    f->fresh, f->bytes, listed->subscribed ? ", subscribed" : "");
	if (f->has_state)
		printf("  UIDVALIDITY %u, UIDs up to %u reserved",
		    f->state.uidvalidity, f->state.bound - 1);
	else if (f->has_list)
		printf("  UIDVALIDITY %" PRIu64 " of dovecot-uidlist",
		    f->list_validity);
	else
		fputs("  no UIDVALIDITY yet", stdout);
	printf("; UIDs: %zu of dovecot-uidlist, %zu of file names,",
	    listed_uids, named);
	if (own > 0)
		printf(" %zu of " FOLDER_UIDS_NAME ",", own);
	printf(" %zu to be given\n", f->count - listed_uids - named - own);
	if (f->problems > TOLD_MAX)
		printf("  %u problems in all\n", f->problems);
}

/* ---- the tree ---- */

static int
open_below(int at, const char *path)
{
	return openat(at, path[0] == '\0' ? "." : path,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
check_folder(struct mail_tree *t, const struct mail_folder *listed)
{
	struct folder f = { .name = listed->name, .at = { -1, -1 } };
	struct mail_place p = { 0 };
	int control = -1;

	put_clean(listed->name);
	putchar('\n');
	if (mail_place_find(t, span_of(listed->name), &p) != MAIL_OK)
		return;
	f.at.dir = open_below(p.path[0] == '\0' ? t->inbox : t->root, p.path);
	f.at.cur = f.at.dir < 0 ? -1 : open_below(f.at.dir, "cur");
	if (f.at.cur < 0 && errno == ENOENT) {
		/* INBOX before the first mail, or one that was half made */
		puts("  no messages yet");
	} else if (f.at.cur < 0) {
		problem(&f, "cannot be opened: %s", strerror(errno));
	} else {
		if (t->control != t->root)
			control = open_below(t->control,
			    mail_tree_control_path(t, p.path));
		read_messages(&f);
		read_state(&f);
		read_list(&f, control >= 0 ? control : f.at.dir);
		read_own_list(&f);
		check_uids(&f);
		put_folder(&f, listed);
	}
	total.folders++;
	total.messages += f.count;
	total.bytes += f.bytes;
	for (size_t i = 0; i < f.count; i++)
		free(f.all[i].base);
	free(f.all);
	folder_state_fini(&f.state);
	fd_close(&control);
	fd_close(&f.at.dir);
	fd_close(&f.at.cur);
	mail_place_fini(&p);
}

static void
tell_odd(void *with, const char *path)
{
	(void)with;
	problem(NULL, "the directory %s is no folder that can be told", path);
}

static void
check_begun(struct mail_tree *t)
{
	static const char *const names[] = { "posthaste-renames",
		"posthaste-arriving" };

	for (size_t i = 0; i < 2; i++)
		if (faccessat(t->control, names[i], F_OK,
			AT_SYMLINK_NOFOLLOW) == 0)
			printf("%s: something was begun, and is ended when"
			       " the account is opened\n",
			    names[i]);
}

static void
check_index(struct mail_tree *t)
{
	const struct mail_location *at = &t->at;
	char *path = mem_printf("%s/posthaste.index",
	    at->index == NULL ? at->path : at->index);
	const char *wrong;
	struct stat st;

	if (stat(path, &st) == 0) {
		wrong = mail_index_check(path);
		printf("index: %s, %lld bytes on disk\n", path,
		    (long long)st.st_blocks * 512);
		if (wrong[0] != '\0')
			printf("  %s: it is made anew when the account is"
			       " opened\n",
			    wrong);
	} else {
		puts("index: none yet");
	}
	free(path);
}

static void
check_all(struct mail_tree *t)
{
	struct mail_folder_list l = { .odd = tell_odd };
	struct why why;

	if (mail_tree_list(t, &l, &why) != MAIL_OK)
		fatal_status(EX_IOERR, "%s", why.text);
	for (size_t i = 0; i < l.count; i++)
		if (l.all[i].selectable) {
			check_folder(t, &l.all[i]);
		} else {
			put_clean(l.all[i].name);
			puts(l.all[i].subscribed && !l.all[i].has_children ?
				"\n  subscribed, does not exist" :
				"\n  no folder, only a parent of others");
		}
	mail_folder_list_fini(&l);
}

/* ---- mbox ---- */

static void
tell_problem(const char *text)
{
	problem(NULL, "%s", text);
}

/* "below": where its state is, under the directory for what is ours. */
static void
check_mbox_file(const char *name, const char *path, int directory,
    const char *below)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC),
	    state = below == NULL || directory == -1 ?
	    -1 :
	    open_below(directory, below);
	struct folder f = { .name = name, .at = { .dir = state } };
	struct postmailbox_mbox seen = { 0 };

	put_clean(name);
	putchar('\n');
	if (state != -1)
		read_state(&f);
	if (fd != -1)
		postmailbox_mbox_check(fd, f.has_state ? &f.state : NULL,
		    tell_problem, &seen);
	else if (errno == ENOENT)
		puts("  no messages yet");
	else
		problem(NULL, "cannot be opened: %s", strerror(errno));
	total.folders++;
	total.messages += seen.messages;
	total.bytes += seen.bytes;
	folder_state_fini(&f.state);
	fd_close(&fd);
	fd_close(&state);
}

static void
check_mbox_folder(struct mail_tree *t, const char *name, int ours)
{
	struct mail_place p = { 0 };
	char *path;

	if (mail_place_find(t, span_of(name), &p) != MAIL_OK)
		return;
	path = mem_printf("%s/%s", t->at.path, p.path);
	check_mbox_file(name, path, ours, p.path);
	free(path);
	mail_place_fini(&p);
}

/* Files below a directory; INBOX is another one. */
static void
check_mbox_tree(struct mail_tree *t, const char *inbox)
{
	struct mail_folder_list l = { .odd = tell_odd };
	int ours = open_below(t->root, MBOX_DIRECTORY);
	struct why why;

	check_mbox_file("INBOX", inbox, ours, "INBOX");
	if (mail_tree_list(t, &l, &why) != MAIL_OK)
		fatal_status(EX_IOERR, "%s", why.text);
	for (size_t i = 0; i < l.count; i++)
		if (l.all[i].selectable && strcmp(l.all[i].name, "INBOX") != 0)
			check_mbox_folder(t, l.all[i].name, ours);
	mail_folder_list_fini(&l);
	fd_close(&ours);
	t->at.index = mem_printf("%s/" MBOX_DIRECTORY, t->at.path);
	check_index(t);
}

static void
check_mbox(const struct postmailbox *p, struct mail_location *at)
{
	char *inbox = mail_location_mbox(p->location);
	bool alone = at->inbox == NULL;
	struct mail_tree t;
	struct why why;

	if (inbox == NULL)
		fatal_status(EX_NOINPUT, "%s: no file's name", p->location);
	printf("%s (mbox)\n", at->path);
	free(at->inbox);
	free(at->index);
	at->inbox = at->index = NULL;
	if (alone) {
		check_mbox_file("INBOX", inbox, -1, NULL);
		mail_location_fini(at);
	} else {
		if (mail_tree_open(AT_FDCWD, at, p->separator, false, &t,
			&why) != MAIL_OK)
			fatal_status(EX_NOINPUT, "%s", why.text);
		check_mbox_tree(&t, inbox);
		mail_tree_close(&t);
	}
	free(inbox);
}

static int
conclude(void)
{
	printf("%u folders, %" PRIu64 " messages, %" PRIu64 " bytes; %u"
	       " problems\n",
	    total.folders, total.messages, total.bytes, total.problems);
	return total.problems == 0 ? 0 : 1;
}

int
postmailbox_check(const struct postmailbox *p)
{
	struct mail_location at;
	struct mail_tree t;
	struct why why;

	if (!mail_location_parse(p->location, &at, &why))
		fatal_status(EX_NOINPUT, "%s", why.text);
	if (at.mbox) {
		check_mbox(p, &at);
		return conclude();
	}
	if (mail_tree_open(AT_FDCWD, &at, p->separator, false, &t, &why) !=
	    MAIL_OK)
		fatal_status(EX_NOINPUT, "%s", why.text);
	printf("%s (%s)\n", t.at.path,
	    t.at.naming.fs ? "LAYOUT=fs" : "Maildir++");
	check_all(&t);
	check_begun(&t);
	check_index(&t);
	mail_tree_close(&t);
	return conclude();
}
