//! Arguments and the working directory: templates, what lies outside every variable, standard input.

use std::collections::BTreeSet;

use ffleet_protocol::{
    job::JobSpec,
    limits,
    problem::Code,
    template::{Arg, FILE_PREFIX, Piece, Template, TemplateProblem, Variable, depth_after},
};

use super::{Rules, hint::did_you_mean, trouble::Troubles};

/// Checks every argument and the working directory, and tells which variables they name.
pub(super) fn check(spec: &JobSpec, rules: &Rules, troubles: &mut Troubles) -> BTreeSet<Variable> {
    let mut checker = Checker { rules, troubles, variables: BTreeSet::new(), base: Base::Scratch };
    if spec.args.len() > limits::ARGS {
        let count = spec.args.len();
        let detail = format!(
            "{count} arguments; at most {} are taken. Give a list of inputs as a file, such as the concat demuxer reads",
            limits::ARGS
        );
        checker.troubles.add(Code::TooManyArguments, "args", detail);
        return checker.variables;
    }
    // First, because relative arguments are judged from it.
    if let Some(cwd) = &spec.cwd {
        checker.base = checker.cwd(cwd);
    }
    for (index, arg) in spec.args.iter().enumerate() {
        let field = format!("args[{index}]");
        let before = index.checked_sub(1).and_then(|before| spec.args.get(before)).map(Arg::as_bytes);
        checker.arg(&field, arg, InputTo::of(&spec.program, before));
    }
    checker.variables
}

struct Checker<'a> {
    rules: &'a Rules,
    troubles: &'a mut Troubles,
    variables: BTreeSet<Variable>,
    base: Base,
}

/// Where relative arguments begin.
#[derive(Clone, Copy)]
enum Base {
    /// In the empty directory that the worker makes.
    Scratch,
    /// So many directories below a variable's own.
    Below(usize),
    /// Anywhere: the account may name raw paths, or the directory itself is already complained about.
    Anywhere,
}

/// Whether an argument stands where the program takes an input from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InputTo {
    /// It does.
    Yes,
    /// It does not, as far as can be told.
    No,
}

impl InputTo {
    /// `-i` says it for every program of the family. ffprobe also takes its input without it, and writes to nothing but
    /// what `-o` names.
    fn of(program: &str, before: Option<&[u8]>) -> Self {
        let bare = program.starts_with("ffprobe") && before != Some(b"-o");
        if bare || before == Some(b"-i") { Self::Yes } else { Self::No }
    }
}

