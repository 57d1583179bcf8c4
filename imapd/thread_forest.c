/* SPDX-License-Identifier: ISC */
#include "imapd/thread_internal.h"

/*
 * Each path of the real tree is a splay tree in order of depth; "up" of its
 * root is the node above the path. Paths are rearranged so that the one to
 * the node asked for is in one piece.
 */
typedef struct thread_forest forest;

static bool
is_splay_root(const forest *f, uint32_t x)
{
	uint32_t up = f->nodes[x].up;

	return up == 0 || (f->nodes[up].left != x && f->nodes[up].right != x);
}

/* x goes to the place of the node above it in its splay tree. */
static void
rotate(forest *f, uint32_t x)
{
	struct forest_node *n = f->nodes;
	uint32_t up = n[x].up, above = n[up].up, middle;
	bool root = is_splay_root(f, up);

	if (n[up].left == x) {
		middle = n[x].right;
		n[up].left = middle;
		n[x].right = up;
	} else {
		middle = n[x].left;
		n[up].right = middle;
		n[x].left = up;
	}
	if (middle != 0)
		n[middle].up = up;
	n[up].up = x;
	n[x].up = above;
	if (root)
		return;
	if (n[above].left == up)
		n[above].left = x;
	else
		n[above].right = x;
}

static void
splay(forest *f, uint32_t x)
{
	struct forest_node *n = f->nodes;

	while (!is_splay_root(f, x)) {
		uint32_t up = n[x].up;

		if (!is_splay_root(f, up)) {
			uint32_t above = n[up].up;
			bool straight =
			    (n[above].left == up) == (n[up].left == x);

			rotate(f, straight ? up : x);
		}
		rotate(f, x);
	}
}

/* The path from x to its root becomes one piece, with x at its end. */
static void
expose(forest *f, uint32_t x)
{
	uint32_t below = 0;

	for (uint32_t at = x; at != 0; at = f->nodes[at].up) {
		splay(f, at);
		f->nodes[at].right = below;
		below = at;
	}
	splay(f, x);
}

uint32_t
thread_forest_root(struct thread_forest *f, uint32_t node)
{
	expose(f, node);
	while (f->nodes[node].left != 0)
		node = f->nodes[node].left;
	splay(f, node);
	return node;
}

void
thread_forest_link(struct thread_forest *f, uint32_t child, uint32_t parent)
{
	expose(f, child);
	f->nodes[child].up = parent;
}

void
thread_forest_cut(struct thread_forest *f, uint32_t child)
{
	uint32_t rest;

	expose(f, child);
	rest = f->nodes[child].left;
	f->nodes[child].left = 0;
	if (rest != 0)
		f->nodes[rest].up = 0;
}
