/* SPDX-License-Identifier: ISC */
#ifndef LIB_QUEUE_QUEUE_FILE_H
#define LIB_QUEUE_QUEUE_FILE_H

/*
 * The queue file: delivery headers known in advance, content as it goes over
 * SMTP (CRLF, not dot-stuffed), a trailer with the envelope as named fields,
 * and a fixed footer with magic, version, offsets and checksum. The footer is
 * the commit record: a file without a valid one was never acknowledged.
 *
 * Layout, offsets from the start:
 *	0		delivery headers (Return-Path, X-Original-To,
 *			Delivered-To), may be empty
 *	content_offset	content
 *	trailer_offset	trailer: the fields below
 *	end - 64	footer
 * A recipient's status byte is overwritten in place: 'P' pending, 'D' done,
 * 'B' bounced (report made), 'R' a report about its failure is being made, 'S'
 * delivered and a report of success is owed, 'T' that report is being made. It
 * is not covered by the checksum. Readers accept these six; only qmgr writes
 * them.
 *
 * The trailer is a row of fields: u8 length of the name, name, u16 length of
 * the value, value (numbers big-endian). First, in this order and all
 * present: queue_id, sender, envid, ret, flags, arrival, client. Then for
 * each recipient: recipient (its address), original (left out when the
 * same), orcpt (left out when empty), notify (left out when 0), status. ret,
 * notify and arrival are decimal text, flags is eight hexadecimal digits,
 * status one letter. No value holds CR, LF or NUL.
 *
 * Of a file with QUEUE_HAS_PREFIX, which may become one of a Maildir by a
 * rename and a cut, the first field begins a block of the file system: the
 * trailer begins with the zeros up to there. A power cut may leave a file that
 * has its old name and length, and zeros from the cut to the end of that block
 * (doc/DURABILITY.md, "The power"): it says what it said. Readers pass over
 * zeros, 65,536 at most, or none (a field begins with its length).
 *
 * The footer: 16 bytes magic "POSTHASTE-QUEUE\n", u32 version (1), u32 count
 * of recipients, u64 content_offset, u64 trailer_offset, u64 size of the
 * trailer, 12 bytes zero, u32 CRC-32C of the fields (the values of flags
 * and status taken as zeros, since they change) and of the footer before it.
 *
 * The trailer repeats the queue id, and a reader compares it with the file's
 * name. Content comes from strangers: one who ends a piece of it with a
 * forged trailer and footer, and is cut off by a crash there, would else
 * have committed an envelope of his own. He cannot know the id.
 *
 * Why a recipient waits is not in this file but in defer/ID, a small text
 * file of lib/queue/queue_reason.h: it may be lost at any time without harm.
 *
 * Names are relative to the working directory, which is queue_directory.
 */

#include <sys/types.h>
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/why.h"

enum queue_flag {
	QUEUE_BODY_8BIT = 1, /* content has bytes above 127 */
	QUEUE_SMTPUTF8 = 2,
	QUEUE_REPORT = 4, /* a bounce: no delay warnings about it */
	QUEUE_VERIFY = 8, /* sendmail -bv: deliver nothing, report */
	QUEUE_WARNED = 16, /* the delay warning was sent; kept in the file */
	QUEUE_LONG_LINES = 32, /* has lines over 998 bytes */
	QUEUE_TRACE = 64, /* sendmail -v: report deliveries */
	QUEUE_HAS_PREFIX = 128, /* delivery headers are for the one recipient */
	QUEUE_WARNING = 256, /* the delay warning is being made */
	/*
	 * Hints, which spare work and change no result: a reader passes over
	 * those that it does not know, as one of an earlier version has to.
	 * cleanup saw no Delivered-To in the content: nobody need look.
	 */
	QUEUE_NO_DELIVERED_TO = 0x1000,
	QUEUE_HINTS = 0xf000,
};

enum dsn_notify { /* RFC 3461 section 4.1 */
	NOTIFY_DEFAULT = 0,
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
};

enum {
	QUEUE_ID_MAX = 64,
	QUEUE_FOOTER_SIZE = 64,
	QUEUE_RECIPIENT_PENDING = 'P',
	QUEUE_RECIPIENT_DONE = 'D',
	QUEUE_RECIPIENT_BOUNCED = 'B',
	QUEUE_RECIPIENT_REPORTING = 'R',
	QUEUE_RECIPIENT_SUCCESS = 'S',
	QUEUE_RECIPIENT_TELLING = 'T',
};

struct queue_recipient {
	const char *address;
	const char *original; /* never NULL; same as address if unchanged */
	const char *orcpt; /* "" if none */
	unsigned int notify;
	char status;
	off_t offset; /* of the status byte; set by writer and reader */
};

struct queue_envelope {
	const char *sender; /* "" for the null sender */
	const char *envid;
	unsigned int ret;
	unsigned int flags; /* enum queue_flag */
	int64_t arrival; /* microseconds since 1970 */
	const char *client; /* "name[addr]" or "uid=N", for postcat and logs */
	off_t content_offset;
	off_t content_size;
	off_t flags_offset; /* of the flags in the file, for QUEUE_WARNED */
	struct queue_recipient *recipients;
	size_t recipient_count;
};

/*
 * Mints an id: time-ordered, unique on this machine as long as the clock
 * runs (microseconds and process), letters and digits, Postfix's long form;
 * the last characters are random, so that nobody who has not been told can
 * name it.
 */
