/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_MIME_TREE_PRIVATE_H
#define LIB_MAIL_MIME_TREE_PRIVATE_H

/*
 * What is in a tree: for those who make one.
 */

#include "lib/mail/mime_tree.h"

struct mime_tree {
	struct arena *arena; /* holds all the rest */
	struct mime_part *root;
	size_t parts;
	uint64_t size, bare; /* bytes stored; line ends that are no CRLF */
};

/* Empty, with its arena. */
struct mime_tree *mime_tree_new(void);

#endif
