//! The rules of this repository that neither compiler nor clippy knows. Each test is one of them, with its reason.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use ffleet_protocol::{problem::Code, state::FailureClass};
use ffleet_tests::repository;

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines that are not comments, with their numbers, as far as the file's own tests.
    fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(n, line)| (n + 1, line));
        let product = lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]");
        product.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Files with this ending under these folders (or single files) of the repository.
fn files<const N: usize>(places: [&str; N], ending: &str) -> Vec<Source> {
    fn walk(path: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        if path.is_dir() {
            let mut inside: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            inside.sort();
            inside.iter().for_each(|path| walk(path, ending, found));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path.to_owned());
        }
    }
    let root = repository();
    let mut found = Vec::new();
    for place in places {
        let path = root.join(place);
        assert!(path.exists(), "{place} is gone; this rule must follow it");
        walk(&path, ending, &mut found);
    }
    let source = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(),
    };
    found.into_iter().map(source).collect()
}

fn rust_files<const N: usize>(places: [&str; N]) -> Vec<Source> {
    files(places, ".rs")
}

const CRATES: [&str; 12] = [
    "protocol",
    "settings",
    "manual",
    "migrations",
    "nudges",
    "coordinator",
    "client",
    "worker",
    "tests",
    "tests/servers",
    "fuzz",
    "xtask",
];

fn fail_with(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// What decides gets time and facts as arguments, so that it can be tested with tables and without a world.
#[test]
fn pure_parts_stay_pure() {
    let pure = [
        "protocol/src",
        "coordinator/src/domain",
        "coordinator/src/plan",
        "worker/src/ffmpeg",
        "worker/src/progress.rs",
        "client/src/top/draw",
        "client/src/top/model.rs",
        "client/src/top/panes.rs",
        "client/src/top/tail.rs",
    ];
    let words = [
        "tokio::",
        "sea_orm::",
        "actix_web::",
        "reqwest::",
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "std::thread",
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "tracing::",
    ];
    let mut problems = Vec::new();
    for file in rust_files(pure).iter().filter(|file| !file.path.contains("/tests")) {
        for (line, text) in file.product() {
            for word in words.iter().filter(|word| text.contains(**word)) {
                problems.push(format!("{}:{line} uses {word}: this part decides, it does not do", file.path));
            }
        }
    }
    fail_with(&problems);
}

/// The one mistake that cannot be repaired later.
#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = [
        ("protocol", &[][..]),
        ("settings", &[]),
        ("manual", &[]),
        ("migrations", &[]),
        ("nudges", &["protocol", "settings", "servers"]),
        ("tests/servers", &[]),
        ("client", &["protocol", "settings", "manual"]),
        ("coordinator", &["protocol", "settings", "manual", "migrations", "nudges", "servers"]),
        ("worker", &["protocol", "settings", "manual", "client", "nudges"]),
        ("tests", &["protocol", "client", "nudges", "servers"]),
        ("fuzz", &["protocol"]),
        ("xtask", &[]),
    ]
    .into();
    let mut problems = Vec::new();
    for name in CRATES {
        let manifest = fs::read_to_string(repository().join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names = manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten();
            for (dependency, _) in names {
                if let Some(ours) = dependency.strip_prefix("ffleet-")
                    && !allowed[name].contains(&ours)
                {
                    problems.push(format!("{name} depends on {ours}, which it must not know"));
                }
            }
        }
    }
    fail_with(&problems);
}

/// Another database is a matter of the store alone.
#[test]
fn only_the_store_speaks_to_the_database() {
    let mut problems = Vec::new();
    for file in rust_files(["coordinator/src"]).iter().filter(|file| !file.path.contains("/store/")) {
        for (line, text) in file.product() {
            if text.contains("sea_orm") || text.contains("sqlx") {
                problems.push(format!("{}:{line} knows the database: {}", file.path, text.trim()));
            }
        }
    }
    fail_with(&problems);
}

