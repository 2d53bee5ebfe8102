//! Path templates: what is read can be written and read again, and what is said to stay under its variable does.

use ffleet_protocol::template::{Arg, Piece, Roots, Template, Variable, depth_after};

/// An argument as it comes over the wire, and as somebody typed it.
pub(crate) fn run(bytes: &[u8]) {
    arg(bytes);
    if let Ok(template) = Template::parse(bytes) {
        read(&template);
    }
    // The client's side: a command's own argument becomes a template that says the same.
    let roots = Roots::new([
        (Variable::new("Media").unwrap(), b"/mnt/media".to_vec()),
        (Variable::new("Deep").unwrap(), b"/mnt/media/deep".to_vec()),
    ]);
    if let Ok(template) = roots.unwrap().argument(bytes) {
        read(&template);
        match template.whole_path() {
            Some(path) => assert!(!path.leaves() && path.names().is_some(), "{template:?}"),
            None => assert_eq!(template.as_literal(), Some(bytes)),
        }
    }
}

fn read(template: &Template) {
    let written = template.print();
    assert_eq!(Template::parse(&written).as_ref(), Ok(template), "{}", String::from_utf8_lossy(&written));
    assert_eq!(Template::from_pieces(template.pieces().to_vec()).as_ref(), Ok(template));
    assert!(!written.contains(&0));
    let stays = template.leaving().is_none();
    for path in template.paths() {
        assert!(template.variables().contains(&path.variable));
        assert!(!stays || path.depth().is_some(), "{template:?}");
        assert_eq!(path.depth(), depth_after(0, &path.rest));
        if let Some(names) = path.names() {
            assert!(
                names.iter().all(|name| !name.is_empty() && *name != b"." && *name != b".." && !name.contains(&b'/'))
            );
        }
    }
    // Whatever follows a path that stays is read on by the program as part of it, and still stays.
    if let ([Piece::Path(path), Piece::Literal(after)], true) = (template.pieces(), stays) {
        assert!(depth_after(0, &[&path.rest[..], after].concat()).is_some(), "{template:?}");
    }
}

fn arg(bytes: &[u8]) {
    let arg = Arg::from(bytes.to_vec());
    let json = serde_json::to_string(&arg).unwrap();
    assert_eq!(serde_json::from_str::<Arg>(&json).unwrap(), arg);
}
