//! Path templates become paths of this machine. What would lead out of its root is refused: by `..`, by a NUL that would
//! end the path early, or by a symbolic link.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Component, Path, PathBuf},
};

use ffleet_protocol::template::{Arg, Piece, Template, TemplateError, VarPath, Variable};

use super::Mounts;

/// A chain of links longer than this is a loop (the kernel's own limit).
const LINKS: u32 = 40;

/// A template that leads nowhere on this machine, in words for people.
#[derive(Debug, thiserror::Error)]
pub enum CannotResolve {
    /// No template at all.
    #[error("{argument:?} is not a path template: {why}")]
    NotATemplate {
        /// The argument.
        argument: String,
        /// Why.
        why: TemplateError,
    },
    /// This worker does not have the variable, or it did not work when it was last looked at.
    #[error("this worker has no path variable ${0}")]
    UnknownVariable(Variable),
    /// `..` in a path.
    #[error("{argument:?} contains \"..\"")]
    Upwards {
        /// The argument.
        argument: String,
    },
    /// A NUL byte.
    #[error("{argument:?} contains a NUL byte")]
    Nul {
        /// The argument.
        argument: String,
    },
    /// A link that leads out of the root.
    #[error("{} is a symbolic link that leads out of ${variable}", link.display())]
    Outside {
        /// The variable.
        variable: Variable,
        /// The link.
        link: PathBuf,
    },
    /// The file system did not answer.
    #[error("{} cannot be looked at: {cause}", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl Mounts {
    /// An argument as this machine's programs are given it. Touches the file system.
    pub fn resolve(&self, arg: &Arg) -> Result<OsString, CannotResolve> {
        let argument = || arg.lossy().into_owned();
        if arg.as_bytes().contains(&0) {
            return Err(CannotResolve::Nul { argument: argument() });
        }
        let template =
            Template::parse(arg.as_bytes()).map_err(|why| CannotResolve::NotATemplate { argument: argument(), why })?;
        let mut resolved = Vec::new();
        for piece in template.pieces() {
            match piece {
                Piece::Literal(bytes) => resolved.extend_from_slice(bytes),
                Piece::Path(path) => {
                    let names = path.names().ok_or_else(|| CannotResolve::Upwards { argument: argument() })?;
                    resolved.extend_from_slice(self.path(path, names)?.as_os_str().as_bytes());
                }
            }
        }
        Ok(OsString::from_vec(resolved))
    }

    /// Where a path under a variable lies. Only its names are used: joined as text, `$Media//etc` would be absolute.
    fn path(&self, path: &VarPath, names: Vec<&[u8]>) -> Result<PathBuf, CannotResolve> {
        let variable = &path.variable;
        let root = self.roots.get(variable).ok_or_else(|| CannotResolve::UnknownVariable(variable.clone()))?;
        let names: VecDeque<OsString> = names.into_iter().map(|name| OsStr::from_bytes(name).to_owned()).collect();
        let mut full = root.path.clone();
        full.extend(&names);
        stays_inside(variable, &root.path, names)?;
        // A slash at the end says "a directory", and some muxers care.
        if path.rest.ends_with(b"/") {
            full.push("");
        }
        Ok(full)
    }
}

