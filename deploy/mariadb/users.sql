-- Database and accounts for ffleet. Once, as root, on the server or on one node of the cluster: mariadb < users.sql
-- Change the passwords first, and the network: the addresses that connections come from, which are the proxies' behind HAProxy.

-- Texts are compared byte by byte, spaces at the end included; see ffleet.cnf.
CREATE DATABASE IF NOT EXISTS ffleet CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- The coordinators. They read and write rows, and bring the tables to their version when they start; nothing else, and
-- nowhere else. With TLS in ffleet.cnf, add REQUIRE SSL to the first line.
CREATE USER IF NOT EXISTS 'ffleet'@'10.0.0.%' IDENTIFIED BY 'CHANGE-ME-1';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP ON ffleet.* TO 'ffleet'@'10.0.0.%';

-- deploy/mariadb/galera-check: may connect and ask for the server's status, for which no privilege is needed. A few at a time:
-- those that hang must not use up connections.
CREATE USER IF NOT EXISTS 'galera_check'@'localhost' IDENTIFIED BY 'CHANGE-ME-2' WITH MAX_USER_CONNECTIONS 16;

-- For wsrep_sst_method = mariabackup: the system's user `mysql`, on this machine, without a password. Galera only.
CREATE USER IF NOT EXISTS 'mysql'@'localhost' IDENTIFIED VIA unix_socket;
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO 'mysql'@'localhost';
