/* SPDX-License-Identifier: ISC */
#include "lib/table/rule_chain.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/mem.h"

#define NOWHERE SIZE_MAX

void
rule_chain_init(struct rule_chain *c)
{
	*c = (struct rule_chain){ .innermost = NOWHERE };
}

void
rule_chain_fini(struct rule_chain *c)
{
	free(c->links);
	rule_chain_init(c);
}

static struct rule_link *
append(struct rule_chain *c, unsigned int line, void *rule)
{
	struct rule_link *l;

	if ((c->count & (c->count - 1)) == 0)
		c->links = mem_resize(c->links,
		    (c->count ? c->count * 2 : 1) * sizeof(*l));
	l = &c->links[c->count++];
	*l = (struct rule_link){ .rule = rule, .line = line };
	return l;
}

void
rule_chain_add(struct rule_chain *c, unsigned int line, void *rule)
{
	struct rule_link *l = append(c, line, rule);

	l->otherwise = c->count;
}

void
rule_chain_if(struct rule_chain *c, unsigned int line, void *rule)
{
	struct rule_link *l = append(c, line, rule);

	l->opens = true;
	l->otherwise = c->innermost;
	c->innermost = c->count - 1;
}

/* The innermost, once it is known where those go that it does not hold for. */
static struct rule_link *
end_innermost(struct rule_chain *c, size_t otherwise)
{
	struct rule_link *l = &c->links[c->innermost];

	c->innermost = l->otherwise;
	l->otherwise = otherwise;
	return l;
}

bool
rule_chain_endif(struct rule_chain *c)
{
	if (c->innermost == NOWHERE)
		return false;
	(void)end_innermost(c, c->count);
	return true;
}

bool
rule_chain_unended(struct rule_chain *c, unsigned int *line)
{
	if (c->innermost == NOWHERE)
		return false;
	*line = end_innermost(c, NOWHERE)->line;
	return true;
}

enum rule_verdict
rule_chain_try(const struct rule_chain *c, rule_test *test, void *with,
    const struct rule_link **at)
{
	size_t i = 0;

	while (i < c->count) {
		const struct rule_link *l = &c->links[i];
		enum rule_verdict v = test(l->rule, with);

		if (v == RULE_BROKEN || (v == RULE_HIT && !l->opens)) {
			*at = l;
			return v;
		}
		i = v == RULE_HIT ? i + 1 : l->otherwise;
	}
	return RULE_MISSED;
}
