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
#include "lib/tls/tls_kept.h"
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
	/* files of certificates and keys, as they were found good */
	struct tls_kept *certificates;
};

/*
 * NULL when it cannot be done; errors has a line for each mistake, with file
 * and line. "old": certificates that stand for those on disk, or NULL. Warnings
 * are for `check`, which has generation 0: nothing is started of it.
 */
struct plan *plan_load(const char *directory, unsigned int generation,
    const struct tls_kept *old, struct buf *errors, struct buf *warnings);
/*
 * Tries the certificates and keys that this plan's settings name, those in -o
 * as well: as they are on disk, or with tls_kept_use. Lines in *errors.
 */
bool plan_check_certificates(const struct plan *plan, struct buf *errors);
/* Does this program read certificates, or keys? */
bool plan_has_certificates(const struct program *program);
/* Writes the settings down for each service. False with a line in *errors. */
bool plan_snapshots(struct plan *plan, struct buf *errors);
void plan_free(struct plan **p);

#endif
