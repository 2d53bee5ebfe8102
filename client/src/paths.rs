//! Turns the paths of this machine into path variables, so that other machines find the same files under their own
//! names for them.
//!
//! Only whole arguments are paths here: an absolute path, or `file:` and an absolute path. Relative arguments stay as
//! they are and are found because the working directory is mapped as well.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use ffleet_protocol::template::{Arg, Roots, Template, TemplateError, VarPath, Variable};

const FILE: &[u8] = b"file:";

/// Which directories of this machine the path variables stand for.
#[derive(Debug, Clone, Default)]
pub struct PathMap {
    /// For people.
    named: Vec<(Variable, PathBuf)>,
    given: Roots,
    /// The same without symbolic links, as far as the directories exist.
    real: Roots,
}

/// A directory that cannot stand behind a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("paths.{variable} = {path:?}: {why}")]
pub struct BadRoot {
    /// The variable.
    pub variable: Variable,
    /// What was given.
    pub path: PathBuf,
    /// The rule it breaks.
    pub why: &'static str,
}

/// A command as every machine of the fleet understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedCommand {
    /// The arguments as path templates.
    pub args: Vec<Arg>,
    /// The working directory as a path template; none when it lies under no variable.
    pub cwd: Option<Arg>,
    /// What whoever typed the command should know.
    pub warnings: Vec<String>,
}

impl PathMap {
    /// Takes the directories. They need not exist: a job may be submitted for files that only workers see.
    pub fn new(roots: impl IntoIterator<Item = (Variable, PathBuf)>) -> Result<Self, BadRoot> {
        let named: Vec<(Variable, PathBuf)> = roots.into_iter().collect();
        for (variable, path) in &named {
            let bad = |why| BadRoot { variable: variable.clone(), path: path.clone(), why };
            if !path.is_absolute() {
                return Err(bad("the directory must be an absolute path, such as /mnt/media"));
            }
            if path.components().count() == 1 {
                return Err(bad("everything lies under /; give the directory that the machines share"));
            }
        }
        let real = named.iter().map(|(variable, path)| {
            let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            (variable.clone(), real)
        });
        Ok(Self { given: roots_of(named.iter().cloned())?, real: roots_of(real)?, named })
    }

    /// The command with every path of this machine replaced. With `templates` the arguments are path templates
    /// already and stay as they are.
    pub fn command(&self, args: &[OsString], cwd: &Path, templates: bool) -> Result<MappedCommand, TemplateError> {
        let mapped = args
            .iter()
            .map(|arg| if templates { Ok(Arg::from(arg.as_bytes().to_vec())) } else { self.argument(arg) })
            .collect::<Result<_, _>>()?;
        let cwd_template =
            self.var_path(cwd).map(Template::path).transpose()?.map(|template| Arg::from(template.print()));
        // Where no argument counts from the working directory, nobody misses it.
        let missed = cwd_template.is_none() && args.iter().any(|arg| looks_relative(arg, cwd, templates));
        let warnings = match (&cwd_template, missed) {
            (Some(_), _) => Vec::new(),
            (None, true) => vec![self.homeless(cwd)],
            (None, false) => vec![ELSEWHERE.to_owned()],
        };
        Ok(MappedCommand { args: mapped, cwd: cwd_template, warnings })
    }

    /// One argument as a path template. What is no path is meant literally, whatever dollars it holds.
    pub fn argument(&self, arg: &OsStr) -> Result<Arg, TemplateError> {
        let bytes = arg.as_bytes();
        let path = bytes.strip_prefix(FILE).unwrap_or(bytes);
        let template = match self.var_path(Path::new(OsStr::from_bytes(path))) {
            Some(found) if path.len() < bytes.len() => Template::file(found)?,
            Some(found) => Template::path(found)?,
            None => Template::literal(bytes)?,
        };
        Ok(Arg::from(template.print()))
    }

    /// An absolute path under its variable: by its text first, then by where its symbolic links lead.
    fn var_path(&self, path: &Path) -> Option<VarPath> {
        if !path.is_absolute() {
            return None;
        }
        let under_a_root = |path: &Path| {
            let bytes = path.as_os_str().as_bytes();
            self.given.template_for(bytes).or_else(|| self.real.template_for(bytes))
        };
        under_a_root(path).or_else(|| under_a_root(&resolved(path)?))
    }

