/* SPDX-License-Identifier: ISC */
/*
 * Reads an LMDB file by itself. The library maps the file and believes it:
 * one that is damaged, cut short while it is open, or made by somebody hostile
 * ends the process that asks, which may be root's. Here each page is read with
 * pread(2) and nothing in it is believed: a number that leads out of its page,
 * its file or its tree is damage.
 *
 * The layout is that of LMDB 0.9, in the byte order and word size of the
 * machine. Pages 0 and 1 each describe a tree; the later one counts. A writer
 * in place uses neither the pages of the last tree nor of the one before it:
 * what was read is good as long as at most one change was made meanwhile.
 */
#include "lib/table/lmdb_file.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"

static const uint32_t MAGIC = 0xBEEFC0DE;

enum {
	VERSION = 1,
	PAGE_MIN = 512,
	PAGE_MAX = 32768,
	DEPTH_MAX = 32, /* the library's, too */
	VALUE_MAX = 1 << 26, /* bytes, when all are read */
	TRIES = 100, /* of a question, against a busy writer */

	BRANCH = 0x01, /* kinds of pages */
	LEAF = 0x02,
	OVERFLOW = 0x04,
	META = 0x08,
	KINDS = 0xff & ~0x10, /* a page that was once "dirty" is as good */

	ELSEWHERE = 0x01, /* a value on pages of its own */
};

struct page_head {
	size_t number;
	uint16_t unused;
	uint16_t kind;
	uint16_t lower; /* end of the entries' places */
	uint16_t upper; /* where entries begin */
};

struct tree {
	uint32_t page_size; /* in the first of the two alone */
	uint16_t flags;
	uint16_t depth;
	size_t pages[3];
	size_t entries;
	size_t root;
};

struct meta {
	uint32_t magic;
	uint32_t version;
	size_t address;
	size_t map_size;
	struct tree trees[2]; /* free pages; the table */
	size_t last_page;
	size_t change; /* counts */
};

struct entry_head {
	/* LMDB writes the halves in the machine's order */
#if BYTE_ORDER == LITTLE_ENDIAN
	uint16_t low;
	uint16_t high;
#else
	uint16_t high;
	uint16_t low;
#endif
	uint16_t flags; /* of a branch: the highest bits */
	uint16_t key_size;
};

struct page {
	struct page_head head;
	const char *bytes;
	size_t count; /* of entries */
};

struct entry {
	struct entry_head head;
	struct span key;
	const char *data;
	size_t room; /* from there to the page's end */
};

struct lmdb_file {
	int fd;
	size_t page_size;
	char *bytes; /* one page */
};

static bool
read_meta(const struct lmdb_file *f, size_t page, struct meta *m)
{
	struct {
		struct page_head head;
		struct meta meta;
	} p;

	if (fd_pread_all(f->fd, &p, sizeof(p), (off_t)(page * f->page_size)) <
	    0)
		return false;
	*m = p.meta;
	return (p.head.kind & META) != 0 && m->magic == MAGIC &&
	    m->version == VERSION;
}

/* Where the tree is now. */
static bool
read_newest(const struct lmdb_file *f, struct meta *m)
{
	struct meta other;

	if (!read_meta(f, 0, m) || !read_meta(f, 1, &other) ||
	    m->trees[0].page_size != f->page_size ||
	    other.trees[0].page_size != f->page_size)
		return false;
	if (other.change > m->change)
		*m = other;
	/* keys in another order, or several values of one, are no table */
	return m->trees[1].flags == 0 && m->trees[1].depth <= DEPTH_MAX;
}

/* One that was cut short. */
static bool
is_whole(const struct lmdb_file *f, const struct meta *m)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 &&
	    (uint64_t)st.st_size / f->page_size > m->last_page;
}

/* The size is in the first page; with it the rest can be read. */
static bool
find_page_size(struct lmdb_file *f)
{
	struct meta m;
	size_t size;

	if (!read_meta(f, 0, &m))
		return false;
	size = m.trees[0].page_size;
	if (size < PAGE_MIN || size > PAGE_MAX || (size & (size - 1)) != 0)
		return false;
	f->page_size = size;
	return true;
}

