//! What a template consists of.

use std::collections::BTreeSet;

use super::{
    FILE_PREFIX, TemplateError, TemplateProblem, Variable,
    lexical::{Step, depth_after, steps},
};

/// An argument in which paths are known as such.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Template {
    /// Literals are not empty and no two of them are neighbours, so that one argument has one form.
    pieces: Vec<Piece>,
}

/// A part of an argument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    /// Bytes for the program as they are.
    Literal(Vec<u8>),
    /// A path that each machine puts under its own directory.
    Path(VarPath),
}

/// A path under a variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarPath {
    /// The variable.
    pub variable: Variable,
    /// What follows the variable and its slash; empty for the variable's own directory. It may begin with a slash or
    /// hold `..`, so it is never to be joined to a directory unchecked; see [`VarPath::names`].
    pub rest: Vec<u8>,
}

impl VarPath {
    /// Whether its `..` lead out of the variable, judged as text.
    #[must_use]
    pub fn leaves(&self) -> bool {
        self.depth().is_none()
    }

    /// How many directories below the variable it ends; nothing if it leaves the variable on its way.
    #[must_use]
    pub fn depth(&self) -> Option<usize> {
        depth_after(0, &self.rest)
    }

    /// The names on the way from the variable's directory to the file, without `.` and empty ones; nothing if there is a
    /// `..` among them, which only a file system could resolve.
    #[must_use]
    pub fn names(&self) -> Option<Vec<&[u8]>> {
        steps(&self.rest)
            .map(|step| match step {
                Step::Down(name) => Some(name),
                Step::Up => None,
            })
            .collect()
    }
}

impl Template {
    /// An argument that is no path, whatever dollars it holds.
    pub fn literal(bytes: impl Into<Vec<u8>>) -> Result<Self, TemplateError> {
        Self::from_pieces(vec![Piece::Literal(bytes.into())])
    }

    /// An argument that is a path as a whole.
    pub fn path(path: VarPath) -> Result<Self, TemplateError> {
        Self::from_pieces(vec![Piece::Path(path)])
    }

    /// An argument that is a path as a whole, after `file:`.
    pub fn file(path: VarPath) -> Result<Self, TemplateError> {
        Self::from_pieces(vec![Piece::Literal(FILE_PREFIX.to_vec()), Piece::Path(path)])
    }

    /// An argument of several pieces. Refused is what could not be written: NUL, and `}` in a path that needs braces.
    /// The place in the error is the place in the piece.
    pub fn from_pieces(pieces: Vec<Piece>) -> Result<Self, TemplateError> {
        let template = Self::joined(pieces);
        let whole = template.whole_path().is_some();
        for piece in &template.pieces {
            let bytes = match piece {
                Piece::Literal(bytes) => bytes,
                Piece::Path(path) => &path.rest,
            };
            if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
                return Err(TemplateProblem::Nul.at(at));
            }
            if let Piece::Path(path) = piece
                && !whole
                && let Some(at) = path.rest.iter().position(|byte| *byte == b'}')
            {
                return Err(TemplateProblem::BraceInPath.at(at));
            }
        }
        Ok(template)
    }

    /// Puts neighbouring literals together and leaves empty ones away.
    pub(super) fn joined(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (_, Piece::Literal(bytes)) if bytes.is_empty() => {}
                (Some(Piece::Literal(before)), Piece::Literal(bytes)) => before.extend(bytes),
                (_, piece) => joined.push(piece),
            }
        }
        Self { pieces: joined }
    }

    /// The pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// As an argument on the wire; [`Template::parse`] reads it back as the same template.
    #[must_use]
    pub fn print(&self) -> Vec<u8> {
        let whole = self.whole_path().is_some();
        let mut text = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(bytes) => escape(bytes, &mut text),
                Piece::Path(path) => {
                    text.extend(if whole { &b"$"[..] } else { b"${" });
                    text.extend(path.variable.as_str().bytes());
                    if !path.rest.is_empty() {
                        text.push(b'/');
                        escape(&path.rest, &mut text);
                    }
                    text.extend(if whole { &b""[..] } else { b"}" });
                }
            }
        }
        text
    }

    /// The path, when the whole argument is one, with or without `file:` before it.
    #[must_use]
    pub fn whole_path(&self) -> Option<&VarPath> {
        match &*self.pieces {
            [Piece::Path(path)] => Some(path),
            [Piece::Literal(prefix), Piece::Path(path)] if prefix == FILE_PREFIX => Some(path),
            _ => None,
        }
    }

    /// Its paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &VarPath> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Path(path) => Some(path),
        })
    }

    /// The variables that its paths lie under.
    #[must_use]
    pub fn variables(&self) -> BTreeSet<Variable> {
        self.paths().map(|path| path.variable.clone()).collect()
    }

    /// The bytes, when there is no path in it.
    #[must_use]
    pub fn as_literal(&self) -> Option<&[u8]> {
        match &*self.pieces {
            [] => Some(b""),
            [Piece::Literal(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// The literal it begins with, without a `file:` before it; empty when it begins with a path.
    #[must_use]
    pub fn literal_start(&self) -> &[u8] {
        match self.pieces.first() {
            Some(Piece::Literal(bytes)) => bytes.strip_prefix(FILE_PREFIX).unwrap_or(bytes),
            Some(Piece::Path(_)) | None => b"",
        }
    }

    /// Whether it is, or begins with, an absolute path under no variable; also after `file:`.
    #[must_use]
    pub fn is_absolute_literal(&self) -> bool {
        self.literal_start().starts_with(b"/")
    }

    /// The first of its paths that goes up again below its variable. Where that leads only a file system could tell, and
    /// another one than the next worker's.
    #[must_use]
    pub fn climbing(&self) -> Option<&VarPath> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Path(path) => path.names().is_none().then_some(path),
            Piece::Literal(_) => None,
        })
    }

    /// The first of its paths that leaves its variable, judged as text: by its own `..`, or because the literal after its
    /// closing brace goes on with it, as in `${Media/a}/../..` and `${Media}.old`.
    #[must_use]
    pub fn leaving(&self) -> Option<&VarPath> {
        self.pieces.iter().enumerate().find_map(|(index, piece)| match (piece, self.pieces.get(index + 1)) {
            (Piece::Path(path), Some(Piece::Literal(after))) => {
                // By itself it may leave although what follows makes another name of its `..`: no worker would resolve it.
                (path.leaves() || goes_out(path, after)).then_some(path)
            }
            (Piece::Path(path), Some(Piece::Path(_)) | None) => path.leaves().then_some(path),
            (Piece::Literal(_), _) => None,
        })
    }
}

/// Whether a path leaves its variable when the program reads on into the literal after it. Where the path ends for the
/// program depends on what the argument means to it; so it is taken to end at every byte that may end one.
fn goes_out(path: &VarPath, after: &[u8]) -> bool {
    let ends = |byte: &u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'%' | 0x80..));
    if path.rest.is_empty() && after.first().is_some_and(|byte| !ends(byte)) {
        return true;
    }
    let mut depth = 0_usize;
    for step in steps(&[&path.rest, after].concat()) {
        match step {
            Step::Down(name) if name.starts_with(b"..") && name.get(2).is_some_and(ends) && depth == 0 => return true,
            Step::Down(_) => depth += 1,
            Step::Up if depth == 0 => return true,
            Step::Up => depth -= 1,
        }
    }
    false
}

fn escape(bytes: &[u8], into: &mut Vec<u8>) {
    for byte in bytes {
        if *byte == b'$' {
            into.push(b'$');
        }
        into.push(*byte);
    }
}
