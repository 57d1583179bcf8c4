/* SPDX-License-Identifier: ISC */
/* THREAD (RFC 5256). */
#include <inttypes.h>

#include "imapd/esearch.h"
#include "imapd/search.h"
#include "imapd/sort.h"
#include "imapd/thread.h"
#include "lib/base/clock.h"
#include "lib/task/task.h"

enum { SLICE_MS = 20, CLOCK_EVERY = 256 };

static bool
parse_request(struct imap_session *s, struct search_request *r,
    bool *references)
{
	*references = r->count > 0 && imap_arg_is(r->args, "REFERENCES");
	if (r->count == 0 ||
	    (!*references && !imap_arg_is(r->args, "ORDEREDSUBJECT"))) {
		reply_bad(s, r->command, "Unknown threading algorithm");
		return false;
	}
	r->args++;
	r->count--;
	return search_take_charset(s, r) && search_take_keys(s, r);
}

static bool
breathe(int64_t *slice_end)
{
	if (clock_ms() < *slice_end)
		return true;
	if (task_current() != NULL && wait_yield() == WAIT_CANCELLED)
		return false;
	*slice_end = clock_ms() + SLICE_MS;
	return true;
}

/* All messages' keys to the builder, some at a time. */
static bool
add_all(struct mailbox *m, struct thread_builder *b, const struct uid_set *uids)
{
	int64_t slice_end = clock_ms() + SLICE_MS;
	uint32_t uid = 0;
	bool more = true;

	while (more) {
		struct sort_key key;

		mailbox_hold(m);
		for (int i = 0; i < CLOCK_EVERY && more; i++) {
			more = uid_set_next(uids, &uid);
			if (more && sort_key_of(m, uid, &key))
				thread_add(b, uid, &key);
		}
		mailbox_release(m);
		if (!breathe(&slice_end))
			return false;
	}
	return true;
}

static bool
key_again(void *with, uint32_t uid, struct message_id *subject, bool *reply)
{
	struct span text;
	struct sort_key key;

	if (!sort_key_of(with, uid, &key))
		return false;
	text = key.text[SORT_TEXT_SUBJECT];
	*subject = (struct message_id){ { 0, 0 } };
	if (text.n > 0)
		*subject = message_id_hash(text);
	*reply = key.reply;
	return true;
}

static void
write_mark(void *with, char mark, uint32_t uid)
{
	struct search_request *r = with;
	struct imap_session *s = r->session;

	if (mark != '0')
		buf_add_char(&s->out, mark);
	else
		buf_printf(&s->out, "%" PRIu32,
		    r->uid ? uid : mailbox_view_number(&s->view, uid));
	esearch_spill(s);
}

static enum mail_result
make_tree(struct search_request *r, bool references,
    const struct uid_set *found, struct thread_tree *out, struct why *why)
{
	const struct sort_progress progress = { search_progress, r };
	struct imap_session *s = r->session;
	struct thread_builder *b;
	enum mail_result result;

	result = sort_keys_ready(s->mailbox, found, &progress, why);
	if (result != MAIL_OK)
		return result;
	b = thread_begin(references, uid_set_members(found));
	if (!add_all(s->mailbox, b, found)) {
		thread_abandon(&b);
		why_set(why, "4.3.0", "threading was given up");
		return MAIL_FAILED;
	}
	mailbox_hold(s->mailbox);
	thread_end(&b, key_again, s->mailbox, out);
	mailbox_release(s->mailbox);
	return MAIL_OK;
}

static void
answer(struct imap_session *s, struct search_request *r, bool references,
    const struct uid_set *found)
{
	struct thread_tree tree;
	enum mail_result result;
	struct why why = { 0 };

	result = make_tree(r, references, found, &tree, &why);
	if (result != MAIL_OK) {
		/* a client that is gone is why it ended */
		if (s->state != IMAP_LOGGED_OUT)
			reply_result(s, r->command, result, &why);
		return;
	}
	buf_add_text(&s->out, "* THREAD");
	if (tree.count > 1)
		buf_add_char(&s->out, ' ');
	thread_tree_write(&tree, write_mark, r);
	buf_add_text(&s->out, "\r\n");
	thread_tree_fini(&tree);
	reply_ok(s, r->command, NULL, "Thread completed");
}

void
imap_thread(struct imap_session *s, const struct imap_command *c)
{
	struct uid_set found = { 0 };
	struct search_request r;
	bool references;

	if (!search_begin(s, c, &r))
		return;
	if (parse_request(s, &r, &references) &&
	    search_find(s, &r, false, 0, &found))
		answer(s, &r, references, &found);
	uid_set_fini(&found);
	search_end(&r);
}
