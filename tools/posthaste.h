/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_POSTHASTE_H
#define TOOLS_POSTHASTE_H

/* The parts of posthaste(1). */

#include "lib/conf/common.h"

struct instance {
	const char *directory; /* of the configuration */
	struct conf *conf;
	struct common_params common;
};

/*
 * Looks at everything that is on disk: directories, owners, programs, rights
 * of commands. As root it repairs what is ours. False when something is
 * wrong and stays so; a line for each on standard error.
 */
bool installation_check(const struct instance *i);
/* The configuration, as master reads it. */
bool configuration_check(const struct instance *i);
/* What becomes of each line of the configuration in a directory. */
bool configuration_report(const struct instance *i, const char *directory,
    bool json);
/* Runs a program and waits: its exit status, 127 when it cannot be run. */
int run_program(const char *path, char *const arguments[]);

#endif
