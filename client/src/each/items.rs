//! What a command becomes for each file.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{bail, ensure};
use sha2::{Digest, Sha256};

use super::{Hole, Pattern, files::plain};

/// A command and the files that it is for.
#[derive(Debug)]
pub struct Items {
    program: String,
    args: Vec<Pattern>,
    output: Option<Pattern>,
    files: Vec<PathBuf>,
    left_out: usize,
    cwd: PathBuf,
}

/// The command for one file.
#[derive(Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// What it reads.
    pub input: &'a Path,
    /// What it writes, if that is known.
    pub output: Option<PathBuf>,
    /// The arguments.
    pub args: Vec<OsString>,
}

impl Items {
    /// Puts input and output into the arguments where they are not named, and makes sure that no two files have the same
    /// output and that none is overwritten.
    pub fn new(
        program: &str,
        args: &[OsString],
        output: Option<&OsString>,
        files: Vec<PathBuf>,
        cwd: &Path,
    ) -> anyhow::Result<Self> {
        let args =
            args.iter().map(|arg| Pattern::parse(arg)).collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::msg)?;
        let output =
            output.map(|text| Pattern::parse(text).map_err(|why| anyhow::anyhow!("--output: {why}"))).transpose()?;
        let args = completed(program, args, output.as_ref())?;
        let mut items = Self { program: program.to_owned(), args, output, files, left_out: 0, cwd: cwd.to_owned() };
        items.check()?;
        Ok(items)
    }

    fn check(&mut self) -> anyhow::Result<()> {
        let Some(pattern) = &self.output else { return Ok(()) };
        ensure!(!pattern.has(Hole::Output), "--output cannot hold {{output}}, which is what it says itself");
        let output = |file: &Path| plain(&self.cwd.join(pattern.fill(file, None)));
        // What another file is turned into is no file to begin with: a second run finds what the first one made.
        let mut results = HashSet::new();
        for file in &self.files {
            let made = output(file);
            ensure!(
                made != *file,
                "--output gives {} for the file itself; it would be overwritten while it is read",
                file.display()
            );
            if let Ok(index) = self.files.binary_search(&made) {
                results.insert(index);
            }
        }
        self.left_out = results.len();
        let mut index = 0;
        self.files.retain(|_| {
            index += 1;
            !results.contains(&(index - 1))
        });
        ensure!(
            !self.files.is_empty(),
            "every file is what --output makes of another one, so there is none to begin with"
        );
        let mut whose: HashMap<PathBuf, &Path> = HashMap::with_capacity(self.files.len());
        for file in &self.files {
            if let Some(other) = whose.insert(output(file), file) {
                let (made, one) = (output(file), other.display());
                bail!(
                    "{one} and {} would both become {}; use {{ext}}, {{name}} or {{dir}} in --output",
                    file.display(),
                    made.display()
                );
            }
        }
        Ok(())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Files that are outputs of others here.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The command for each file, made as it is asked for.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        self.files.iter().map(|input| {
            let output = self.output.as_ref().map(|pattern| plain(&self.cwd.join(pattern.fill(input, None))));
            let args = self.args.iter().map(|arg| arg.fill(input, output.as_deref())).collect();
            Item { input, output, args }
        })
    }

    /// A short name of the command, the same whatever the files.
    #[must_use]
    pub fn name(&self) -> String {
        let text = format!("{:?}", (&self.program, &self.args, &self.output));
        hex(&Sha256::digest(text)[..6])
    }
}

/// `-i {input}` goes before the arguments and `{output}` after them, unless they say where.
fn completed(program: &str, mut args: Vec<Pattern>, output: Option<&Pattern>) -> anyhow::Result<Vec<Pattern>> {
    if ["ffmpeg", "ffprobe"].contains(&program) {
        // Its other names may well stand in a title, or in the name of a second input.
        if !args.iter().any(|arg| arg.has(Hole::Input)) {
            args.splice(0..0, [Pattern::text("-i"), Pattern::of(Hole::Input)]);
        }
    } else {
        let named = args.iter().any(Pattern::names_the_input);
        ensure!(named, "nobody knows where {program} takes its file; put {{input}} there");
    }
    let asked = args.iter().any(|arg| arg.has(Hole::Output));
    match output {
        None => {
            ensure!(
                !asked,
                "{{output}} needs --output, which says what it is, such as --output '{{dir}}/{{stem}}.mkv'"
            );
        }
        Some(_) if !asked => args.push(Pattern::of(Hole::Output)),
        Some(_) => {}
    }
    Ok(args)
}