    fn homeless(&self, cwd: &Path) -> String {
        let known = self.named.iter().map(|(name, path)| format!("{name} = {}", path.display()));
        let known = match known.collect::<Vec<_>>().as_slice() {
            [] => "none is configured; give some under [paths] in ffleet.toml".to_owned(),
            some => some.join(", "),
        };
        format!(
            "the working directory {} lies under no path variable ({known}), so the program runs in an empty directory \
             on its worker and relative paths cannot lead to your files",
            cwd.display()
        )
    }
}

/// Said when nothing seems to depend on it. What looks like a word may still be the name of a file.
const ELSEWHERE: &str = "the working directory lies under no path variable; the program runs in an empty one";

fn roots_of(roots: impl IntoIterator<Item = (Variable, PathBuf)>) -> Result<Roots, BadRoot> {
    let bytes = roots.into_iter().map(|(variable, path)| (variable, path.into_os_string().into_vec()));
    Roots::new(bytes).map_err(|error| BadRoot {
        path: PathBuf::from(error.root),
        variable: error.variable,
        why: "the directory must be an absolute path",
    })
}

/// Whether an argument seems to name a file from the working directory. A guess: nobody but the program knows which of
/// its arguments are files.
fn looks_relative(arg: &OsStr, cwd: &Path, template: bool) -> bool {
    let bytes = arg.as_bytes();
    let path = bytes.strip_prefix(FILE).unwrap_or(bytes);
    match path.first() {
        None | Some(b'-' | b'/') => return false,
        Some(b'$') if template => return false,
        Some(_) => {}
    }
    if cwd.join(OsStr::from_bytes(path)).exists() {
        return true;
    }
    // A time or a rate, such as 0:01:02.5 or 30000/1001.
    let number = path[0].is_ascii_digit() && path.iter().all(|byte| byte.is_ascii_digit() || b".:/".contains(byte));
    let url = path.windows(3).any(|part| part == b"://");
    !number && !url && (path.contains(&b'/') || path.contains(&b'.'))
}

