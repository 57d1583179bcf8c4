/* SPDX-License-Identifier: ISC */
#include "lib/store/mailbox_scan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/store/maildir_list.h"

enum { CHUNK_UIDS = 4096, CHUNK_WORDS = CHUNK_UIDS / 64 };

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
scan_names_init(struct scan_names *s)
{
	*s = (struct scan_names){ 0 };
	buf_init(&s->text, UINT32_MAX);
}

void
scan_names_fini(struct scan_names *s)
{
	buf_fini(&s->text);
	free(s->names);
}

void
scan_names_reset(struct scan_names *s)
{
	buf_reset(&s->text);
	s->count = 0;
}

static uint64_t
seconds_of(struct span name)
{
	size_t digits = 0;
	uint64_t value = 0;

	while (digits < name.n && digits < 18 && name.p[digits] >= '0' &&
	    name.p[digits] <= '9')
		digits++;
	(void)span_u64(span_take(name, digits), UINT64_MAX, &value);
	return value;
}

void
scan_names_add(struct scan_names *s, const struct maildir_file *file,
    uint32_t uid, bool in_new, bool listed)
{
	struct scan_name n = { .uid = uid,
		.at = (uint32_t)s->text.n,
		.n = (uint16_t)file->name.n,
		.in_new = in_new,
		.listed = listed,
		.seconds = uid == 0 ? seconds_of(file->name) : 0 };

	/* four gigabytes of names: the rest in another round */
	if (!buf_add_span(&s->text, file->name))
		return;
	if (s->count == s->room) {
		s->room = s->room == 0 ? 64 : 2 * s->room;
		s->names = mem_resize(s->names, s->room * sizeof(*s->names));
	}
	s->names[s->count++] = n;
}

struct span
scan_name_text(const struct scan_names *s, const struct scan_name *n)
{
	return (struct span){ s->text.p + n->at, n->n };
}

static int
by_uid(const void *left, const void *right)
{
	const struct scan_name *a = left, *b = right;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

void
scan_names_by_uid(struct scan_names *s)
{
	if (s->count > 1)
		qsort(s->names, s->count, sizeof(*s->names), by_uid);
}

static int
by_time(const void *left, const void *right, void *with)
{
	const struct scan_name *a = left, *b = right;
	const char *text = with;
	size_t n = a->n < b->n ? a->n : b->n;
	int order;

	if (a->seconds != b->seconds)
		return a->seconds < b->seconds ? -1 : 1;
	order = memcmp(text + a->at, text + b->at, n);
	return order != 0 ? order : (int)a->n - (int)b->n;
}

void
scan_names_by_time(struct scan_names *s)
{
	if (s->count > 1)
		qsort_r(s->names, s->count, sizeof(*s->names), by_time,
		    s->text.p);
}

void
scan_message(const struct mailbox_folder *f, const struct maildir_file *file,
    uint32_t uid, bool listed, struct mail_index_message *out)
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
	if (listed)
		out->have |= IN_UIDLIST;
}