struct lmdb_file *
lmdb_file_open(int *fd, int *error)
{
	struct lmdb_file *f = mem_new(sizeof(*f));
	struct meta m;

	f->fd = *fd;
	if (find_page_size(f) && read_newest(f, &m) && is_whole(f, &m)) {
		f->bytes = mem_new(f->page_size);
		*fd = -1;
		return f;
	}
	free(f);
	*error = EINVAL;
	return NULL;
}

void
lmdb_file_close(struct lmdb_file **f)
{
	if (*f == NULL)
		return;
	fd_close(&(*f)->fd);
	free((*f)->bytes);
	free(*f);
	*f = NULL;
}

static bool
read_page(const struct lmdb_file *f, const struct meta *m, size_t number,
    char *bytes, struct page *p)
{
	if (number < 2 || number > m->last_page ||
	    number > (size_t)INT64_MAX / f->page_size ||
	    fd_pread_all(f->fd, bytes, f->page_size,
		(off_t)(number * f->page_size)) < 0)
		return false;
	memcpy(&p->head, bytes, sizeof(p->head));
	p->bytes = bytes;
	if (p->head.number != number || p->head.lower < sizeof(p->head) ||
	    p->head.lower > p->head.upper || p->head.upper > f->page_size)
		return false;
	p->count = (p->head.lower - sizeof(p->head)) / sizeof(uint16_t);
	return true;
}

static bool
read_entry(const struct lmdb_file *f, const struct page *p, size_t i,
    struct entry *e)
{
	uint16_t at;
	size_t room;

	memcpy(&at, p->bytes + sizeof(p->head) + i * sizeof(at), sizeof(at));
	if (at < p->head.upper || at > f->page_size - sizeof(e->head))
		return false;
	memcpy(&e->head, p->bytes + at, sizeof(e->head));
	room = f->page_size - at - sizeof(e->head);
	if (e->head.key_size > room || e->head.key_size > LMDB_KEY_MAX)
		return false;
	e->key =
	    (struct span){ p->bytes + at + sizeof(e->head), e->head.key_size };
	e->data = e->key.p + e->key.n;
	e->room = room - e->key.n;
	return true;
}

static size_t
child_of(const struct entry *e)
{
	uint64_t number = (uint64_t)e->head.flags << 32 |
	    (uint64_t)e->head.high << 16 | e->head.low;

	return (size_t)number;
}

static int
compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (order != 0)
		return order;
	return a.n < b.n ? -1 : a.n > b.n;
}

/*
 * The last entry that is not behind the key: 1 if it has the key, 0 if not,
 * -1 for damage. The first entry of a branch is before all keys.
 */
static int
place(const struct lmdb_file *f, const struct page *p, bool branch,
    struct span key, struct entry *e)
{
	size_t low = branch ? 1 : 0;
	size_t high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order;

		if (!read_entry(f, p, middle, e))
			return -1;
		order = compare(key, e->key);
		if (order == 0)
			return 1;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (branch && !read_entry(f, p, low - 1, e))
		return -1;
	return 0;
}

/* Adds the value; *pages counts the pages it is on. */
static bool
add_value(const struct lmdb_file *f, const struct meta *m,
    const struct entry *e, struct buf *value, size_t *pages)
{
	size_t n = (size_t)e->head.high << 16 | e->head.low;
	struct page_head head;
	size_t number;
	char *to;

	if (e->head.flags == 0)
		return n <= e->room && buf_add(value, e->data, n);
	if (e->head.flags != ELSEWHERE || e->room < sizeof(number))
		return false;
	memcpy(&number, e->data, sizeof(number));
	*pages = (n + sizeof(head) + f->page_size - 1) / f->page_size;
	if (number < 2 || number > m->last_page ||
	    *pages > m->last_page - number + 1 ||
	    number > (size_t)INT64_MAX / f->page_size - *pages ||
	    fd_pread_all(f->fd, &head, sizeof(head),
		(off_t)(number * f->page_size)) < 0 ||
	    head.number != number || (head.kind & KINDS) != OVERFLOW)
		return false;
	to = buf_reserve(value, n);
	if (to == NULL ||
	    fd_pread_all(f->fd, to, n,
		(off_t)(number * f->page_size + sizeof(head))) < 0)
		return false;
	buf_added(value, n);
	return true;
}

