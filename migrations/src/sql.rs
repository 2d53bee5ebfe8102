//! SQL that several databases take.

use sea_orm_migration::sea_orm::DbBackend;

/// Puts in the words that the databases spell differently, each written in braces, such as `{uuid}`.
pub(crate) fn render(sql: &str, backend: DbBackend) -> String {
    let mysql = backend == DbBackend::MySql;
    let words = [
        ("{blob}", if mysql { "VARBINARY(512)" } else { "BLOB" }),
        ("{long_blob}", if mysql { "LONGBLOB" } else { "BLOB" }),
        ("{uuid}", if mysql { "BINARY(16)" } else { "BLOB" }),
        ("{text}", if mysql { "MEDIUMTEXT" } else { "TEXT" }),
        ("{long_text}", if mysql { "LONGTEXT" } else { "TEXT" }),
        ("{key_text}", if mysql { "VARCHAR(700)" } else { "TEXT" }),
        (
            "{serial}",
            if mysql {
                "BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT"
            } else {
                "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT"
            },
        ),
    ];
    words.iter().fold(sql.to_owned(), |sql, (word, with)| sql.replace(word, with))
}
