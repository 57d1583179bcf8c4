/* SPDX-License-Identifier: ISC */
#include "lib/store/mailbox_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	CHUNK_UIDS = 4096,
	CHUNK_WORDS = CHUNK_UIDS / 64,
	SPILL = 2 << 20, /* bytes of names in memory */
};

bool
uid_bits_has(const struct uid_bits *b, uint32_t uid)
{
	size_t chunk = uid / CHUNK_UIDS, bit = uid % CHUNK_UIDS;

	return chunk < b->count && b->chunks[chunk] != NULL &&
	    (b->chunks[chunk][bit / 64] >> bit % 64 & 1) != 0;
}

void
uid_bits_set(struct uid_bits *b, uint32_t uid)
{
	size_t chunk = uid / CHUNK_UIDS, bit = uid % CHUNK_UIDS;

	if (chunk >= b->count) {
		size_t count = chunk + 1 + chunk / 4;

		b->chunks = mem_resize(b->chunks, count * sizeof(*b->chunks));
		for (size_t i = b->count; i < count; i++)
			b->chunks[i] = NULL;
		b->count = count;
	}
	if (b->chunks[chunk] == NULL)
		b->chunks[chunk] = mem_array(CHUNK_WORDS, sizeof(uint64_t));
	b->chunks[chunk][bit / 64] |= UINT64_C(1) << bit % 64;
}

void
uid_bits_clear_all(struct uid_bits *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->chunks[i]);
	free(b->chunks);
	*b = (struct uid_bits){ 0 };
}

void
uid_bits_set_of(const struct uid_bits *b, struct uid_set *out)
{
	for (size_t i = 0; i < b->count; i++) {
		uint32_t base = (uint32_t)(i * CHUNK_UIDS);

		for (uint32_t w = 0; b->chunks[i] != NULL && w < CHUNK_WORDS;
		     w++) {
			uint64_t word = b->chunks[i][w];

			if (word == UINT64_MAX) {
				uid_set_add_range(out, base + w * 64,
				    base + w * 64 + 63);
				continue;
			}
			for (; word != 0; word &= word - 1)
				uid_set_add(out,
				    base + w * 64 +
					(uint32_t)__builtin_ctzll(word));
		}
	}
}

void
scan_names_init(struct scan_names *s, int directory)
{
	*s = (struct scan_names){ .directory = directory, .spilled = -1 };
	buf_init(&s->text, UINT32_MAX);
}

static void
unspill(struct scan_names *s)
{
	if (s->map != NULL)
		(void)munmap((void *)(uintptr_t)s->map, s->map_size);
	s->map = NULL;
	s->map_size = 0;
	fd_close(&s->spilled);
}

void
scan_names_fini(struct scan_names *s)
{
	unspill(s);
	buf_fini(&s->text);
	free(s->names);
}

void
scan_names_reset(struct scan_names *s)
{
	unspill(s);
	buf_reset(&s->text);
	s->count = 0;
}

/* Where that cannot be, names stay in memory. */
static void
spill(struct scan_names *s)
{
	if (s->spilled == -1 && s->map_size == 0)
		s->spilled = openat(s->directory, "tmp",
		    O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (s->spilled == -1 ||
	    fd_pwrite_all(s->spilled, s->text.p, s->text.n,
		(off_t)s->map_size) == -1)
		return;
	s->map_size += s->text.n;
	buf_reset(&s->text);
}

uint32_t
scan_name_seconds(struct span name)
{
	uint64_t value = 0;
	size_t digits = 0;

	while (digits < name.n && digits < 18 && name.p[digits] >= '0' &&
	    name.p[digits] <= '9')
		digits++;
	(void)span_u64(span_take(name, digits), UINT64_MAX, &value);
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

void
scan_names_add(struct scan_names *s, struct span name, uint32_t key,
    enum scan_mark mark)
{
	size_t at = s->map_size + s->text.n;

	/* four gigabytes of names: the rest in another round */
	if (at > UINT32_MAX - MAILDIR_FILE_MAX)
		return;
	buf_add_char(&s->text, (char)mark);
	buf_add_span(&s->text, name);
	buf_add_char(&s->text, '\0');
	if (s->count == s->room) {
		s->room = s->room == 0 ? 64 : s->room + s->room / 2;
		s->names = mem_resize(s->names, s->room * sizeof(*s->names));
	}
	s->names[s->count++] = (struct scan_name){ key, (uint32_t)at };
	if (s->text.n >= SPILL)
		spill(s);
}

void
scan_names_add_file(struct scan_names *s, const struct maildir_file *file,
    enum scan_mark mark)
{
	scan_names_add(s, file->name, scan_name_seconds(file->name), mark);
}

static const char *
text_at(const struct scan_names *s, uint32_t at)
{
	return at < s->map_size ? s->map + at : s->text.p + (at - s->map_size);
}

static int
compare(const void *left, const void *right, void *with)
{
	const struct scan_name *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return strcmp(text_at(with, a->at) + 1, text_at(with, b->at) + 1);
}

void
scan_names_sort(struct scan_names *s)
{
	if (s->map_size > 0 && s->map == NULL) {
		s->map = mmap(NULL, s->map_size, PROT_READ, MAP_SHARED,
		    s->spilled, 0);
		if (s->map == MAP_FAILED)
			fatal("no memory for the names of a mailbox: %s",
			    strerror(errno));
	}
	if (s->count > 1)
		qsort_r(s->names, s->count, sizeof(*s->names), compare, s);
}

const char *
scan_name_text(const struct scan_names *s, size_t i, enum scan_mark *mark)
{
	const char *text = text_at(s, s->names[i].at);

	*mark = (enum scan_mark)text[0];
	return text + 1;
}

void
scan_message(const struct mailbox_folder *f, const struct maildir_file *file,
    uint32_t uid, uint32_t listed, struct mail_index_message *out)
{
	*out = (struct mail_index_message){ .uid = uid,
		.flags = file->flags,
		.keywords =
		    file->keywords | folder_state_keywords(&f->state, uid),
		.name = file->name };
	if (file->size != UINT64_MAX) {
		out->size = file->size;
		out->have |= HAVE_SIZE;
		/* as our own delivery names a file in CRLF form */
		if (file->stored == file->size)
			out->have |= HAVE_FORM | CRLF_FORM;
	}
	out->have |= listed;
}