/* 1, 0, or -1 for damage. */
static int
search(const struct lmdb_file *f, const struct meta *m, struct span key,
    struct buf *value)
{
	const struct tree *t = &m->trees[1];
	size_t number = t->root;
	size_t pages = 0;
	struct page p;
	struct entry e;

	if (t->depth == 0)
		return 0;
	for (unsigned int level = 1; level <= t->depth; level++) {
		bool branch = level < t->depth;
		int found;

		if (!read_page(f, m, number, f->bytes, &p) || p.count == 0 ||
		    (p.head.kind & KINDS) != (branch ? BRANCH : LEAF))
			return -1;
		found = place(f, &p, branch, key, &e);
		if (found < 0)
			return -1;
		if (!branch)
			return found == 0                      ? 0 :
			    add_value(f, m, &e, value, &pages) ? 1 :
								 -1;
		number = child_of(&e);
	}
	return -1;
}

int
lmdb_file_find(struct lmdb_file *f, struct span key, struct buf *value)
{
	size_t before = value->n;

	if (key.n == 0 || key.n > LMDB_KEY_MAX)
		return 0;
	for (int tries = 0; tries < TRIES; tries++) {
		struct meta m;
		struct meta after;
		int result;

		if (!read_newest(f, &m))
			return -1;
		result = search(f, &m, key, value);
		if (!read_newest(f, &after))
			return -1;
		if (after.change - m.change <= 1)
			return result;
		value->n = before;
	}
	return -1;
}

/* A walk through all entries. */
struct walk {
	struct lmdb_file *f;
	struct meta meta;
	/* Pages left to see: in a tree that is one each is met once. */
	size_t left;
	void (*visit)(void *with, struct span key, struct span value);
	void *with;
};

static bool
spend(struct walk *w, size_t pages)
{
	if (pages > w->left)
		return false;
	w->left -= pages;
	return true;
}

static bool
walk_leaf(struct walk *w, const struct entry *e)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	size_t pages = 0;
	bool good =
	    add_value(w->f, &w->meta, e, &value, &pages) && spend(w, pages);

	if (good)
		w->visit(w->with, e->key, buf_span(&value));
	buf_fini(&value);
	return good;
}

static bool
walk_page(struct walk *w, size_t number, unsigned int level)
{
	bool branch = level < w->meta.trees[1].depth;
	char *bytes = mem_new(w->f->page_size);
	struct page p;
	struct entry e;
	bool good = spend(w, 1) &&
	    read_page(w->f, &w->meta, number, bytes, &p) && p.count > 0 &&
	    (p.head.kind & KINDS) == (branch ? BRANCH : LEAF);

	for (size_t i = 0; good && i < p.count; i++) {
		good = read_entry(w->f, &p, i, &e);
		if (good)
			good = branch ? walk_page(w, child_of(&e), level + 1) :
					walk_leaf(w, &e);
	}
	free(bytes);
	return good;
}

bool
lmdb_file_each(struct lmdb_file *f,
    void (*visit)(void *with, struct span key, struct span value), void *with)
{
	struct walk w = { .f = f, .visit = visit, .with = with };
	struct meta after;

	if (!read_newest(f, &w.meta))
		return false;
	w.left = w.meta.last_page;
	if (w.meta.trees[1].depth > 0 &&
	    !walk_page(&w, w.meta.trees[1].root, 1))
		return false;
	return read_newest(f, &after) && after.change - w.meta.change <= 1;
}