/// What a job is to its requester: the program, all that it is given, what it reads and what it writes.
#[must_use]
pub fn identity(words: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for word in words {
        hash.update((word.len() as u64).to_be_bytes());
        hash.update(word);
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(args: &[&str], output: Option<&str>, files: &[&str]) -> Result<Items, String> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let mut files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        files.sort_unstable();
        Items::new("ffmpeg", &args, output.map(OsString::from).as_ref(), files, Path::new("/work"))
            .map_err(|error| format!("{error:#}"))
    }

    fn lines(items: &Items) -> Vec<String> {
        let line = |item: Item<'_>| item.args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        items.iter().map(line).collect()
    }

    #[test]
    fn input_and_output_go_where_they_are_expected() {
        for (args, output, expected) in [
            (&["-c:v", "libx264"][..], Some("{dir}/{stem}.mkv"), "-i /m/a.mp4 -c:v libx264 /m/a.mkv"),
            (&[], Some("{dir}/{stem}.mkv"), "-i /m/a.mp4 /m/a.mkv"),
            (&["-ss", "10", "-i", "{input}", "-an"], Some("{dir}/{stem}.mkv"), "-ss 10 -i /m/a.mp4 -an /m/a.mkv"),
            (&["-i", "{input}", "{output}", "-y"], Some("out/{name}"), "-i /m/a.mp4 /work/out/a.mp4 -y"),
            (&["-i", "{dir}/{stem}.srt", "-i", "{input}"], Some("{stem}.mkv"), "-i /m/a.srt -i /m/a.mp4 /work/a.mkv"),
            (&["-metadata", "title={stem}"], Some("{stem}.mkv"), "-i /m/a.mp4 -metadata title=a /work/a.mkv"),
            (&["-f", "null", "-"], None, "-i /m/a.mp4 -f null -"),
            (&["-i", "{input}", "{dir}/{stem}.wav"], None, "-i /m/a.mp4 /m/a.wav"),
        ] {
            assert_eq!(lines(&items(args, output, &["/m/a.mp4"]).unwrap()), [expected]);
        }
    }

    #[test]
    fn what_would_do_harm_is_refused_by_name() {
        for (args, output, files, words) in [
            (&[][..], Some("{dir}/{stem}.mkv"), &["/m/a.mkv"][..], "/m/a.mkv for the file itself"),
            (&[], Some("{dir}/../m/./{name}"), &["/m/a.mkv"], "/m/a.mkv for the file itself"),
            (
                &[],
                Some("{dir}/{stem}.mkv"),
                &["/m/a.avi", "/m/a.mp4"],
                "/m/a.avi and /m/a.mp4 would both become /m/a.mkv",
            ),
            (&[], Some("/o/{name}"), &["/m/a", "/n/a"], "would both become /o/a"),
            (&[], Some("{output}.mkv"), &["/m/a"], "--output cannot hold"),
            (&["{output}"], None, &["/m/a"], "needs --output"),
            (&["{outptu}"], None, &["/m/a"], "{outptu}"),
            (&[], Some("{x}"), &["/m/a"], "--output: {x}"),
        ] {
            let error = items(args, output, files).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        let args = [OsString::from("-v")];
        let error = Items::new("other", &args, None, vec!["/m/a".into()], Path::new("/")).unwrap_err();
        assert!(error.to_string().contains("{input}"), "{error}");
    }

    #[test]
    fn what_the_first_run_made_is_no_input_of_the_second() {
        let second = items(&[], Some("{dir}/{stem}-small.mkv"), &["/m/a.mkv", "/m/a-small.mkv", "/m/b.mkv"]).unwrap();
        assert_eq!(lines(&second), ["-i /m/a.mkv /m/a-small.mkv", "-i /m/b.mkv /m/b-small.mkv"]);
        assert_eq!((second.len(), second.left_out()), (2, 1));
    }

    #[test]
    fn the_name_of_a_command_does_not_depend_on_its_files() {
        let name = |args: &[&str], files: &[&str]| items(args, Some("{stem}.x"), files).unwrap().name();
        assert_eq!(name(&["-an"], &["/m/a"]), name(&["-an"], &["/m/b"]));
        assert_ne!(name(&["-an"], &["/m/a"]), name(&["-vn"], &["/m/a"]));
    }

    #[test]
    fn identities_know_where_a_word_ends() {
        assert_ne!(identity(&[b"ab", b"c"]), identity(&[b"a", b"bc"]));
        assert_eq!(identity(&[b"a"]).len(), 64);
    }
}
