/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_RULE_CHAIN_H
#define LIB_TABLE_RULE_CHAIN_H

/*
 * Rules that are tried in order, with the blocks of "if" and "endif" between
 * which some stand, within each other as deep as one likes. What a rule is and
 * when it holds is its owner's affair; tables of patterns and of networks have
 * this in common.
 */

#include <stdbool.h>
#include <stddef.h>

struct rule_link {
	void *rule; /* the owner's */
	unsigned int line; /* of the file */
	bool opens; /* an "if" */
	/*
	 * Where to go on if it does not hold. Of an "if" that is open yet: the
	 * one around it.
	 */
	size_t otherwise;
};

struct rule_chain {
	struct rule_link *links;
	size_t count;
	size_t innermost; /* "if" that is open */
};

enum rule_verdict {
	RULE_MISSED,
	RULE_HIT,
	RULE_BROKEN, /* cannot be told: no other rule is tried */
};

typedef enum rule_verdict rule_test(const void *rule, void *with);

void rule_chain_init(struct rule_chain *c);
void rule_chain_fini(struct rule_chain *c); /* the rules are the owner's */

void rule_chain_add(struct rule_chain *c, unsigned int line, void *rule);
void rule_chain_if(struct rule_chain *c, unsigned int line, void *rule);
/* False: no "if" is open. */
bool rule_chain_endif(struct rule_chain *c);
/*
 * Once all is read: ends an "if" that has no "endif", the innermost first;
 * where it does not hold, nothing behind it does. False: there is none left.
 */
bool rule_chain_unended(struct rule_chain *c, unsigned int *line);

/*
 * The first rule that is reached and holds, or is broken, and what the test
 * said of it; RULE_MISSED where there is none. *at only where there is one.
 */
enum rule_verdict rule_chain_try(const struct rule_chain *c, rule_test *test,
    void *with, const struct rule_link **at);

#endif
