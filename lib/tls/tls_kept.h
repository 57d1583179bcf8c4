/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_KEPT_H
#define LIB_TLS_TLS_KEPT_H

/*
 * Files of certificates, of keys and of authorities as they were when they were
 * found good.
 *
 * While a set is in use (one at most in a process), whoever reads such a file
 * by lib/tls gets what the set holds; a file that it does not hold is read from
 * disk and kept from then on. So what has been checked is what is kept, to the
 * byte, whatever becomes of the disk meanwhile: a file that was not there is
 * not there until another set is made. master keeps the set of the
 * generation and gives each program that needs some of it a copy in memory:
 * keyd all, the others nothing of private keys.
 *
 * A set is memory that is not swapped where the system grants that, is in no
 * core file and in no child, and is wiped before it goes.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/span.h"

struct tls_kept;

/* Programs, as a set: whose a private key is. */
enum key_users {
	KEY_SMTPD = 1,
	KEY_SMTP = 2,
	KEY_POP3D = 4,
	KEY_IMAPD = 8,
	KEY_SERVERS = KEY_SMTPD | KEY_POP3D | KEY_IMAPD,
	KEY_ALL = KEY_SERVERS | KEY_SMTP,
};

/*
 * "like": begins with the files that one holds, which are nobody's yet; NULL:
 * empty.
 */
struct tls_kept *tls_kept_new(const struct tls_kept *like);
void tls_kept_free(struct tls_kept **k);
/* From now on; NULL: none, each file is read from disk. It stays the caller's.
 */
void tls_kept_use(struct tls_kept *k);

/*
 * Which files these are, as the system tells it of each (inode, length, time of
 * its last change): when they were read, or as they are on disk now. Another
 * number: they are others.
 */
uint64_t tls_kept_stamp(const struct tls_kept *k);
uint64_t tls_kept_stamp_on_disk(const struct tls_kept *k);

/*
 * All of it in a sealed file in memory, for tls_kept_take of another process;
 * without "keys" the private ones are left out, and all who ask share the one
 * file, made once for the set. -1 with errno.
 */
int tls_kept_write(struct tls_kept *k, bool keys);
/*
 * "k" takes the place of *old, which is freed. Private keys that were used
 * there and are not, or not by all of those programs, in "k" are former ones:
 * written with its keys until that time (of clock_ms(), never before that of an
 * earlier call), for sessions that began with their certificates. Those of
 * *old go along with the times that they have. At most 512 files; of more,
 * those that were replaced first are wiped.
 */
void tls_kept_follow(struct tls_kept *k, struct tls_kept **old, int64_t until);
/* Wipes former ones whose time has come. False: there were none. */
bool tls_kept_forget_former(struct tls_kept *k, int64_t now);
/*
 * That is in use from now on; closes the descriptor. A file with nothing in it
 * is an empty set. False: damaged.
 */
bool tls_kept_take(int fd);
/* It is not needed any more. */
void tls_kept_drop(void);

/*
 * These programs as well use the private keys of the file, by the settings in
 * force: goes with a set that is written with keys. For the set in use; a file
 * that it does not hold was in no trial, and nobody's.
 */
void tls_kept_for(const char *path, unsigned int users);
/* Of the set in use, each file whose private keys somebody uses. */
typedef void tls_kept_visit(void *with, const char *path, unsigned int users);
void tls_kept_each_used(tls_kept_visit *visit, void *with);

/*
 * While another set is tried: the one in force, or NULL. Was the file good
 * there? Then that is better than nothing, which a server may do with where
 * there is no file of authorities.
 */
void tls_kept_in_force(const struct tls_kept *k);
bool tls_kept_was_good(const char *path);
/* The set in use has it, and it is good. */
void tls_kept_good(const char *path);

/*
 * For lib/tls. The set in use knows the file: its text, the set's; or, in
 * *error, why it could not be read.
 */
struct stat;
bool tls_kept_find(const char *path, struct span *text, int *error);
/* What was read from disk, for the set in use, if there is one. */
void tls_kept_add(const char *path, const struct stat *st, struct span text);
/* It cannot be read; no st: there is none. */
void tls_kept_add_missing(const char *path, const struct stat *st, int error);

#endif
