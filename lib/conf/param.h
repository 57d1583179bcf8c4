/* SPDX-License-Identifier: ISC */
/*
 * Makes a struct or a table out of a params.def file. Define PARAM_DEF (the
 * file's name in quotes) and PARAM_GROUP (a bare word) and include this: it
 * declares "struct GROUP_params" and "GROUP_param_group". lib/conf/registry.c
 * includes every group again with PARAM_DEFINE set. No include guard.
 *
 * Rows: PARAM(field, TYPE, default, min, max, since, meaning)
 * The field's name is the setting's name in main.cf.
 */
#include "lib/conf/conf.h"

#ifndef PARAM_C_TEXT
#define PARAM_C_TEXT const char *
#define PARAM_C_RAW const char *
#define PARAM_C_WORD const char *
#define PARAM_C_BOOL bool
#define PARAM_C_COUNT int64_t
#define PARAM_C_SIZE int64_t
#define PARAM_C_TIME int64_t
#define PARAM_C_TABLES const char *
#define PARAM_JOIN_(a, b) a##b
#define PARAM_JOIN(a, b) PARAM_JOIN_(a, b)
#define PARAM_QUOTE_(a) #a
#define PARAM_QUOTE(a) PARAM_QUOTE_(a)
#endif

#define PARAM(field, type_, default_, min_, max_, since_, meaning_) \
	PARAM_C_##type_ field;
struct PARAM_JOIN(PARAM_GROUP, _params) {
#include PARAM_DEF
};
extern const struct param_group PARAM_JOIN(PARAM_GROUP, _param_group);
#undef PARAM

#ifdef PARAM_DEFINE
#define PARAM(field, type_, default_, min_, max_, since_, meaning_) \
	{ #field, PARAM_##type_, default_, min_, max_, since_, meaning_, \
		offsetof(struct PARAM_JOIN(PARAM_GROUP, _params), field) },
static const struct param PARAM_JOIN(PARAM_GROUP, _rows)[] = {
#include PARAM_DEF
};
const struct param_group PARAM_JOIN(PARAM_GROUP, _param_group) = {
	PARAM_QUOTE(PARAM_GROUP),
	PARAM_JOIN(PARAM_GROUP, _rows),
	sizeof(PARAM_JOIN(PARAM_GROUP, _rows)) / sizeof(struct param),
	sizeof(struct PARAM_JOIN(PARAM_GROUP, _params)),
};
#undef PARAM
#endif

#undef PARAM_DEF
#undef PARAM_GROUP
