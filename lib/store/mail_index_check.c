/* SPDX-License-Identifier: ISC */
/*
 * What LMDB believes of its file without a look: the two first pages, always
 * checked; and, where the file was not closed by us or was changed since, the
 * form of every page, the order of all keys and every value's check sum.
 * (LMDB 0.9 and its format are stable; a file of another layout is set aside.)
 */
#include "lib/store/mail_index_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/store/mail_index_guard.h"

enum {
	PAGE_HEADER = 16,
	NODE_HEADER = 8,
	DEPTH_MAX = 32,
	PAGE_BRANCH = 0x01,
	PAGE_LEAF = 0x02,
	PAGE_OVERFLOW = 0x04,
	NODE_BIG = 0x01,
	NODE_TREE = 0x02,
	FLAG_META = 0x08,
	META_MAGIC = (int)0xBEEFC0DE,
	META_VERSION = 1,
	LOOKS = 100, /* a millisecond each... */
	ALIKE = 3, /* ...but so many alike are enough */
};

struct tree {
	uint32_t page_size; /* of the first tree */
	uint16_t flags;
	uint16_t depth;
	uint64_t branch, leaf, overflow, entries, root;
};

struct meta {
	uint32_t magic;
	uint32_t version;
	uint64_t address;
	uint64_t map_size;
	struct tree trees[2];
	uint64_t last_page;
	uint64_t transaction;
};

static bool
root_sound(const struct tree *t, uint64_t last)
{
	return t->root == UINT64_MAX || (t->root >= 2 && t->root <= last);
}

static bool
meta_sound(const struct meta *m, uint64_t page_size, uint64_t file_size)
{
	return m->magic == (uint32_t)META_MAGIC && m->version == META_VERSION &&
	    m->trees[0].page_size == page_size && m->last_page >= 1 &&
	    m->last_page < UINT64_MAX / page_size &&
	    /* the last ones may never have been written */
	    m->last_page / 2 <= file_size / page_size &&
	    root_sound(&m->trees[0], m->last_page) &&
	    root_sound(&m->trees[1], m->last_page) &&
	    (m->trees[1].root == UINT64_MAX ||
		m->trees[1].root < file_size / page_size);
}

struct first_pages {
	unsigned char of[2][PAGE_HEADER + sizeof(struct meta)];
};

/* The two, then the size: what they name was in the file before. */
static bool
pages_sound(int fd, uint64_t page_size, struct first_pages *p)
{
	bool sound = true;
	struct stat st;

	memset(p, 0, sizeof(*p));
	for (uint64_t i = 0; i < 2; i++)
		sound &= pread(fd, p->of[i], sizeof(p->of[i]),
			     (off_t)(i * page_size)) == sizeof(p->of[i]);
	sound &= fstat(fd, &st) == 0 && (uint64_t)st.st_size >= 2 * page_size;
	for (uint64_t i = 0; i < 2 && sound; i++) {
		struct meta m;
		uint16_t flags;

		memcpy(&flags, p->of[i] + 10, sizeof(flags));
		memcpy(&m, p->of[i] + PAGE_HEADER, sizeof(m));
		sound = (flags & FLAG_META) != 0 &&
		    meta_sound(&m, page_size, (uint64_t)st.st_size);
	}
	return sound;
}

bool
index_file_sound(int fd, const char **what)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	struct first_pages now, before;
	unsigned int alike = 0;
	struct stat st;

	*what = "it is damaged";
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return false;
	if (st.st_size == 0 || pages_sound(fd, page_size, &now))
		return true;
	/* somebody may be writing them just now: damage stays as it is */
	for (unsigned int i = 0; i < LOOKS && alike < ALIKE; i++) {
		before = now;
		(void)poll(NULL, 0, 1);
		if (pages_sound(fd, page_size, &now))
			return true;
		if (memcmp(&before, &now, sizeof(now)) == 0)
			alike++;
	}
	return false;
}

/* ---- all of it ---- */

struct check {
	const unsigned char *map;
	uint64_t size;
	uint64_t page_size;
	uint64_t transaction; /* whose pages cannot be used again just now */
	unsigned char *seen; /* pages, a bit each */
	uint64_t entries;
	uint64_t last_page;
	bool numbers; /* keys are, as this machine has them */
	bool sums; /* values are ours; else lists of free pages */
	size_t last_n; /* key before */
	unsigned char last[512];
};

