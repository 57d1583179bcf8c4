/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FUZZ_MODULE_ASKER_H
#define TESTS_FUZZ_MODULE_ASKER_H

/*
 * The program as a module of tables sees it (lib/table/module.h), in place of
 * lib/table/table_client.c; and the input of a fuzzer, byte by byte, for those
 * who play the module's client library.
 *
 * A module calls value() with something, no more once it was told that that is
 * enough, and says why when it fails.
 */

#include "lib/base/buf.h"
#include "lib/table/module.h"

enum {
	ASKER_SET_MAX = 24,
	ASKER_WHY_MAX = 1024,
	ASKER_INPUT_MOST = 4096,
	ASKER_TEXT_MOST = 120, /* of what a library says */
	ASKER_KEY_MOST = 200,
};

struct module_asker {
	struct module_call call; /* the first thing in it */
	const struct table_module *module;
	struct {
		const char *name;
		const char *value;
	} set[ASKER_SET_MAX];
	size_t count;
	size_t patience; /* questions for time until there is none left */
	size_t most; /* values that are enough */
	size_t values;
	struct buf heard; /* all values in a row */
	bool enough;
	bool failed;
	char why[ASKER_WHY_MAX];
};

/* Settings are the module's own, but for what is set then. */
void asker_init(struct module_asker *a, const struct table_module *m);
void asker_fini(struct module_asker *a);
void asker_set(struct module_asker *a, const char *name, const char *value);
/* Connects; NULL when it cannot. */
void *asker_connect(struct module_asker *a, const char *host);
/* Asks for a key: %s and so on in both, as in the settings. */
enum module_result asker_ask(struct module_asker *a, void *connection,
    const char *query, const char *base, struct span key);

/* How a module is tried behind a client library that the input plays. */
struct asker_trial {
	const struct table_module *module;
	const char *query; /* as asker_ask() has it */
	const char *base_setting; /* where the base is; or NULL */
	void (*choose)(struct module_asker *a); /* sets by the input */
	void (*check_key)(struct span key); /* how it is quoted; or NULL */
	/* That the library has back what it gave; closed: connections too. */
	void (*check_given_back)(bool closed);
};

/* Settings, a host, and keys to the end; no input above ASKER_INPUT_MOST. */
void asker_try(const struct asker_trial *t, const uint8_t *data, size_t size);

/* What is left of the input. Behind its end are zeros, for ever. */
extern struct span asker_input;
unsigned int asker_byte(void);
bool asker_chance(unsigned int of); /* of 256; false behind the end */
/* Up to so many bytes; a copy, terminated, whose length is in *n if wanted. */
char *asker_text(size_t most, size_t *n);

#endif
