/* SPDX-License-Identifier: ISC */
/*
 * Names of keywords. The first 26 are letters in file names, by the numbers
 * that dovecot-keywords gives them; the rest is in the folder's state file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/maildir_uidlist.h"

enum { FILE_MAX = 65536 };

void
mailbox_keywords_free(struct mailbox_folder *f)
{
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		free(f->keywords[i]);
		f->keywords[i] = NULL;
	}
	f->keywords_read = false;
}

/* An atom of IMAP that we would send: no list, string or flag syntax. */
static bool
valid(struct span name)
{
	if (name.n == 0 || name.n > MAIL_KEYWORD_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' ||
		    strchr("(){%*\"\\]", name.p[i]) != NULL)
			return false;
	return true;
}

/* "3 $Forwarded" */
static void
take_line(struct mailbox_folder *f, struct span line)
{
	struct span number;
	uint64_t i;

	if (!span_cut(&line, " ", false, &number) ||
	    !span_u64(number, FOLDER_KEYWORD_LETTERS - 1, &i) || !valid(line))
		return;
	free(f->keywords[i]);
	f->keywords[i] = mem_span_text(line);
}

static void
read_file(struct mailbox_folder *f)
{
	struct buf text = BUF_INIT(FILE_MAX);
	int fd = openat(f->files.control, KEYWORDS_NAME,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct span rest, line;
	struct stat st;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		(void)!fd_read_whole(fd, &text);
	fd_close(&fd);
	rest = buf_span(&text);
	while (span_cut(&rest, "\n", true, &line))
		take_line(f, line);
	buf_fini(&text);
}

static void
read_all(struct mailbox *m)
{
	struct mailbox_folder *f = m->folder;

	mailbox_keywords_free(f);
	(void)maildir_folder_stamp(&f->files, KEYWORDS_NAME,
	    &f->keywords_stamp);
	if (f->keywords_stamp.seconds != 0)
		read_file(f);
	for (size_t i = 0; i < FOLDER_KEYWORDS_MORE; i++)
		if (f->state.more[i].name != NULL)
			f->keywords[FOLDER_KEYWORD_LETTERS + i] =
			    mem_text(f->state.more[i].name);
	f->keywords_named = 0;
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (f->keywords[i] != NULL)
			f->keywords_named |= UINT64_C(1) << i;
	f->keywords_read = true;
}

void
mailbox_keywords_heed(struct mailbox *m)
{
	struct mail_stamp now;

	if (!m->folder->keywords_read)
		return;
	if (maildir_folder_stamp(&m->folder->files, KEYWORDS_NAME, &now) ==
		-1 ||
	    !mail_stamp_equal(&now, &m->folder->keywords_stamp))
		m->folder->keywords_read = false;
}

void
mailbox_keywords_heed_new(struct mailbox *m)
{
	const uint64_t letters = (UINT64_C(1) << FOLDER_KEYWORD_LETTERS) - 1;
	struct mailbox_folder *f = m->folder;
	uint64_t unknown = f->row.keywords & ~f->keywords_named;

	if (!f->keywords_read || unknown == 0)
		return;
	if ((unknown & ~letters) != 0) {
		(void)mailbox_state_heed(f);
		f->keywords_read = false;
	} else {
		mailbox_keywords_heed(m);
	}
}

static size_t
count(struct mailbox_folder *f)
{
	size_t n = MAIL_KEYWORDS_MAX;

	while (n > 0 && f->keywords[n - 1] == NULL &&
	    (f->row.keywords >> (n - 1) & 1) == 0)
		n--;
	return n;
}

const char *const *
mailbox_keywords(struct mailbox *m)
{
	struct mailbox_folder *f = m->folder;
	size_t n;

	if (!f->keywords_read)
		read_all(m);
	/* no gaps; and letters without a name (other programs set them, or
	 * the file was lost) still need one, since messages have them */
	n = count(f);
	for (size_t i = 0; i < n; i++)
		if (f->keywords[i] == NULL)
			f->keywords[i] = i < FOLDER_KEYWORD_LETTERS ?
			    mem_printf("keyword-%c", (int)('a' + i)) :
			    mem_printf("keyword-%zu", i);
	return (const char *const *)f->keywords;
}

bool
mailbox_keywords_full(struct mailbox *m)
{
	return mailbox_keywords(m)[MAIL_KEYWORDS_MAX - 1] != NULL;
}

/* Once for a folder: clients bring the same keywords again and again. */
static void
no_room(struct mailbox *m, struct span name, struct why *why)
{
	struct uid_set *logged = &m->account->full;
	struct mailbox_folder *f = m->folder;

	why_set(why, "5.2.0", "too many keywords in this mailbox");
	if (!uid_set_has(logged, f->row.number))
		log_warning("%s: no room for more than %d keywords: %.*s is "
			    "left out",
		    f->name, MAIL_KEYWORDS_MAX, SPAN_ARG(name));
	uid_set_add(logged, f->row.number);
}

/* Dovecot's file with one more line; it reads it when its stamp changes. */
static int
write_file(struct mailbox_folder *f)
{
	static const char temporary[] = KEYWORDS_NAME ".new";
	struct buf text = BUF_INIT(FILE_MAX);
	int error, fd, r = -1;

	for (unsigned int i = 0; i < FOLDER_KEYWORD_LETTERS; i++)
		if (f->keywords[i] != NULL)
			buf_printf(&text, "%u %s\n", i, f->keywords[i]);
	fd = openat(f->files.control, temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (fd != -1 && fd_write_all(fd, buf_text(&text), text.n) == 0 &&
	    fsync(fd) == 0 &&
	    renameat(f->files.control, temporary, f->files.control,
		KEYWORDS_NAME) == 0)
		r = fsync(f->files.control);
	error = errno;
	if (r == -1)
		(void)!unlinkat(f->files.control, temporary, 0);
	fd_close(&fd);
	buf_fini(&text);
	(void)maildir_folder_stamp(&f->files, KEYWORDS_NAME,
	    &f->keywords_stamp);
	errno = error;
	return r;
}

/* A name means the same from now on: durable before the first message has it.
 */
static int
create_keyword(struct mailbox *m, struct span name, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	unsigned int bit = (unsigned int)count(f);
	int r;

	if (!valid(name)) {
		why_set(why, "5.5.2", "this cannot be a keyword");
		return -1;
	}
	if (bit == MAIL_KEYWORDS_MAX) {
		no_room(m, name, why);
		return -1;
	}
	if (bit < FOLDER_KEYWORD_LETTERS) {
		f->keywords[bit] = mem_span_text(name);
		r = write_file(f);
		if (r == -1) {
			free(f->keywords[bit]);
			f->keywords[bit] = NULL;
		}
	} else {
		r = folder_state_name(f->files.dir, &f->state, bit, name);
		if (r == 0)
			r = folder_state_flush(f->files.dir);
		mailbox_state_stamped(f);
		if (r == 0)
			f->keywords[bit] = mem_span_text(name);
	}
	if (r == -1) {
		(void)mailbox_disk_failed("cannot keep the keyword", why);
		return -1;
	}
	f->keywords_named |= UINT64_C(1) << bit;
	return (int)bit;
}

static int
find(struct mailbox *m, struct span name)
{
	const char *const *all = mailbox_keywords(m);

	for (int i = 0; all[i] != NULL; i++)
		if (span_equal_nocase(span_of(all[i]), name))
			return i;
	return -1;
}

int
mailbox_keyword(struct mailbox *m, struct span name, bool create,
    struct why *why)
{
	int bit = find(m, name);

	if (bit != -1 || !create)
		return bit;
	/* under the account's lock: another process may be making one too */
	if (mailbox_begin(m, why) != MAIL_OK)
		return -1;
	mailbox_keywords_heed(m);
	bit = find(m, name);
	if (bit == -1)
		bit = create_keyword(m, name, why);
	if (mailbox_commit(m, why) != MAIL_OK)
		return -1;
	return bit;
}
