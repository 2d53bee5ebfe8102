//! Arguments with places for a file's names, such as `{dir}/{stem}.mkv`.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

/// What can stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    /// The file's whole path.
    Input,
    /// What `--output` makes of it.
    Output,
    /// The folder it is in.
    Dir,
    /// Its name.
    Name,
    /// Its name without the extension.
    Stem,
    /// Its extension, without the dot.
    Ext,
}

const HOLES: [(&str, Hole); 6] = [
    ("input", Hole::Input),
    ("output", Hole::Output),
    ("dir", Hole::Dir),
    ("name", Hole::Name),
    ("stem", Hole::Stem),
    ("ext", Hole::Ext),
];

/// A text with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Hole(Hole),
}

impl Pattern {
    /// Reads `{stem}` and its like; `{{` and `}}` stand for braces.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let whole = text.to_string_lossy();
        let (mut pieces, mut plain) = (Vec::new(), Vec::new());
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            match (first, after.first()) {
                (b'{', Some(b'{')) | (b'}', Some(b'}')) => {
                    plain.push(*first);
                    rest = &after[1..];
                }
                (b'{', _) => {
                    let Some(end) = after.iter().position(|byte| *byte == b'}') else {
                        return Err(format!("{whole:?} has a {{ without its }}; write {{{{ for a brace"));
                    };
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Hole(hole(&after[..end], &whole)?));
                    rest = &after[end + 1..];
                }
                (b'}', _) => return Err(format!("{whole:?} has a }} without its {{; write }}}} for a brace")),
                (byte, _) => {
                    plain.push(*byte);
                    rest = after;
                }
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// A text that is nothing but this hole.
    #[must_use]
    pub fn of(hole: Hole) -> Self {
        Self(vec![Piece::Hole(hole)])
    }

    /// A text without holes.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(vec![Piece::Text(text.as_bytes().to_vec())])
    }

    /// Whether it names the file in any way but by its output.
    #[must_use]
    pub fn names_the_input(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Hole(hole) if *hole != Hole::Output))
    }

    /// Whether this hole is in it.
    #[must_use]
    pub fn has(&self, wanted: Hole) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Hole(hole) if *hole == wanted))
    }

    /// The text for one file.
    #[must_use]
    pub fn fill(&self, input: &Path, output: Option<&Path>) -> OsString {
        let mut text = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(bytes) => text.extend_from_slice(bytes),
                Piece::Hole(hole) => text.extend_from_slice(value(*hole, input, output).as_bytes()),
            }
        }
        OsString::from_vec(text)
    }
}

fn value<'a>(hole: Hole, input: &'a Path, output: Option<&'a Path>) -> &'a OsStr {
    match hole {
        Hole::Input => input.as_os_str(),
        Hole::Output => output.map(Path::as_os_str).unwrap_or_default(),
        Hole::Dir => input.parent().map(Path::as_os_str).unwrap_or_default(),
        Hole::Name => input.file_name().unwrap_or_default(),
        Hole::Stem => input.file_stem().unwrap_or_default(),
        Hole::Ext => input.extension().unwrap_or_default(),
    }
}

fn hole(name: &[u8], whole: &str) -> Result<Hole, String> {
    let known = HOLES.iter().find(|(known, _)| known.as_bytes() == name);
    known.map(|(_, hole)| *hole).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        let all = HOLES.map(|(known, _)| format!("{{{known}}}")).join(", ");
        format!("{{{name}}} in {whole:?} is no placeholder; there are {all}, and {{{{ and }}}} stand for braces")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pattern: &str) -> Result<String, String> {
        let pattern = Pattern::parse(OsStr::new(pattern))?;
        let filled = pattern.fill(Path::new("/media/a {x}/b.c.mkv"), Some(Path::new("/out/b.mp4")));
        Ok(filled.into_string().unwrap())
    }

    #[test]
    fn holes_are_filled() {
        for (pattern, expected) in [
            ("{input}", "/media/a {x}/b.c.mkv"),
            ("{dir}/{stem}.mp4", "/media/a {x}/b.c.mp4"),
            ("{name}|{ext}", "b.c.mkv|mkv"),
            ("file:{output}", "file:/out/b.mp4"),
            ("subtitles={dir}/{stem}.srt", "subtitles=/media/a {x}/b.c.srt"),
            ("text='%{{localtime}}'", "text='%{localtime}'"),
            ("{{{stem}}}", "{b.c}"),
            ("", ""),
            ("-y", "-y"),
        ] {
            assert_eq!(filled(pattern).unwrap(), expected, "{pattern}");
        }
        let bare = Pattern::parse(OsStr::new("{stem}.{ext}")).unwrap();
        assert_eq!(bare.fill(Path::new("/x/README"), None), "README.");
    }

    #[test]
    fn what_is_no_hole_is_named() {
        for (pattern, words) in [
            ("{stam}.mkv", "{stam}"),
            ("%{localtime}", "{{ and }}"),
            ("{}", "{}"),
            ("{stem", "without its }"),
            ("stem}", "without its {"),
        ] {
            let error = filled(pattern).unwrap_err();
            assert!(error.contains(words) && error.contains(pattern), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_survive() {
        let pattern = Pattern::parse(OsStr::from_bytes(b"\xfe{stem}")).unwrap();
        assert_eq!(pattern.fill(Path::new(OsStr::from_bytes(b"/x/\xff.mkv")), None).as_bytes(), b"\xfe\xff");
    }

    proptest::proptest! {
        /// Whatever is typed with its braces doubled is meant literally.
        #[test]
        fn doubled_braces_are_braces(text in "[{}a/%é]{0,12}") {
            let doubled = text.replace('{', "{{").replace('}', "}}");
            proptest::prop_assert_eq!(filled(&doubled).unwrap(), text);
        }
    }
}
