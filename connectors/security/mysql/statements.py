"""The statements that several checks of MySQL and MariaDB share: each is asked once in an audit.

Where the two differ, one text serves both: what stands in `/*M! */` is executed by MariaDB only, what stands in
`/*!50706 */` by MySQL from 5.7.6 on and never by MariaDB, which skips the numbers from 50700 to 99999. So does
`/*!80000 */` by MySQL 8 and later.
"""

from __future__ import annotations

# Accounts and roles. No password hash leaves the server: only whether there is one, and of which kind.
ACCOUNTS = """
SELECT u.User AS user, u.Host AS host, u.plugin AS plugin, u.ssl_type AS ssl_type,
 u.authentication_string = '' AS is_empty,
 u.authentication_string IN ('', 'invalid') AS is_unusable,
 u.Super_priv = 'Y' AS can_super, u.File_priv = 'Y' AS can_file, u.Grant_priv = 'Y' AS can_grant,
 u.Process_priv = 'Y' AS can_process, u.Shutdown_priv = 'Y' AS can_shutdown, u.Reload_priv = 'Y' AS can_reload,
 u.Create_user_priv = 'Y' AS can_create_user, @@GLOBAL.require_secure_transport AS only_encrypted,
 CONCAT(QUOTE(u.User), '@', QUOTE(u.Host)) AS quoted
 /*M! , u.is_role = 'Y' AS is_role, JSON_VALUE(g.Priv, '$.account_locked') IN ('1', 'true') AS is_locked */
 /*!50706 , FALSE AS is_role, u.account_locked = 'Y' AS is_locked */
FROM mysql.user u /*M! LEFT JOIN mysql.global_priv g ON g.User = u.User AND g.Host = u.Host */
ORDER BY u.User, u.Host
"""

# Rights on the data of whole databases, and those to change tables of the server's own one by one.
DATABASE_GRANTS = """
SELECT User AS user, Host AS host, Db AS db, CONCAT(QUOTE(User), '@', QUOTE(Host)) AS quoted, '' AS on_table
FROM mysql.db
UNION ALL
SELECT User, Host, Db, CONCAT(QUOTE(User), '@', QUOTE(Host)), Table_name
FROM mysql.tables_priv WHERE Db = 'mysql' AND Table_priv NOT IN ('', 'Select')
ORDER BY 1, 2, 3, 5
"""

# Everybody may read these. A server tells only those that it has.
SETTINGS = """
SHOW GLOBAL VARIABLES WHERE Variable_name IN (
 'bind_address', 'default_password_lifetime', 'default_table_encryption', 'event_scheduler', 'general_log', 'have_ssl',
 'innodb_encrypt_tables', 'local_infile', 'log_bin', 'log_bin_trust_function_creators', 'log_error_verbosity',
 'log_warnings', 'max_password_errors', 'old_passwords', 'require_secure_transport', 'secure_auth',
 'secure_file_priv', 'skip_name_resolve', 'skip_networking', 'sql_mode', 'ssl_cert', 'tls_version')
"""

# Plugins, and the components that take their place in MySQL 8.
PLUGINS = """
SELECT LOWER(PLUGIN_NAME) AS name FROM information_schema.PLUGINS WHERE PLUGIN_STATUS = 'ACTIVE'
/*!80000 UNION ALL SELECT LOWER(component_urn) FROM mysql.component */
"""

# Whether objects of all databases show. The server hides those that a login has no right on, without a word: who sees
# a view of the schema `sys` and a table of `mysql` has rights everywhere, directly or by a role.
SEES_ALL_OBJECTS = """
SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'sys' AND TABLE_NAME = 'version') > 0
 AND (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'time_zone') > 0
 AS sees_all
"""
SEES_NOT_ALL = (
    "this login sees only objects that it has rights on; grant it SHOW VIEW on *.* (it reads no data), "
    "as the grant script does"
)
