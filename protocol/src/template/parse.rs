//! Reading templates.

use super::{FILE_PREFIX, Piece, Template, VarPath, Variable};

/// An argument that is no template, and where it stops being one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {problem}")]
pub struct TemplateError {
    /// How many bytes of the argument stand before the fault.
    pub at: usize,
    /// The fault.
    pub problem: TemplateProblem,
}

/// What is wrong with a template, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// A NUL byte.
    #[error("a NUL byte; no program can be given one")]
    Nul,
    /// A dollar before something that is no name.
    #[error("'$' is followed by neither a path variable's name, '{{' nor '$'; write $$ for a literal dollar")]
    LoneDollar,
    /// A path without braces in the middle of an argument.
    #[error(
        "${0} stands in the middle of an argument; write ${{{0}/…}} for a path here, or $${0} for a literal dollar"
    )]
    NotAtStart(String),
    /// A name that goes on with something else than a path.
    #[error("after ${name} comes {found:?}, where only '/' or the end may follow; write $${name} for a literal dollar")]
    AfterName {
        /// The name.
        name: String,
        /// What follows it.
        found: char,
    },
    /// A name that is too long.
    #[error("{0:?} is too long for a path variable's name; at most 64 characters")]
    LongName(String),
    /// Braces that do not begin with a name.
    #[error("'${{' must be followed by a path variable's name and then '/' or '}}'; write $${{ for a literal dollar")]
    NoName,
    /// Braces that are not closed.
    #[error("this '${{' has no '}}'")]
    Unclosed,
    /// A lone dollar inside a path.
    #[error("inside a path, '$' must be written $$")]
    DollarInPath,
    /// A brace inside a path in braces.
    #[error("a path in braces cannot hold '}}'; only a path that is a whole argument can")]
    BraceInPath,
}

use TemplateProblem as P;

impl Template {
    /// Reads an argument.
    pub fn parse(text: &[u8]) -> Result<Self, TemplateError> {
        if let Some(at) = text.iter().position(|byte| *byte == 0) {
            return Err(P::Nul.at(at));
        }
        let start = if text.starts_with(FILE_PREFIX) { FILE_PREFIX.len() } else { 0 };
        if let [b'$', letter, ..] = text[start..]
            && letter.is_ascii_alphabetic()
        {
            let path = open_path(text, start)?;
            let prefix = (start > 0).then(|| Piece::Literal(FILE_PREFIX.to_vec()));
            return Ok(Self::joined(prefix.into_iter().chain([Piece::Path(path)])));
        }
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match (byte, text.get(at + 1)) {
                (b'$', Some(b'$')) => {
                    literal.push(b'$');
                    at += 2;
                }
                (b'$', Some(b'{')) => {
                    let (path, end) = braced_path(text, at)?;
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    pieces.push(Piece::Path(path));
                    at = end;
                }
                (b'$', Some(letter)) if letter.is_ascii_alphabetic() => {
                    return Err(P::NotAtStart(name(text, at + 1).to_owned()).at(at));
                }
                (b'$', _) => return Err(P::LoneDollar.at(at)),
                (byte, _) => {
                    literal.push(*byte);
                    at += 1;
                }
            }
        }
        pieces.push(Piece::Literal(literal));
        Ok(Self::joined(pieces))
    }
}

impl TemplateProblem {
    pub(super) fn at(self, at: usize) -> TemplateError {
        TemplateError { at, problem: self }
    }
}

/// `$Name` or `$Name/rest`, from its dollar to the end of the argument.
fn open_path(text: &[u8], dollar: usize) -> Result<VarPath, TemplateError> {
    let (variable, after) = variable(text, dollar + 1)?;
    let rest = match &text[after..] {
        [] => Vec::new(),
        [b'/', ..] => unescaped(text, after + 1, text.len())?,
        other => {
            // The first character, be it one byte or several.
            let found = String::from_utf8_lossy(other).chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
            return Err(P::AfterName { name: variable.to_string(), found }.at(after));
        }
    };
    Ok(VarPath { variable, rest })
}

/// `${Name}` or `${Name/rest}`, from its dollar; also where what follows begins.
fn braced_path(text: &[u8], dollar: usize) -> Result<(VarPath, usize), TemplateError> {
    let length = text[dollar..].iter().position(|byte| *byte == b'}').ok_or_else(|| P::Unclosed.at(dollar))?;
    let end = dollar + length;
    let inner = &text[..end];
    if !inner.get(dollar + 2).is_some_and(u8::is_ascii_alphabetic) {
        return Err(P::NoName.at(dollar));
    }
    let (variable, after) = variable(inner, dollar + 2)?;
    let rest = match &inner[after..] {
        [] => Vec::new(),
        [b'/', ..] => unescaped(inner, after + 1, end)?,
        _ => return Err(P::NoName.at(dollar)),
    };
    Ok((VarPath { variable, rest }, end + 1))
}

/// The name that begins at `at`, which is a letter; also where what follows it begins.
fn variable(text: &[u8], at: usize) -> Result<(Variable, usize), TemplateError> {
    let name = name(text, at);
    let variable = Variable::new(name).map_err(|_| P::LongName(name.to_owned()).at(at))?;
    Ok((variable, at + name.len()))
}

fn name(text: &[u8], at: usize) -> &str {
    let text = &text[at..];
    let length = text.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(text.len());
    // Letters, digits and '_' are UTF-8.
    std::str::from_utf8(&text[..length]).unwrap_or_default()
}

/// A path between two places, its dollars undoubled.
fn unescaped(text: &[u8], mut at: usize, end: usize) -> Result<Vec<u8>, TemplateError> {
    let mut path = Vec::with_capacity(end - at);
    while at < end {
        if text[at] == b'$' {
            if text[..end].get(at + 1) != Some(&b'$') {
                return Err(P::DollarInPath.at(at));
            }
            at += 1;
        }
        path.push(text[at]);
        at += 1;
    }
    Ok(path)
}
