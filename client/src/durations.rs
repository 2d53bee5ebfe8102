//! Durations as people write them: `90s`, `5m`, `2h30m`, `1 day`.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// Reads a duration of at least a second.
pub fn parse(text: &str) -> Result<Duration, String> {
    let help = "write it with its units, such as 90s, 5m, 2h30m or 1d";
    let span: Span = text.parse().map_err(|_| format!("{text:?} is not a duration; {help}"))?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| format!("months and years differ in length; {help}"))?;
    match Duration::try_from(duration) {
        Ok(duration) if duration >= Duration::from_secs(1) => Ok(duration),
        _ => Err("it must be at least one second".to_owned()),
    }
}

/// A moment, or how long ago it was.
pub fn parse_since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let ago = parse(text)
        .map_err(|_| format!("{text:?} is neither a moment such as 2026-11-20T08:00:00Z nor a duration such as 2h"))?;
    let ago = SignedDuration::try_from(ago).map_err(|error| error.to_string())?;
    now.checked_sub(ago).map_err(|error| error.to_string())
}

/// Whole seconds, rounded up: a limit is never shorter than what was asked for.
#[must_use]
pub fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// For people: the two largest units.
#[must_use]
pub fn human(seconds: i64) -> String {
    let total = seconds.max(0);
    let (days, hours, minutes, rest) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {rest} s")
    } else {
        format!("{rest} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_durations_in_many_ways() {
        for (text, seconds) in
            [("90s", 90), ("5m", 300), ("2h30m", 9_000), ("2h 30m", 9_000), ("1d", 86_400), ("1 hour", 3_600)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "90", "fast", "0s", "-5m", "1 month", "100ms"] {
            assert!(parse(bad).is_err(), "{bad} was taken");
        }
        assert_eq!(whole_seconds(Duration::from_millis(1_200)), 2);
    }

    #[test]
    fn moments_are_absolute_or_ago() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        assert_eq!(parse_since("2h", now).unwrap().to_string(), "2026-11-20T10:00:00Z");
        assert_eq!(parse_since("2026-11-19T00:00:00Z", now).unwrap().to_string(), "2026-11-19T00:00:00Z");
        assert!(parse_since("yesterday-ish", now).is_err());
    }

    #[test]
    fn two_units_are_enough() {
        for (seconds, text) in [(-3, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_700, "1 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(human(seconds), text);
        }
    }
}
