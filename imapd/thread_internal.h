/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_THREAD_INTERNAL_H
#define IMAPD_THREAD_INTERNAL_H

/* Between thread.c and its parts. */

#include "imapd/thread.h"

/*
 * A table of 128-bit names, to places. The names come from outside, hashed
 * under a known key: a secret of this process is mixed in, so that nobody can
 * aim at one slot.
 */
struct thread_table {
	uint32_t *slots; /* place + 1 in names; 0: free */
	size_t mask;
	struct message_id *names;
	uint32_t *places;
	uint32_t count;
	size_t room;
};

void thread_table_fini(struct thread_table *t);
/* Where to find, or put, its place; a new one is 0. */
uint32_t *thread_table_at(struct thread_table *t, struct message_id name);
/* The same, but NULL when it is not there. */
uint32_t *
thread_table_find(const struct thread_table *t, struct message_id name);

/*
 * Trees under change: who is the root of a node's tree, in amortized
 * logarithmic time however deep it is (link-cut trees: Sleator, Tarjan,
 * "A data structure for dynamic trees", 1983). Node 0 is nobody.
 */
struct thread_forest {
	struct forest_node {
		uint32_t up, left, right;
	} * nodes;
};

uint32_t thread_forest_root(struct thread_forest *f, uint32_t node);
/* "child" is a root, and not that of "parent". */
void
thread_forest_link(struct thread_forest *f, uint32_t child, uint32_t parent);
void thread_forest_cut(struct thread_forest *f, uint32_t child);

/* Makes order and first: siblings by sent date, dummies by their first child.
 */
void thread_tree_arrange(struct thread_tree *t);

#endif
