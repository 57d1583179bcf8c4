/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_INDEX_INTERNAL_H
#define LIB_STORE_MAIL_INDEX_INTERNAL_H

/*
 * How the index is kept, for mail_index*.c. doc/STORE.md describes it for
 * people.
 *
 * Three trees: SMALL (folders, bits, history), ROWS (messages), CACHE. Keys
 * are numbers, the highest byte first, so that they sort; every value begins
 * with a check sum over key and value.
 */

#include <lmdb.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/store/mail_index.h"

enum index_tree { SMALL, ROWS, CACHE, INDEX_TREES };

/* Second part of a key in SMALL. */
enum index_kind {
	KIND_FOLDER = 0, /* folder 0: the index itself */
	KIND_BITS = 1, /* folder 0: numbers of folders by id */
	/* HISTORY_CHANGES, HISTORY_REMOVALS */
};

enum { INDEX_VERSION = 2, KEY_MAX = 24, CHECK_SIZE = 4 };
enum { INDEX_ROOM_KEPT = 65536 }; /* bytes for a transaction or two */

struct index_key {
	size_t n;
	unsigned char bytes[KEY_MAX];
};

/* The row of the index itself. */
struct index_self {
	uint32_t version;
	uint32_t order; /* of bytes, as a number */
	uint32_t clean; /* on disk, and nothing was changed since */
	uint32_t next_folder;
	uint32_t spare[2];
	char boot[40]; /* of the machine, when it was last changed */
};

struct index_pending; /* mail_index_cache.c */

/*
 * A place in ROWS or CACHE where a folder, or one slot of it, is being read:
 * who asks for message after message finds the next one beside the last.
 */
struct index_seat {
	enum index_tree tree;
	MDB_cursor *cursor;
	bool live; /* stands on a key, in this hold */
	struct index_key key;
};

enum { INDEX_SEATS = 6 };

struct index_identity {
	dev_t device;
	ino_t inode; /* 0: none */
};

struct mail_index {
	int at; /* the directory that the path begins in, or AT_FDCWD */
	char *path;
	struct index_identity data, lock; /* of the files that were opened */
	MDB_env *env; /* NULL: could not be opened again */
	MDB_dbi trees[INDEX_TREES];
	MDB_txn *reader; /* reset when no hold is open */
	MDB_cursor *cursors[INDEX_TREES]; /* of the reader */
	MDB_txn *writer;
	unsigned int holds;
	unsigned int writes; /* nested */
	bool reading; /* the reader is renewed */
	bool changed; /* since it was opened */
	bool damaged;
	bool broken; /* LMDB fell over it: it cannot be closed either */
	bool after_stop; /* made anew, perhaps for that */
	uint64_t room; /* the file has blocks up to here; 0: not known */
	int error; /* of the last failure: LMDB's or errno */
	bool custody; /* sealed when the transaction began: by now only ours */
	bool sealless; /* the file system does not keep seals, it seems */
	unsigned int generation;
	struct index_pending *pending;
	struct index_seat seats[INDEX_SEATS];
	unsigned int next_seat;
	uint64_t walked; /* bytes looked at since index_trim */
};

/* Keys: a folder, a kind, and up to two numbers behind them. */
struct index_key index_key_small(uint32_t folder, unsigned int kind);
struct index_key index_key_row(uint32_t folder, uint32_t uid);
struct index_key
index_key_cache(uint32_t folder, unsigned int slot, uint32_t uid);
void index_key_u32(struct index_key *k, uint32_t n);
void index_key_u64(struct index_key *k, uint64_t n);
void index_key_bytes(struct index_key *k, const void *p, size_t n);
uint32_t index_u32(const unsigned char *p);
uint64_t index_u64(const unsigned char *p);

uint32_t
index_check(const void *key, size_t key_n, const void *value, size_t n);

/*
 * LMDB's calls, guarded: a page that is damaged so that LMDB falls over it is
 * found here, not by the kernel. 0, MDB_NOTFOUND, or another error, which is
 * kept in x->error (and x->damaged, where it means that).
 */
int index_get(struct mail_index *x, enum index_tree t,
    const struct index_key *k, struct span *value);
/* Value from two parts. */
int index_put(struct mail_index *x, enum index_tree t,
    const struct index_key *k, struct span value, struct span more);
int
index_del(struct mail_index *x, enum index_tree t, const struct index_key *k);
/* index_put where the key is above all in the tree; else the same. */
int index_append(struct mail_index *x, enum index_tree t,
    const struct index_key *k, struct span value, struct span more);