void queue_id_mint(char out[QUEUE_ID_MAX]);
/* Only what queue_id_mint can make; keeps "../" and friends out. */
bool queue_id_valid(const char *id);
/* When it was minted, microseconds since 1970; 0 if not valid. */
int64_t queue_id_time(const char *id);

/*
 * Levels of subfolders in "deferred", 0 to 3; 1 unless said otherwise. Files
 * that an earlier setting placed elsewhere are found all the same.
 */
void queue_hash_depth(unsigned int levels);

/* "incoming", "deferred", "hold", "corrupt", "report", "maildrop", "defer". */
bool queue_name_valid(const char *queue);
enum { QUEUE_PATH_MAX = 192 };
/* The file's name below the queue directory, with hashed subfolders. */
void queue_path(const char *queue, const char *id, char out[QUEUE_PATH_MAX]);
/* Creates what is missing of directories for this queue. 0 or -1. */
int queue_make_path(const char *queue, const char *id);
/*
 * rename(2) between queues, making folders; ENOENT if it is not there. Flushed
 * only where it could be lost under both names (lib/base/file_system.h).
 */
int queue_move(const char *id, const char *from, const char *to);
/*
 * Does the file have one more? No file of a queue gets a second name but by a
 * power cut amid a rename (doc/DURABILITY.md, "ext4 without a journal"): where
 * it was on its way to it is kept, and this one may go. What is not in its
 * count of links is not believed, nor where no power cut does that. queue_move
 * between the two is done by it.
 */
bool queue_has_other_name(const char *queue, const char *id);
/* unlink(2). */
int queue_remove(const char *queue, const char *id);
/* It has no footer: its writer is at work, or died. Unreadable: false. */
bool queue_is_unfinished(int fd);
/*
 * Removes a file that was never committed: no footer, no writer at work on
 * it, and untouched for a minute. 1, or 0 if it is none of those; -1 with errno
 * if that could not be told, or it not be removed.
 */
int queue_remove_incomplete(const char *queue, const char *id);

/*
 * Writing. Owned by one message; free closes, and unlinks if not committed.
 * A message that fits in the buffer (128 KiB) costs open, flock, one write,
 * fsync, close.
 */
struct queue_writer;

/*
 * NULL: why, LATER, with the errno in it: EEXIST, ENOSPC, ...
 */
struct queue_writer *
queue_writer_new(const char *queue, const char *id, struct why *why);
/*
 * Delivery headers first, if any, then queue_writer_content_begins. 0, or -1
 * with errno, which later calls repeat.
 */
int queue_writer_add(struct queue_writer *w, const void *data, size_t n);
void queue_writer_content_begins(struct queue_writer *w);
/*
 * Trailer and footer, flush, queue_flush. Sets the offsets in *e. 0, or -1 with
 * errno (ENOSPC, EDQUOT, EIO: nothing was acknowledged; EINVAL: a field
 * holds CR, LF or too much, or there is no recipient).
 */
int queue_writer_commit(struct queue_writer *w, struct queue_envelope *e);
/*
 * fsync(2) of a file in a queue, by which mail is accepted: believed when its
 * device takes changes behind it (lib/base/file_system.h). 0, or -1 with errno.
 */
int queue_flush(int fd);
void queue_writer_free(struct queue_writer **w);

/* Reading: everything checked, nothing believed. */
enum queue_read {
	QUEUE_OK,
	QUEUE_GONE,
	QUEUE_INCOMPLETE,
	QUEUE_CORRUPT,
	QUEUE_UNREADABLE
};
/*
 * Texts live in the arena. "id" is the file's name, which the trailer must
 * repeat; NULL only for a person who looks at a file elsewhere (postcat).
 */
enum queue_read queue_read_envelope(int fd, const char *id, struct arena *a,
    struct queue_envelope *e);
/* -1 with errno; opens O_NOFOLLOW, and wants a regular file. */
int queue_open(const char *queue, const char *id, bool for_marking);
/*
 * Opens it for reading as nobody else's: no agent delivers it, qmgr settles
 * nothing about it, until the descriptor is closed. Waits for them until the
 * deadline (clock_ms). -1 with errno: EWOULDBLOCK when it is still in use,
 * ENOENT when it is not there (any more).
 */
int queue_claim(const char *queue, const char *id, int64_t deadline);
/* Neither syncs: call fdatasync(2) where something depends on it. */
int queue_mark(int fd, off_t offset, char status);
int
queue_mark_flags(int fd, const struct queue_envelope *e, unsigned int flags);
/* Next attempt: the file's mtime, seconds since 1970. */
int queue_set_retry(int fd, int64_t when);

/*
 * Visits every valid id in a queue, unordered. Stops when visit says false.
 * 0, or -1 with errno.
 */
int queue_scan(const char *queue, bool (*visit)(void *with, const char *id),
    void *with);
/*
 * What is in a queue directory, one after the other from 0; NULL at the end.
 * Files of those that hold mail, or in folders of theirs, are messages.
 */
const char *queue_directory_name(size_t i, bool *holds_mail);

/*
 * The directories of a queue directory, made with their rights; for start.
 * As root they are given to "owner", maildrop and public to the group "drop"
 * as well; otherwise both are ignored. False with lines in *error.
 */
bool queue_make_directories(const char *root, uid_t owner, gid_t drop,
    struct buf *error);

#endif
