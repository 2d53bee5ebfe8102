//! One small spec in, the whole plan or every complaint out.

use ffleet_protocol::{
    id::JobId,
    job::{Requirements, RetryPolicy, RetryRule},
    limits,
    problem::Code,
    template::Arg,
};

use super::*;

fn spec(args: &[&str]) -> JobSpec {
    let json = serde_json::json!({ "args": args });
    serde_json::from_value(json).unwrap()
}

fn rules() -> Rules {
    Rules {
        programs: ["ffmpeg", "ffprobe"].map(str::to_owned).into(),
        variables: ["Media", "Out"].map(|name| Variable::new(name).unwrap()).into(),
        raw_paths: false,
    }
}

/// Everything that is wrong, one complaint a line.
fn wrong(spec: &JobSpec, rules: &Rules) -> String {
    match plan(spec, rules) {
        Ok(_) => "nothing".to_owned(),
        Err(bad) => {
            let lines = bad.errors.iter().map(|error| format!("{}: {}", error.field, error.detail));
            [bad.code.to_string()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
        }
    }
}

fn code(spec: &JobSpec, rules: &Rules) -> Option<Code> {
    plan(spec, rules).err().map(|bad| bad.code)
}

#[test]
fn a_plain_command_is_one_task() {
    let spec = JobSpec {
        cwd: Some("$Media/in".into()),
        needs: Requirements { encoders: ["libx264".to_owned()].into(), ..Requirements::default() },
        ..spec(&[
            "-i",
            "a.mkv",
            "-c:v",
            "libx264",
            "-f",
            "dash",
            "-media_seg_name",
            "$$Number$$.m4s",
            "file:$Out/a.mp4",
        ])
    };
    insta::assert_debug_snapshot!(plan(&spec, &rules()).unwrap(), @r#"
    Plan {
        tasks: [
            PlannedTask {
                name: "main",
                need: Need {
                    program: "ffmpeg",
                    variables: {
                        Variable(
                            "Media",
                        ),
                        Variable(
                            "Out",
                        ),
                    },
                    requirements: Requirements {
                        tags: {},
                        encoders: {
                            "libx264",
                        },
                        device: None,
                    },
                },
                command: Command {
                    program: "ffmpeg",
                    args: [
                        "-i",
                        "a.mkv",
                        "-c:v",
                        "libx264",
                        "-f",
                        "dash",
                        "-media_seg_name",
                        "$$Number$$.m4s",
                        "file:$Out/a.mp4",
                    ],
                    cwd: Some(
                        "$Media/in",
                    ),
                },
            },
        ],
    }
    "#);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let spec = JobSpec {
        program: "ffmepg".into(),
        priority: 1001,
        lease_s: Some(5),
        ..spec(&["-i", "$Meida/a.mkv", "-y", "/srv/out.mkv", "concat:$Media/x"])
    };
    insta::assert_snapshot!(wrong(&spec, &rules()), @"
    unknown_program
    program: `ffmepg` is not allowed here (did you mean ffmpeg?); allowed are ffmpeg, ffprobe
    args[1]: there is no path variable $Meida (did you mean $Media?); known are $Media, $Out
    args[3]: `/srv/out.mkv` lies under no path variable; known are $Media, $Out
    args[4]: `concat:$Media/x`: at byte 7: $Media stands in the middle of an argument; write ${Media/…} for a path here, or $$Media for a literal dollar
    priority: 1001 is outside -1000 to 1000
    lease_s: 5 is outside 6 to 86400 seconds; leave it away for the coordinator's own
    ");
    insta::assert_snapshot!(plan(&spec, &rules()).unwrap_err(), @"program: `ffmepg` is not allowed here (did you mean ffmpeg?); allowed are ffmpeg, ffprobe (5 more of the job's fields are wrong)");
}

#[test]
fn programs_are_those_of_the_configuration() {
    let of = |program: &str, rules: &Rules| wrong(&JobSpec { program: program.into(), ..spec(&[]) }, rules);
    assert_eq!(of("ffprobe", &rules()), "nothing");
    insta::assert_snapshot!(of("", &rules()), @"
    bad_field
    program: it is empty; allowed are ffmpeg, ffprobe
    ");
    insta::assert_snapshot!(of("/bin/sh", &rules()), @"
    unknown_program
    program: `/bin/sh` is not allowed here; allowed are ffmpeg, ffprobe
    ");
    insta::assert_snapshot!(of("ffmpeg\0\x1b[2J", &rules()), @"
    unknown_program
    program: `ffmpeg[2J` is not allowed here; allowed are ffmpeg, ffprobe
    ");
    insta::assert_snapshot!(of("ffmpeg", &Rules::default()), @"
    unknown_program
    program: no program is allowed here; the coordinator's limits.programs is empty
    ");
}

/// `None` for what passes.
fn judged(args: &[&str], cwd: Option<&str>, rules: &Rules) -> Option<Code> {
    code(&JobSpec { cwd: cwd.map(Arg::from), ..spec(args) }, rules)
}

#[test]
fn paths_must_lie_under_variables() {
    use Code::{PathLeaves, PathOutside};
    let any = Rules { variables: BTreeSet::new(), ..rules() };
    let raw = Rules { raw_paths: true, ..rules() };
    for (arg, cwd, found) in [
        ("$Media/a.mkv", None, None),
        ("file:$Media/a.mkv", None, None),
        ("$Media", None, None),
        ("a.mkv", None, None),
        ("-filter_complex", None, None),
        ("[0:v]scale=1/2[a];[a]null", None, None),
        ("1/2", None, None),
        ("http://host/../a", None, None),
        ("/dev/null", None, None),
        ("file:/dev/null", None, None),
        ("/dev/null/x", None, Some(PathOutside)),
        ("/dev/./null", None, Some(PathOutside)),
        ("/dev/stdout", None, Some(PathOutside)),
        ("/", None, Some(PathOutside)),
        ("/etc/passwd", None, Some(PathOutside)),
        ("//etc/passwd", None, Some(PathOutside)),
        ("file:/etc/passwd", None, Some(PathOutside)),
        ("file:///etc/passwd", None, Some(PathOutside)),
        ("/${Media/a}", None, Some(PathOutside)),
        ("$Media/../x", None, Some(PathLeaves)),
        ("$Media/a/../b", None, Some(PathLeaves)),
        ("${Media/..}.old", None, Some(PathLeaves)),
        ("${Media}.old", None, Some(PathLeaves)),
        ("movie=${Media/a}/../..", None, Some(PathLeaves)),
        ("a/../b", None, None),
        ("..", None, Some(PathLeaves)),
        ("../a", None, Some(PathLeaves)),
        ("file:../a", None, Some(PathLeaves)),
        ("a/../../b", None, Some(PathLeaves)),
        ("../a", Some("$Media/in"), None),
        ("../a", Some("$Media"), Some(PathLeaves)),
        ("../../a", Some("$Media/in/deep"), None),
        ("../../a", Some("$Media/in/../x"), Some(PathLeaves)),
        ("../../../a", Some("$Media/in/deep"), Some(PathLeaves)),
        ("../${Out/a}", Some("$Media"), Some(PathLeaves)),
        ("a", Some("/srv"), Some(PathOutside)),
        ("a", Some("$Media/.."), Some(PathLeaves)),
        ("a", Some("in"), Some(Code::BadField)),
        ("a", Some(""), Some(Code::BadField)),
        ("a", Some("file:$Media"), Some(Code::BadField)),
        ("a", Some("$Media."), Some(Code::BadTemplate)),
        ("$Number%05d$", None, Some(Code::BadTemplate)),
        ("a\0b", None, Some(Code::NulByte)),
        ("a", Some("$Media/\0"), Some(Code::NulByte)),
        ("${Media/a", None, Some(Code::BadTemplate)),
        ("x${", None, Some(Code::BadTemplate)),
        ("$", None, Some(Code::BadTemplate)),
        ("$1", None, Some(Code::BadTemplate)),
        ("a$b", None, Some(Code::BadTemplate)),
        ("$Movies/a", None, Some(Code::UnknownVariable)),
        ("a", Some("$Movies"), Some(Code::UnknownVariable)),
    ] {
        assert_eq!(judged(&[arg], cwd, &rules()), found, "{arg:?} in {cwd:?}");
        // Where any variable goes, a path still has to have one.
        let anywhere = found.filter(|code| *code != Code::UnknownVariable);
        assert_eq!(judged(&[arg], cwd, &any), anywhere, "{arg:?} in {cwd:?} with any variable");
        // Raw paths lift the walls, not the grammar.
        let lifted = found.filter(|code| !matches!(code, PathOutside | PathLeaves));
        assert_eq!(judged(&[arg], cwd, &raw), lifted, "{arg:?} in {cwd:?} with raw paths");
    }
}

#[test]
fn words_about_paths_say_what_is_wrong() {
    let any = Rules { variables: BTreeSet::new(), ..rules() };
    insta::assert_snapshot!(wrong(&spec(&["file:/srv/a", "/media/../a", "../b", "$Media/../c"]), &any), @"
    path_outside
    args[0]: `file:/srv/a` lies under no path variable
    args[1]: `/media/../a` lies under no path variable once its '..' are followed
    args[2]: the '..' in `../b` lead out of the empty directory that a command without a working directory runs in
    args[3]: the '..' in `$Media/../c` lead out of $Media
    ");
    let in_media = JobSpec { cwd: Some("$Media".into()), ..spec(&["../b"]) };
    insta::assert_snapshot!(wrong(&in_media, &rules()), @"
    path_leaves
    args[0]: the '..' in `../b` lead out of the path variable of its working directory; known are $Media, $Out
    ");
    let relative = JobSpec { cwd: Some("in".into()), ..spec(&[]) };
    insta::assert_snapshot!(wrong(&relative, &rules()), @"
    bad_field
    cwd: `in` is not a directory under a path variable, such as $Media/in
    ");
    let strange = JobSpec { args: vec![Arg::from(b"/\x1b\xff\n".to_vec())], ..spec(&[]) };
    insta::assert_snapshot!(wrong(&strange, &rules()), @"
    path_outside
    args[0]: `/���` lies under no path variable; known are $Media, $Out
    ");
}

#[test]
fn standard_input_is_no_input() {
    for (program, args, refused) in [
        ("ffmpeg", &["-i", "-"][..], true),
        ("ffmpeg", &["-i", "pipe:"], true),
        ("ffmpeg", &["-i", "pipe:0"], true),
        ("ffmpeg", &["-i", "pipe:3"], true),
        ("ffmpeg", &["-i", "file:/dev/stdin"], true),
        ("ffmpeg", &["-i", "/dev/stdin"], true),
        ("ffmpeg", &["-i", "//dev/./fd/0"], true),
        ("ffmpeg", &["-i", "/proc/self/fd/0"], true),
        ("ffmpeg", &["-i", "fd:"], true),
        ("ffmpeg", &["-i", "cache:pipe:0"], true),
        ("ffmpeg", &["-y", "-f", "rawvideo", "-i", "-", "$Out/a"], true),
        ("ffmpeg", &["-i", "$Media/a", "-f", "null", "-"], false),
        ("ffmpeg", &["-i", "$Media/a", "-f", "matroska", "pipe:1"], false),
        ("ffmpeg", &["-i", "$Media/a", "-progress", "pipe:"], false),
        ("ffmpeg", &["-i", "$Media/-"], false),
        ("ffmpeg", &["-i", "-.mkv"], false),
        ("ffprobe", &["-i", "-"], true),
        ("ffprobe", &["-show_streams", "-"], true),
        ("ffprobe", &["-of", "json", "pipe:0"], true),
        ("ffprobe", &["-o", "-", "$Media/a"], false),
    ] {
        for raw_paths in [false, true] {
            let spec = JobSpec { program: program.into(), ..spec(args) };
            let found = code(&spec, &Rules { raw_paths, ..rules() });
            assert_eq!(found, refused.then_some(Code::StdinNotSupported), "{program} {args:?}");
        }
    }
    insta::assert_snapshot!(wrong(&spec(&["-i", "-"]), &rules()), @"
    stdin_not_supported
    args[1]: `-` is standard input or a pipe, which a worker's program cannot be given; name a file under a path variable
    ");
}

/// Changes a good spec and tells which fields are then wrong.
fn fields(change: impl FnOnce(&mut JobSpec)) -> Vec<String> {
    let mut spec = spec(&["-version"]);
    change(&mut spec);
    match plan(&spec, &rules()) {
        Ok(_) => Vec::new(),
        Err(bad) => {
            assert_eq!(bad.code, Code::BadField, "{bad}");
            bad.errors.into_iter().map(|error| error.field).collect()
        }
    }
}

/// The same for what has a code of its own.
fn refused(change: impl FnOnce(&mut JobSpec)) -> (Code, Vec<String>) {
    let mut spec = spec(&["-version"]);
    change(&mut spec);
    let bad = plan(&spec, &rules()).unwrap_err();
    (bad.code, bad.errors.into_iter().map(|error| error.field).collect())
}

#[test]
fn values_have_ranges() {
    for (value, good) in [(-1001, false), (-1000, true), (0, true), (1000, true), (1001, false), (i32::MIN, false)] {
        assert_eq!(fields(|spec| spec.priority = value).is_empty(), good, "priority {value}");
    }
    for (value, good) in [(0, false), (5, false), (6, true), (86_400, true), (86_401, false), (u64::MAX, false)] {
        assert_eq!(fields(|spec| spec.lease_s = Some(value)).is_empty(), good, "lease {value}");
    }
    for (value, good) in [(0, false), (1, true), (31_536_000, true), (31_536_001, false)] {
        assert_eq!(fields(|spec| spec.timeout_s = Some(value)).is_empty(), good, "timeout {value}");
        assert_eq!(fields(|spec| spec.queue_timeout_s = Some(value)).is_empty(), good, "queue timeout {value}");
    }
    for (retries, good) in [(0, true), (100, true), (101, false)] {
        let policy = RetryPolicy { retries, ..RetryPolicy::default() };
        assert_eq!(fields(|spec| spec.retry = policy).is_empty(), good, "{retries} retries");
    }
    let on = vec![
        RetryRule::Any,
        RetryRule::ExitCode(0),
        RetryRule::ExitCode(255),
        RetryRule::Signal(0),
        RetryRule::Signal(9),
        RetryRule::Signal(65),
        RetryRule::LogContains(String::new()),
        RetryRule::LogContains("Connection reset".into()),
        RetryRule::LogContains("x".repeat(1025)),
    ];
    let policy = RetryPolicy { on, ..RetryPolicy::default() };
    assert_eq!(
        fields(|spec| spec.retry = policy),
        ["retry.on[1]", "retry.on[3]", "retry.on[5]", "retry.on[6]", "retry.on[8]"]
    );
    let many = RetryPolicy { on: vec![RetryRule::Any; 33], ..RetryPolicy::default() };
    assert_eq!(fields(|spec| spec.retry = many), ["retry.on"]);
}

#[test]
fn words_have_limits() {
    let label = |key: &str, value: &str| {
        let (key, value) = (key.to_owned(), value.to_owned());
        fields(|spec| spec.labels = [(key, value)].into())
    };
    assert!(label("show", "Übung 1 = gut").is_empty());
    assert!(label(&"k".repeat(255), &"v".repeat(255)).is_empty());
    assert_eq!(label("", "x"), ["labels"]);
    assert_eq!(label("a=b", "x"), ["labels.a=b"]);
    assert_eq!(label("a", "x\0"), ["labels.a"]);
    assert_eq!(label("a", &"v".repeat(256)), ["labels.a"]);
    let many = (0..=limits::LABELS).map(|n| (n.to_string(), String::new())).collect();
    assert_eq!(fields(|spec| spec.labels = many), ["labels"]);

    for (word, good) in [("gpu", true), ("rack-7:b+", true), ("", false), ("a b", false), ("ä", false), ("\0", false)]
    {
        let words = || BTreeSet::from([word.to_owned()]);
        assert_eq!(fields(|spec| spec.needs.tags = words()).is_empty(), good, "{word:?}");
        assert_eq!(fields(|spec| spec.needs.encoders = words()).is_empty(), good, "{word:?}");
        assert_eq!(fields(|spec| spec.needs.device = Some(word.to_owned())).is_empty(), good, "{word:?}");
    }
    let many = (0..33).map(|n| n.to_string()).collect();
    assert_eq!(fields(|spec| spec.needs.tags = many), ["needs.tags"]);
}

#[test]
fn sizes_have_limits() {
    let after = |count: usize| (0..count).map(|_| JobId::new()).collect();
    assert!(fields(|spec| spec.after = after(limits::AFTER)).is_empty());
    assert_eq!(fields(|spec| spec.after = after(limits::AFTER + 1)), ["after"]);

    let args = |count: usize| vec![Arg::from("-y"); count];
    assert!(fields(|spec| spec.args = args(limits::ARGS)).is_empty());
    assert_eq!(refused(|spec| spec.args = args(limits::ARGS + 1)), (Code::TooManyArguments, vec!["args".to_owned()]));

    let long = |bytes: usize| Arg::from("x".repeat(bytes));
    assert!(fields(|spec| spec.args = vec![long(limits::ARG_BYTES - 1)]).is_empty());
    let second = refused(|spec| spec.args = vec!["-y".into(), long(limits::ARG_BYTES)]);
    assert_eq!(second, (Code::ArgumentTooLong, vec!["args[1]".to_owned()]));
    let cwd = refused(|spec| spec.cwd = Some(long(limits::ARG_BYTES)));
    assert_eq!(cwd, (Code::ArgumentTooLong, vec!["cwd".to_owned()]));

    let bad = plan(&spec(&["/x"; 1000]), &rules()).unwrap_err();
    assert_eq!(bad.errors.len(), 50);
    assert!(bad.detail.ends_with("(999 more of the job's fields are wrong)"), "{}", bad.detail);
}
