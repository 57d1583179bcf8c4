/* SPDX-License-Identifier: ISC */
#ifndef MASTER_PLAN_H
#define MASTER_PLAN_H

/*
 * What one generation of main.cf and master.cf asks for: checked as a
 * whole before anything of it is done.
 */

#include "lib/conf/common.h"
#include "lib/conf/master_cf.h"
#include "lib/service/programs.h"
#include "master/endpoint.h"

#define PARAM_GROUP master
#define PARAM_DEF "master/params.def"
#include "lib/conf/param.h"

struct planned {
	const struct master_entry *entry;
	const struct program *program;
	const char *path; /* of the executable */
	struct endpoints endpoints;
	size_t limit; /* processes at a time */
	bool must_run; /* always, not only when somebody connects */
	int snapshot; /* of the settings it is told; -1: not made yet */
};

struct plan {
	unsigned int generation;
	struct arena *arena;
	struct conf *conf;
	struct master_cf *cf;
	struct common_params common;
	struct master_params params;
	struct planned *services;
	size_t count;
};

/*
 * NULL when it cannot be done; errors has a line for each mistake, with file
 * and line. Warnings are for `check`, which has generation 0: nothing is
 * started of it.
 */
struct plan *plan_load(const char *directory, unsigned int generation,
    struct buf *errors, struct buf *warnings);
/* Writes the settings down for each service. False with a line in *errors. */
bool plan_snapshots(struct plan *plan, struct buf *errors);
void plan_free(struct plan **p);

#endif
