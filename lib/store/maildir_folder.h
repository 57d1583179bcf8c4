/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILDIR_FOLDER_H
#define LIB_STORE_MAILDIR_FOLDER_H

/*
 * One Maildir directory: its stamps, the names in it, and what changes a
 * message. Nothing is remembered here, and nothing flushed but by
 * maildir_folder_flush. Other programs (mutt, procmail, Dovecot, pop3d) may
 * do the same at the same time.
 *
 * 0 or -1 with errno, unless said otherwise.
 */

#include "lib/store/mail_index.h"

struct maildir_folder {
	int dir; /* holds cur, new, tmp; -1: closed */
	int cur;
	int control; /* holds Dovecot's lists; dir but for CONTROL= */
};

enum { MAILDIR_FILE_MAX = 256 }; /* a name, with its NUL */

/* Takes the descriptor over. cur, new and tmp are made if missing. */
int maildir_folder_open(struct maildir_folder *f, int directory);
void maildir_folder_close(struct maildir_folder *f);
/* Dovecot's lists are in this directory, which is taken over. */
void maildir_folder_control(struct maildir_folder *f, int directory);

/* Of a file or directory below; what does not exist has the zero stamp. */
int maildir_folder_stamp(const struct maildir_folder *f, const char *name,
    struct mail_stamp *out);
bool mail_stamp_equal(const struct mail_stamp *a, const struct mail_stamp *b);
/*
 * Nothing can change the directory from now on and leave this stamp as it is:
 * the clock that stamps are made with has gone on since.
 */
bool mail_stamp_settled(const struct mail_stamp *s);

/* A file's name in its parts, which lie in it. */
struct maildir_file {
	struct span name; /* whole */
	struct span base; /* without flags and without ",U=" */
	struct span stem; /* without flags */
	uint32_t uid; /* of ",U=", or 0 */
	uint32_t flags; /* enum mail_flag */
	uint64_t keywords; /* bits 0 to 25, as the letters are */
	uint64_t stored; /* S=, or UINT64_MAX */
	uint64_t size; /* W=, or UINT64_MAX */
};

/* False for what is no message (dot files). */
bool maildir_file_parse(struct span name, struct maildir_file *out);
/*
 * The name with this UID (0: as it is) and these flags and keywords; letters
 * that mean something else to others are kept. False: it would be too long.
 */
bool maildir_file_name(const struct maildir_file *f, uint32_t uid,
    uint32_t flags, uint64_t keywords, char out[MAILDIR_FILE_MAX]);

/* False ends the walk. */
typedef bool maildir_visit(void *with, const struct maildir_file *file);
/* Each message's file in "new" or "cur", in no order. */
int maildir_folder_scan(const struct maildir_folder *f, const char *which,
    maildir_visit *visit, void *with);

/* From cur (or new) to cur. ENOENT when somebody was faster. */
int maildir_folder_rename(const struct maildir_folder *f, bool in_new,
    const char *from, const char *to);
int maildir_folder_unlink(const struct maildir_folder *f, bool in_new,
    const char *name);
/* O_NOFOLLOW, O_NONBLOCK, O_CLOEXEC are added to the flags. */
int maildir_folder_open_file(const struct maildir_folder *f, bool in_new,
    const char *name, int flags);
/*
 * What happened in cur (and new) is durable when it returns, and its device
 * takes changes (lib/base/file_system.h).
 */
int maildir_folder_flush(const struct maildir_folder *f);
/* Its two steps; the first one may be another thread's. */
int maildir_folder_flush_names(const struct maildir_folder *f);
int maildir_folder_flushed(const struct maildir_folder *f);

#endif