/*
 * A cursor of the transaction that is open: the first call of a walk has op
 * MDB_SET_RANGE and *k, the next ones MDB_NEXT. *k and *value are what was
 * found; a key that does not ascend is damage. The cursor of "t" is the walk's
 * until its end: no other walk, and no put, meanwhile.
 */
struct index_walk {
	struct mail_index *x;
	enum index_tree tree;
	MDB_cursor *cursor;
	struct index_key key;
	struct span value;
};

void
index_walk_begin(struct index_walk *w, struct mail_index *x, enum index_tree t);
int index_walk_to(struct index_walk *w, const struct index_key *k);
int index_walk_next(struct index_walk *w);
int index_walk_del(struct index_walk *w); /* then walk_to goes on */
void index_walk_end(struct index_walk *w);

/* index_get for readers, by the seat whose key is just before. */
int index_seat_get(struct mail_index *x, enum index_tree t,
    const struct index_key *k, struct span *value);
/*
 * Pages of the file that were looked at are mapped into this process for as
 * long as it lives: after much has been read they are let go of. They stay in
 * the system's cache.
 */
void index_trim(struct mail_index *x);

/*
 * The file with all that LMDB has of it: opens x->path, and makes it if need
 * be. 0, or an error; a new file that LMDB has put nothing into is fine.
 */
int index_env_open(struct mail_index *x);
void index_env_close(struct mail_index *x);

/* One write transaction, not nested. False: index_failed() was told. */
bool index_txn_begin(struct mail_index *x);
bool index_txn_commit(struct mail_index *x);
void index_txn_abort(struct mail_index *x); /* if one is open */
/*
 * After it, with custody, unless nothing was written or another process has
 * gone on already.
 */
void index_txn_seal(struct mail_index *x, uint64_t transaction);
bool index_sync(struct mail_index *x); /* to the disk */

/* Is it open, and good, perhaps after index_renew()? */
bool index_usable(struct mail_index *x);
/*
 * A file that turned out to be damaged, or that another process has set
 * aside, is exchanged when no transaction is open.
 */
bool index_renew(struct mail_index *x);
bool index_of_this_boot(const struct index_self *self);

/* The row of the index itself. False: not there, or not what we write. */
bool index_self_get(struct mail_index *x, struct index_self *self);
bool index_self_put(struct mail_index *x, const struct index_self *self);

/* Says that what was read cannot be so. */
bool index_damaged(struct mail_index *x);
bool index_failed(struct mail_index *x, int error);

void index_pending_write(struct mail_index *x); /* in the open transaction */
void index_pending_free(struct mail_index *x);
bool index_pending_facts(struct mail_index *x, uint32_t folder,
    struct mail_index_message *m);
bool index_message_read(struct mail_index *x, const struct index_key *k,
    struct span value, struct mail_index_message *out);

/*
 * The gate: a lock on a third file, path-gate, that is never removed. Who
 * opens the data file and its lock file shares it, so that they belong
 * together; who sets them aside has it alone. Nobody waits for it inside of
 * a write transaction. Returns a descriptor, or -1 with errno.
 */
int
index_gate_enter(int at, const char *path, int how); /* LOCK_SH or LOCK_EX */
void index_gate_leave(int *gate);
/* Inside of the gate: which files are there now. */
void index_gate_identify(struct mail_index *x);
/* Are the files that are open still those that others will open? */
bool index_gate_current(const struct mail_index *x);
/* Unless another process has done so since this index was opened. */
void index_gate_set_aside(const struct mail_index *x, const char *what);

/*
 * The file before LMDB sees it: its two first pages, its size. False: it
 * cannot be opened without danger; *what says why.
 */
bool index_file_sound(int fd, const char **what);
enum index_verdict {
	INDEX_SOUND,
	INDEX_DAMAGED,
	INDEX_UNKNOWN, /* it could not be looked at, for want of memory */
};

/*
 * Every page that this transaction sees (which a reader holds, so that
 * nobody writes over it): its form, keys in order, values with their sums.
 */
enum index_verdict index_file_verify(int fd, uint64_t transaction);
/*
 * Was it changed by nobody since it was sealed after this transaction? It is
 * sealed by who has looked at all of it, and by who has committed to a file
 * that was sealed until then: what else came between may be damage.
 */
bool index_file_sealed(int fd, uint64_t transaction);
void index_file_seal(int fd, uint64_t transaction);
/* index_file_verify(), and sealed if it is sound and nobody writes. */
enum index_verdict index_file_prove(int fd, uint64_t transaction);

#endif
