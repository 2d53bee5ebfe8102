//! What a program gives to a system besides itself: its man pages and its completions, made from its own command line, so
//! that they cannot say anything else than its help does.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Command;
use clap_complete::Shell;

/// The hidden command by which each program is asked for them.
pub const COMMAND: &str = "manual";

/// Arguments of the hidden command.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where to write: DIR/share/man/man1 and the folders in which the shells look below DIR/share
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
}

impl Args {
    /// Writes pages and completions for `program` and all its subcommands.
    ///
    /// # Errors
    /// When a folder or file cannot be written; it is named.
    pub fn write(&self, program: &Command) -> io::Result<()> {
        let pages = folder(&self.prefix, "share/man/man1")?;
        clap_mangen::generate_to(program.clone(), pages)?;
        for (shell, place) in [
            (Shell::Bash, "share/bash-completion/completions"),
            (Shell::Zsh, "share/zsh/site-functions"),
            (Shell::Fish, "share/fish/vendor_completions.d"),
        ] {
            let name = program.get_name().to_owned();
            let file = folder(&self.prefix, place)?.join(file_name(shell, &name));
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut program.clone(), name, &mut script);
            fs::write(&file, script).map_err(|error| named(&file, &error))?;
        }
        Ok(())
    }
}

/// As the shells look for them: bash-completion loads `PROGRAM`, zsh `_PROGRAM`, fish `PROGRAM.fish`.
fn file_name(shell: Shell, program: &str) -> String {
    match shell {
        Shell::Zsh => format!("_{program}"),
        Shell::Fish => format!("{program}.fish"),
        _ => program.to_owned(),
    }
}

fn folder(prefix: &Path, below: &str) -> io::Result<PathBuf> {
    let folder = prefix.join(below);
    fs::create_dir_all(&folder).map_err(|error| named(&folder, &error))?;
    Ok(folder)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_page_and_hidden_ones_have_none() {
        let place = tempfile::tempdir().unwrap();
        let program = Command::new("tool")
            .subcommand(Command::new("sub").about("Does it").subcommand(Command::new("deep")))
            .subcommand(Command::new(COMMAND).hide(true));
        Args { prefix: place.path().to_owned() }.write(&program).unwrap();
        let mut pages: Vec<_> = fs::read_dir(place.path().join("share/man/man1"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        pages.sort();
        assert_eq!(pages, ["tool-sub-deep.1", "tool-sub.1", "tool.1"]);
        for file in
            ["bash-completion/completions/tool", "zsh/site-functions/_tool", "fish/vendor_completions.d/tool.fish"]
        {
            let script = fs::read_to_string(place.path().join("share").join(file)).unwrap();
            assert!(script.contains("sub"), "{file}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("share"), "").unwrap();
        let error = Args { prefix: place.path().to_owned() }.write(&Command::new("tool")).unwrap_err();
        assert!(error.to_string().contains("share/man/man1"), "{error}");
    }
}
