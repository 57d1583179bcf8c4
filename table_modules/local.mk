# SPDX-License-Identifier: ISC
# Table types whose client library not every site has: lib/table/module.h.
# They use no symbol of ours, and are linked with their own library alone.
module_cflags = $(filter-out -fPIE,$(AM_CFLAGS)) -fPIC
module_ldflags = -shared -Wl,--as-needed -Wl,-z,relro -Wl,-z,now $(SANITIZE)

EXTRA_PROGRAMS = table_modules/table_ldap.so table_modules/table_mysql.so \
	table_modules/table_pgsql.so table_modules/table_redis.so \
	table_modules/table_sqlite.so
EXTRA_DIST += table_modules/module.h

if HAVE_LDAP
daemon_PROGRAMS += table_modules/table_ldap.so
endif
if HAVE_MYSQL
daemon_PROGRAMS += table_modules/table_mysql.so
endif
if HAVE_PGSQL
daemon_PROGRAMS += table_modules/table_pgsql.so
endif
if HAVE_REDIS
daemon_PROGRAMS += table_modules/table_redis.so
check_PROGRAMS += tests/unit/table_modules/table_redis_test
TESTS += tests/unit/table_modules/table_redis_test
endif
if HAVE_SQLITE
daemon_PROGRAMS += table_modules/table_sqlite.so
endif

table_modules_table_ldap_so_SOURCES = table_modules/table_ldap.c
table_modules_table_ldap_so_CFLAGS = $(module_cflags) $(LDAP_CFLAGS)
table_modules_table_ldap_so_LDFLAGS = $(module_ldflags)
table_modules_table_ldap_so_LDADD = $(LDAP_LIBS)
table_modules_table_mysql_so_SOURCES = table_modules/table_mysql.c
table_modules_table_mysql_so_CFLAGS = $(module_cflags) $(MYSQL_CFLAGS)
table_modules_table_mysql_so_LDFLAGS = $(module_ldflags)
table_modules_table_mysql_so_LDADD = $(MYSQL_LIBS)
table_modules_table_pgsql_so_SOURCES = table_modules/table_pgsql.c
table_modules_table_pgsql_so_CFLAGS = $(module_cflags) $(PGSQL_CFLAGS)
table_modules_table_pgsql_so_LDFLAGS = $(module_ldflags)
table_modules_table_pgsql_so_LDADD = $(PGSQL_LIBS)
table_modules_table_redis_so_SOURCES = table_modules/table_redis.c
table_modules_table_redis_so_CFLAGS = $(module_cflags) $(REDIS_CFLAGS)
table_modules_table_redis_so_LDFLAGS = $(module_ldflags)
table_modules_table_redis_so_LDADD = $(REDIS_LIBS)
table_modules_table_sqlite_so_SOURCES = table_modules/table_sqlite.c
table_modules_table_sqlite_so_CFLAGS = $(module_cflags) $(SQLITE_CFLAGS)
table_modules_table_sqlite_so_LDFLAGS = $(module_ldflags)
table_modules_table_sqlite_so_LDADD = $(SQLITE_LIBS)

tests_unit_table_modules_table_redis_test_SOURCES = \
	tests/unit/table_modules/table_redis_test.c
tests_unit_table_modules_table_redis_test_CFLAGS = $(AM_CFLAGS) $(REDIS_CFLAGS)
tests_unit_table_modules_table_redis_test_LDADD = $(REDIS_LIBS) -lcmocka