/// Without symbolic links as far as it exists; an output does not exist yet, its directory does.
fn resolved(path: &Path) -> Option<PathBuf> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
    let real = std::fs::canonicalize(existing).ok()?;
    let rest = path.strip_prefix(existing).ok()?;
    Some(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::template::Piece;

    use super::*;

    fn map(roots: &[(&str, &str)]) -> PathMap {
        PathMap::new(roots.iter().map(|(name, path)| (Variable::new(*name).unwrap(), PathBuf::from(path)))).unwrap()
    }

    #[test]
    fn whole_arguments_are_mapped_and_the_rest_is_escaped() {
        let map = map(&[("Media", "/mnt/media"), ("Hot", "/mnt/media/hot/"), ("Out", "/srv/out")]);
        for (arg, template) in [
            ("/mnt/media/a.mkv", "$Media/a.mkv"),
            ("/mnt/media", "$Media"),
            ("/mnt/media/", "$Media"),
            ("/mnt/media/x/", "$Media/x/"),
            ("/mnt/media/hot/a b.mkv", "$Hot/a b.mkv"),
            ("/mnt/media/./x//../a.mkv", "$Media/a.mkv"),
            ("/mnt/media/../media/a.mkv", "$Media/a.mkv"),
            ("/mnt/media/../other/a.mkv", "/mnt/media/../other/a.mkv"),
            ("/mnt/mediathek/a.mkv", "/mnt/mediathek/a.mkv"),
            ("file:/srv/out/x", "file:$Out/x"),
            ("file:x", "file:x"),
            ("/mnt/media/$5.mkv", "$Media/$$5.mkv"),
            ("out_$Number%05d$.m4s", "out_$$Number%05d$$.m4s"),
            ("$Media/a.mkv", "$$Media/a.mkv"),
            ("a.mkv", "a.mkv"),
            ("../a.mkv", "../a.mkv"),
            ("-i", "-i"),
            ("", ""),
            ("subtitles=/mnt/media/a.srt", "subtitles=/mnt/media/a.srt"),
            ("/dev/null", "/dev/null"),
        ] {
            assert_eq!(map.argument(OsStr::new(arg)), Ok(Arg::from(template)), "{arg}");
        }
    }

    #[test]
    fn the_working_directory_is_mapped_or_missed() {
        let map = map(&[("Media", "/mnt/media")]);
        let args = [OsString::from("in.mkv"), OsString::from("$x")];
        let mapped = map.command(&args, Path::new("/mnt/media/films"), false).unwrap();
        assert_eq!(mapped.args, [Arg::from("in.mkv"), Arg::from("$$x")]);
        assert_eq!(mapped.cwd, Some(Arg::from("$Media/films")));
        assert!(mapped.warnings.is_empty());

        let lost = map.command(&args, Path::new("/home/me"), true).unwrap();
        assert_eq!(lost.args, [Arg::from("in.mkv"), Arg::from("$x")]);
        assert_eq!(lost.cwd, None);
        assert!(lost.warnings[0].contains("/home/me") && lost.warnings[0].contains("Media = /mnt/media"));
    }

    #[test]
    fn what_counts_from_a_working_directory_that_is_not_there_is_said_at_length() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("clip"), "").unwrap();
        let missed = |args: &[&str], templates| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            let mapped = map(&[("Media", "/mnt/media")]).command(&args, folder.path(), templates).unwrap();
            assert!(mapped.warnings[0].contains("empty"), "that it runs in an empty directory is said in any case");
            mapped.warnings[0].contains("cannot lead")
        };
        for arg in ["in.mkv", "films/in", "../in", "file:in.mkv", "clip", "."] {
            assert!(missed(&["-i", arg], false), "{arg}");
        }
        for arg in
            ["-i", "-x.y", "", "copy", "/srv/a.mkv", "file:/srv/a.mkv", "0:01:02.5", "30000/1001", "http://farm/a.mkv"]
        {
            assert!(!missed(&["-i", arg], false), "{arg}");
        }
        assert!(missed(&["$5.mkv"], false) && !missed(&["$Media/a.mkv", "file:$Media/a.mkv"], true));
    }

    #[test]
    fn bytes_that_are_no_text_survive() {
        let arg = OsStr::from_bytes(b"/mnt/media/\xff$.mkv");
        assert_eq!(map(&[("Media", "/mnt/media")]).argument(arg), Ok(Arg::from(b"$Media/\xff$$.mkv".to_vec())));
    }

    #[test]
    fn symbolic_links_lead_to_the_same_variable() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("disk1"), folder.path().join("media"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let shortcut = folder.path().join("shortcut");
        std::os::unix::fs::symlink(&link, &shortcut).unwrap();

        let map = PathMap::new([(Variable::new("Media").unwrap(), link.clone())]).unwrap();
        for path in [link.join("a.mkv"), real.join("a.mkv"), shortcut.join("a.mkv")] {
            assert_eq!(map.argument(path.as_os_str()), Ok(Arg::from("$Media/a.mkv")), "{}", path.display());
        }
    }

    #[test]
    fn a_root_must_be_a_directory_of_its_own() {
        let one = |path: &str| PathMap::new([(Variable::new("M").unwrap(), PathBuf::from(path))]);
        assert!(one("media").unwrap_err().to_string().contains("absolute"));
        assert!(one("/").unwrap_err().to_string().contains("everything"));
        assert!(one("/not/there").is_ok());
    }

    proptest::proptest! {
        /// What a worker makes of a mapped argument under the same roots is the argument that was typed, up to its
        /// spelling; and nothing that is no path is ever taken for one.
        #[test]
        fn mapping_goes_there_and_back(arg in "(file:)?(/|/mnt/media/|/mnt/media/hot/|/srv/|)[-a$ .{}%é/]{0,12}") {
            let roots = [("Media", "/mnt/media"), ("Hot", "/mnt/media/hot")];
            let template = map(&roots).argument(OsStr::new(&arg)).unwrap();
            let parsed = Template::parse(template.as_bytes()).unwrap();
            let back: Vec<u8> = parsed.pieces().iter().flat_map(|piece| match piece {
                Piece::Literal(bytes) => bytes.clone(),
                Piece::Path(path) => {
                    let root = roots.iter().find(|(name, _)| *name == path.variable.as_str()).unwrap().1;
                    [root.as_bytes(), b"/", &path.rest].concat()
                }
            }).collect();
            match parsed.as_literal() {
                Some(literal) => proptest::prop_assert_eq!(literal, arg.as_bytes()),
                None => {
                    let text = String::from_utf8(back).unwrap();
                    proptest::prop_assert_eq!(plain(&text), plain(&arg));
                }
            }
        }
    }

    /// The names of a path once its dots are resolved.
    fn plain(path: &str) -> Vec<&str> {
        path.strip_prefix("file:").unwrap_or(path).split('/').fold(Vec::new(), |mut names, name| {
            match name {
                "" | "." => {}
                ".." => {
                    names.pop();
                }
                name => names.push(name),
            }
            names
        })
    }
}
