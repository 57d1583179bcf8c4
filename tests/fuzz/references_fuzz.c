/* SPDX-License-Identifier: ISC */
/*
 * Messages whose headers are cut from the input: every one is in the threads
 * once, whatever refers to what.
 */
#include "imapd/thread.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

enum { MESSAGES = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct box {
	struct buf records[MESSAGES];
	unsigned int seen[MESSAGES];
	int depth;
	size_t count;
};

static bool
key_of(void *with, uint32_t uid, struct message_id *subject, bool *reply)
{
	struct box *box = with;
	struct sort_key key;

	ensure(sort_key_read(buf_span(&box->records[uid - 1]), &key));
	*subject = message_id_hash(key.text[SORT_TEXT_SUBJECT]);
	*reply = key.reply;
	return true;
}

static void
on_mark(void *with, char mark, uint32_t uid)
{
	struct box *box = with;

	box->depth += mark == '(';
	box->depth -= mark == ')';
	ensure(box->depth >= 0);
	if (mark == '0') {
		ensure(uid > 0 && uid <= box->count && box->depth > 0);
		box->seen[uid - 1]++;
	}
}

static void
thread(struct box *box, bool references)
{
	struct thread_builder *b = thread_begin(references, box->count);
	struct thread_tree tree;

	memset(box->seen, 0, sizeof(box->seen));
	for (uint32_t i = 0; i < box->count; i++) {
		struct sort_key key;

		ensure(sort_key_read(buf_span(&box->records[i]), &key));
		thread_add(b, i + 1, &key);
	}
	thread_end(&b, key_of, box, &tree);
	thread_tree_write(&tree, on_mark, box);
	thread_tree_fini(&tree);
	ensure(box->depth == 0);
	for (size_t i = 0; i < box->count; i++)
		ensure(box->seen[i] == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size }, header;
	struct box *box = mem_new(sizeof(*box));

	while (box->count < MESSAGES && span_cut(&rest, "%", true, &header)) {
		buf_init(&box->records[box->count], 1 << 20);
		sort_key_make(header, &box->records[box->count]);
		box->count++;
	}
	thread(box, true);
	thread(box, false);
	for (size_t i = 0; i < box->count; i++)
		buf_fini(&box->records[i]);
	free(box);
	return 0;
}
