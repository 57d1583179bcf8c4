/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILDIR_SIZE_H
#define LIB_STORE_MAILDIR_SIZE_H

/*
 * "maildirsize" in the root of a Maildir, as those see it who bring mail: how
 * much may be in the account, and how much is (mail_quota.h makes the file,
 * and counts anew). Its first line is the limits ("1000000S,500C"), each other
 * one a change: bytes and messages.
 *
 * SECURITY: the file is the mailbox owner's. Call with the owner's rights; it
 * is read up to MAILDIR_SIZE_FILE_MAX, and believed about his own mailbox.
 */

#include "lib/base/buf.h"

enum {
	MAILDIR_SIZE_FILE_MAX = 5120, /* longer ones are counted anew */
};

struct maildir_size {
	uint64_t bytes_limit, messages_limit; /* 0: none */
	int64_t bytes, messages; /* may be below 0: wrong */
	size_t changes; /* lines behind the limits */
	bool less; /* one took something away, or told of a move */
};

/* False: not such a file. Pure. */
bool maildir_size_parse(struct span text, struct maildir_size *out);
/*
 * Lines behind the first, added to *sum; what makes no sense among them is left
 * out. Pure.
 */
void maildir_size_sum(struct span lines, struct maildir_size *sum);
/* Is so much more within the limits? Pure. */
bool maildir_size_allows(const struct maildir_size *s, uint64_t bytes,
    uint64_t messages);
/* Is it a count by these limits, of what can be? Pure. */
bool maildir_size_of(const struct maildir_size *s, uint64_t bytes_limit,
    uint64_t messages_limit);
/*
 * False when the account with this root directory (O_PATH will do) has no room
 * for a message of so many bytes. True where there is no file, or none that can
 * be understood.
 */
bool maildir_size_room(int root, uint64_t bytes);

enum maildir_room {
	MAILDIR_ROOM_TAKEN, /* or nobody counts */
	MAILDIR_ROOM_NONE, /* it is full */
	/* others were quicker, who may yet give it back: no reason to bounce */
	MAILDIR_ROOM_CONTENDED,
	MAILDIR_ROOM_UNKNOWN, /* to maildir_size_claim: it is to be counted */
};

/* Room that was taken, by who may have it for a while. */
struct maildir_claim {
	int fd; /* the file that the line is in; -1: in none */
	int64_t bytes, messages; /* as counted */
};

/*
 * Room for what is about to come, asked for and taken in one step: its line is
 * written, and counts if there was room behind all that stands in front of it;
 * else it is taken back. So of several at once only those get room that fit
 * together, and nobody waits for a lock that the owner may hold. Who brings
 * less adds its negative. Where nobody counts, or not so that it can be
 * understood, all is taken.
 *
 * A claim shares the file's lock until it is settled or ended, to be done when
 * the messages have their names: who begins to count knows by it that there are
 * lines in front of him whose messages he may not find (mail_quota.c). *claim
 * is of no file where nothing was taken.
 */
enum maildir_room maildir_size_take(int root, uint64_t bytes, uint64_t messages,
    struct maildir_claim *claim);
/*
 * The same, only of a file with these limits that can be believed, for who
 * settles it.
 */
enum maildir_room
maildir_size_claim(int root, const struct maildir_size *limits, uint64_t bytes,
    uint64_t messages, struct maildir_claim *claim);
/*
 * Messages are about to change folders: a claim of nothing. Its line, "0 0",
 * tells who counts meanwhile that he may have found them in neither.
 */
void maildir_claim_move(int root, struct maildir_claim *claim);
/*
 * So much has come of it by now, 0 if nothing will. May be called again. Where
 * somebody counted anew meanwhile, who may have seen it, or a part, the count
 * is forgotten, and who asks next counts. A claim in no file is a line.
 */
void maildir_claim_settle(struct maildir_claim *c, int root, int64_t bytes,
    int64_t messages);
/* Forgets it: as it was settled last, or taken. */
void maildir_claim_end(struct maildir_claim *c);
/*
 * Messages came or went. Nothing where nobody counts. The bytes of some are
 * not known with "bytes" INT64_MIN: who asks next counts anew.
 */
void maildir_size_add(int root, int64_t bytes, int64_t messages);

#endif
