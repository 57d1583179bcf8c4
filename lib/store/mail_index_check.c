/* SPDX-License-Identifier: ISC */
/*
 * The file's first two pages, which LMDB believes at once: format version,
 * page size, and roots that lie in the file. (LMDB 0.9 and its format are
 * stable; a file of another layout is set aside.)
 */
#include "lib/store/mail_index_internal.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PAGE_HEADER = 16,
	FLAG_META = 0x08,
	META_MAGIC = (int)0xBEEFC0DE,
	META_VERSION = 1,
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

bool
index_file_sound(int fd, const char **what)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	struct stat st;

	*what = "it is damaged";
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return false;
	if (st.st_size == 0)
		return true;
	if ((uint64_t)st.st_size < 2 * page_size)
		return false;
	for (uint64_t i = 0; i < 2; i++) {
		unsigned char page[PAGE_HEADER + sizeof(struct meta)];
		struct meta m;
		uint16_t flags;

		if (pread(fd, page, sizeof(page), (off_t)(i * page_size)) !=
		    (ssize_t)sizeof(page))
			return false;
		memcpy(&flags, page + 10, sizeof(flags));
		memcpy(&m, page + PAGE_HEADER, sizeof(m));
		if ((flags & FLAG_META) == 0 ||
		    !meta_sound(&m, page_size, (uint64_t)st.st_size))
			return false;
	}
	return true;
}
