//! Path templates: what is read, what is refused, and that nothing changes by being written and read again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use ffleet_protocol::template::{Piece, Roots, Template, TemplateError, TemplateProblem as P, VarPath, Variable};
use proptest::prelude::*;

fn var(name: &str) -> Variable {
    Variable::new(name).unwrap()
}

fn path(name: &str, rest: &str) -> Piece {
    Piece::Path(VarPath { variable: var(name), rest: rest.into() })
}

fn literal(text: &str) -> Piece {
    Piece::Literal(text.into())
}

fn parsed(text: &str) -> Template {
    Template::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn templates_are_read() {
    for (text, pieces, printed) in [
        ("", vec![], ""),
        ("-c:v", vec![literal("-c:v")], "-c:v"),
        ("$Media", vec![path("Media", "")], "$Media"),
        ("$Media/", vec![path("Media", "")], "$Media"),
        ("$Media/a b.mkv", vec![path("Media", "a b.mkv")], "$Media/a b.mkv"),
        ("$Media//a", vec![path("Media", "/a")], "$Media//a"),
        ("$M_2/ä/$$1/{x}", vec![path("M_2", "ä/$1/{x}")], "$M_2/ä/$$1/{x}"),
        ("file:$Media/a:b", vec![literal("file:"), path("Media", "a:b")], "file:$Media/a:b"),
        ("${Media/a}", vec![path("Media", "a")], "$Media/a"),
        ("file:${Media}", vec![literal("file:"), path("Media", "")], "file:$Media"),
        (
            "movie=${Media/a.mkv}[x];${B}",
            vec![literal("movie="), path("Media", "a.mkv"), literal("[x];"), path("B", "")],
            "movie=${Media/a.mkv}[x];${B}",
        ),
        ("${A/x}${B/y}", vec![path("A", "x"), path("B", "y")], "${A/x}${B/y}"),
        ("x${A/{$$b}", vec![literal("x"), path("A", "{$b")], "x${A/{$$b}"),
        ("$$", vec![literal("$")], "$$"),
        ("$$Media/a", vec![literal("$Media/a")], "$$Media/a"),
        ("$$${A}", vec![literal("$"), path("A", "")], "$$${A}"),
        ("file:$$A", vec![literal("file:$A")], "file:$$A"),
        (
            "chunk-$$RepresentationID$$-$$Number%05d$$.m4s",
            vec![literal("chunk-$RepresentationID$-$Number%05d$.m4s")],
            "chunk-$$RepresentationID$$-$$Number%05d$$.m4s",
        ),
        ("FILE:x}", vec![literal("FILE:x}")], "FILE:x}"),
    ] {
        let template = parsed(text);
        assert_eq!(template.pieces(), pieces, "{text:?}");
        assert_eq!(String::from_utf8(template.print()).unwrap(), printed);
        assert_eq!(parsed(printed), template, "{text:?} again");
    }
    let bytes = Template::parse(b"$Media/\xff\xfe").unwrap();
    assert_eq!(bytes.whole_path().unwrap().rest, b"\xff\xfe");
    assert_eq!(bytes.print(), b"$Media/\xff\xfe");
}

#[test]
fn what_is_no_template_is_said_with_its_place() {
    let long = "n".repeat(65);
    for (text, at, problem) in [
        ("a\0b", 1, P::Nul),
        ("$Media/\0", 7, P::Nul),
        ("$", 0, P::LoneDollar),
        ("a$", 1, P::LoneDollar),
        ("$1", 0, P::LoneDollar),
        ("$_x", 0, P::LoneDollar),
        ("$/x", 0, P::LoneDollar),
        ("$ä", 0, P::LoneDollar),
        ("$$$", 2, P::LoneDollar),
        ("file:$", 5, P::LoneDollar),
        ("concat:$Media/a", 7, P::NotAtStart("Media".into())),
        (" $Media", 1, P::NotAtStart("Media".into())),
        ("file:x$Media", 6, P::NotAtStart("Media".into())),
        ("${A}$B/x", 4, P::NotAtStart("B".into())),
        ("$Media.mkv", 6, P::AfterName { name: "Media".into(), found: '.' }),
        ("$Mediä", 5, P::AfterName { name: "Medi".into(), found: 'ä' }),
        ("$Media$$x", 6, P::AfterName { name: "Media".into(), found: '$' }),
        ("$Number%05d$", 7, P::AfterName { name: "Number".into(), found: '%' }),
        ("$Media/a$b", 8, P::DollarInPath),
        ("$Media/a$", 8, P::DollarInPath),
        ("$Media/${B}", 7, P::DollarInPath),
        ("x${Media/a$}b}", 10, P::DollarInPath),
        ("${Media", 0, P::Unclosed),
        ("a${", 1, P::Unclosed),
        ("${}", 0, P::NoName),
        ("${1}", 0, P::NoName),
        ("${/x}", 0, P::NoName),
        ("${Media.x}", 0, P::NoName),
        ("${ Media}", 0, P::NoName),
        (&format!("${long}/x"), 1, P::LongName(long.clone())),
        (&format!("a${{{long}}}"), 3, P::LongName(long)),
    ] {
        assert_eq!(Template::parse(text.as_bytes()), Err(TemplateError { at, problem }), "{text:?}");
    }
}

#[test]
fn errors_say_what_to_write_instead() {
    let words = |text: &str| Template::parse(text.as_bytes()).unwrap_err().to_string();
    insta::assert_snapshot!(words("concat:$Media/a"), @"at byte 7: $Media stands in the middle of an argument; write ${Media/…} for a path here, or $$Media for a literal dollar");
    insta::assert_snapshot!(words("$Number%05d$"), @"at byte 7: after $Number comes '%', where only '/' or the end may follow; write $$Number for a literal dollar");
    insta::assert_snapshot!(words("a$ b"), @"at byte 1: '$' is followed by neither a path variable's name, '{' nor '$'; write $$ for a literal dollar");
    insta::assert_snapshot!(words("${Media"), @"at byte 0: this '${' has no '}'");
    insta::assert_snapshot!(words("${1}"), @"at byte 0: '${' must be followed by a path variable's name and then '/' or '}'; write $${ for a literal dollar");
    insta::assert_snapshot!(words("$Media/a$b"), @"at byte 8: inside a path, '$' must be written $$");
}

#[test]
fn what_could_not_be_written_cannot_be_made() {
    let refused = |pieces| Template::from_pieces(pieces).unwrap_err().problem;
    assert_eq!(refused(vec![literal("a\0")]), P::Nul);
    assert_eq!(refused(vec![path("A", "\0")]), P::Nul);
    assert_eq!(refused(vec![literal("x"), path("A", "a}b")]), P::BraceInPath);
    assert_eq!(refused(vec![path("A", "a}b"), literal("x")]), P::BraceInPath);
    assert!(Template::from_pieces(vec![literal("file:"), path("A", "a}b")]).is_ok());
    assert!(Template::from_pieces(vec![literal("fi"), literal("le:"), path("A", "a}b"), literal("")]).is_ok());
}

#[test]
fn templates_tell_what_they_name() {
    let names: Vec<_> = parsed("movie=${B/x}[a];${A}${B/y}").variables().iter().map(Variable::to_string).collect();
    assert_eq!(names, ["A", "B"]);
    assert_eq!(parsed("$A/x").whole_path(), parsed("file:$A/x").whole_path());
    assert_eq!(parsed("x${A/x}").whole_path(), None);
    assert_eq!(parsed("$$x").as_literal(), Some(&b"$x"[..]));
    assert_eq!(parsed("").as_literal(), Some(&b""[..]));
    assert_eq!(parsed("$A").as_literal(), None);
    for (text, absolute) in [
        ("/mnt/x", true),
        ("file:/mnt/x", true),
        ("file:///mnt/x", true),
        ("/${A/x}", true),
        ("$A/x", false),
        ("file:$A/x", false),
        ("mnt/x", false),
        ("-/x", false),
        ("", false),
    ] {
        assert_eq!(parsed(text).is_absolute_literal(), absolute, "{text:?}");
    }
}

#[test]
fn paths_that_leave_their_variable_are_found() {
    for inside in [
        "$A",
        "$A/x/..",
        "$A/x/../y",
        "$A/...",
        "file:$A/a/b/../../c",
        "${A/x}_%03d.ts",
        "${A/x}/../y",
        "${A}/x",
        "${A}|${B}",
        "${A/x}:y=1,z",
        "movie=${A/a.mkv}[x];[x]scale=1/2",
    ] {
        assert_eq!(parsed(inside).leaving(), None, "{inside}");
    }
    for outside in [
        "$A/..",
        "$A/../A/x",
        "file:$A/x/../../y",
        "x${A/../y}",
        "${A}.old",
        "${A}2/x",
        "${A}/..",
        "${A}/../x",
        "${A/x}/../..",
        "${A/x}/../..|${B/y}",
        "${A/x}y/../../z",
        "${A/.}./x",
        "${A/x/.}./../y",
        "${A/x}:../../../y",
        "${A}/..:y",
        "${A/x}/../..,y",
        "${B/x}|${A/x}/../..:y",
    ] {
        let template = parsed(outside);
        assert_eq!(template.leaving().map(|path| path.variable.as_str()), Some("A"), "{outside}");
    }
    assert_eq!(parsed("$A/a/./b//c").whole_path().unwrap().names().unwrap().join(&b"|"[..]), b"a|b|c");
    assert_eq!(parsed("$A/a/../b").whole_path().unwrap().names(), None);
    assert_eq!(parsed("$A//etc/passwd").whole_path().unwrap().names().unwrap(), [&b"etc"[..], b"passwd"]);
}

fn roots(list: &[(&str, &str)]) -> Roots {
    Roots::new(list.iter().map(|(name, root)| (var(name), root.as_bytes().to_vec()))).unwrap()
}

#[test]
fn local_paths_become_variables_by_whole_names() {
    let roots = roots(&[
        ("Media", "/mnt/media"),
        ("Deep", "/mnt/media/tv/"),
        ("Copy", "/mnt//./media/tv"),
        ("Dots", "/srv/x/../data"),
    ]);
    for (local, mapped) in [
        ("/mnt/media/a.mkv", "$Media/a.mkv"),
        ("/mnt/media", "$Media"),
        ("/mnt/media/", "$Media"),
        ("/mnt/media/out/", "$Media/out/"),
        ("//mnt/./media//x/../b c/$1.mkv", "$Media/b c/$$1.mkv"),
        ("/mnt/media/tv/s01", "$Deep/s01"),
        ("/mnt/media/tv/../films/x", "$Media/films/x"),
        ("/mnt/media2/a.mkv", "/mnt/media2/a.mkv"),
        ("/mnt/media/../other", "/mnt/media/../other"),
        ("/srv/data/x", "$Dots/x"),
        ("/", "/"),
        ("file:/mnt/media/a", "file:$Media/a"),
        ("file:/elsewhere", "file:/elsewhere"),
        ("file:relative$", "file:relative$$"),
        ("media/a", "media/a"),
        ("-map", "-map"),
        ("$Media/a", "$$Media/a"),
        ("[0:v]$Number%05d$", "[0:v]$$Number%05d$$"),
        ("concat:/mnt/media/a|/mnt/media/b", "concat:/mnt/media/a|/mnt/media/b"),
        ("/mnt/media/a}b", "$Media/a}b"),
    ] {
        let template = roots.argument(local.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(template.print()).unwrap(), mapped, "{local}");
    }
    assert_eq!(roots.argument(b"a\0").unwrap_err().problem, P::Nul);
    assert_eq!(roots.argument(b"/mnt/media/\0").unwrap_err().problem, P::Nul);
    let error = Roots::new([(var("Media"), b"media".to_vec())]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "$Media stands for \"media\", which is not an absolute path; write it from the root, such as /mnt/media"
    );
    let everything = Roots::new([(var("All"), b"/".to_vec())]).unwrap();
    assert_eq!(everything.argument(b"/etc/x").unwrap(), parsed("$All/etc/x"));
}

/// Bytes with many of those that mean something to templates.
fn tricky(without: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![prop::sample::select(&b"$${}/.:fileAb_1"[..]), 1..=255_u8];
    prop::collection::vec(byte.prop_filter("left out", move |byte| !without.contains(byte)), 0..12)
}

fn any_path(without: &'static [u8]) -> impl Strategy<Value = Piece> {
    ("[A-Za-z][A-Za-z0-9_]{0,8}", tricky(without))
        .prop_map(|(name, rest)| Piece::Path(VarPath { variable: var(&name), rest }))
}

fn any_template() -> impl Strategy<Value = Template> {
    let piece = prop_oneof![tricky(b"").prop_map(Piece::Literal), any_path(b"}")];
    prop_oneof![
        3 => prop::collection::vec(piece, 0..5),
        1 => any_path(b"").prop_map(|path| vec![path]),
        1 => any_path(b"").prop_map(|path| vec![literal("file:"), path]),
    ]
    .prop_map(|pieces| Template::from_pieces(pieces).unwrap())
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(template in any_template()) {
        prop_assert_eq!(Template::parse(&template.print()), Ok(template));
    }

    #[test]
    fn what_is_read_is_printed_in_one_form(text in tricky(b"")) {
        if let Ok(template) = Template::parse(&text) {
            let printed = template.print();
            let again = Template::parse(&printed);
            prop_assert_eq!(again, Ok(template));
            // Without braces and without a bare trailing slash there is only one spelling.
            if !text.contains(&b'{') && !text.ends_with(b"/") {
                prop_assert_eq!(printed, text);
            }
        }
    }

    #[test]
    fn any_argument_can_be_a_literal(bytes in tricky(b"")) {
        let template = Template::parse(&Template::literal(bytes.clone()).unwrap().print()).unwrap();
        prop_assert_eq!(template.as_literal(), Some(&*bytes));
    }

    #[test]
    fn mapped_paths_lie_under_their_variable(names in prop::collection::vec("[a-c.]{1,3}", 0..6)) {
        let roots = roots(&[("A", "/a"), ("B", "/a/b"), ("C", "/c/a/b")]);
        let local = format!("/{}", names.join("/"));
        if let Some(path) = roots.template_for(local.as_bytes()) {
            let root = match path.variable.as_str() { "A" => "/a", "B" => "/a/b", _ => "/c/a/b" };
            let inside = path.names().expect("no .. is left");
            let back = [root.as_bytes(), &inside.join(&b'/')].join(&b'/');
            let again = roots.template_for(&back).unwrap();
            prop_assert_eq!(again.names(), path.names());
            prop_assert_eq!(&again.variable, &path.variable);
        }
    }
}