impl Checker<'_> {
    fn arg(&mut self, field: &str, arg: &Arg, input: InputTo) {
        if self.too_long(field, arg) {
            return;
        }
        let Some(template) = self.template(field, arg) else {
            return;
        };
        if input == InputTo::Yes && template.as_literal().is_some_and(is_stdin) {
            self.troubles.add(
                Code::StdinNotSupported,
                field,
                format!(
                    "{} is standard input or a pipe, which a worker's program cannot be given; name a file under a path \
                     variable",
                    shown(arg)
                ),
            );
            return;
        }
        if self.rules.raw_paths {
            return;
        }
        if self.leaving(field, arg, &template) {
            return;
        }
        let start = template.literal_start();
        if template.is_absolute_literal() {
            if template.as_literal() != Some(b"/dev/null") && template.as_literal() != Some(b"file:/dev/null") {
                self.outside(field, &homeless(arg, &template));
            }
        } else if let Some(from) = self.base.depth()
            && depth_after(from, start).is_none()
        {
            let place = match self.base {
                Base::Scratch => "the empty directory that a command without a working directory runs in",
                Base::Below(_) | Base::Anywhere => "the path variable of its working directory",
            };
            self.leaves(field, arg, place);
        }
    }

    fn cwd(&mut self, cwd: &Arg) -> Base {
        let field = "cwd";
        if self.too_long(field, cwd) {
            return Base::Anywhere;
        }
        let Some(template) = self.template(field, cwd) else {
            return Base::Anywhere;
        };
        match template.pieces() {
            [Piece::Path(path)] if self.rules.raw_paths => path.depth().map_or(Base::Anywhere, Base::Below),
            [Piece::Path(path)] => match path.depth() {
                Some(depth) => Base::Below(depth),
                None => {
                    self.leaving(field, cwd, &template);
                    Base::Anywhere
                }
            },
            [Piece::Literal(path)] if path.starts_with(b"/") => {
                if !self.rules.raw_paths {
                    self.outside(field, &homeless(cwd, &template));
                }
                Base::Anywhere
            }
            _ => {
                let detail = format!("{} is not a directory under a path variable, such as $Media/in", shown(cwd));
                self.troubles.field(field, detail);
                Base::Anywhere
            }
        }
    }

    /// Complains about what the kernel would refuse to start a program with. Linux counts the closing NUL too.
    fn too_long(&mut self, field: &str, arg: &Arg) -> bool {
        let bytes = arg.as_bytes().len();
        let too_long = bytes >= limits::ARG_BYTES;
        if too_long {
            let most = limits::ARG_BYTES - 1;
            let detail = format!("{bytes} bytes; at most {most} are taken. Put it into a file that the program reads");
            self.troubles.add(Code::ArgumentTooLong, field, detail);
        }
        too_long
    }

    /// Reads an argument and looks at the variables it names.
    fn template(&mut self, field: &str, arg: &Arg) -> Option<Template> {
        let template = match Template::parse(arg.as_bytes()) {
            Ok(template) => template,
            Err(error) => {
                let code = match error.problem {
                    TemplateProblem::Nul => Code::NulByte,
                    TemplateProblem::LoneDollar
                    | TemplateProblem::NotAtStart(_)
                    | TemplateProblem::AfterName { .. }
                    | TemplateProblem::LongName(_)
                    | TemplateProblem::NoName
                    | TemplateProblem::Unclosed
                    | TemplateProblem::DollarInPath
                    | TemplateProblem::BraceInPath => Code::BadTemplate,
                };
                self.troubles.add(code, field, format!("{}: {error}", shown(arg)));
                return None;
            }
        };
        for variable in template.variables() {
            let known = &self.rules.variables;
            if !known.is_empty() && !known.contains(&variable) {
                let guess = did_you_mean(variable.as_str(), known.iter().map(Variable::as_str), "$");
                let detail = format!("there is no path variable ${variable}{guess}; known are {}", self.known());
                self.troubles.add(Code::UnknownVariable, field, detail);
            }
            self.variables.insert(variable);
        }
        Some(template)
    }

    /// Complains about a path that leaves its variable, or that no worker would follow because it might.
    fn leaving(&mut self, field: &str, arg: &Arg, template: &Template) -> bool {
        if let Some(path) = template.leaving() {
            self.leaves(field, arg, &format!("${}", path.variable));
        } else if template.climbing().is_some() {
            let detail = format!("no worker follows the '..' in {}; write the path without it", shown(arg));
            self.troubles.add(Code::PathLeaves, field, detail);
        } else {
            return false;
        }
        true
    }

    fn leaves(&mut self, field: &str, arg: &Arg, place: &str) {
        let what = format!("the '..' in {} lead out of {place}", shown(arg));
        self.troubles.add(Code::PathLeaves, field, format!("{what}{}", self.choice()));
    }

    /// What to do about it depends on how the job was written down, which whoever asks knows better.
    fn outside(&mut self, field: &str, what: &str) {
        self.troubles.add(Code::PathOutside, field, format!("{what}{}", self.choice()));
    }

    /// The variables that could be named instead.
    fn choice(&self) -> String {
        match self.rules.variables.len() {
            0 => String::new(),
            1 => format!("; the only one known is {}", self.known()),
            _ => format!("; known are {}", self.known()),
        }
    }

    fn known(&self) -> String {
        self.rules.variables.iter().map(|name| format!("${name}")).collect::<Vec<_>>().join(", ")
    }
}

impl Base {
    fn depth(self) -> Option<usize> {
        match self {
            Self::Scratch => Some(0),
            Self::Below(depth) => Some(depth),
            Self::Anywhere => None,
        }
    }
}

/// Whether FFmpeg would read standard input, or another pipe that it happens to have, when given this as an input.
/// `pipe:` and `fd:` with anything that is no number mean standard input too.
fn is_stdin(mut url: &[u8]) -> bool {
    // Protocols that only pass on what they read.
    while let Some(inner) = [FILE_PREFIX, b"cache:", b"async:"].iter().find_map(|prefix| url.strip_prefix(*prefix)) {
        url = inner;
    }
    let names: Vec<&[u8]> = url.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
    url == b"-"
        || url.starts_with(b"pipe:")
        || url.starts_with(b"fd:")
        || url.starts_with(b"/") && matches!(&*names, [b"dev", b"stdin"] | [b"dev", b"fd", _] | [b"proc", _, b"fd", _])
}

/// An absolute path without a variable. Which directories the variables stand for is not known here, so that its `..` may
/// be all that is wrong with it.
fn homeless(arg: &Arg, template: &Template) -> String {
    let path = template.as_literal().unwrap_or_default();
    let up =
        if path.split(|byte| *byte == b'/').any(|name| name == b"..") { " once its '..' are followed" } else { "" };
    format!("{} lies under no path variable{up}", shown(arg))
}

/// An argument in an error message: not all of it when it is long.
fn shown(arg: &Arg) -> String {
    let text = arg.lossy();
    let mut shown: String = text.chars().take(120).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    // Control characters could rewrite the screen they are shown on.
    format!("`{}`", shown.replace(|c: char| c.is_control(), "\u{fffd}"))
}
