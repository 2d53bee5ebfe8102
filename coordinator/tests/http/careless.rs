//! Careless and hostile words in requests that are signed: each has its own code, names its field, and changes nothing.

use ffleet_coordinator::config::{Config, Limits};
use ffleet_protocol::{job::Explanation, job::Submitted, limits, state::Role, template::Variable};
use serde_json::{Value, json};

use crate::server::{Answer, Server, Signer};

/// A coordinator with two path variables.
async fn serving() -> (Server, Signer) {
    let variables = ["Media", "Out"].map(|name| Variable::new(name).unwrap()).into();
    let limits = Limits { variables, ..Limits::default() };
    let server = Server::with(Config { limits, ..Config::default() }).await;
    let alice = server.account("alice", Role::Client).await;
    (server, alice)
}

/// Status, code and the fields that are named.
fn told(answer: &Answer) -> (u16, String, Vec<String>) {
    let problem = answer.problem();
    let fields = problem.errors.iter().map(|error| error.field.clone()).collect();
    for error in &problem.errors {
        assert!(error.detail.len() > 10, "{answer:?}");
    }
    (answer.status, problem.code, fields)
}

#[actix_web::test]
async fn every_carelessness_has_its_code_and_its_field_and_changes_nothing() {
    let (server, alice) = serving().await;
    let long = "x".repeat(limits::ARG_BYTES);
    let args = |list: &[&str]| json!({ "args": list });
    let in_media = |list: &[&str]| json!({ "args": list, "cwd": "$Media/in" });
    let with = |key: &str, value: Value| json!({ "args": ["-version"], key: value });
    let cases: Vec<(Value, &str, &str)> = vec![
        (with("program", json!("rm")), "unknown_program", "program"),
        (with("program", json!("/bin/sh")), "unknown_program", "program"),
        (args(&["-i", "/srv/a.mkv"]), "path_outside", "args[1]"),
        (args(&["-y", "file:/etc/passwd"]), "path_outside", "args[1]"),
        (args(&["$Media/../x"]), "path_leaves", "args[0]"),
        (args(&["../a.mkv"]), "path_leaves", "args[0]"),
        (in_media(&["-i", "../../a.mkv"]), "path_leaves", "args[1]"),
        (with("cwd", json!("$Media/..")), "path_leaves", "cwd"),
        (with("cwd", json!("/srv")), "path_outside", "cwd"),
        (args(&["$Number%05d$"]), "bad_template", "args[0]"),
        (args(&["-y", "a$"]), "bad_template", "args[1]"),
        (args(&["${Media/a.mkv"]), "bad_template", "args[0]"),
        (args(&["${"]), "bad_template", "args[0]"),
        (args(&["a\0b"]), "nul_byte", "args[0]"),
        (with("cwd", json!("$Media/\0")), "nul_byte", "cwd"),
        (args(&["-y", &long]), "argument_too_long", "args[1]"),
        (with("cwd", json!(long)), "argument_too_long", "cwd"),
        (json!({ "args": vec!["-y"; limits::ARGS + 1] }), "too_many_arguments", "args"),
        (args(&["$Meida/a.mkv"]), "unknown_variable", "args[0]"),
        (args(&["-i", "-"]), "stdin_not_supported", "args[1]"),
        (args(&["-i", "pipe:0"]), "stdin_not_supported", "args[1]"),
        (args(&["-i", "fd:0"]), "stdin_not_supported", "args[1]"),
        (args(&["-i", "/dev/stdin"]), "stdin_not_supported", "args[1]"),
        (args(&["-i", "/proc/self/fd/0"]), "stdin_not_supported", "args[1]"),
        (with("priority", json!(1001)), "bad_field", "priority"),
        (with("labels", json!({ "a=b": "" })), "bad_field", "labels.a=b"),
        (with("needs", json!({ "tags": ["two words"] })), "bad_field", "needs.tags"),
        (with("after", json!(["00000000-0000-7000-8000-000000000000"])), "no_such_dependency", "after[0]"),
    ];
    let mut witness = server.witness().await;
    for (spec, code, field) in cases {
        let answer = server.send(&alice.post("/v1/jobs", &spec.to_string())).await;
        let brief: String = spec.to_string().chars().take(100).collect();
        assert_eq!(told(&answer), (422, code.to_owned(), vec![field.to_owned()]), "{brief}");
        // In a batch it is named by its item, and the good ones beside it are not made either.
        let good = json!({ "args": ["-version"] });
        let jobs = [("good", &good), ("bad", &spec)];
        let jobs: Vec<_> = jobs.iter().map(|(key, job)| json!({ "idempotency_key": key, "job": job })).collect();
        let answer = server.send(&alice.post("/v1/jobs:batch", &json!({ "jobs": jobs }).to_string())).await;
        assert_eq!(told(&answer), (422, code.to_owned(), vec![format!("jobs[1].{field}")]), "{brief}");
        witness.nothing_changed(brief).await;
    }
}

