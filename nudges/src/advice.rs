//! What the words of a broker, or of the way to it, mean, and what to do.

use ffleet_settings::Trust;

/// The words, with what to do. `section` is that of the configuration.
pub(crate) fn explained(section: &str, error: &str) -> String {
    let says = |words: &[&str]| words.iter().any(|words| error.contains(words));
    let (ca, urls) = (format!("notify.{section}.ca"), format!("notify.{section}.urls"));
    let trust = Trust { whose: "the broker's", ca: &ca, address: &urls };
    let advice = if let Some(advice) = trust.advice(error) {
        advice
    } else if says(&["ACCESS_REFUSED", "ACCESS-REFUSED", "NotAuthorized", "BadUserNamePassword"]) {
        let user = format!("check the user in `{urls}` and `notify.{section}.password_file`");
        let files = if section == "amqp" { "deploy/rabbitmq" } else { "deploy/mosquitto" };
        format!("{user}, and the user's permissions ({files})")
    } else if says(&["NOT_ALLOWED", "NOT-ALLOWED"]) {
        format!("check the vhost at the end of the address in `{urls}`, and that the user may use it")
    } else if says(&["NOT_FOUND", "NOT-FOUND"]) {
        "the exchange ffleet.nudges is made by a coordinator, or by deploy/rabbitmq".to_owned()
    } else if says(&["Connection refused (", "no answer in time", "failed to lookup", "unreachable", "No route"]) {
        format!("check the address in `{urls}`, that the broker runs, and that nothing in between shuts its port")
    } else {
        return error.to_owned();
    };
    format!("{error}; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_say_is_explained() {
        for (section, error, words) in [
            ("amqp", "ACCESS_REFUSED - Login was refused", "`notify.amqp.password_file`, and the user's permissions"),
            ("amqp", "NOT_ALLOWED - vhost nope not found", "the vhost at the end of the address in `notify.amqp.urls`"),
            ("amqp", "NOT_FOUND - no exchange 'ffleet.nudges'", "deploy/rabbitmq"),
            ("amqp", "IO error: Connection refused (os error 111)", "that the broker runs"),
            ("amqp", "invalid peer certificate: UnknownIssuer", "set `notify.amqp.ca`"),
            ("mqtt", "Connection refused, return code: `NotAuthorized`", "`notify.mqtt.password_file`"),
            ("mqtt", "I/O: Connection refused (os error 111)", "`notify.mqtt.urls`"),
            ("mqtt", "TLS: invalid peer certificate: UnknownIssuer", "set `notify.mqtt.ca`"),
            ("mqtt", "no answer in time", "that the broker runs"),
        ] {
            let said = explained(section, error);
            assert!(said.starts_with(&format!("{error}; ")) && said.contains(words), "{said}");
        }
        assert_eq!(explained("mqtt", "something else"), "something else");
    }
}