static uint16_t
u16(const unsigned char *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* A page, in the file and met for the first time; NULL: no. */
static const unsigned char *
page_at(struct check *c, uint64_t number, uint64_t pages)
{
	uint64_t last = c->size / c->page_size, own;

	if (number < 2 || number >= last || pages == 0 || pages > last - number)
		return NULL;
	for (uint64_t i = number; i < number + pages; i++) {
		if ((c->seen[i / 8] >> i % 8 & 1) != 0)
			return NULL;
		c->seen[i / 8] |= (unsigned char)(1 << i % 8);
	}
	memcpy(&own, c->map + number * c->page_size, sizeof(own));
	return own == number ? c->map + number * c->page_size : NULL;
}

struct node {
	uint16_t flags;
	struct span key;
	const unsigned char *data; /* of a leaf */
	uint64_t size; /* of the data */
	uint64_t child; /* of a branch */
};

static bool
node_at(const struct check *c, const unsigned char *page, size_t i,
    struct node *out)
{
	uint64_t at = u16(page + PAGE_HEADER + 2 * i), key_n;
	const unsigned char *p = page + at;

	if (at < u16(page + 14) || at + NODE_HEADER > c->page_size)
		return false;
	out->flags = u16(p + 4);
	key_n = u16(p + 6);
	if (at + NODE_HEADER + key_n > c->page_size || key_n > sizeof(c->last))
		return false;
	out->key = (struct span){ (const char *)p + NODE_HEADER, key_n };
	out->data = p + NODE_HEADER + key_n;
	out->size = (uint64_t)u16(p) | (uint64_t)u16(p + 2) << 16;
	out->child = out->size | (uint64_t)out->flags << 32;
	if ((u16(page + 10) & PAGE_LEAF) == 0)
		return true;
	return at + NODE_HEADER + key_n +
	    ((out->flags & NODE_BIG) != 0 ? 8 : out->size) <=
	    c->page_size;
}

/* Those of lists of free pages are numbers, of transactions. */
static int
number_order(const unsigned char *left, const unsigned char *right)
{
	uint64_t a, b;

	memcpy(&a, left, sizeof(a));
	memcpy(&b, right, sizeof(b));
	return a < b ? -1 : a > b;
}

/* Keys only go up, in leaves and between them. */
static bool
ascends(struct check *c, struct span key, bool leaf)
{
	size_t n = key.n < c->last_n ? key.n : c->last_n;
	int order = c->numbers && n == sizeof(uint64_t) ?
	    number_order(c->last, (const unsigned char *)key.p) :
	    memcmp(c->last, key.p, n);

	if (order == 0)
		order = c->last_n < key.n ? -1 : c->last_n > key.n;
	if (leaf ? order > 0 || (order == 0 && c->entries > 0) : order >= 0)
		return false;
	if (!leaf)
		return true;
	memcpy(c->last, key.p, key.n);
	c->last_n = key.n;
	return true;
}

/*
 * LMDB writes where a list of free pages leads it: a count, and numbers that
 * descend, of pages that nothing else leads to.
 */
static bool
free_sound(struct check *c, const unsigned char *data, uint64_t size)
{
	uint64_t count, before = c->last_page + 1, number;

	if (size < sizeof(count))
		return false;
	memcpy(&count, data, sizeof(count));
	if (count > size / sizeof(count) - 1)
		return false;
	for (uint64_t i = 1; i <= count; i++) {
		memcpy(&number, data + i * sizeof(number), sizeof(number));
		if (number < 2 || number >= before)
			return false;
		before = number;
		if (number >= c->size / c->page_size)
			continue; /* never written */
		if ((c->seen[number / 8] >> number % 8 & 1) != 0)
			return false;
		c->seen[number / 8] |= (unsigned char)(1 << number % 8);
	}
	return true;
}

static bool
value_sound(struct check *c, const struct node *n)
{
	const unsigned char *data = n->data;
	uint64_t number;
	uint32_t sum;

	if ((n->flags & ~NODE_BIG) != 0)
		return false;
	if ((n->flags & NODE_BIG) != 0) {
		uint64_t pages =
		    (PAGE_HEADER + n->size + c->page_size - 1) / c->page_size;

		memcpy(&number, n->data, sizeof(number));
		data = page_at(c, number, pages);
		if (data == NULL || u16(data + 10) != PAGE_OVERFLOW)
			return false;
		data += PAGE_HEADER;
	}
	if (!c->sums)
		return n->key.n == sizeof(number) &&
		    free_sound(c, data, n->size);
	if (n->size < CHECK_SIZE)
		return false;
	memcpy(&sum, data, CHECK_SIZE);
	return sum ==
	    index_check(n->key.p, n->key.n, data + CHECK_SIZE,
		n->size - CHECK_SIZE);
}

static bool tree_sound(struct check *c, const struct tree *t, bool trees);

/* One of ours, in the tree of trees. */
static bool
subtree_sound(struct check *c, const struct node *n)
{
	struct check inner = *c;
	struct tree t;

	if (n->flags != NODE_TREE || n->size != sizeof(t))
		return false;
	memcpy(&t, n->data, sizeof(t));
	inner.sums = true;
	inner.numbers = false;
	return tree_sound(&inner, &t, false);
}

static bool
walk_page(struct check *c, uint64_t number, unsigned int depth, bool trees)
{
	const unsigned char *page = page_at(c, number, 1);
	size_t count;
	bool leaf;

	if (page == NULL || depth == 0)
		return false;
	leaf = depth == 1;
	/* a page that says it is being changed is written to in its place */
	if (u16(page + 10) != (leaf ? PAGE_LEAF : PAGE_BRANCH) ||
	    u16(page + 12) < PAGE_HEADER || u16(page + 12) > u16(page + 14) ||
	    u16(page + 14) > c->page_size)
		return false;
	count = (size_t)(u16(page + 12) - PAGE_HEADER) / 2;
	if (count == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct node n;

		if (!node_at(c, page, i, &n))
			return false;
		if (leaf) {
			if (!ascends(c, n.key, true) ||
			    !(trees ? subtree_sound(c, &n) :
				      value_sound(c, &n)))
				return false;
			c->entries++;
		} else {
			/* the first one of a branch has no meaning */
			if ((i > 0 && !ascends(c, n.key, false)) ||
			    !walk_page(c, n.child, depth - 1, trees))
				return false;
		}
	}
	return true;
}

static bool
tree_sound(struct check *c, const struct tree *t, bool trees)
{
	c->entries = 0;
	c->last_n = 0;
	if (t->root == UINT64_MAX)
		return t->entries == 0;
	return t->depth <= DEPTH_MAX &&
	    walk_page(c, t->root, t->depth, trees) && c->entries == t->entries;
}

static int
check_call(void *with)
{
	struct check *c = with;

	for (uint64_t i = 0; i < 2; i++) {
		struct meta m;

		memcpy(&m, c->map + i * c->page_size + PAGE_HEADER, sizeof(m));
		if (m.transaction != c->transaction)
			continue;
		c->last_page = m.last_page;
		c->numbers = true;
		if (!tree_sound(c, &m.trees[0], false))
			return MDB_CORRUPTED;
		c->numbers = false;
		return tree_sound(c, &m.trees[1], true) ? 0 : MDB_CORRUPTED;
	}
	return MDB_CORRUPTED;
}

enum index_verdict
index_file_verify(int fd, uint64_t transaction)
{
	struct check c = { .page_size = (uint64_t)sysconf(_SC_PAGESIZE),
		.transaction = transaction };
	struct stat st;
	void *map;
	int r;

	if (transaction == 0)
		return INDEX_SOUND; /* nothing was ever written */
	if (fstat(fd, &st) == -1)
		return INDEX_UNKNOWN;
	if ((uint64_t)st.st_size < 2 * c.page_size)
		return INDEX_DAMAGED;
	c.size = (uint64_t)st.st_size;
	map = mmap(NULL, (size_t)c.size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return INDEX_UNKNOWN;
	c.map = map;
	c.seen = mem_new((size_t)(c.size / c.page_size / 8 + 1));
	r = index_guarded(check_call, &c);
	free(c.seen);
	(void)munmap(map, (size_t)c.size);
	return r == 0 ? INDEX_SOUND : INDEX_DAMAGED;
}

static uint64_t
last_transaction(int fd)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE), last = 0;

	for (uint64_t i = 0; i < 2; i++) {
		struct meta m;

		if (pread(fd, &m, sizeof(m),
			(off_t)(i * page_size + PAGE_HEADER)) ==
			(ssize_t)sizeof(m) &&
		    m.transaction > last)
			last = m.transaction;
	}
	return last;
}