#[actix_web::test]
async fn bodies_that_cannot_be_read_name_the_place_and_change_nothing() {
    let (server, alice) = serving().await;
    let mut witness = server.witness().await;
    let deep = format!("{{\"args\":{}", "[".repeat(100_000));
    for (body, code, field) in [
        ("{\"args\":", "broken_json", None),
        ("{\"args\":[\"a", "broken_json", None),
        ("{'args':[]}", "broken_json", None),
        ("{\"args\":[]}{}", "broken_json", None),
        ("\u{1}", "broken_json", None),
        (&deep, "bad_request", Some("args[0]")),
        ("[]", "bad_request", Some("the body")),
        ("[\"ffmpeg\",[]]", "bad_request", Some("the body")),
        ("\"args\"", "bad_request", Some("the body")),
        ("null", "bad_request", Some("the body")),
        ("{}", "bad_request", Some("args")),
        ("{\"args\":[],\"prio\":1}", "unknown_field", Some("prio")),
        ("{\"args\":[],\"priority\":\"high\"}", "bad_request", Some("priority")),
        ("{\"args\":[],\"needs\":{\"tag\":[]}}", "unknown_field", Some("needs.tag")),
        ("{\"args\":[],\"args\":[]}", "bad_request", Some("args")),
        ("{\"args\":[],\"labels\":{\"a\":\"1\",\"a\":\"2\"}}", "bad_request", Some("labels.a")),
        ("{\"args\":[7]}", "bad_request", Some("args[0]")),
        ("{\"args\":[{\"b64\":\"%\"}]}", "bad_request", Some("args[0]")),
        ("{\"args\":[],\"priority\":99999999999}", "bad_request", Some("priority")),
        ("{\"args\":[],\"priority\":1e400}", "broken_json", None),
        ("{\"args\":[],\"after\":[\"last\"]}", "bad_request", Some("after[0]")),
        ("{\"args\":[],\"labels\":{\"a\":\"\\ud800\"}}", "broken_json", None),
    ] {
        let answer = server.send(&alice.post("/v1/jobs", body)).await;
        let brief: String = body.chars().take(60).collect();
        let fields = field.map(str::to_owned).into_iter().collect();
        assert_eq!(told(&answer), (400, code.to_owned(), fields), "{brief}: {}", answer.body);
        witness.nothing_changed(brief).await;
    }
}

