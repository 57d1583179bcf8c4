/* SPDX-License-Identifier: ISC */
/*
 * The layout (http://cr.yp.to/cdb/cdb.txt): 256 pairs of numbers, each the
 * place and the length of a hash table; the records, each the lengths of key
 * and value and then these; the hash tables, each of pairs of a hash and the
 * place of its record, 0 where there is none. Numbers have 32 bits, the lowest
 * first.
 *
 * Nothing is believed: what lies beyond the end of the file cannot be read,
 * no hash table is searched longer than it can be, and records are looked for
 * behind the first tables alone.
 */
#include "lib/table/cdb_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"

enum {
	TABLES = 256,
	PAIR = 8, /* bytes of two numbers */
	RECORDS = TABLES * PAIR, /* where they begin */
	SLOTS_AHEAD = 8 * PAIR, /* read at once: mostly one or two are seen */
	RECORD_AHEAD = 512,
	ALL_AHEAD = 1 << 18, /* when all records are read */
	SMALL = 1 << 20, /* bytes of a file that is kept in memory */
	ENTRY_MAX = 1 << 26, /* bytes of a key and its value */
};

struct cdb_file {
	int fd; /* -1: all of it was read */
	/* What was read last, and where it is in the file. */
	char *bytes;
	size_t room;
	size_t count;
	uint64_t begin;
};

struct pair {
	uint32_t first;
	uint32_t second;
};

/* As much as is there, at most n. */
static size_t
read_some(struct cdb_file *f, size_t n, uint64_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got =
		    pread(f->fd, f->bytes + done, n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

/*
 * These n bytes of the file, until the next call; NULL where it has none. If
 * they have to be read, up to "ahead" are.
 */
static const char *
bytes_at(struct cdb_file *f, uint64_t at, size_t n, size_t ahead)
{
	size_t wanted = n > ahead ? n : ahead;

	if (at >= f->begin && at - f->begin <= f->count &&
	    n <= f->count - (size_t)(at - f->begin))
		return f->bytes + (at - f->begin);
	if (f->fd < 0)
		return NULL;
	if (wanted > f->room) {
		free(f->bytes);
		f->bytes = mem_new(wanted);
		f->room = wanted;
	}
	f->begin = at;
	f->count = read_some(f, wanted, at);
	return n <= f->count ? f->bytes : NULL;
}

static uint32_t
number(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[3] << 24 | (uint32_t)u[2] << 16 |
	    (uint32_t)u[1] << 8 | u[0];
}

static bool
pair_at(struct cdb_file *f, uint64_t at, size_t ahead, struct pair *pair)
{
	const char *p = bytes_at(f, at, PAIR, ahead);

	if (p == NULL)
		return false;
	*pair = (struct pair){ number(p), number(p + 4) };
	return true;
}

/* What was read before no longer counts, of a large file. */
static void
forget(struct cdb_file *f)
{
	if (f->fd >= 0)
		f->count = 0;
}

struct cdb_file *
cdb_file_open(int *fd, int *error)
{
	struct cdb_file *f = mem_new(sizeof(*f));
	struct stat st;

	f->fd = *fd;
	*error = EPROTO;
	if (fstat(*fd, &st) < 0)
		*error = errno;
	else if (bytes_at(f, 0, RECORDS,
		     st.st_size <= SMALL ? (size_t)st.st_size : 0) != NULL)
		*fd = -1;
	if (*fd >= 0) {
		free(f->bytes);
		free(f);
		return NULL;
	}
	if (st.st_size <= SMALL)
		fd_close(&f->fd);
	*error = 0;
	return f;
}

void
cdb_file_close(struct cdb_file **f)
{
	if (*f == NULL)
		return;
	fd_close(&(*f)->fd);
	free((*f)->bytes);
	free(*f);
	*f = NULL;
}

static uint32_t
hash_of(struct span key)
{
	uint32_t h = 5381;

	for (size_t i = 0; i < key.n; i++)
		h = ((h << 5) + h) ^ (unsigned char)key.p[i];
	return h;
}

/* 1 if the record is the key's, with *value; 0, or -1 for damage. */
static int
take_record(struct cdb_file *f, uint32_t at, struct span key, struct buf *value)
{
	struct pair lengths;
	const char *p;
	size_t n;

	if (at < RECORDS || !pair_at(f, at, RECORD_AHEAD, &lengths))
		return -1;
	if (lengths.first != key.n)
		return 0;
	p = bytes_at(f, (uint64_t)at + PAIR, key.n, 0);
	if (p == NULL)
		return -1;
	if (memcmp(p, key.p, key.n) != 0)
		return 0;
	n = lengths.second;
	if (n > value->max - value->n)
		return -1;
	p = bytes_at(f, (uint64_t)at + PAIR + key.n, n, 0);
	return p != NULL && buf_add(value, p, n) ? 1 : -1;
}

int
cdb_file_find(struct cdb_file *f, struct span key, struct buf *value)
{
	uint32_t hash = hash_of(key);
	struct pair table;
	struct pair slot;
	uint32_t i;

	forget(f);
	if (!pair_at(f, hash % TABLES * PAIR, 0, &table))
		return -1;
	/* empty ones have a place as well: zeros were never written */
	if (table.first < RECORDS)
		return -1;
	if (table.second == 0)
		return 0;
	i = hash / TABLES % table.second;
	for (uint32_t seen = 0; seen < table.second; seen++) {
		int found;

		if (!pair_at(f, table.first + (uint64_t)i * PAIR, SLOTS_AHEAD,
			&slot))
			return -1;
		if (slot.second == 0)
			return 0;
		found = slot.first == hash ?
		    take_record(f, slot.second, key, value) :
		    0;
		if (found != 0)
			return found;
		if (++i == table.second)
			i = 0;
	}
	return 0;
}

/* Where the records end: tables follow at once. */
static bool
end_of_records(struct cdb_file *f, uint64_t *end)
{
	const char *p;

	forget(f);
	p = bytes_at(f, 0, RECORDS, ALL_AHEAD);
	if (p == NULL)
		return false;
	*end = UINT64_MAX;
	for (size_t i = 0; i < TABLES; i++) {
		uint64_t at = number(p + i * PAIR);

		if (at < *end)
			*end = at;
	}
	return *end >= RECORDS;
}

bool
cdb_file_each(struct cdb_file *f,
    void (*visit)(void *with, struct span key, struct span value), void *with)
{
	uint64_t at = RECORDS;
	struct pair lengths;
	uint64_t end;

	if (!end_of_records(f, &end))
		return false;
	while (at < end) {
		const char *p;
		uint64_t n;

		if (!pair_at(f, at, ALL_AHEAD, &lengths))
			return false;
		n = (uint64_t)lengths.first + lengths.second;
		if (n > ENTRY_MAX || n + PAIR > end - at)
			return false;
		p = bytes_at(f, at + PAIR, (size_t)n, ALL_AHEAD);
		if (p == NULL)
			return false;
		visit(with, (struct span){ p, lengths.first },
		    (struct span){ p + lengths.first, lengths.second });
		at += PAIR + n;
	}
	return true;
}