const char *
mail_index_check(const char *path)
{
	static const char *const texts[] = { "", "it is damaged",
		"there is no memory to look at it" };
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const char *what = "it cannot be opened";

	index_guard_install(NULL);
	for (unsigned int i = 0; fd != -1 && what[0] != '\0' && i < 3; i++)
		if (index_file_sound(fd, &what))
			what =
			    texts[index_file_verify(fd, last_transaction(fd))];
	if (fd != -1)
		close(fd);
	return what;
}

/* ---- the seal ---- */

/*
 * A file that we changed, or looked through, gets a time of last change whose
 * fraction says so: whoever writes into it, and be it one byte, breaks that. It
 * is no secret, and need not be one: it tells accidents from order, and its
 * owner could write any index he likes.
 */
static long
fraction(uint64_t transaction, const struct stat *st)
{
	const uint64_t facts[3] = { transaction, (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec };

	return (
	    long)(index_check("seal", 4, facts, sizeof(facts)) % 1000000000);
}

bool
index_file_sealed(int fd, uint64_t transaction)
{
	struct stat st;

	return fstat(fd, &st) == 0 &&
	    st.st_mtim.tv_nsec == fraction(transaction, &st);
}

void
index_file_seal(int fd, uint64_t transaction)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (fstat(fd, &st) == -1)
		return;
	times[1].tv_sec = st.st_mtim.tv_sec;
	times[1].tv_nsec = fraction(transaction, &st);
	(void)futimens(fd, times);
}

enum index_verdict
index_file_prove(int fd, uint64_t transaction)
{
	enum index_verdict verdict;
	struct stat before, after;

	if (fstat(fd, &before) == -1)
		return INDEX_UNKNOWN;
	verdict = index_file_verify(fd, transaction);
	if (verdict == INDEX_SOUND && transaction > 0 &&
	    fstat(fd, &after) == 0 &&
	    after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
	    after.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
		index_file_seal(fd, transaction);
	return verdict;
}
