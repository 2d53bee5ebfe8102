//! Guessing what somebody meant.

/// The known name nearest to a wrong one, if it is near enough to be what was meant.
pub(super) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1.max(name.chars().count() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// ` (did you mean …?)`, or nothing.
pub(super) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>, sign: &str) -> String {
    nearest(wrong, known).map(|name| format!(" (did you mean {sign}{name}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_guessed() {
        let known = ["ffmpeg", "ffprobe"];
        for (wrong, guess) in [
            ("ffmepg", Some("ffmpeg")),
            ("FFmpeg", Some("ffmpeg")),
            ("ffprob", Some("ffprobe")),
            ("mpeg", Some("ffmpeg")),
            ("rm", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), guess, "{wrong}");
        }
    }
}
