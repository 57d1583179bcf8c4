/* SPDX-License-Identifier: ISC */
#include "lib/store/mailbox_copy_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/file_system.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mail_folder_tree.h"

enum { TEXT_MAX = 65536, LINES_MAX = 512 << 20 };

static const char file_name[] = "posthaste-arriving";
static const char head[] = "posthaste-arriving 2";

static void
put_text(struct arriving *j)
{
	if (j->error == 0 &&
	    fd_write_all(j->fd, buf_text(&j->text), j->text.n) != 0)
		j->error = errno;
	buf_reset(&j->text);
}

static void
put_folder(struct arriving *j, const char *what, struct mailbox *m)
{
	struct mail_place p = { 0 };

	mailbox_follow(m);
	if (m->folder->deleted ||
	    mail_place_find(j->account->tree, span_of(m->folder->name), &p) !=
		MAIL_OK)
		j->error = EINVAL;
	else
		buf_printf(&j->text, "%s\t%s\n", what, p.path);
	mail_place_fini(&p);
}

void
arriving_begin(struct arriving *j, struct mailbox *to, struct mailbox *from)
{
	j->account = to->account;
	buf_init(&j->text, TEXT_MAX);
	j->fd = openat(j->account->root, file_name,
	    O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	j->error = j->fd < 0 ? errno : 0;
	buf_printf(&j->text, "%s\nboot\t%s\n", head, mail_index_boot());
	put_folder(j, "to", to);
	if (from != NULL)
		put_folder(j, "from", from);
}

void
arriving_add(struct arriving *j, const char *name, const char *old)
{
	if (j->text.n > TEXT_MAX / 2)
		put_text(j);
	if (old == NULL)
		buf_printf(&j->text, "copy\t%s\n", name);
	else
		buf_printf(&j->text, "move\t%s\t%s\n", name, old);
}

void
arriving_end(struct arriving *j)
{
	fd_close(&j->fd);
	buf_fini(&j->text);
}

bool
arriving_ready(struct arriving *j)
{
	buf_add_text(&j->text, "end\n");
	put_text(j);
	if (j->error == 0)
		return true;
	(void)!unlinkat(j->account->root, file_name, 0);
	arriving_end(j);
	errno = j->error;
	return false;
}

bool
arriving_amend(struct arriving *j, const char *name, const char *old)
{
	arriving_add(j, name, old);
	buf_add_text(&j->text, "end\n");
	put_text(j);
	errno = j->error;
	return j->error == 0;
}

bool
arriving_done(struct arriving *j)
{
	return unlinkat(j->account->root, file_name, 0) == 0 || errno == ENOENT;
}

void
arriving_settle(int folder, const char *old)
{
	const char *part = old[0] == 'n' ? "new" : "cur";

	if (file_system_settle_folder(folder, part) != 0)
		log_error("messages that were moved back to %s are not flushed:"
			  " %m",
		    part);
}

/* Open directories of what a journal names. */
struct undoing {
	struct mail_account *account;
	int to; /* cur of the one */
	int from; /* the other */
	size_t count;
	bool to_new, to_cur; /* moved back, there */
};

static int
open_folder(struct mail_account *a, struct span path, const char *part)
{
	struct buf name = BUF_INIT(2 * FOLDER_PATH_MAX);
	int fd = -1;

	/* what is no folder's path, is none of ours */
	if (path.n == 0)
		fd = openat(a->tree->inbox, part,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else if (folder_name_of(&a->tree->at.naming, path, &name)) {
		char *text = mem_printf("%.*s/%s", SPAN_ARG(path), part);

		fd = openat(a->root, text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		free(text);
	}
	buf_fini(&name);
	return fd;
}

/* Names of files; "cur/" or "new/" may be before that of an old one. */
static bool
is_file_name(struct span s, bool with_part)
{
	if (with_part && (span_starts(s, "cur/") || span_starts(s, "new/")))
		s = span_skip(s, 4);
	else if (with_part)
		return false;
	return s.n > 0 && s.n < MAILDIR_FILE_MAX && s.p[0] != '.' &&
	    span_find(s, '/') == s.n && memchr(s.p, '\0', s.n) == NULL;
}

static void
undo_move(struct undoing *u, struct span name, struct span old)
{
	char *from = mem_span_text(old), *to = mem_span_text(name);

	/* never over a file that came meanwhile */
	if (renameat2(u->to, to, u->from, from, RENAME_NOREPLACE) == 0 ||
	    ((errno == EINVAL || errno == ENOSYS) &&
		renameat(u->to, to, u->from, from) == 0)) {
		u->count++;
		*(from[0] == 'n' ? &u->to_new : &u->to_cur) = true;
	}
	free(from);
	free(to);
}

static void
undo_copy(struct undoing *u, struct span name)
{
	char *text = mem_span_text(name);

	if (unlinkat(u->to, text, 0) == 0)
		u->count++;
	free(text);
}

static void
undo_line(struct undoing *u, struct span line)
{
	struct span rest = line, what, name;

	if (!span_cut(&rest, "\t", false, &what))
		return;
	if (span_is(what, "to")) {
		fd_close(&u->to);
		u->to = open_folder(u->account, rest, "cur");
	} else if (span_is(what, "from")) {
		fd_close(&u->from);
		u->from = open_folder(u->account, rest, ".");
	} else if (span_is(what, "copy") && is_file_name(rest, false)) {
		undo_copy(u, rest);
	} else if (span_is(what, "move") &&
	    span_cut(&rest, "\t", false, &name) && is_file_name(name, false) &&
	    is_file_name(rest, true)) {
		undo_move(u, name, rest);
	}
}

/* Up to its last end: what a line behind it names was not begun. */
static struct span
whole(struct span text)
{
	static const char end[] = "\nend\n";
	enum { END = sizeof(end) - 1 };

	while (text.n >= END && memcmp(text.p + text.n - END, end, END) != 0)
		text.n--;
	return span_take(text, text.n < END ? 0 : text.n);
}

static size_t
undo_text(struct mail_account *a, struct span text)
{
	struct undoing u = { .account = a, .to = -1, .from = -1 };
	struct span line, boot;

	/* without its end nothing was begun */
	text = whole(text);
	if (!span_cut(&text, "\n", false, &line) || !span_is(line, head) ||
	    !span_cut(&text, "\n", false, &boot) ||
	    !span_starts(boot, "boot\t"))
		return 0;
	if (mail_index_boot()[0] == '\0' ||
	    !span_is(span_skip(boot, 5), mail_index_boot())) {
		log_info("a copy or move was under way when the machine"
			 " stopped; what arrived stays");
		return 0;
	}
	while (span_cut(&text, "\n", false, &line))
		undo_line(&u, line);
	if (u.to_new)
		arriving_settle(u.from, "new/");
	if (u.to_cur)
		arriving_settle(u.from, "cur/");
	fd_close(&u.to);
	fd_close(&u.from);
	return u.count;
}

static size_t
undo_file(struct mail_account *a)
{
	struct buf text = BUF_INIT(LINES_MAX);
	struct file_stamp stamp;
	size_t count = 0;

	if (mail_file_read(a->root, file_name, &text, &stamp) == 0)
		count = undo_text(a, buf_span(&text));
	(void)!unlinkat(a->root, file_name, 0);
	buf_fini(&text);
	return count;
}

/* Its name may be gone: what is open is read. */
void
arriving_undo(struct arriving *j)
{
	struct buf text = BUF_INIT(LINES_MAX);
	char part[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(j->fd, part, sizeof(part), at)) > 0) {
		buf_add(&text, part, (size_t)n);
		at += n;
	}
	(void)undo_text(j->account, buf_span(&text));
	(void)!unlinkat(j->account->root, file_name, 0);
	buf_fini(&text);
}

void
arriving_heed(struct mail_account *a)
{
	struct stat st;
	size_t count;

	if (fstatat(a->root, file_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	count = undo_file(a);
	if (count > 0)
		log_info("%zu messages of a copy or move that was cut short"
			 " are taken back",
		    count);
}

void
arriving_recover(struct mail_account *a)
{
	struct stat st;
	struct why why;

	if (fstatat(a->root, file_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !mail_index_begin(a->index, &why))
		return;
	arriving_heed(a);
	(void)mail_index_commit(a->index, &why);
}