/// Whoever starts a child owns its whole life, and that is one module's work.
#[test]
fn only_one_module_starts_children() {
    let mut problems = Vec::new();
    for file in rust_files(["worker/src", "client/src", "coordinator/src"]) {
        // The drop-in program becomes the local one in its own place, and starts no child.
        if !file.path.starts_with("worker/src/process/") && file.path != "client/src/dropin/fallback.rs" {
            for (line, text) in file.product().filter(|(_, text)| text.contains("process::Command")) {
                problems.push(format!("{}:{line} starts a child: {}", file.path, text.trim()));
            }
        }
    }
    fail_with(&problems);
}

/// A route without a role would be open to everybody; the type that checks it must stand in the handler's signature.
#[test]
fn every_route_names_who_may_call_it() {
    let routes = fs::read_to_string(repository().join("coordinator/src/http/routes.rs")).unwrap();
    let mut problems = Vec::new();
    let mut seen = 0;
    // `page.get("/v1/path", module::handler, …`, perhaps over several lines.
    for entry in routes.split("page.").skip(1).filter(|entry| entry.contains("\"/")) {
        let Some((path, rest)) = entry.split_once("\"/").and_then(|(_, rest)| rest.split_once('"')) else { continue };
        let Some(handler) = rest.split(',').nth(1).map(str::trim).filter(|name| name.contains("::")) else { continue };
        seen += 1;
        let (module, function) = handler.split_once("::").unwrap();
        let file = repository().join(format!("coordinator/src/http/{module}.rs"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        let signature = text.split_once(&format!("fn {function}(")).and_then(|(_, rest)| rest.split_once(')'));
        let checked = |arguments: &str| arguments.contains("Signed<") || arguments.contains("Machine");
        if !signature.is_some_and(|(arguments, _)| checked(arguments)) {
            problems.push(format!("/{path}: {handler} does not say who may call it"));
        }
    }
    assert!(seen > 30, "only {seen} routes were found; has their page another shape?");
    fail_with(&problems);
}

/// A code is a promise to programs; people need a place to read what it means.
#[test]
fn every_error_code_is_documented() {
    let page = fs::read_to_string(repository().join("docs/api.md")).unwrap();
    let (_, errors) = page.split_once("## Errors").unwrap();
    let (codes, failures) = errors.split_once("## Failure classes").unwrap();
    let mut documented = BTreeMap::new();
    for line in codes.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        documented.insert(cells[1].trim_matches('`').to_owned(), cells[2].to_owned());
    }
    let mut problems = Vec::new();
    for code in Code::ALL {
        match documented.remove(code.as_str()) {
            None => problems.push(format!("docs/api.md does not explain {code}")),
            Some(status) if status != code.status().to_string() => {
                problems.push(format!("docs/api.md says {status} for {code}, which comes with {}", code.status()));
            }
            Some(_) => {}
        }
    }
    for class in FailureClass::ALL.iter().filter(|class| !failures.contains(&format!("`{class}`"))) {
        problems.push(format!("docs/api.md does not explain the failure class {class}"));
    }
    problems.extend(documented.keys().map(|code| format!("docs/api.md explains {code}, which there is not")));
    fail_with(&problems);
}

/// Who writes a client reads one page, and it must have every call.
#[test]
fn every_call_is_documented() {
    let page = fs::read_to_string(repository().join("docs/api.md")).unwrap();
    let routes = fs::read_to_string(repository().join("coordinator/src/http/routes.rs")).unwrap();
    let mut seen = 0;
    let mut problems = Vec::new();
    for call in routes.split("page.").skip(1) {
        let Some((verb, rest)) = call.split_once('(') else { continue };
        let method = match verb {
            "get" | "probe" => "GET",
            "post" => "POST",
            "put" => "PUT",
            "delete" => "DELETE",
            _ => continue,
        };
        let path = rest.split('"').nth(1).unwrap();
        seen += 1;
        let documented = ["`", "?"].iter().any(|end| page.contains(&format!("| `{method} {path}{end}")));
        if !documented {
            problems.push(format!("docs/api.md does not have {method} {path}"));
        }
    }
    assert!(seen > 30, "only {seen} routes were found; has their page another shape?");
    fail_with(&problems);
}

/// The structs are the manual; the page that people read must have every key of them.
#[test]
fn every_configuration_key_is_documented() {
    let page = fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let mut problems = Vec::new();
    for file in rust_files(["coordinator/src/config", "worker/src/config.rs", "client/src/config.rs"]) {
        for (line, text) in file.product() {
            let Some((key, _)) = text.trim().strip_prefix("pub ").and_then(|rest| rest.split_once(": ")) else {
                continue;
            };
            let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if is_key && !page.contains(&format!("`{key}`")) && !page.contains(&format!(".{key}`")) {
                problems.push(format!("{}:{line}: docs/configuration.md does not have {key}", file.path));
            }
        }
    }
    fail_with(&problems);
}

/// A file that outgrows this has usually started to hold two ideas.
#[test]
fn files_hold_one_idea() {
    let mut problems = Vec::new();
    for file in rust_files(CRATES) {
        let is_test = file.path.contains("/tests/") || file.path.contains("tests.rs");
        let most = if is_test { 600 } else { 420 };
        let lines = file.text.lines().count();
        if lines > most {
            problems.push(format!("{} has {lines} lines; {most} are many", file.path));
        }
    }
    fail_with(&problems);
}

/// A test that sleeps is either slow or wrong. Whatever it waits for can be followed.
#[test]
fn tests_wait_for_facts() {
    let (sleep, ignored) = (["sleep", "("].concat(), ["#[", "ignore"].concat());
    let mut problems = Vec::new();
    for file in rust_files(CRATES) {
        let is_test = file.path.starts_with("tests/") || file.path.contains("/tests");
        for (n, line) in file.text.lines().enumerate() {
            if (is_test && line.contains(&sleep)) || line.trim_start().starts_with(&ignored) {
                problems.push(format!("{}:{}: {}", file.path, n + 1, line.trim()));
            }
        }
    }
    fail_with(&problems);
}

/// What is linked to must be there.
#[test]
fn links_between_pages_lead_somewhere() {
    let mut problems = Vec::new();
    for page in files(["README.md", "CHANGELOG.md", "docs", "deploy"], ".md") {
        let folder = repository().join(&page.path).parent().unwrap().to_owned();
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                problems.push(format!("{} links to {link}, which is not there", page.path));
            }
        }
    }
    fail_with(&problems);
}

