//! From one machine's directories to path variables.

use super::{FILE_PREFIX, Template, TemplateError, VarPath, Variable, lexical::absolute};

/// The directories that path variables stand for on one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    /// The longest first, so that a directory inside another one's is found first.
    roots: Vec<(Variable, Vec<Vec<u8>>)>,
}

/// A directory that no variable can stand for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("${variable} stands for {root:?}, which is not an absolute path; write it from the root, such as /mnt/media")]
pub struct BadRoot {
    /// The variable.
    pub variable: Variable,
    /// Its directory, as text for people.
    pub root: String,
}

impl Roots {
    /// Takes absolute directories. Where two variables stand for the same one, the first is used.
    pub fn new(roots: impl IntoIterator<Item = (Variable, Vec<u8>)>) -> Result<Self, BadRoot> {
        let mut roots = roots
            .into_iter()
            .map(|(variable, root)| match absolute(&root) {
                Some(names) => Ok((variable, names.into_iter().map(<[u8]>::to_vec).collect())),
                None => Err(BadRoot { variable, root: String::from_utf8_lossy(&root).into_owned() }),
            })
            .collect::<Result<Vec<(Variable, Vec<Vec<u8>>)>, BadRoot>>()?;
        roots.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        Ok(Self { roots })
    }

    /// The path under a variable that an absolute path is here; nothing when it lies under none. Whole names are
    /// compared, after `.` and `..` are resolved as text: `/mnt/media2` is not inside `/mnt/media`.
    #[must_use]
    pub fn template_for(&self, path: &[u8]) -> Option<VarPath> {
        let names = absolute(path)?;
        self.roots.iter().find_map(|(variable, root)| {
            let inside = names.get(root.len()..)?;
            if !names.iter().zip(root).all(|(name, of_root)| *name == of_root) {
                return None;
            }
            let mut rest = inside.join(&b'/');
            // `dir/` may only be a directory; that is kept.
            if path.ends_with(b"/") && !rest.is_empty() {
                rest.push(b'/');
            }
            Some(VarPath { variable: variable.clone(), rest })
        })
    }

    /// A command's argument as it is given on this machine: a template when it is, perhaps after `file:`, an absolute path
    /// under a variable; else a literal, whatever dollars it holds.
    pub fn argument(&self, argument: &[u8]) -> Result<Template, TemplateError> {
        let (path, file) = match argument.strip_prefix(FILE_PREFIX) {
            Some(path) => (path, true),
            None => (argument, false),
        };
        match self.template_for(path) {
            Some(path) if file => Template::file(path),
            Some(path) => Template::path(path),
            None => Template::literal(argument),
        }
    }
}
