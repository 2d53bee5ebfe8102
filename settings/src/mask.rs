//! Showing a configuration without its secrets.

use serde::Serialize;
use toml::Value;

use crate::SettingsError;

/// What stands for a secret.
const MASK: &str = "***";
/// Parameters of URLs that carry secrets.
const SECRET_PARAMETERS: [&str; 4] = ["password", "passwd", "secret", "token"];

/// The configuration as TOML. Values of keys called one of `secrets` are masked whole; in all other texts, passwords
/// inside URLs are.
///
/// # Errors
/// When `value` has no TOML form.
pub fn show<T: Serialize>(value: &T, secrets: &[&str]) -> Result<String, SettingsError> {
    let mut table = Value::try_from(value).map_err(|error| SettingsError::CannotShow(error.to_string()))?;
    mask(&mut table, secrets);
    toml::to_string_pretty(&table).map_err(|error| SettingsError::CannotShow(error.to_string()))
}

fn mask(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => *text = mask_text(text),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, secrets)),
        Value::Table(table) => {
            for (key, inner) in table.iter_mut() {
                if secrets.contains(&key.as_str()) {
                    *inner = Value::String(MASK.to_owned());
                } else {
                    mask(inner, secrets);
                }
            }
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// The text with passwords inside URLs masked: `mysql://user:***@host/db?password=***`.
///
/// Passwords with unescaped `/`, `?` or `@` are not valid in URLs and occur all the same, so everything up to the last
/// `@` counts as password: masking too much is the harmless mistake.
#[must_use]
pub fn mask_text(text: &str) -> String {
    let Some(start) = text.find("://").map(|at| at + 3) else { return text.to_owned() };
    let (scheme, rest) = text.split_at(start);
    let (login, rest) = match rest.rfind('@') {
        Some(at) => rest.split_at(at),
        None => ("", rest),
    };
    let login = match login.split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}"),
        None => login.to_owned(),
    };
    let rest = match rest.split_once('?') {
        Some((before, query)) => format!("{before}?{}", mask_query(query)),
        None => rest.to_owned(),
    };
    format!("{scheme}{login}{rest}")
}

fn mask_query(query: &str) -> String {
    let masked = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRET_PARAMETERS.iter().any(|secret| name.to_ascii_lowercase().contains(secret)) => {
            format!("{name}={MASK}")
        }
        _ => pair.to_owned(),
    };
    query.split('&').map(masked).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_survives() {
        for (text, masked) in [
            ("sqlite:///var/lib/ffleet/ffleet.db?mode=rwc", "sqlite:///var/lib/ffleet/ffleet.db?mode=rwc"),
            ("mysql://me:hunter2@db:3306/ffleet", "mysql://me:***@db:3306/ffleet"),
            ("mysql://me@db/ffleet", "mysql://me@db/ffleet"),
            ("postgres://me:a/b?c@d@db/x?sslpassword=hunter2&a=b", "postgres://me:***@db/x?sslpassword=***&a=b"),
            ("plain text: a@b", "plain text: a@b"),
        ] {
            assert_eq!(mask_text(text), masked);
        }
    }

    #[test]
    fn named_secrets_are_masked_in_any_depth() {
        #[derive(Serialize)]
        struct Inner {
            secret: String,
            url: String,
        }
        #[derive(Serialize)]
        struct Outer {
            name: String,
            inner: Vec<Inner>,
        }
        let inner = vec![Inner { secret: "s3cr3t".into(), url: "amqp://u:hunter2@h".into() }];
        let shown = show(&Outer { name: "n".into(), inner }, &["secret"]).unwrap();
        assert!(!shown.contains("s3cr3t") && !shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("amqp://u:***@h"), "{shown}");
    }
}