#[actix_web::test]
async fn ids_and_cursors_that_are_none_are_named() {
    let (server, alice) = serving().await;
    let job = "00000000-0000-7000-8000-000000000000";
    let mut witness = server.witness().await;
    for (target, status, code, part) in [
        ("/v1/jobs/7".to_owned(), 404, "no_such_job", "\"7\""),
        ("/v1/jobs/%00".to_owned(), 404, "no_such_job", ""),
        (format!("/v1/jobs/{}", "x".repeat(5_000)), 404, "no_such_job", ""),
        (format!("/v1/jobs/{job}%0d%0ax:y"), 404, "no_such_job", ""),
        ("/v1/workers/a%20b".to_owned(), 404, "no_such_worker", ""),
        ("/v1/jobs?cursor=nonsense".to_owned(), 400, "bad_cursor", "leave it away"),
        (format!("/v1/jobs/{job}/logs?after=nonsense"), 400, "bad_cursor", "after"),
        (format!("/v1/jobs/{job}/logs?after={}", "e30".repeat(2_000)), 400, "bad_cursor", "after"),
        (format!("/v1/watch?topic=queue:{}", "9".repeat(40)), 400, "bad_request", "topic"),
        ("/v1/watch?topic=job:7".to_owned(), 400, "bad_request", "topic"),
        ("/v1/jobs?id_prefix=zz".to_owned(), 422, "bad_field", "id_prefix"),
        ("/v1/jobs?limit=0".to_owned(), 422, "bad_field", "limit"),
        ("/v1/jobs?limit=-1".to_owned(), 400, "bad_request", "limit"),
        ("/v1/jobs?status=done".to_owned(), 422, "bad_field", "status"),
        ("/v1/jobs?stauts=done".to_owned(), 400, "unknown_field", "stauts"),
        ("/v1/jobs?since=yesterday".to_owned(), 400, "bad_request", "since"),
        ("/v1/jobs?%ff=%ff".to_owned(), 400, "unknown_field", ""),
    ] {
        let answer = server.send(&alice.get(&target)).await;
        let problem = answer.problem();
        let brief: String = target.chars().take(80).collect();
        assert_eq!((answer.status, problem.code.as_str()), (status, code), "{brief}: {}", answer.body);
        assert!(problem.detail.contains(part), "{brief}: {}", problem.detail);
    }
    let events = alice.request("GET", "/v1/events", None, &[("last-event-id", "7")]);
    assert_eq!(server.send(&events).await.problem().code, "bad_cursor");
    witness.nothing_changed("strange ids").await;
}

#[actix_web::test]
async fn what_no_worker_can_run_is_taken_with_a_warning() {
    let (server, alice) = serving().await;
    for spec in [
        json!({ "args": ["-version"], "program": "ffprobe" }),
        json!({ "args": ["-version"], "needs": { "tags": ["gpu"], "encoders": ["h264_nvenc"], "device": "cuda" } }),
        json!({ "args": ["-i", "$Media/a.mkv", "$Out/b.mkv"] }),
    ] {
        let answer = server.send(&alice.post("/v1/jobs", &spec.to_string())).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let made: Submitted = serde_json::from_str(&answer.body).unwrap();
        assert!(made.warnings[0].contains("no known worker can run this yet"), "{made:?}");
        let why = server.send(&alice.get(&format!("/v1/jobs/{}/explain", made.id))).await;
        let why: Explanation = serde_json::from_str(&why.body).unwrap();
        assert_eq!(why.tasks[0].warning.as_deref(), Some(made.warnings[0].as_str()));
    }
}

#[actix_web::test]
async fn too_many_kinds_of_needs_are_refused_without_making_one() {
    let (server, alice) = serving().await;
    let job = |n: usize| json!({ "args": ["-version"], "needs": { "tags": [format!("t{n}")] } });
    let item = |n: usize| json!({ "idempotency_key": format!("k{n}"), "job": job(n) });
    let batch = |from: usize, to: usize| {
        let jobs: Vec<_> = (from..to).map(item).collect();
        alice.post("/v1/jobs:batch", &json!({ "jobs": jobs }).to_string())
    };
    assert_eq!(server.send(&batch(0, limits::NEEDS - 1)).await.status, 200);
    let mut witness = server.witness().await;
    // One more would fit, two do not; and then not even the one is made.
    let answer = server.send(&batch(limits::NEEDS - 1, limits::NEEDS + 1)).await;
    assert_eq!(told(&answer), (422, "too_many_needs".to_owned(), vec!["jobs[1].needs".to_owned()]));
    witness.nothing_changed("a batch of too many").await;
    assert_eq!(server.send(&batch(limits::NEEDS - 1, limits::NEEDS)).await.status, 200);
    witness.looks().await;
    let answer = server.send(&alice.post("/v1/jobs", &job(limits::NEEDS).to_string())).await;
    assert_eq!(told(&answer), (422, "too_many_needs".to_owned(), vec!["needs".to_owned()]));
    witness.nothing_changed("one too many").await;
    assert_eq!(server.send(&alice.post("/v1/jobs", &job(0).to_string())).await.status, 201);
}
