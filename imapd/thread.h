/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_THREAD_H
#define IMAPD_THREAD_H

/*
 * Threads of messages: ORDEREDSUBJECT and REFERENCES of RFC 5256, the latter
 * to the letter. Time is n log n whatever the messages refer to, nothing
 * recurses. Memory is about 80 bytes for each message and for each message id
 * that is referred to but not there; of those no more than THREAD_DUMMIES for
 * each message are remembered (and some thousands in any case).
 *
 * Pure: knows nothing of mailboxes.
 */

#include "imapd/sort_key.h"

enum { THREAD_DUMMIES = 8 };

struct thread_node {
	uint32_t uid; /* 0: a dummy, whose children belong together */
	uint32_t parent; /* place of it; 0: it is on top */
	int64_t sent;
	bool reply;
};

struct thread_tree {
	struct thread_node *nodes; /* nodes[0] stands above all */
	uint32_t count; /* with that */
	/* made by thread_tree_arrange */
	uint32_t *order; /* nodes, children of one parent side by side */
	uint32_t *first; /* of a node: where its children begin in order */
};

struct thread_builder;

/* "messages": how many are to come. */
struct thread_builder *thread_begin(bool references, size_t messages);
/* In the mailbox's order. */
void
thread_add(struct thread_builder *b, uint32_t uid, const struct sort_key *key);
/*
 * The key of a message again: for its subject, where it heads a thread. False:
 * it is gone, and has none.
 */
typedef bool
thread_key(void *with, uint32_t uid, struct message_id *subject, bool *reply);
/* The builder is gone. */
void thread_end(struct thread_builder **b, thread_key *key, void *with,
    struct thread_tree *out);
/* Without making a tree of it. NULL is fine. */
void thread_abandon(struct thread_builder **b);
void thread_tree_fini(struct thread_tree *t);

/*
 * "(2)(3 6 (4 23)(44 7 96))", RFC 5256's thread-data, piece by piece: "write"
 * is called with "(", ")", " " or a number's UID.
 */
typedef void thread_write(void *with, char mark, uint32_t uid);
void
thread_tree_write(const struct thread_tree *t, thread_write *write, void *with);

#endif