/// A file that operators copy and nobody has tried is a guess.
#[test]
fn every_file_that_operators_copy_is_tried() {
    let tests = rust_files(["tests/servers/src/deployed", "tests/tests/stories"]);
    let mut problems = Vec::new();
    for file in files(["deploy"], "").iter().filter(|file| !file.path.ends_with(".md")) {
        let name = file.path.strip_prefix("deploy/").unwrap();
        if !tests.iter().any(|test| test.text.contains(&format!("Shipped::read(\"{name}\")"))) {
            problems.push(format!("no test uses {}", file.path));
        }
    }
    fail_with(&problems);
}

/// `mod` lists are read as tables of contents; a file that is in none of them is not even compiled.
#[test]
fn every_file_is_part_of_something() {
    let all = rust_files(CRATES);
    let mut named = BTreeSet::new();
    for file in &all {
        for line in file.text.lines() {
            let line = line
                .trim()
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub(super) ");
            if let Some(path) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix(".rs\"]")) {
                named.insert(path.rsplit('/').next().unwrap().to_owned());
            }
            if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                named.insert(name.to_owned());
            }
        }
    }
    let mut problems = Vec::new();
    for file in &all {
        let path = Path::new(&file.path);
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let stem = if stem == "mod" {
            path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned()
        } else {
            stem
        };
        let is_root = ["main", "lib", "build"].contains(&stem.as_str()) || path.parent().unwrap().ends_with("tests");
        if !is_root && !named.contains(&stem) {
            problems.push(format!("{} is in no module", file.path));
        }
    }
    fail_with(&problems);
}