/// Follows names from `root` as the kernel would. What does not exist yet cannot lead anywhere.
fn stays_inside(variable: &Variable, root: &Path, mut ahead: VecDeque<OsString>) -> Result<(), CannotResolve> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |cause| CannotResolve::Unreadable { path, cause }
    };
    let root = fs::canonicalize(root).map_err(unreadable(root))?;
    let mut here = root.clone();
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            // Only a link's target can say so; the template was searched for it before.
            here.pop();
            if !here.starts_with(&root) {
                return Err(CannotResolve::Outside { variable: variable.clone(), link: here.join(name) });
            }
            continue;
        }
        let next = here.join(&name);
        let is_link = match fs::symlink_metadata(&next) {
            Ok(metadata) => metadata.is_symlink(),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => false,
            Err(error) => return Err(unreadable(&next)(error)),
        };
        if !is_link {
            here = next;
            continue;
        }
        let outside = || CannotResolve::Outside { variable: variable.clone(), link: next.clone() };
        links += 1;
        if links > LINKS {
            return Err(outside());
        }
        let target = fs::read_link(&next).map_err(unreadable(&next))?;
        let target = if target.is_absolute() {
            here.clone_from(&root);
            // It may name the root by another way, as by a link in the configuration.
            let real = |target: &Path| Some(fs::canonicalize(target).ok()?.strip_prefix(&root).ok()?.to_owned());
            target.strip_prefix(&root).map(Path::to_owned).ok().or_else(|| real(&target)).ok_or_else(outside)?
        } else {
            target
        };
        for name in names(&target).into_iter().rev() {
            ahead.push_front(name);
        }
    }
    Ok(())
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, os::unix::fs::symlink};

    use super::{super::Root, *};

    struct Library {
        folder: tempfile::TempDir,
        mounts: Mounts,
    }

    impl Library {
        /// `$Media` is `folder/media`, reached through a link as well: `folder/door`.
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let media = folder.path().join("media");
            fs::create_dir_all(media.join("in")).unwrap();
            fs::write(media.join("in/a b.mkv"), "").unwrap();
            fs::create_dir(folder.path().join("media-private")).unwrap();
            symlink(&media, folder.path().join("door")).unwrap();
            let root = |path: PathBuf| Root { path, writable: None, mount: false };
            let roots = BTreeMap::from([
                (Variable::new("Media").unwrap(), root(media)),
                (Variable::new("Door").unwrap(), root(folder.path().join("door"))),
            ]);
            Self { folder, mounts: Mounts::new(roots) }
        }

        fn link(&self, name: &str, target: impl AsRef<Path>) {
            symlink(target, self.folder.path().join("media").join(name)).unwrap();
        }

        fn resolve(&self, arg: &str) -> Result<String, String> {
            let told = self.mounts.resolve(&Arg::from(arg)).map_err(|error| error.to_string())?;
            Ok(told.into_string().unwrap().replace(&format!("{}/", self.folder.path().display()), "@"))
        }
    }

    #[test]
    fn templates_become_absolute_paths() {
        let library = Library::new();
        for (arg, path) in [
            ("-c:v", "-c:v"),
            ("$$5", "$5"),
            ("$Media", "@media"),
            ("$Media/in/a b.mkv", "@media/in/a b.mkv"),
            ("file:$Media/in/a b.mkv", "file:@media/in/a b.mkv"),
            ("$Media/new/out%03d.ts", "@media/new/out%03d.ts"),
            ("$Media/-y", "@media/-y"),
            ("$Door/in", "@door/in"),
            ("$Media//etc/./x", "@media/etc/x"),
            ("$Media/out/", "@media/out/"),
            ("concat:${Media/in/a b.mkv}|${Media/c}", "concat:@media/in/a b.mkv|@media/c"),
        ] {
            assert_eq!(library.resolve(arg).as_deref(), Ok(path), "{arg}");
        }
    }

    #[test]
    fn ways_out_are_refused() {
        let library = Library::new();
        library.link("etc", "/etc");
        library.link("up", "..");
        library.link("up-deep", "in/../../media-private");
        library.link("sibling", library.folder.path().join("media-private"));
        library.link("loop", "loop");
        library.link("dangling", "/nowhere/at/all");
        library.link("chain", "etc");
        for (arg, said) in [
            ("$Movies/a", "no path variable $Movies"),
            ("$Media/../media-private/x", "contains \"..\""),
            ("$Media/in/..", "contains \"..\""),
            ("$Media/a\0b", "NUL"),
            ("$Media/etc/passwd", "leads out of $Media"),
            ("$Media/up", "leads out of $Media"),
            ("$Media/up-deep/x", "leads out of $Media"),
            ("$Media/sibling/x", "leads out of $Media"),
            ("$Media/loop", "leads out of $Media"),
            ("$Media/dangling", "leads out of $Media"),
            ("$Media/chain/passwd", "leads out of $Media"),
            ("$Door/etc/passwd", "leads out of $Door"),
        ] {
            let error = library.resolve(arg).unwrap_err();
            assert!(error.contains(said), "{arg}: {error}");
        }
    }

    #[test]
    fn links_within_the_root_are_followed() {
        let library = Library::new();
        library.link("same", "in");
        library.link("around", "in/../in/./a b.mkv");
        library.link("absolute", library.folder.path().join("media/in"));
        library.link("by-the-door", library.folder.path().join("door/in"));
        library.link("not-yet", "in/later.mkv");
        for arg in
            ["$Media/same/a b.mkv", "$Media/around", "$Media/absolute/x", "$Media/by-the-door/x", "$Media/not-yet"]
        {
            assert!(library.resolve(arg).is_ok(), "{arg}: {:?}", library.resolve(arg));
        }
    }
}
